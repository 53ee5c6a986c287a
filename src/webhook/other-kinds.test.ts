// Traffic, DomainMappings, autoscaling annotations and the internal kinds: sections 13 to 16.

import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../api/objects.ts';
import { admit, complaint, type Maps, put, service } from './testing/requests.ts';

const QUALIFIED =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with " +
  "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for " +
  "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const A = 'spec.template.metadata.annotations.autoscaling.knative.dev';

const object = (apiVersion: string, kind: string, spec: object, metadata: object = {}) =>
  ({ apiVersion, kind, metadata: { name: 'a', namespace: 'n', ...metadata }, spec }) as KubeObject;
const complaintOf = (made: KubeObject, maps: Maps = {}): string =>
  complaint(admit(made, null, maps));

describe('section 13: traffic', () => {
  const traffic = (...targets: object[]): string =>
    complaintOf(service(({ spec }) => put(spec, { traffic: targets })));

  it.each([
    [
      'WH-130',
      [{ percent: 101, latestRevision: true }],
      'Traffic targets sum to 101, want 100: spec.traffic\nexpected 0 <= 101 <= 100: spec.traffic[0].percent',
    ],
    [
      'WH-132',
      [{ percent: 100, latestRevision: false }],
      'may not set revisionName "" when latestRevision is false: spec.traffic[0].latestRevision',
    ],
    [
      'WH-133',
      [{ percent: 100, revisionName: '-x' }],
      `invalid key name "-x": spec.traffic[0].revisionName\n${QUALIFIED}`,
    ],
    [
      'WH-134',
      [{ percent: 100, url: 'http://x' }],
      'must not set the field(s): spec.traffic[0].url',
    ],
    [
      'WH-135: long host names and foreign revisions pass',
      [{ percent: 100, revisionName: 'x-1', tag: 't'.repeat(63) }],
      '',
    ],
  ])('%s', (_number, targets, expected) => {
    expect(traffic(...targets)).toBe(expected);
  });

  it('WH-133: a Route may not name both', () => {
    const target = { percent: 100, revisionName: 'r', configurationName: 'c' };
    const route = object('serving.knative.dev/v1', 'Route', { traffic: [target] });
    expect(complaintOf(route)).toBe(
      'expected exactly one, got both: spec.traffic[0].configurationName, spec.traffic[0].revisionName',
    );
  });
});

describe('section 14: DomainMappings', () => {
  const REF = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 's' };
  const mapping = (metadata: object, ref: object = REF): string =>
    complaintOf(
      object(
        'serving.knative.dev/v1beta1',
        'DomainMapping',
        { ref },
        { name: 'x.io', ...metadata },
      ),
    );
  const invalid = (name: string, value: string, text: string): string =>
    `invalid name "${name}": name: Invalid value: "${value}": ${text}: metadata.name`;

  it('WH-140: the name is a domain of its own', () => {
    expect(mapping({})).toBe('');
    expect(mapping({ generateName: 'x' })).toBe('must not set the field(s): metadata.generateName');
    const short = 'should be a domain with at least two segments separated by dots';
    expect(mapping({ name: 'x' })).toBe(invalid('x', 'x', short));
    const label = 'b'.repeat(64);
    const long = 'must be no more than 63 characters';
    expect(mapping({ name: `${label}.io` })).toBe(invalid(`${label}.io`, label, long));
    expect(mapping({ name: 'X.io' })).toContain(
      'invalid name "X.io": name: Invalid value: "X.io": a lowercase RFC 1123 subdomain must',
    );
    expect(mapping({ name: 'a.cluster.local' })).toBe(
      'invalid name "a.cluster.local": must not be a subdomain of cluster local domain "cluster.local": metadata.name',
    );
  });

  it('WH-141: what it refers to', () => {
    expect(mapping({}, {})).toBe(
      'missing field(s): spec.ref.apiVersion, spec.ref.kind, spec.ref.name',
    );
    expect(mapping({}, { ...REF, group: 'g' })).toBe('must not set the field(s): spec.ref.group');
    expect(mapping({}, { ...REF, namespace: 'm' })).toBe(
      'mismatched namespaces: spec.ref.namespace\nparent namespace: "n" does not match ref: "m"',
    );
  });
});

describe('section 15: autoscaling annotations', () => {
  const annotated = (annotations: Record<string, string>, maps: Maps = {}): string => {
    const entries = Object.entries(annotations).map(([key, value]) => [
      `autoscaling.knative.dev/${key}`,
      value,
    ]);
    const metadata = { annotations: Object.fromEntries(entries) };
    return complaintOf(
      service(({ spec }) => put(spec.template, { metadata })),
      maps,
    );
  };
  const limit = { autoscaler: { 'max-scale-limit': '10', 'max-scale': '5' } };

  it.each<[Record<string, string>, string, Maps?]>([
    [{ class: 'x.knative.dev' }, `invalid value: x.knative.dev: ${A}/class`],
    [{ class: 'x.example.com', metric: '' }, ''],
    [{ minScale: 'x' }, `invalid value: x: ${A}/minScale`],
    [{ 'max-scale': '-1' }, `expected 0 <= -1 <= 2147483647: ${A}/max-scale`],
    [{ 'max-scale': '11' }, `expected 1 <= 11 <= 10: ${A}/max-scale`, limit],
    [{ 'max-scale': '0' }, `max-scale=0 (unlimited), must be less than 10: ${A}/max-scale`, limit],
    [{ 'activation-scale': 'x' }, `invalid value: x: ${A}/activation-scale`],
    [
      { 'activation-scale': '1' },
      `activation-scale=1 must be greater than 1: ${A}/activation-scale`,
    ],
    [
      { 'activation-scale': '2', 'min-scale': '3' },
      `min-scale=3 is greater than activation-scale=2: ${A}/activation-scale`,
    ],
    [
      { 'activation-scale': '4', 'max-scale': '3' },
      `max-scale=3 is less than activation-scale=4: ${A}/activation-scale`,
    ],
    [{ 'initial-scale': '-1' }, `invalid value: -1: ${A}/initial-scale must be greater than 0`],
    [{ initialScale: '0' }, `invalid value: 0: ${A}/initialScale=0 not allowed by cluster`],
    [{ 'initial-scale': '0' }, '', { autoscaler: { 'allow-zero-initial-scale': 'true' } }],
    [
      { 'panic-window-percentage': '0.5' },
      `expected 1 <= 0.5 <= 100: ${A}/panic-window-percentage`,
    ],
    [
      { panicThresholdPercentage: '100' },
      `expected 110 <= 100 <= 1000: ${A}/panicThresholdPercentage`,
    ],
    [{ target: '0' }, `target 0 should be at least 0.01: ${A}/target`],
    [
      { 'target-utilization-percentage': '101' },
      `expected 1 <= 101 <= 100: ${A}/target-utilization-percentage`,
    ],
    [{ 'target-burst-capacity': '-2' }, `invalid value: -2: ${A}/target-burst-capacity`],
    [{ window: '5s' }, `expected 6s <= 5s <= 1h0m0s: ${A}/window`],
    [{ window: '6500ms' }, `must be specified with at most second precision: ${A}/window`],
    [{ 'scale-down-delay': '2h' }, `expected 0s <= 2h <= 1h0m0s: ${A}/scale-down-delay`],
    [
      { scaleToZeroPodRetentionPeriod: '-1s' },
      `expected 0s <= -1s <= 1h0m0s: ${A}/scaleToZeroPodRetentionPeriod`,
    ],
    [{ metric: 'cpu' }, `invalid value: cpu: ${A}/metric`],
    [{ metric: 'x', class: 'hpa.autoscaling.knative.dev' }, ''],
    [{ 'metric-aggregation-algorithm': 'x' }, ''],
    [
      { 'metric-aggregation-algorithm': 'x', class: 'kpa.autoscaling.knative.dev' },
      `invalid value: x: ${A}/metric-aggregation-algorithm`,
    ],
    [{ unknown: 'x' }, ''],
  ])('WH-150: %o', (annotations, expected, maps = {}) => {
    expect(annotated(annotations, maps)).toBe(expected);
  });
});

describe('section 16: internal kinds', () => {
  const networking = 'networking.internal.knative.dev/v1alpha1';
  const autoscaling = 'autoscaling.internal.knative.dev/v1alpha1';
  const split = { serviceNamespace: 'n', serviceName: 's', servicePort: 80 };
  const rule = (splits: object[]): object => ({ http: { paths: [{ splits }] } });

  it.each<[string, object, string]>([
    ['nothing', {}, 'missing field(s): spec'],
    [
      'no rules',
      { httpOption: 'x' },
      'invalid value: x: spec.httpOption\nmissing field(s): spec.rules',
    ],
    ['a rule without http', { rules: [{ hosts: ['x'] }] }, 'missing field(s): spec.rules[0].http'],
    [
      'no paths',
      { rules: [{ http: { paths: [] } }] },
      'missing field(s): spec.rules[0].http.paths',
    ],
    ['no splits', { rules: [rule([])] }, 'missing field(s): spec.rules[0].http.paths[0].splits'],
    ['one split, defaulted', { rules: [rule([split])] }, ''],
    [
      'shares',
      {
        rules: [
          rule([
            { ...split, percent: 101 },
            { ...split, percent: -2 },
          ]),
        ],
      },
      'invalid value: -2: spec.rules[0].http.paths[0].splits[1].percent\n' +
        'invalid value: 101: spec.rules[0].http.paths[0].splits[0].percent\n' +
        'traffic split percentage must total to 100, but was 99: spec.rules[0].http.paths[0].splits',
    ],
    [
      'a backend elsewhere, nowhere',
      { rules: [rule([{ serviceNamespace: 'm' }])] },
      'missing field(s): spec.rules[0].http.paths[0].splits[0].serviceName, spec.rules[0].http.paths[0].splits[0].servicePort\n' +
        'service namespace must match ingress namespace: spec.rules[0].http.paths[0].splits[0].serviceNamespace',
    ],
    [
      'certificates',
      { rules: [rule([split])], tls: [{}] },
      'missing field(s): spec.tls[0].secretName, spec.tls[0].secretNamespace',
    ],
  ])('WH-160: an Ingress with %s', (_name, spec, expected) => {
    expect(complaintOf(object(networking, 'Ingress', spec))).toBe(expected);
  });

  it('WH-161: a ServerlessService', () => {
    const spec = { mode: 'x', numActivators: -1, objectRef: { name: 'd' }, protocolType: 'h3' };
    const annotations = { 'networking.knative.dev/x': '' };
    expect(complaintOf(object(networking, 'ServerlessService', spec, { annotations }))).toBe(
      'invalid key name "networking.knative.dev/x": annotations\n' +
        'invalid value: -1: spec.numActivators\n' +
        'invalid value: h3: spec.protocolType\n' +
        'invalid value: x: spec.mode\n' +
        'missing field(s): spec.objectRef.apiVersion, spec.objectRef.kind',
    );
  });

  it('WH-162: a Certificate', () => {
    const certificate = (spec: object): string =>
      complaintOf(object(networking, 'Certificate', spec));
    expect(certificate({ dnsNames: ['a.x.io'], secretName: 's', domain: 'x.io' })).toBe('');
    expect(certificate({ dnsNames: ['a.x.io', ''], domain: 'y.io' })).toBe(
      'invalid value: : spec.dnsNames[1]\n' +
        'invalid value: domain: spec.domain must be a suffix of, or match exactly, at least one entry in dnsNames\n' +
        'missing field(s): spec.secretName',
    );
    expect(certificate({ secretName: 's' })).toBe('missing field(s): spec.dnsNames');
  });

  it('WH-163: a PodAutoscaler and a Metric', () => {
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd', uid: 'u' };
    const spec = { scaleTargetRef, protocolType: 'http1', containerConcurrency: 0 };
    const none = { defaults: { 'allow-container-concurrency-zero': 'false' } };
    expect(complaintOf(object(autoscaling, 'PodAutoscaler', spec), none)).toBe(
      'expected 1 <= 0 <= 1000: spec.containerConcurrency\n' +
        'must not set the field(s): spec.scaleTargetRef.uid',
    );
    expect(complaintOf(object(autoscaling, 'Metric', {}, { name: 'A' }))).toMatch(
      /^missing field\(s\): spec\nnot a DNS 1035 label: \[.*\]: metadata\.name$/,
    );
  });
});
