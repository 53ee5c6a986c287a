// Admission as an API user meets it: what is filled in, and the words of each refusal.

import { describe, expect, it } from 'vitest';
import type { AdmissionRequest, AdmissionResponse } from '../api/admission.ts';
import {
  CONFIG_MAPS,
  type ConfigMember,
  type ServingConfig,
  stockConfig,
} from '../api/config/registry.ts';
import type { Container } from '../api/core.ts';
import type { KubeObject } from '../api/objects.ts';
import type { KnativeService, Revision, Route, TrafficTarget } from '../api/serving.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { createAdmission } from './admit.ts';
import { exampleChecksum } from './config-maps.ts';

type Maps = Partial<Record<ConfigMember, Record<string, string>>>;

function config(maps: Maps): ServingConfig {
  const members: Record<string, unknown> = { ...stockConfig('cluster.local') };
  for (const row of CONFIG_MAPS) {
    const data = maps[row.member];
    if (data === undefined) continue;
    const parsed = row.parse({ ...row.stock, ...data }, 'cluster.local');
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    members[row.member] = parsed.value;
  }
  return members as unknown as ServingConfig;
}

function admit(
  object: KubeObject,
  old: KubeObject | null = null,
  maps: Maps = {},
  request: Partial<AdmissionRequest> = {},
): AdmissionResponse {
  const admission = createAdmission({ config: () => config(maps), clock: new FakeClock() });
  return admission.admit({
    operation: old === null ? 'CREATE' : 'UPDATE',
    subresource: '',
    dryRun: false,
    userName: 'ann',
    object,
    oldObject: old,
    ...request,
  }) as AdmissionResponse;
}

const PREFIX =
  'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: ';

/** What follows `validation failed: `; `''` when the request is allowed. */
function complaint(response: AdmissionResponse): string {
  if (response.allowed) return '';
  expect(response).toMatchObject({ code: 400, reason: 'BadRequest' });
  expect(response.message.startsWith(PREFIX)).toBe(true);
  return response.message.slice(PREFIX.length);
}

function stored<T extends KubeObject>(response: AdmissionResponse): T {
  if (!response.allowed) throw new Error(response.message);
  return response.object as T;
}

function service(
  change: (service: KnativeService, container: Container) => void = () => undefined,
): KnativeService {
  const container = { image: 'hello' } as Container;
  const made: KnativeService = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'foo', namespace: 'default' },
    spec: { template: { spec: { containers: [container] } } },
  };
  change(made, container);
  return made;
}

const secure = { features: { 'secure-pod-defaults': 'Enabled' } };

describe('section 5: defaulting', () => {
  it('WH-30 to WH-40: a minimal Service becomes complete', () => {
    const { metadata, spec } = stored<KnativeService>(admit(service()));
    expect(metadata.annotations).toEqual({
      'serving.knative.dev/creator': 'ann',
      'serving.knative.dev/lastModifier': 'ann',
    });
    expect(spec.traffic).toEqual([{ latestRevision: true, percent: 100 }]);
    expect(spec.template.spec).toEqual({
      timeoutSeconds: 300,
      containerConcurrency: 0,
      enableServiceLinks: false,
      containers: [
        {
          name: 'user-container',
          image: 'hello',
          readinessProbe: { successThreshold: 1, tcpSocket: { port: 0 } },
        },
      ],
    });
  });

  it('RC-115: defaulting what was defaulted changes nothing', () => {
    const once = stored<KnativeService>(admit(service()));
    expect(stored(admit(once, once))).toEqual(once);
  });

  it('never changes the object of the request', () => {
    const object = service();
    const before = structuredClone(object);
    admit(object);
    expect(object).toEqual(before);
  });

  it('WH-33: unnamed containers get numbered names that are not taken', () => {
    const object = service(({ spec }) => {
      spec.template.spec.containers = [
        { image: 'aa', ports: [{ containerPort: 80 }] } as Container,
        { image: 'bb', name: 'user-container-0' },
        { image: 'cc' } as Container,
      ];
    });
    const names = stored<KnativeService>(admit(object)).spec.template.spec.containers.map(
      ({ name }) => name,
    );
    expect(names).toEqual(['user-container-1', 'user-container-0', 'user-container-2']);
  });

  it('WH-31: only a change of the spec changes the last modifier', () => {
    const once = stored<KnativeService>(admit(service()));
    const relabelled = structuredClone(once);
    relabelled.metadata.labels = { a: 'b' };
    const kept = stored<KnativeService>(admit(relabelled, once, {}, { userName: 'bob' }));
    expect(kept.metadata.annotations?.['serving.knative.dev/lastModifier']).toBe('ann');
    const changed = structuredClone(once);
    changed.spec.template.spec.timeoutSeconds = 10;
    const modified = stored<KnativeService>(admit(changed, once, {}, { userName: 'bob' }));
    expect(modified.metadata.annotations).toEqual({
      'serving.knative.dev/creator': 'ann',
      'serving.knative.dev/lastModifier': 'bob',
    });
  });

  it('WH-37: secure defaults', () => {
    const object = service((_service, container) => {
      container.ports = [{ containerPort: 80 }];
    });
    const [container] = stored<KnativeService>(admit(object, null, secure)).spec.template.spec
      .containers;
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      seccompProfile: { type: 'RuntimeDefault' },
      capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
      runAsNonRoot: true,
    });
  });

  it('WH-42: a PodAutoscaler gets class and metric', () => {
    const object = {
      apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
      kind: 'PodAutoscaler',
      metadata: { name: 'a', namespace: 'default' },
      spec: {
        protocolType: 'http1',
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a-deployment' },
      },
    };
    expect(stored(admit(object)).metadata.annotations).toEqual({
      'autoscaling.knative.dev/class': 'kpa.autoscaling.knative.dev',
      'autoscaling.knative.dev/metric': 'concurrency',
    });
  });
});

type Row = [string, (service: KnativeService, container: Container) => void, string, Maps?];
const traffic =
  (...targets: TrafficTarget[]): Row[1] =>
  ({ spec }) => {
    spec.traffic = targets;
  };
const RESERVED = '8012 is a reserved port';
const AT = 'spec.template.spec.containers[0]';

describe('WH-190 and sections 6 to 13: what is wrong is said in the words of the reference', () => {
  it.each<Row>([
    [
      'no image',
      (_s, c) => {
        c.image = '';
      },
      `missing field(s): ${AT}.image`,
    ],
    [
      'image with a blank',
      (_s, c) => {
        c.image = 'foo bar';
      },
      `Failed to parse image reference: ${AT}.image\nimage: "foo bar", error: could not parse reference: foo bar`,
    ],
    [
      'half of the traffic',
      traffic({ percent: 50, latestRevision: true }),
      'Traffic targets sum to 50, want 100: spec.traffic',
    ],
    [
      'reserved port',
      (_s, c) => {
        c.ports = [{ containerPort: 8012 }];
      },
      `invalid value: ${RESERVED}: ${AT}.ports.containerPort\n${RESERVED}, please use a different value`,
    ],
    [
      'reserved variable',
      (_s, c) => {
        c.env = [{ name: 'PORT', value: '1' }];
      },
      `"PORT" is a reserved environment variable: ${AT}.env[0].name`,
    ],
    [
      'timeout above the maximum',
      ({ spec }) => {
        spec.template.spec.timeoutSeconds = 700;
      },
      'expected 0 <= 700 <= 600: spec.template.spec.timeoutSeconds',
    ],
    [
      'negative concurrency',
      ({ spec }) => {
        spec.template.spec.containerConcurrency = -1;
      },
      'expected 0 <= -1 <= 1000: spec.template.spec.containerConcurrency',
    ],
    [
      'foreign template name',
      ({ spec }) => {
        spec.template.metadata = { name: 'bar-1' };
      },
      'invalid value: "bar-1" must have prefix "foo-": spec.template.metadata.name',
    ],
    [
      'autoscaling annotation in the wrong place',
      ({ metadata }) => {
        metadata.annotations = { 'autoscaling.knative.dev/min-scale': '1' };
      },
      'invalid key name "autoscaling.knative.dev/min-scale": metadata.annotations\nautoscaling annotations must be put under "spec.template.metadata.annotations" to work',
    ],
    [
      'two containers with ports',
      ({ spec }) => {
        spec.template.spec.containers = [80, 81].map((containerPort) => ({
          name: `c${containerPort}`,
          image: 'hello',
          ports: [{ containerPort }],
        }));
      },
      'more than one container port is set: spec.template.spec.containers[*].ports\nOnly a single port is allowed across all containers',
    ],
    [
      'several problems are sorted and told together',
      ({ spec }, c) => {
        spec.template.spec.timeoutSeconds = 700;
        c.env = [{ name: 'K_SERVICE' }, { name: '' }];
      },
      `"K_SERVICE" is a reserved environment variable: ${AT}.env[0].name\nexpected 0 <= 700 <= 600: spec.template.spec.timeoutSeconds\nmissing field(s): ${AT}.env[1].name`,
    ],
    [
      'min above max',
      ({ spec }) => {
        spec.template.metadata = {
          annotations: {
            'autoscaling.knative.dev/min-scale': '5',
            'autoscaling.knative.dev/max-scale': '2',
          },
        };
      },
      'max-scale=2 is less than min-scale=5: spec.template.metadata.annotations.autoscaling.knative.dev/max-scale, spec.template.metadata.annotations.autoscaling.knative.dev/min-scale',
    ],
    [
      'unknown networking annotation',
      ({ spec }) => {
        spec.template.metadata = { annotations: { 'networking.knative.dev/x': '' } };
      },
      'invalid key name "networking.knative.dev/x": spec.template.metadata.annotations',
    ],
    [
      'progress deadline',
      ({ spec }) => {
        spec.template.metadata = {
          annotations: { 'serving.knative.dev/progress-deadline': '1ms' },
        };
      },
      'progress-deadline=1ms is not at second precision: spec.template.metadata.annotations.serving.knative.dev/progress-deadline',
    ],
    [
      'rollout duration',
      ({ metadata }) => {
        metadata.annotations = { 'serving.knative.dev/rollout-duration': '-2s' };
      },
      'rollout-duration=-2s must be positive: metadata.annotations.serving.knative.dev/rollout-duration',
    ],
    [
      'no containers',
      ({ spec }) => {
        spec.template.spec.containers = [];
      },
      'missing field(s): spec.template.spec.containers',
    ],
    [
      'port name',
      (_s, c) => {
        c.ports = [{ containerPort: 80, name: 'grpc' }];
      },
      `Port name grpc is not allowed: ${AT}.ports\nName must be empty, or one of: 'h2c', 'http1'`,
    ],
    [
      'probe with a foreign port name',
      (_s, c) => {
        c.readinessProbe = { httpGet: { port: 'web' } };
      },
      `invalid value: web: ${AT}.readinessProbe.httpGet.port\nProbe port must match container port`,
    ],
    [
      'probe timing without a period',
      (_s, c) => {
        c.readinessProbe = { tcpSocket: {}, timeoutSeconds: 2 };
      },
      `timeoutSeconds is disallowed when periodSeconds is zero: ${AT}.readinessProbe.timeoutSeconds`,
    ],
    [
      'two handlers',
      (_s, c) => {
        c.livenessProbe = { tcpSocket: {}, exec: {} };
      },
      `expected exactly one, got both: ${AT}.livenessProbe.exec, ${AT}.livenessProbe.tcpSocket`,
    ],
    [
      'reserved container name',
      (_s, c) => {
        c.name = 'queue-proxy';
      },
      `"queue-proxy" is a reserved container name: ${AT}.name`,
    ],
    [
      'flagged pod field',
      ({ spec }) => {
        spec.template.spec.nodeSelector = { a: 'b' };
      },
      'must not set the field(s): spec.template.spec.nodeSelector',
    ],
    [
      'added capability',
      (_s, c) => {
        c.securityContext = { capabilities: { add: ['SYS_ADMIN'] } };
      },
      `must not set the field(s): ${AT}.securityContext.capabilities.add`,
    ],
    [
      'host path',
      ({ spec }, c) => {
        spec.template.spec.volumes = [{ name: 'v', hostPath: { path: '/' } }];
        c.volumeMounts = [{ name: 'v', mountPath: '/v' }];
      },
      'HostPath volume support is disabled, but found HostPath volume v: \nmust not set the field(s): spec.template.spec.volumes[0].hostPath',
    ],
    [
      'volume nobody mounts',
      ({ spec }) => {
        spec.template.spec.volumes = [{ name: 'v', emptyDir: {} }];
      },
      'volume with name "v" not mounted: spec.template.spec.volumes[0].name',
    ],
    [
      'reserved mount path',
      ({ spec }, c) => {
        spec.template.spec.volumes = [{ name: 'v', emptyDir: {} }];
        c.volumeMounts = [{ name: 'v', mountPath: '//dev/' }];
      },
      `mountPath "/dev" is a reserved path: ${AT}.volumeMounts[0].mountPath`,
    ],
    [
      'tag defined twice',
      traffic(
        { latestRevision: true, percent: 50, tag: 'a' },
        { latestRevision: true, percent: 50, tag: 'a' },
      ),
      'Multiple definitions for "a": spec.traffic[0].tag, spec.traffic[1].tag',
    ],
    [
      'latest revision by name',
      traffic({ latestRevision: true, percent: 100, revisionName: 'foo-1' }),
      'may not set revisionName "foo-1" when latestRevision is true: spec.traffic[0].latestRevision',
    ],
    [
      'configuration in a Service',
      traffic({ percent: 100, configurationName: 'foo' }),
      'must not set the field(s): spec.traffic[0].configurationName',
    ],
    [
      'init containers',
      ({ spec }) => {
        spec.template.spec.initContainers = [{ name: 'i', image: 'hello' }];
      },
      'must not set the field(s): spec.template.spec.initContainers\npod spec support for init-containers is off, but found 1 init containers: ',
    ],
    [
      'zero concurrency where it is off',
      () => undefined,
      'expected 1 <= 0 <= 1000: spec.template.spec.containerConcurrency',
      { defaults: { 'allow-container-concurrency-zero': 'false' } },
    ],
    [
      'sidecar with a probe',
      ({ spec }) => {
        spec.template.spec.containers = [
          { name: 'a', image: 'hello', ports: [{ containerPort: 80 }] },
          { name: 'b', image: 'hello', livenessProbe: { tcpSocket: {}, periodSeconds: 2 } },
        ];
      },
      'must not set the field(s): spec.template.spec.containers[1].livenessProbe, spec.template.spec.containers[1].livenessProbe.periodSeconds',
    ],
  ])('%s', (_name, change, expected, maps = {}) => {
    expect(complaint(admit(service(change), null, maps))).toBe(expected);
  });

  it('WH-131: a tag is a DNS label, its index comes after the word', () => {
    const object = service(
      traffic({ latestRevision: true, percent: 100 }, { revisionName: 'foo-1', tag: 'Foo' }),
    );
    const text = complaint(admit(object));
    expect(text).toMatch(
      /^invalid value: not a DNS 1035 label: \[a DNS-1035 label must consist of /,
    );
    expect(text).toMatch(/: spec\.traffic\.tag\[1\]$/);
  });

  it('WH-77: a plain Service is warned about insecure defaults in one line', () => {
    const response = admit(service());
    const path = `${AT}.securityContext`;
    expect(response).toMatchObject({
      allowed: true,
      warnings: [
        `Kubernetes default value is insecure, Knative may default this to secure in a future release: ${path}.allowPrivilegeEscalation, ${path}.capabilities, ${path}.runAsNonRoot, ${path}.seccompProfile`,
      ],
    });
    expect(admit(service(), null, secure)).toMatchObject({ allowed: true, warnings: [] });
  });
});

describe('what may not change', () => {
  const revision = (image: string): Revision => ({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: { name: 'foo-1', namespace: 'default' },
    spec: { containers: [{ name: 'c', image }] },
  });

  it('WH-66: the spec of a Revision', () => {
    expect(complaint(admit(revision('bb'), revision('aa')))).toBe(
      'Immutable fields changed (-old +new): spec\n{v1.RevisionSpec}.Containers[0].Image:\n\t-: "aa"\n\t+: "bb"\n',
    );
  });

  it('WH-65: a named template under its name', () => {
    const named = (image: string): KnativeService =>
      service(({ spec }, container) => {
        spec.template.metadata = { name: 'foo-one' };
        container.image = image;
      });
    const old = stored<KnativeService>(admit(named('aa')));
    const next = structuredClone(old);
    next.spec.template.spec.containers[0]!.image = 'bb';
    expect(complaint(admit(next, old))).toMatch(
      /^Saw the following changes without a name change \(-old \+new\): spec\.template\.metadata\.name\n/,
    );
    expect(complaint(admit(structuredClone(old), old))).toBe('');
  });

  it('WH-55: the creator', () => {
    const old = stored<KnativeService>(admit(service()));
    const next = structuredClone(old);
    next.metadata.annotations!['serving.knative.dev/creator'] = 'eve';
    expect(complaint(admit(next, old))).toBe(
      'annotation value is immutable: metadata.annotations.serving.knative.dev/creator',
    );
  });
});

describe('other kinds', () => {
  it('WH-130, WH-133: a Route names exactly one target and needs traffic', () => {
    const route = (targets: TrafficTarget[]): Route => ({
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Route',
      metadata: { name: 'r', namespace: 'default' },
      spec: { traffic: targets },
    });
    expect(complaint(admit(route([])))).toBe('Traffic targets sum to 0, want 100: spec.traffic');
    expect(complaint(admit(route([{ percent: 100 }])))).toBe(
      'expected exactly one, got neither: spec.traffic[0].configurationName, spec.traffic[0].revisionName',
    );
  });

  it('WH-54: the label of a Service needs its owner reference', () => {
    const object = {
      ...service(),
      kind: 'Configuration',
      metadata: { name: 'c', labels: { 'serving.knative.dev/service': 'foo' } },
    };
    expect(complaint(admit(object))).toBe(
      'missing field(s): metadata.labels.serving.knative.dev/service',
    );
  });

  it('subresources and deletes pass untouched', () => {
    const broken = service(({ spec }) => {
      spec.template.spec.containers = [];
    });
    expect(admit(broken, broken, {}, { subresource: 'status' })).toMatchObject({ allowed: true });
    expect(admit(broken, null, {}, { operation: 'DELETE' })).toMatchObject({ allowed: true });
  });

  it('an object of the wrong shape is a refusal, not a crash', () => {
    const broken = { ...service(), spec: { template: { spec: { containers: 'none' } } } };
    expect(admit(broken as never)).toMatchObject({ allowed: false, code: 400 });
  });
});

describe('section 17: ConfigMaps', () => {
  const map = (name: string, data: Record<string, string>, checksum?: string): KubeObject => {
    const annotations = { 'knative.dev/example-checksum': checksum ?? '' };
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        labels: {
          'app.kubernetes.io/name': 'knative-serving',
          'app.kubernetes.io/component': 'controller',
        },
        ...(checksum === undefined ? {} : { annotations }),
      },
      data,
    } as KubeObject;
  };
  const config =
    'admission webhook "config.webhook.serving.knative.dev" denied the request: validation failed: ';

  it('WH-170: one that does not parse is refused with key and text', () => {
    const response = admit(map('config-gc', { 'min-non-active-revisions': 'x' }));
    expect(response).toMatchObject({
      allowed: false,
      message: `${config}failed to parse "min-non-active-revisions": strconv.ParseInt: parsing "x": invalid syntax`,
    });
    expect(admit(map('something-else', { a: 'b' }))).toMatchObject({ allowed: true });
  });

  it('WH-171: an edited example is refused', () => {
    const example = 'a: b\n\nc: d\n';
    const good = exampleChecksum(example);
    expect(admit(map('config-gc', { _example: example }, good))).toMatchObject({ allowed: true });
    expect(admit(map('config-gc', { _example: `${example}x` }, good))).toMatchObject({
      allowed: false,
    });
  });
});
