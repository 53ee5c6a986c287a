// Members of the built-in kinds but pods: name and type of each, by the name of the
// structure, as Kubernetes publishes them. `s` text, `i` whole number, `b` yes or no, `q` number or
// text, `x` anything, `[T]` list of T, `{T}` map of T. What nobody writes by hand, or we never look
// into, is `x`. Data only.

/** Read by builtin-schema.ts. */
export const KIND_FIELDS: Readonly<Record<string, string>> = {
  ConfigMap: 'binaryData:{s} data:{s} immutable:b metadata:Metadata',
  Secret: 'data:{s} immutable:b metadata:Metadata stringData:{s} type:s',
  Namespace: 'metadata:Metadata spec:NamespaceSpec status:NamespaceStatus',
  NamespaceSpec: 'finalizers:[s]',
  NamespaceStatus: 'conditions:[NamespaceCondition] phase:s',
  NamespaceCondition: 'lastTransitionTime:s message:s reason:s status:s type:s',
  ServiceAccount:
    'automountServiceAccountToken:b imagePullSecrets:[LocalObjectReference] metadata:Metadata ' +
    'secrets:[ObjectReference]',
  LocalObjectReference: 'name:s',
  ObjectReference: 'apiVersion:s fieldPath:s kind:s name:s namespace:s resourceVersion:s uid:s',
  Service: 'metadata:Metadata spec:ServiceSpec status:ServiceStatus',
  ServiceSpec:
    'allocateLoadBalancerNodePorts:b clusterIP:s clusterIPs:[s] externalIPs:[s] externalName:s ' +
    'externalTrafficPolicy:s healthCheckNodePort:i internalTrafficPolicy:s ipFamilies:[s] ' +
    'ipFamilyPolicy:s loadBalancerClass:s loadBalancerIP:s loadBalancerSourceRanges:[s] ' +
    'ports:[ServicePort] publishNotReadyAddresses:b selector:{s} sessionAffinity:s ' +
    'sessionAffinityConfig:x trafficDistribution:s type:s',
  ServicePort: 'appProtocol:s name:s nodePort:i port:i protocol:s targetPort:q',
  ServiceStatus: 'conditions:[Condition] loadBalancer:LoadBalancerStatus',
  Condition: 'lastTransitionTime:s message:s observedGeneration:i reason:s status:s type:s',
  LoadBalancerStatus: 'ingress:[LoadBalancerIngress]',
  LoadBalancerIngress: 'hostname:s ip:s ipMode:s ports:[PortStatus]',
  PortStatus: 'error:s port:i protocol:s',
  Endpoints: 'metadata:Metadata subsets:[EndpointSubset]',
  EndpointSubset:
    'addresses:[EndpointAddress] notReadyAddresses:[EndpointAddress] ports:[EndpointPort]',
  EndpointAddress: 'hostname:s ip:s nodeName:s targetRef:ObjectReference',
  EndpointPort: 'appProtocol:s name:s port:i protocol:s',
  Event:
    'action:s count:i eventTime:s firstTimestamp:s involvedObject:ObjectReference ' +
    'lastTimestamp:s message:s metadata:Metadata reason:s related:ObjectReference ' +
    'reportingComponent:s reportingInstance:s series:x source:EventSource type:s',
  EventSource: 'component:s host:s',
  Node: 'metadata:Metadata spec:NodeSpec status:NodeStatus',
  NodeSpec:
    'configSource:x externalID:s podCIDR:s podCIDRs:[s] providerID:s taints:[Taint] ' +
    'unschedulable:b',
  Taint: 'effect:s key:s timeAdded:s value:s',
  NodeStatus:
    'addresses:[NodeAddress] allocatable:{q} capacity:{q} conditions:[NodeCondition] config:x ' +
    'daemonEndpoints:x declaredFeatures:[s] features:x images:[x] nodeInfo:x phase:s ' +
    'runtimeHandlers:[x] volumesAttached:[x] volumesInUse:[s]',
  NodeAddress: 'address:s type:s',
  NodeCondition: 'lastHeartbeatTime:s lastTransitionTime:s message:s reason:s status:s type:s',
  Deployment: 'metadata:Metadata spec:DeploymentSpec status:DeploymentStatus',
  DeploymentSpec:
    'minReadySeconds:i paused:b progressDeadlineSeconds:i replicas:i revisionHistoryLimit:i ' +
    'selector:LabelSelector strategy:DeploymentStrategy template:PodTemplateSpec',
  DeploymentStrategy: 'rollingUpdate:RollingUpdateDeployment type:s',
  RollingUpdateDeployment: 'maxSurge:q maxUnavailable:q',
  PodTemplateSpec: 'metadata:Metadata spec:PodSpec',
  DeploymentStatus:
    'availableReplicas:i collisionCount:i conditions:[DeploymentCondition] observedGeneration:i ' +
    'readyReplicas:i replicas:i terminatingReplicas:i unavailableReplicas:i updatedReplicas:i',
  DeploymentCondition: 'lastTransitionTime:s lastUpdateTime:s message:s reason:s status:s type:s',
  HorizontalPodAutoscaler:
    'metadata:Metadata spec:HorizontalPodAutoscalerSpec status:HorizontalPodAutoscalerStatus',
  HorizontalPodAutoscalerSpec:
    'behavior:x maxReplicas:i metrics:[x] minReplicas:i ' +
    'scaleTargetRef:CrossVersionObjectReference',
  CrossVersionObjectReference: 'apiVersion:s kind:s name:s',
  HorizontalPodAutoscalerStatus:
    'conditions:[HorizontalPodAutoscalerCondition] currentMetrics:[x] currentReplicas:i ' +
    'desiredReplicas:i lastScaleTime:s observedGeneration:i',
  HorizontalPodAutoscalerCondition: 'lastTransitionTime:s message:s reason:s status:s type:s',
  EndpointSlice: 'addressType:s endpoints:[Endpoint] metadata:Metadata ports:[EndpointPort]',
  Endpoint:
    'addresses:[s] conditions:EndpointConditions deprecatedTopology:{s} hints:EndpointHints ' +
    'hostname:s nodeName:s targetRef:ObjectReference zone:s',
  EndpointConditions: 'ready:b serving:b terminating:b',
  EndpointHints: 'forNodes:[ForNode] forZones:[ForZone]',
  ForNode: 'name:s',
  ForZone: 'name:s',
  Lease: 'metadata:Metadata spec:LeaseSpec',
  LeaseSpec:
    'acquireTime:s holderIdentity:s leaseDurationSeconds:i leaseTransitions:i preferredHolder:s ' +
    'renewTime:s strategy:s',
};
