// The structural schema of a Revision's spec (CP-84): the subset of a pod that Serving lets
// through. What is not listed is pruned before any webhook sees it.

import {
  bool,
  described,
  int32,
  int64,
  intOrString,
  type JsonSchema,
  list,
  mapList,
  object,
  opaque,
  opaqueList,
  text,
  textMap,
  withDefault,
} from './schema-builder.ts';

const name = withDefault(text, '');
const keyRef = object({ key: text, name, optional: bool }, ['key']);

const env = mapList(
  object(
    {
      name: text,
      value: text,
      valueFrom: object({
        configMapKeyRef: keyRef,
        secretKeyRef: keyRef,
        fieldRef: opaque,
        resourceFieldRef: opaque,
      }),
    },
    ['name'],
  ),
  'name',
);

const envFrom = list(
  object({
    prefix: text,
    configMapRef: object({ name, optional: bool }),
    secretRef: object({ name, optional: bool }),
  }),
);

const probe = object({
  exec: object({ command: list(text) }),
  httpGet: object({
    host: text,
    path: text,
    port: intOrString,
    scheme: text,
    httpHeaders: list(object({ name: text, value: text }, ['name', 'value'])),
  }),
  tcpSocket: object({ host: text, port: intOrString }),
  grpc: object({ port: int32, service: withDefault(text, '') }),
  initialDelaySeconds: int32,
  periodSeconds: described(int32, '0 probes eagerly until the container is ready.'),
  timeoutSeconds: int32,
  successThreshold: int32,
  failureThreshold: int32,
});

const quantities: JsonSchema = { type: 'object', additionalProperties: intOrString };

const seccompProfile = object({ type: text, localhostProfile: text }, ['type']);

const securityContext = object({
  allowPrivilegeEscalation: bool,
  capabilities: object({ add: list(text), drop: list(text) }),
  privileged: bool,
  readOnlyRootFilesystem: bool,
  runAsGroup: int64,
  runAsNonRoot: bool,
  runAsUser: int64,
  seccompProfile,
});

const container = object({
  args: described(
    list(text),
    'Arguments of the command; the image map fills in its own if absent.',
  ),
  command: described(list(text), 'Executable and arguments, run as given.'),
  env,
  envFrom,
  image: text,
  imagePullPolicy: text,
  livenessProbe: probe,
  name: text,
  ports: list(object({ containerPort: int32, name: text, protocol: withDefault(text, 'TCP') })),
  readinessProbe: probe,
  resources: object({ limits: quantities, requests: quantities }),
  securityContext,
  startupProbe: probe,
  terminationMessagePath: text,
  terminationMessagePolicy: text,
  volumeMounts: mapList(
    object(
      {
        name: text,
        mountPath: text,
        subPath: text,
        readOnly: bool,
        mountPropagation: text,
      },
      ['mountPath', 'name'],
    ),
    'mountPath',
  ),
  workingDir: text,
});

const items = list(object({ key: text, path: text, mode: int32 }, ['key', 'path']));
const configMapSource = object({ name, items, optional: bool, defaultMode: int32 });

const volume = object(
  {
    name: text,
    secret: object({ secretName: text, items, optional: bool, defaultMode: int32 }),
    configMap: configMapSource,
    projected: object({
      defaultMode: int32,
      sources: list(
        object({
          configMap: object({ name, items, optional: bool }),
          secret: object({ name, items, optional: bool }),
          serviceAccountToken: object({ audience: text, expirationSeconds: int64, path: text }, [
            'path',
          ]),
          downwardAPI: opaque,
        }),
      ),
    }),
    csi: opaque,
    emptyDir: opaque,
    ephemeral: opaque,
    hostPath: opaque,
    image: opaque,
    persistentVolumeClaim: opaque,
  },
  ['name'],
);

export const revisionSpecSchema: JsonSchema = object(
  {
    containerConcurrency: described(int64, 'Requests inside one instance at once; 0 = no limit.'),
    timeoutSeconds: described(int64, 'Longest duration of one request.'),
    responseStartTimeoutSeconds: int64,
    idleTimeoutSeconds: int64,
    containers: list(container),
    volumes: mapList(volume, 'name'),
    serviceAccountName: text,
    imagePullSecrets: mapList(object({ name }), 'name'),
    enableServiceLinks: bool,
    automountServiceAccountToken: bool,
    affinity: opaque,
    dnsConfig: opaque,
    dnsPolicy: text,
    hostAliases: opaqueList,
    hostIPC: bool,
    hostNetwork: bool,
    hostPID: bool,
    initContainers: opaqueList,
    nodeSelector: textMap,
    priorityClassName: text,
    runtimeClassName: text,
    schedulerName: text,
    securityContext: opaque,
    shareProcessNamespace: bool,
    tolerations: opaqueList,
    topologySpreadConstraints: opaqueList,
  },
  ['containers'],
);

export const revisionTemplateSchema: JsonSchema = object({
  metadata: {
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
    properties: {
      annotations: textMap,
      labels: textMap,
      finalizers: list(text),
      name: text,
      namespace: text,
    },
  },
  spec: revisionSpecSchema,
});
