// What the API refuses, and in which words: the field is named, and the offending value.

import { expect } from 'vitest';
import { at, messageOf } from './cluster.ts';
import { configuration, domainMapping, route, service, type Template } from './objects.ts';
import { type AnyObject, SERVICE } from './resources.ts';
import { row, type ServingRow } from './row.ts';

function refused(cites: string, says: string, object: AnyObject, want: string): ServingRow {
  return row(cites, says, async (cluster) => {
    expect(await cluster.refusal(object)).toContain(want);
  });
}

const bad = (options: Template) => service('bad', options);
const inContainer = (container: Record<string, unknown>) => bad({ container });
const withTraffic = (...traffic: unknown[]) => service('bad', { traffic });
const annotated = (annotations: Record<string, string>) => bad({ annotations });
const withMetadata = (metadata: Partial<AnyObject['metadata']>) => service('bad', { metadata });
const SPEC = 'spec.template.spec';
const LATEST = { latestRevision: true };

const metadata: readonly ServingRow[] = [
  refused(
    'WH-51',
    'The name of a Service is a DNS label',
    service('1-digit-first'),
    'not a DNS 1035 label',
  ),
  refused(
    'WH-51',
    'The name of a Service has 63 characters at most',
    service('n'.repeat(64)),
    'must be no more than 63 characters',
  ),
  refused(
    'WH-52',
    'Annotations of scaling do not belong on a Service',
    withMetadata({ annotations: { 'autoscaling.knative.dev/min-scale': '1' } }),
    'autoscaling annotations must be put under "spec.template.metadata.annotations" to work',
  ),
  refused(
    'WH-53',
    'A rollout-duration is a duration',
    withMetadata({ annotations: { 'serving.knative.dev/rollout-duration': 'soon' } }),
    'invalid value: soon: metadata.annotations.serving.knative.dev/rollout-duration',
  ),
  refused(
    'WH-53',
    'A rollout-duration is of whole seconds',
    withMetadata({ annotations: { 'serving.knative.dev/rollout-duration': '1500ms' } }),
    'rollout-duration=1500ms is not at second precision',
  ),
  refused(
    'WH-53',
    'A rollout-duration is not negative',
    withMetadata({ annotations: { 'serving.knative.dev/rollout-duration': '-3s' } }),
    'rollout-duration=-3s must be positive',
  ),
  row('WH-55', 'The creator of a Service cannot be changed', async (cluster) => {
    await cluster.create(service('created'));
    const annotations = { 'serving.knative.dev/creator': 'somebody' };
    const answer = await cluster.change(SERVICE, 'created', { metadata: { annotations } });
    expect(messageOf(answer)).toContain(
      'annotation value is immutable: metadata.annotations.serving.knative.dev/creator',
    );
  }),
  refused(
    'WH-54',
    'A Configuration cannot claim to be of a Service that does not own it',
    {
      ...configuration('bad'),
      metadata: {
        name: 'bad',
        namespace: 'default',
        labels: { 'serving.knative.dev/service': 'other' },
      },
    },
    'missing field(s): metadata.labels.serving.knative.dev/service',
  ),
];

const templates: readonly ServingRow[] = [
  refused(
    'WH-62',
    'The name of a Revision begins with that of its Service',
    bad({ name: 'other-1' }),
    'invalid value: "other-1" must have prefix "bad-": spec.template.metadata.name',
  ),
  refused(
    'WH-61',
    'Annotations of networking in a template are those there are',
    annotated({ 'networking.knative.dev/colour': 'red' }),
    'invalid key name "networking.knative.dev/colour": spec.template.metadata.annotations',
  ),
  refused(
    'WH-64',
    'A progress deadline is positive',
    annotated({ 'serving.knative.dev/progress-deadline': '-1s' }),
    'progress-deadline=-1s must be positive',
  ),
  refused(
    'WH-63',
    'What the sidecar asks for is a quantity',
    annotated({ 'queue.sidecar.serving.knative.dev/cpu-resource-request': 'much' }),
    'invalid value: much',
  ),
  refused(
    'WH-150',
    'min-scale is a number',
    annotated({ 'autoscaling.knative.dev/min-scale': 'few' }),
    'invalid value: few: spec.template.metadata.annotations.autoscaling.knative.dev/min-scale',
  ),
  refused(
    'WH-150',
    'max-scale is not less than min-scale',
    annotated({
      'autoscaling.knative.dev/min-scale': '5',
      'autoscaling.knative.dev/max-scale': '2',
    }),
    'max-scale=2 is less than min-scale=5',
  ),
  refused(
    'WH-67',
    'containerConcurrency is within its bounds',
    bad({ spec: { containerConcurrency: 2000 } }),
    `expected 0 <= 2000 <= 1000: ${SPEC}.containerConcurrency`,
  ),
  refused(
    'WH-67',
    'timeoutSeconds is within its bounds',
    bad({ spec: { timeoutSeconds: 601 } }),
    `expected 0 <= 601 <= 600: ${SPEC}.timeoutSeconds`,
  ),
  refused(
    'WH-70',
    'A field of pods that a feature guards is refused while it is off',
    bad({ spec: { nodeSelector: { disk: 'fast' } } }),
    `must not set the field(s): ${SPEC}.nodeSelector`,
  ),
  refused(
    'WH-72',
    'A template has a container',
    { ...bad({}), spec: { template: { spec: { containers: [] } } } },
    `missing field(s): ${SPEC}.containers`,
  ),
];

const containers: readonly ServingRow[] = [
  refused(
    'WH-81',
    'No container is called queue-proxy',
    inContainer({ name: 'queue-proxy' }),
    `"queue-proxy" is a reserved container name: ${SPEC}.containers[0].name`,
  ),
  refused(
    'WH-82, RC-3',
    'K_REVISION is not for users to set',
    bad({ env: { K_REVISION: 'x' } }),
    `"K_REVISION" is a reserved environment variable: ${SPEC}.containers[0].env[0].name`,
  ),
  refused(
    'WH-84',
    'A container has an image',
    inContainer({ image: '' }),
    `missing field(s): ${SPEC}.containers[0].image`,
  ),
  refused(
    'WH-84',
    'An image is a reference',
    bad({ image: 'UPPER CASE' }),
    `Failed to parse image reference: ${SPEC}.containers[0].image`,
  ),
  refused(
    'WH-85',
    'Ports of the sidecar are reserved',
    inContainer({ ports: [{ containerPort: 8012 }] }),
    '8012 is a reserved port',
  ),
  refused(
    'WH-85, RC-10',
    'The name of a port is its protocol',
    inContainer({ ports: [{ containerPort: 8080, name: 'gopher' }] }),
    `Port name gopher is not allowed: ${SPEC}.containers[0].ports`,
  ),
  refused(
    'WH-75',
    'A container has one port',
    inContainer({ ports: [{ containerPort: 8080 }, { containerPort: 8081 }] }),
    'more than one container port is set',
  ),
  refused(
    'WH-90',
    'A probe has one handler',
    inContainer({ livenessProbe: { httpGet: { path: '/' }, tcpSocket: {} } }),
    'expected exactly one, got both',
  ),
  refused(
    'WH-92',
    'A probe without a period has no thresholds',
    inContainer({ readinessProbe: { tcpSocket: {}, failureThreshold: 2 } }),
    'failureThreshold is disallowed when periodSeconds is zero',
  ),
  refused(
    'WH-125',
    'A mount names a volume there is',
    inContainer({ volumeMounts: [{ name: 'none', mountPath: '/x' }] }),
    'volumeMount has no matching volume',
  ),
  refused(
    'WH-120',
    'A volume is mounted',
    bad({ spec: { volumes: [{ name: 'idle', emptyDir: {} }] } }),
    `volume with name "idle" not mounted: ${SPEC}.volumes[0].name`,
  ),
  refused(
    'WH-100',
    'No container is privileged',
    inContainer({ securityContext: { privileged: true } }),
    'must not set the field(s)',
  ),
  row('WH-20', 'All that is wrong is said at once', async (cluster) => {
    const container = { name: 'queue-proxy', image: '' };
    const message = await cluster.refusal(bad({ container, spec: { timeoutSeconds: -1 } }));
    expect(message).toContain('missing field(s)');
    expect(message).toContain('reserved container name');
    expect(message).toContain('expected 0 <= -1 <= 600');
  }),
  row('WH-16', 'A refusal is a 400 that names who refused', async (cluster) => {
    const answer = await cluster.post(bad({ spec: { timeoutSeconds: -1 } }));
    expect(answer.code).toBe(400);
    expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'BadRequest' });
    expect(at(answer.body, 'message')).toMatch(
      /^admission webhook "validation\.webhook\.serving\.knative\.dev" denied the request: validation failed: /,
    );
  }),
];

const traffic: readonly ServingRow[] = [
  refused(
    'WH-130',
    'Percents sum to a hundred',
    withTraffic({ ...LATEST, percent: 40 }, { ...LATEST, percent: 50 }),
    'Traffic targets sum to 90, want 100: spec.traffic',
  ),
  refused(
    'WH-130',
    'A percent is one of a hundred',
    withTraffic({ ...LATEST, percent: 150 }, { ...LATEST, percent: -50 }),
    'expected 0 <= 150 <= 100: spec.traffic[0].percent',
  ),
  refused(
    'WH-131',
    'A tag is there once',
    withTraffic({ ...LATEST, percent: 50, tag: 'a' }, { ...LATEST, percent: 50, tag: 'a' }),
    'Multiple definitions for "a": spec.traffic[0].tag, spec.traffic[1].tag',
  ),
  refused(
    'WH-131',
    'A tag is a DNS label',
    withTraffic({ ...LATEST, percent: 100, tag: 'Not_One' }),
    'not a DNS 1035 label',
  ),
  refused(
    'WH-132',
    'A target is the latest Revision or a named one',
    withTraffic({ ...LATEST, percent: 100, revisionName: 'bad-00001' }),
    'may not set revisionName "bad-00001" when latestRevision is true: spec.traffic[0].latestRevision',
  ),
  refused(
    'WH-133',
    'A Service does not name a Configuration in its traffic',
    withTraffic({ ...LATEST, percent: 100, configurationName: 'bad' }),
    'must not set the field(s): spec.traffic[0].configurationName',
  ),
  refused(
    'WH-133',
    'A target of a Route is a Configuration or a Revision',
    route('bad', [{ percent: 100 }]),
    'expected exactly one, got neither: spec.traffic[0].configurationName, spec.traffic[0].revisionName',
  ),
  refused(
    'WH-134',
    'The URL of a target is not for users to set',
    withTraffic({ ...LATEST, percent: 100, url: 'http://x' }),
    'must not set the field(s): spec.traffic[0].url',
  ),
];

const domains: readonly ServingRow[] = [
  refused(
    'WH-140',
    'A mapped domain has two parts at least',
    domainMapping('localhost', 'shop'),
    'should be a domain with at least two segments separated by dots: metadata.name',
  ),
  refused(
    'WH-140',
    'A mapped domain is not one of the cluster',
    domainMapping('shop.default.svc.cluster.local', 'shop'),
    'must not be a subdomain of cluster local domain "cluster.local": metadata.name',
  ),
  refused(
    'WH-141',
    'A DomainMapping refers within its namespace',
    domainMapping('shop.example.net', 'shop', { namespace: 'other' }),
    'parent namespace: "default" does not match ref: "other"',
  ),
  refused(
    'WH-141',
    'A DomainMapping names what it refers to',
    domainMapping('shop.example.net', ''),
    'missing field(s): spec.ref.name',
  ),
];

export const validationRows: readonly ServingRow[] = [
  ...metadata,
  ...templates,
  ...containers,
  ...traffic,
  ...domains,
];
