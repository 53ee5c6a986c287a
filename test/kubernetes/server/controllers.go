// The two controllers of kube-controller-manager without which deleting does not work: the garbage
// collector (owner references, propagation policies) and the namespace controller.

package main

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"
	cacheddiscovery "k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
)

const (
	apiStartLimit = 2 * time.Minute
	// New kinds (CRDs) are collected after this long: the garbage collector asks for them by polling.
	discoveryPeriod   = time.Second
	controllerWorkers = 4
)

func runControllers(kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := waitReady(client.Discovery()); err != nil {
		return err
	}
	metadataClient, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	return runUntilFailure(config, client, metadataClient)
}

func runUntilFailure(config *rest.Config, client kubernetes.Interface, objects metadata.Interface) error {
	ctx := context.Background()
	started := make(chan struct{})
	typed := informers.NewSharedInformerFactory(client, 0)
	untyped := metadatainformer.NewSharedInformerFactory(objects, 0)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cacheddiscovery.NewMemCacheClient(client.Discovery()))

	collector, err := garbagecollector.NewGarbageCollector(ctx, client, objects, mapper,
		garbagecollector.DefaultIgnoredResources(),
		informerfactory.NewInformerFactory(typed, untyped), started)
	if err != nil {
		return err
	}
	namespaces := namespace.NewNamespaceController(ctx, client, objects,
		client.Discovery().ServerPreferredNamespacedResources,
		typed.Core().V1().Namespaces(), time.Minute, v1.FinalizerKubernetes)

	typed.Start(ctx.Done())
	untyped.Start(ctx.Done())
	close(started)
	go namespaces.Run(ctx, controllerWorkers)
	go collector.Sync(ctx, discovery.NewDiscoveryClientForConfigOrDie(config), discoveryPeriod)
	collector.Run(ctx, controllerWorkers, time.Minute)
	return fmt.Errorf("the garbage collector ended")
}

func waitReady(client discovery.DiscoveryInterface) error {
	deadline := time.Now().Add(apiStartLimit)
	for {
		body, err := client.RESTClient().Get().AbsPath("/readyz").DoRaw(context.Background())
		if err == nil && string(body) == "ok" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("kube-apiserver is not ready: %w", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
