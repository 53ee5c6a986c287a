// Structural schemas of the Knative kinds (CP-84 to CP-90): what the API server checks, prunes,
// defaults and describes. Built-in kinds have theirs in builtin-schema.ts.

import { builtinSchemaOf } from './builtin-schema.ts';
import {
  apiVersionOf,
  Certificate,
  ClusterDomainClaim,
  Configuration,
  DomainMapping,
  Image,
  Ingress,
  type Kind,
  KnativeService,
  Metric,
  PodAutoscaler,
  Revision,
  Route,
  ServerlessService,
} from './kinds.ts';
import {
  bool,
  described,
  int32,
  int64,
  intOrString,
  type JsonSchema,
  list,
  object,
  oneOfWords,
  text,
  textMap,
} from './schema-builder.ts';
import { revisionSpecSchema, revisionTemplateSchema } from './schema-template.ts';

export type { JsonSchema } from './schema-builder.ts';

const commonStatus: Record<string, JsonSchema> = {
  observedGeneration: int64,
  conditions: list(
    object(
      {
        type: text,
        status: text,
        severity: text,
        lastTransitionTime: text,
        reason: text,
        message: text,
      },
      ['type', 'status'],
    ),
  ),
  annotations: textMap,
};
const addressable = object({ name: text, url: text, CACerts: text, audience: text });
const traffic = list(
  object({
    tag: described(text, 'Gives this target a host name of its own.'),
    revisionName: text,
    configurationName: text,
    latestRevision: bool,
    percent: described(int64, 'Share of the requests, 0 to 100; all targets sum to 100.'),
    url: text,
  }),
);
const configurationStatus = { latestCreatedRevisionName: text, latestReadyRevisionName: text };
const routeStatus = { url: text, address: addressable, traffic };
const containerStatuses = list(object({ name: text, imageDigest: text }));
const targetReference = object({ apiVersion: text, kind: text, name: text });
const loadBalancer = object({
  ingress: list(object({ ip: text, domain: text, domainInternal: text, meshOnly: bool })),
});

const ingressSpec = object({
  httpOption: text,
  tls: list(object({ hosts: list(text), secretName: text, secretNamespace: text })),
  rules: list(
    object({
      hosts: list(text),
      visibility: text,
      http: object({
        paths: list(
          object({
            path: text,
            rewriteHost: text,
            headers: {
              type: 'object',
              additionalProperties: object({ exact: text }, ['exact']),
            },
            appendHeaders: textMap,
            splits: list(
              object({
                serviceNamespace: text,
                serviceName: text,
                servicePort: intOrString,
                percent: int64,
                appendHeaders: textMap,
              }),
            ),
          }),
        ),
      }),
    }),
  ),
});

type Members = Record<string, JsonSchema>;

function resource(spec: JsonSchema, status: Members | null, description: string): JsonSchema {
  const properties: Members = { apiVersion: text, kind: text, metadata: { type: 'object' }, spec };
  if (status !== null) properties.status = object({ ...commonStatus, ...status });
  return object(properties, undefined, description);
}

const SCHEMAS = new Map<Kind, JsonSchema>([
  [
    KnativeService,
    resource(
      object({ template: revisionTemplateSchema, traffic }),
      { ...configurationStatus, ...routeStatus },
      'A workload with a URL: manages a Configuration and a Route of the same name.',
    ),
  ],
  [
    Configuration,
    resource(
      object({ template: revisionTemplateSchema }),
      configurationStatus,
      'The latest wanted state of a workload; every change of its template makes a Revision.',
    ),
  ],
  [
    Revision,
    resource(
      revisionSpecSchema,
      {
        logUrl: text,
        containerStatuses,
        initContainerStatuses: containerStatuses,
        actualReplicas: int32,
        desiredReplicas: int32,
      },
      'An immutable snapshot of code and configuration.',
    ),
  ],
  [Route, resource(object({ traffic }), routeStatus, 'Shares traffic among Revisions.')],
  [
    DomainMapping,
    resource(
      object({
        ref: object(
          { kind: text, name: text, apiVersion: text, namespace: text, group: text, address: text },
          ['kind', 'name'],
        ),
        tls: object({ secretName: text }, ['secretName']),
      }),
      { url: text, address: addressable },
      'Serves a custom host name from an addressable object.',
    ),
  ],
  [
    PodAutoscaler,
    resource(
      object(
        {
          containerConcurrency: int64,
          protocolType: text,
          reachability: text,
          scaleTargetRef: targetReference,
        },
        ['protocolType', 'scaleTargetRef'],
      ),
      {
        serviceName: text,
        metricsServiceName: text,
        desiredScale: int32,
        actualScale: int32,
      },
      'How one Revision scales.',
    ),
  ],
  [
    Metric,
    resource(
      object({ stableWindow: int64, panicWindow: int64, scrapeTarget: text }, [
        'stableWindow',
        'panicWindow',
        'scrapeTarget',
      ]),
      {},
      'What to collect for one Revision.',
    ),
  ],
  [
    Ingress,
    resource(
      ingressSpec,
      { publicLoadBalancer: loadBalancer, privateLoadBalancer: loadBalancer },
      'Host and path rules for a gateway.',
    ),
  ],
  [
    ServerlessService,
    resource(
      object(
        {
          mode: oneOfWords('Serve', 'Proxy'),
          objectRef: targetReference,
          protocolType: text,
          numActivators: int32,
        },
        ['objectRef', 'protocolType'],
      ),
      { serviceName: text, privateServiceName: text },
      'Points a Service at the pods of a Revision or at activators.',
    ),
  ],
  [
    Certificate,
    resource(
      object({ dnsNames: list(text), domain: text, secretName: text }, ['dnsNames', 'secretName']),
      {
        notAfter: text,
        http01Challenges: list(
          object({
            url: text,
            serviceName: text,
            serviceNamespace: text,
            servicePort: intOrString,
          }),
        ),
      },
      'A wanted TLS certificate.',
    ),
  ],
  [
    ClusterDomainClaim,
    resource(object({ namespace: text }, ['namespace']), null, 'Who may use a domain name.'),
  ],
  [
    Image,
    resource(
      object(
        {
          image: text,
          serviceAccountName: text,
          imagePullSecrets: list(object({ name: text })),
        },
        ['image'],
      ),
      null,
      'An image worth keeping near.',
    ),
  ],
]);

const BY_NAME = new Map([...SCHEMAS].map(([kind, schema]) => [nameOf(kind), schema]));

function nameOf(kind: Kind): string {
  return `${apiVersionOf(kind)}/${kind.kind}`;
}

/** The whole object's schema, metadata left open; undefined for kinds nobody describes. */
export function schemaOf(kind: Kind): JsonSchema | undefined {
  return BY_NAME.get(nameOf(kind)) ?? builtinSchemaOf(kind);
}
