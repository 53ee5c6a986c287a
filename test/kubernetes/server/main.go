// A whole Kubernetes API in one process, for tests: etcd, kube-apiserver, the garbage collector and the
// namespace controller. No scheduler and no kubelet: pods stay pending.
// Invariants: everything listens on loopback only; it ends when its standard input does, so it
// outlives no test run.
//
//	kubernetes-api -etcd-dir DIR -kubeconfig FILE -- <flags of kube-apiserver>
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

const etcdStartLimit = 60 * time.Second

func main() {
	etcdDir := flag.String("etcd-dir", "", "folder of etcd's data")
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig of the controllers")
	flag.Parse()

	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	etcd, endpoint, err := startEtcd(*etcdDir)
	if err != nil {
		fail("etcd", err)
	}
	defer etcd.Close()
	go func() {
		if err := runControllers(*kubeconfig); err != nil {
			fail("controllers", err)
		}
	}()

	command := app.NewAPIServerCommand()
	command.SetArgs(append(flag.Args(), "--etcd-servers="+endpoint))
	if err := command.Execute(); err != nil {
		fail("kube-apiserver", err)
	}
}

// startEtcd returns once etcd serves. Nothing is synced to disk: the data live as long as a test run.
func startEtcd(dir string) (*embed.Etcd, string, error) {
	config := embed.NewConfig()
	config.Dir = dir
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	client, peer := freeURL(), freeURL()
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, "", err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, client.String(), nil
	case <-time.After(etcdStartLimit):
		etcd.Close()
		return nil, "", fmt.Errorf("not ready after %s", etcdStartLimit)
	}
}

// freeURL names a loopback port nobody holds right now.
func freeURL() url.URL {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("port", err)
	}
	defer listener.Close()
	return url.URL{Scheme: "http", Host: listener.Addr().String()}
}

func fail(part string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", part, err)
	os.Exit(1)
}
