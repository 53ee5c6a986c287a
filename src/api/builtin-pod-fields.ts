// Members of pods and what they hold: name and type of each, by the name of the
// structure, as Kubernetes publishes them. `s` text, `i` whole number, `b` yes or no, `q` number or
// text, `x` anything, `[T]` list of T, `{T}` map of T. What nobody writes by hand, or we never look
// into, is `x`. Data only.

/** Read by builtin-schema.ts. */
export const POD_FIELDS: Readonly<Record<string, string>> = {
  Pod: 'metadata:Metadata spec:PodSpec status:PodStatus',
  PodSpec:
    'activeDeadlineSeconds:i affinity:x automountServiceAccountToken:b containers:[Container] ' +
    'dnsConfig:PodDNSConfig dnsPolicy:s enableServiceLinks:b ' +
    'ephemeralContainers:[EphemeralContainer] hostAliases:[HostAlias] hostIPC:b hostNetwork:b ' +
    'hostPID:b hostUsers:b hostname:s hostnameOverride:s ' +
    'imagePullSecrets:[LocalObjectReference] initContainers:[Container] nodeName:s ' +
    'nodeSelector:{s} os:PodOS overhead:{q} preemptionPolicy:s priority:i priorityClassName:s ' +
    'readinessGates:[PodReadinessGate] resourceClaims:[x] resources:ResourceRequirements ' +
    'restartPolicy:s runtimeClassName:s schedulerName:s schedulingGates:[PodSchedulingGate] ' +
    'schedulingGroup:x securityContext:PodSecurityContext serviceAccount:s serviceAccountName:s ' +
    'setHostnameAsFQDN:b shareProcessNamespace:b subdomain:s terminationGracePeriodSeconds:i ' +
    'tolerations:[Toleration] topologySpreadConstraints:[TopologySpreadConstraint] ' +
    'volumes:[Volume]',
  Container:
    'args:[s] command:[s] env:[EnvVar] envFrom:[EnvFromSource] image:s imagePullPolicy:s ' +
    'lifecycle:Lifecycle livenessProbe:Probe name:s ports:[ContainerPort] readinessProbe:Probe ' +
    'resizePolicy:[ContainerResizePolicy] resources:ResourceRequirements restartPolicy:s ' +
    'restartPolicyRules:[x] securityContext:SecurityContext startupProbe:Probe stdin:b ' +
    'stdinOnce:b terminationMessagePath:s terminationMessagePolicy:s tty:b ' +
    'volumeDevices:[VolumeDevice] volumeMounts:[VolumeMount] workingDir:s',
  EnvVar: 'name:s value:s valueFrom:EnvVarSource',
  EnvVarSource:
    'configMapKeyRef:ConfigMapKeySelector fieldRef:ObjectFieldSelector fileKeyRef:x ' +
    'resourceFieldRef:ResourceFieldSelector secretKeyRef:SecretKeySelector',
  ConfigMapKeySelector: 'key:s name:s optional:b',
  ObjectFieldSelector: 'apiVersion:s fieldPath:s',
  ResourceFieldSelector: 'containerName:s divisor:q resource:s',
  SecretKeySelector: 'key:s name:s optional:b',
  EnvFromSource: 'configMapRef:ConfigMapEnvSource prefix:s secretRef:SecretEnvSource',
  ConfigMapEnvSource: 'name:s optional:b',
  SecretEnvSource: 'name:s optional:b',
  Lifecycle: 'postStart:x preStop:x stopSignal:s',
  Probe:
    'exec:ExecAction failureThreshold:i grpc:GRPCAction httpGet:HTTPGetAction ' +
    'initialDelaySeconds:i periodSeconds:i successThreshold:i tcpSocket:TCPSocketAction ' +
    'terminationGracePeriodSeconds:i timeoutSeconds:i',
  ExecAction: 'command:[s]',
  GRPCAction: 'port:i service:s',
  HTTPGetAction: 'host:s httpHeaders:[HTTPHeader] path:s port:q scheme:s',
  HTTPHeader: 'name:s value:s',
  TCPSocketAction: 'host:s port:q',
  ContainerPort: 'containerPort:i hostIP:s hostPort:i name:s protocol:s',
  ContainerResizePolicy: 'resourceName:s restartPolicy:s',
  ResourceRequirements: 'claims:[ResourceClaim] limits:{q} requests:{q}',
  ResourceClaim: 'name:s request:s',
  SecurityContext:
    'allowPrivilegeEscalation:b appArmorProfile:AppArmorProfile capabilities:Capabilities ' +
    'privileged:b procMount:s readOnlyRootFilesystem:b runAsGroup:i runAsNonRoot:b runAsUser:i ' +
    'seLinuxOptions:SELinuxOptions seccompProfile:SeccompProfile windowsOptions:x',
  AppArmorProfile: 'localhostProfile:s type:s',
  Capabilities: 'add:[s] drop:[s]',
  SELinuxOptions: 'level:s role:s type:s user:s',
  SeccompProfile: 'localhostProfile:s type:s',
  VolumeDevice: 'devicePath:s name:s',
  VolumeMount:
    'mountPath:s mountPropagation:s name:s readOnly:b recursiveReadOnly:s subPath:s ' +
    'subPathExpr:s',
  PodDNSConfig: 'nameservers:[s] options:[PodDNSConfigOption] searches:[s]',
  PodDNSConfigOption: 'name:s value:s',
  EphemeralContainer:
    'args:[s] command:[s] env:[EnvVar] envFrom:[EnvFromSource] image:s imagePullPolicy:s ' +
    'lifecycle:Lifecycle livenessProbe:Probe name:s ports:[ContainerPort] readinessProbe:Probe ' +
    'resizePolicy:[ContainerResizePolicy] resources:ResourceRequirements restartPolicy:s ' +
    'restartPolicyRules:[x] securityContext:SecurityContext startupProbe:Probe stdin:b ' +
    'stdinOnce:b targetContainerName:s terminationMessagePath:s terminationMessagePolicy:s ' +
    'tty:b volumeDevices:[VolumeDevice] volumeMounts:[VolumeMount] workingDir:s',
  HostAlias: 'hostnames:[s] ip:s',
  PodOS: 'name:s',
  PodReadinessGate: 'conditionType:s',
  PodSchedulingGate: 'name:s',
  PodSecurityContext:
    'appArmorProfile:AppArmorProfile fsGroup:i fsGroupChangePolicy:s runAsGroup:i ' +
    'runAsNonRoot:b runAsUser:i seLinuxChangePolicy:s seLinuxOptions:SELinuxOptions ' +
    'seccompProfile:SeccompProfile supplementalGroups:[i] supplementalGroupsPolicy:s ' +
    'sysctls:[Sysctl] windowsOptions:x',
  Sysctl: 'name:s value:s',
  Toleration: 'effect:s key:s operator:s tolerationSeconds:i value:s',
  TopologySpreadConstraint:
    'labelSelector:LabelSelector matchLabelKeys:[s] maxSkew:i minDomains:i nodeAffinityPolicy:s ' +
    'nodeTaintsPolicy:s topologyKey:s whenUnsatisfiable:s',
  LabelSelector: 'matchExpressions:[LabelSelectorRequirement] matchLabels:{s}',
  LabelSelectorRequirement: 'key:s operator:s values:[s]',
  Volume:
    'awsElasticBlockStore:x azureDisk:x azureFile:x cephfs:x cinder:x ' +
    'configMap:ConfigMapVolumeSource csi:x downwardAPI:DownwardAPIVolumeSource ' +
    'emptyDir:EmptyDirVolumeSource ephemeral:x fc:x flexVolume:x flocker:x gcePersistentDisk:x ' +
    'gitRepo:x glusterfs:x hostPath:HostPathVolumeSource image:x iscsi:x name:s nfs:x ' +
    'persistentVolumeClaim:PersistentVolumeClaimVolumeSource photonPersistentDisk:x ' +
    'portworxVolume:x projected:ProjectedVolumeSource quobyte:x rbd:x scaleIO:x ' +
    'secret:SecretVolumeSource storageos:x vsphereVolume:x',
  ConfigMapVolumeSource: 'defaultMode:i items:[KeyToPath] name:s optional:b',
  KeyToPath: 'key:s mode:i path:s',
  DownwardAPIVolumeSource: 'defaultMode:i items:[DownwardAPIVolumeFile]',
  DownwardAPIVolumeFile:
    'fieldRef:ObjectFieldSelector mode:i path:s resourceFieldRef:ResourceFieldSelector',
  EmptyDirVolumeSource: 'medium:s sizeLimit:q',
  HostPathVolumeSource: 'path:s type:s',
  PersistentVolumeClaimVolumeSource: 'claimName:s readOnly:b',
  ProjectedVolumeSource: 'defaultMode:i sources:[VolumeProjection]',
  VolumeProjection:
    'clusterTrustBundle:x configMap:ConfigMapProjection downwardAPI:DownwardAPIProjection ' +
    'podCertificate:x secret:SecretProjection serviceAccountToken:ServiceAccountTokenProjection',
  ConfigMapProjection: 'items:[KeyToPath] name:s optional:b',
  DownwardAPIProjection: 'items:[DownwardAPIVolumeFile]',
  SecretProjection: 'items:[KeyToPath] name:s optional:b',
  ServiceAccountTokenProjection: 'audience:s expirationSeconds:i path:s',
  SecretVolumeSource: 'defaultMode:i items:[KeyToPath] optional:b secretName:s',
  PodStatus:
    'allocatedResources:{q} conditions:[PodCondition] containerStatuses:[x] ' +
    'ephemeralContainerStatuses:[x] extendedResourceClaimStatus:x hostIP:s hostIPs:[HostIP] ' +
    'initContainerStatuses:[x] message:s nodeAllocatableResourceClaimStatuses:[x] ' +
    'nominatedNodeName:s observedGeneration:i phase:s podIP:s podIPs:[PodIP] qosClass:s ' +
    'reason:s resize:s resourceClaimStatuses:[x] resources:ResourceRequirements startTime:s',
  PodCondition:
    'lastProbeTime:s lastTransitionTime:s message:s observedGeneration:i reason:s status:s ' +
    'type:s',
  HostIP: 'ip:s',
  PodIP: 'ip:s',
};
