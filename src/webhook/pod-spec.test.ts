// The pod part of a template: sections 8 to 11, each refusal in its words.

import { describe, expect, it } from 'vitest';
import {
  AT,
  admit,
  allowed,
  complaint,
  enabled,
  put,
  type RefusalRow,
  SPEC,
  service,
} from './testing/requests.ts';

const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for " +
  "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const INIT = 'kubernetes.podspec-init-containers';
const SECURITY = 'kubernetes.podspec-securitycontext';
const SECURE = { features: { 'secure-pod-defaults': 'AllowRootBounded' } };

const pod =
  (fields: object): RefusalRow[1] =>
  ({ spec }) =>
    put(spec.template.spec, fields);
const container =
  (fields: object): RefusalRow[1] =>
  (_service, made) =>
    put(made, fields);
/** The serving container and a second one. */
const sidecar = (fields: object): RefusalRow[1] =>
  pod({
    containers: [
      { name: 'a', image: 'hello', ports: [{ containerPort: 80, name: 'h2c' }] },
      { name: 'b', image: 'hello', ...fields },
    ],
  });
const init = (fields: object): RefusalRow[1] =>
  pod({ initContainers: [{ name: 'i', image: 'hello', ...fields }] });
const mustNot = (...paths: string[]): string => `must not set the field(s): ${paths.join(', ')}`;

const rows: Record<string, readonly RefusalRow[]> = {
  'section 8: pod spec': [
    ['WH-70: a field that is always allowed', pod({ imagePullSecrets: [{ name: 'x' }] }), ''],
    [
      'WH-70: a token is mounted',
      pod({ automountServiceAccountToken: true }),
      mustNot(`${SPEC}.automountServiceAccountToken`),
    ],
    ['WH-70: none is', pod({ automountServiceAccountToken: false }), ''],
    ['WH-70: a host of its own', pod({ hostNetwork: true }), mustNot(`${SPEC}.hostNetwork`)],
    ['WH-70: false is as good as absent', pod({ hostNetwork: false }), ''],
    [
      'WH-70: Allowed is enough',
      pod({ nodeSelector: {}, runtimeClassName: 'x' }),
      '',
      allowed('kubernetes.podspec-nodeselector', 'kubernetes.podspec-runtimeclassname'),
    ],
    [
      'WH-71, WH-72: several containers need exactly Enabled',
      sidecar({}),
      'multi-container is off, but found 2 containers: ',
      allowed('multi-container'),
    ],
    [
      'WH-71, WH-73: init containers, too',
      init({}),
      'pod spec support for init-containers is off, but found 1 init containers: ',
      allowed(INIT),
    ],
    [
      'WH-73: errors of init containers under containers',
      init({ image: '', livenessProbe: {}, lifecycle: {} }),
      `field not allowed in an init container: ${AT}.lifecycle, ${AT}.livenessProbe\nmissing field(s): ${AT}.image`,
      enabled(INIT),
    ],
    ['WH-73: one of the same name', init({ name: 'user-container' }), '', enabled(INIT)],
    [
      'WH-73: one of a name that is taken',
      ({ spec }, made) => {
        made.name = 'c';
        put(spec.template.spec, { initContainers: [{ name: 'c', image: 'hello' }] });
      },
      `duplicate container name "c": ${AT}.name`,
      enabled(INIT),
    ],
    [
      'WH-74: a name twice',
      sidecar({ name: 'a' }),
      `duplicate container name "a": ${SPEC}.containers[1].name`,
    ],
    [
      'WH-75: no port at all',
      pod({
        containers: [
          { name: 'a', image: 'hello' },
          { name: 'b', image: 'hello' },
        ],
      }),
      `missing field(s): ${SPEC}.containers[*].ports`,
    ],
    [
      'WH-76: a service account with a bad name',
      pod({ serviceAccountName: 'A' }),
      `invalid value: A: ${SPEC}.serviceAccountName\n${SUBDOMAIN}`,
    ],
  ],
  'section 9: containers': [
    [
      'WH-80: a foreign field',
      container({ tty: true, lifecycle: {} }),
      mustNot(`${AT}.lifecycle`, `${AT}.tty`),
    ],
    ['WH-80: false is as good as absent', container({ tty: false, stdin: false }), ''],
    [
      'WH-81: the sidecar’s name',
      container({ name: 'queue-proxy' }),
      `"queue-proxy" is a reserved container name: ${AT}.name`,
    ],
    ['WH-82: a sidecar may set PORT', sidecar({ env: [{ name: 'PORT' }] }), ''],
    [
      'WH-82: fields of the pod',
      container({ env: [{ name: 'a', valueFrom: { fieldRef: { fieldPath: 'x' } } }] }),
      mustNot(`${AT}.env[0].valueFrom.fieldRef`),
    ],
    [
      'WH-82: with the feature',
      container({ env: [{ name: 'a', valueFrom: { fieldRef: { fieldPath: 'x' } } }] }),
      '',
      allowed('kubernetes.podspec-fieldref'),
    ],
    [
      'WH-83: no source',
      container({ envFrom: [{}] }),
      `expected exactly one, got neither: ${AT}.envFrom.configMapRef, ${AT}.envFrom.secretRef`,
    ],
    [
      'WH-83: two sources',
      container({ envFrom: [{ configMapRef: { name: 'a' }, secretRef: { name: 'b' } }] }),
      `expected exactly one, got both: ${AT}.envFrom.configMapRef, ${AT}.envFrom.secretRef`,
    ],
    ...['A/b', 'x', `a/${'b'.repeat(255)}`, 'a b', 'ab@sha256:1'].map(
      (image): RefusalRow => [
        `WH-84: image ${image.slice(0, 20)}`,
        container({ image }),
        `Failed to parse image reference: ${AT}.image\nimage: "${image}", error: could not parse reference: ${image}`,
      ],
    ),
    ...['ab', 'Reg.io:5000/aa', `ab@sha256:${'0'.repeat(64)}`, 'ab:tag'].map(
      (image): RefusalRow => [
        `WH-84: image ${image.slice(0, 20)} is fine`,
        container({ image }),
        '',
      ],
    ),
    [
      'WH-85: every reserved port',
      container({ ports: [{ containerPort: 9091 }] }),
      `invalid value: 9091 is a reserved port: ${AT}.ports.containerPort\n9091 is a reserved port, please use a different value`,
    ],
    ['WH-85: 8112 is not one', container({ ports: [{ containerPort: 8112 }] }), ''],
    [
      'WH-85: beyond the last port, another protocol, a port of the host',
      container({ ports: [{ containerPort: 65_536, protocol: 'UDP', hostPort: 1 }] }),
      `expected 0 <= 65536 <= 65535: ${AT}.ports.containerPort\ninvalid value: UDP: ${AT}.ports.protocol\n${mustNot(`${AT}.ports.hostPort`)}`,
    ],
    ['WH-85: a host port of 0', container({ ports: [{ containerPort: 80, hostPort: 0 }] }), ''],
    [
      'WH-85: of an init container the name is free',
      init({ ports: [{ containerPort: 80, name: 'web', protocol: 'UDP' }] }),
      '',
      enabled(INIT),
    ],
    [
      'WH-86: claims',
      container({ resources: { claims: [], requests: { cpu: 'nonsense' } } }),
      mustNot(`${AT}.resources.claims`),
    ],
    [
      'WH-87: where the last words go',
      container({ terminationMessagePolicy: 'x', imagePullPolicy: 'y' }),
      `invalid value: x: ${AT}.terminationMessagePolicy`,
    ],
  ],
  'section 10: probes': [
    [
      'WH-90: no handler',
      container({ livenessProbe: { periodSeconds: 1 } }),
      `expected exactly one, got neither: ${['exec', 'grpc', 'httpGet', 'tcpSocket'].map((name) => `${AT}.livenessProbe.${name}`).join(', ')}`,
    ],
    [
      'WH-90: two, one of them gRPC',
      container({ livenessProbe: { grpc: { port: 1 }, exec: {} } }),
      `expected exactly one, got both: ${AT}.livenessProbe.exec, ${AT}.livenessProbe.gRPC`,
    ],
    [
      'WH-91: a port by its name',
      container({
        ports: [{ containerPort: 80, name: 'h2c' }],
        livenessProbe: { tcpSocket: { port: 'h2c' } },
      }),
      '',
    ],
    [
      'WH-91: http where it has none',
      container({ livenessProbe: { httpGet: { port: 'http' } } }),
      '',
    ],
    ['WH-91: any number', container({ livenessProbe: { httpGet: { port: 9 } } }), ''],
    [
      'WH-91: of a sidecar without the feature',
      sidecar({ readinessProbe: { exec: {} } }),
      mustNot(
        `${SPEC}.containers[1].readinessProbe`,
        `${SPEC}.containers[1].readinessProbe.successThreshold`,
      ),
    ],
    [
      'WH-91: of a sidecar with the feature, without a port',
      sidecar({ livenessProbe: { tcpSocket: {} } }),
      `invalid value: 0: ${SPEC}.containers[1].livenessProbe.tcpSocket.port\nProbe port must be specified`,
      enabled('multi-container-probing'),
    ],
    [
      'WH-92: negative times',
      container({
        readinessProbe: {
          exec: {},
          periodSeconds: -1,
          initialDelaySeconds: -2,
          timeoutSeconds: 1,
          failureThreshold: 1,
        },
      }),
      `expected 0 <= -1 <= 2147483647: ${AT}.readinessProbe.periodSeconds\nexpected 0 <= -2 <= 2147483647: ${AT}.readinessProbe.initialDelaySeconds`,
    ],
    [
      'WH-92: thresholds',
      container({
        readinessProbe: { exec: {}, periodSeconds: 1, successThreshold: -1, failureThreshold: -1 },
      }),
      `expected 1 <= -1 <= 2147483647: ${AT}.readinessProbe.failureThreshold, ${AT}.readinessProbe.successThreshold`,
    ],
    [
      'WH-92: failures without a period',
      container({ readinessProbe: { exec: {}, failureThreshold: 1 } }),
      `failureThreshold is disallowed when periodSeconds is zero: ${AT}.readinessProbe.failureThreshold`,
    ],
    ['WH-92: liveness is free', container({ livenessProbe: { exec: {}, timeoutSeconds: 2 } }), ''],
  ],
  'section 11: security context': [
    [
      'WH-100: privileged, foreign fields, ids',
      container({
        securityContext: { privileged: true, procMount: 'x', runAsUser: -1, runAsGroup: 2 ** 31 },
      }),
      `expected 0 <= -1 <= 2147483647: ${AT}.securityContext.runAsUser\nexpected 0 <= 2147483648 <= 2147483647: ${AT}.securityContext.runAsGroup\n${mustNot(`${AT}.securityContext.privileged`, `${AT}.securityContext.procMount`)}`,
    ],
    ['WH-100: not privileged', container({ securityContext: { privileged: false } }), ''],
    [
      'WH-101: dropped ones are free',
      container({ securityContext: { capabilities: { drop: ['x'] } } }),
      '',
    ],
    [
      'WH-101: the one for low ports, with secure defaults',
      container({ securityContext: { capabilities: { add: ['NET_BIND_SERVICE'] } } }),
      '',
      SECURE,
    ],
    [
      'WH-101: any, with the feature',
      container({ securityContext: { capabilities: { add: ['SYS_ADMIN'] } } }),
      '',
      enabled('kubernetes.containerspec-addcapabilities'),
    ],
    [
      'WH-110: of the pod, all off',
      pod({ securityContext: { runAsUser: 1 } }),
      mustNot(`${SPEC}.securityContext`, `${SPEC}.securityContext.runAsUser`),
    ],
    [
      'WH-110: with secure defaults',
      pod({ securityContext: { seccompProfile: { type: 'Localhost' }, runAsUser: 1 } }),
      mustNot(`${SPEC}.securityContext.runAsUser`, `${SPEC}.securityContext.seccompProfile`),
      SECURE,
    ],
    [
      'WH-110: a type that needs nothing',
      pod({ securityContext: { seccompProfile: { type: 'Unconfined' } } }),
      '',
      SECURE,
    ],
    [
      'WH-110: with the feature',
      pod({ securityContext: { fsGroup: -1, supplementalGroups: [1, -2], sysctls: [] } }),
      `expected 0 <= -1 <= 2147483647: ${SPEC}.securityContext.fsGroup\nexpected 0 <= -2 <= 2147483647: ${SPEC}.securityContext.supplementalGroups[1]\n${mustNot(`${SPEC}.securityContext.sysctls`)}`,
      allowed(SECURITY),
    ],
  ],
};

describe.each(Object.entries(rows))('%s', (_title, section) => {
  it.each<RefusalRow>([...section])('%s', (_name, change, expected, maps = {}) => {
    expect(complaint(admit(service(change), null, maps))).toBe(expected);
  });
});

describe('warnings', () => {
  it('WH-77: init containers are named as such, ALL is spelled so; WH-22: nothing is denied', () => {
    const object = service(({ spec }, made) => {
      put(made, { securityContext: { capabilities: { drop: ['all'] }, seccompProfile: {} } });
      put(spec.template.spec, { initContainers: [{ name: 'i', image: 'hello' }] });
    });
    const response = admit(object, null, enabled(INIT));
    expect(response.allowed).toBe(true);
    const text = response.warnings?.join('\n') ?? '';
    expect(text).toContain(`${SPEC}.initContainers[0].securityContext.runAsNonRoot`);
    expect(text).toContain(`${AT}.securityContext.seccompProfile.type`);
    expect(text).toContain(
      `invalid value: all: ${AT}.securityContext.capabilities.drop\nMust be spelled as 'ALL'`,
    );
  });

  it('WH-17: a refusal warns, too', () => {
    const response = admit(service((_made, each) => put(each, { image: '' })));
    expect(response).toMatchObject({ allowed: false });
    expect(response.warnings).toHaveLength(1);
  });
});
