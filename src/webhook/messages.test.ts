// The words of each refusal of a Service, as a table: what is wrong, and what its author reads.

import { describe, expect, it } from 'vitest';
import type { Container } from '../api/core.ts';
import type { KnativeService, TrafficTarget } from '../api/serving.ts';
import { admit, complaint, type Maps, secure, service } from './testing/requests.ts';

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
