// Metadata of Services, Configurations, Routes and Revisions, and their templates: sections 6 and 7.

import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../api/objects.ts';
import type { Configuration, KnativeService, Revision, Route } from '../api/serving.ts';
import { admit, complaint, put, type RefusalRow, service, stored } from './testing/requests.ts';

const LABEL =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
  "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', " +
  "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const TEMPLATE = 'spec.template.metadata';
const ROLLOUT = 'serving.knative.dev/rollout-duration';
const SIDECAR = 'queue.sidecar.serving.knative.dev';

const named =
  (metadata: object): RefusalRow[1] =>
  (made) =>
    put(made, { metadata: { namespace: 'default', ...metadata } });
const annotated =
  (annotations: Record<string, string>): RefusalRow[1] =>
  ({ metadata }) =>
    put(metadata, { annotations });
const template =
  (metadata: object): RefusalRow[1] =>
  ({ spec }) =>
    put(spec.template, { metadata });
const templateAnnotated = (annotations: Record<string, string>): RefusalRow[1] =>
  template({ annotations });

describe('sections 6 and 7: metadata of a Service and of its template', () => {
  it.each<RefusalRow>([
    ['WH-51: a bad name', named({ name: '1a' }), `not a DNS 1035 label: [${LABEL}]: metadata.name`],
    [
      'WH-51: a long name',
      named({ name: 'a'.repeat(64) }),
      'not a DNS 1035 label: [must be no more than 63 characters]: metadata.name',
    ],
    [
      'WH-51: a bad base for a name',
      named({ generateName: 'AB-' }),
      `not a DNS 1035 label prefix: [${LABEL}]: metadata.generateName`,
    ],
    ['WH-51: a base may end with a dash', named({ generateName: 'ab-' }), ''],
    ['WH-51: no name', named({}), 'name or generateName is required: metadata.name'],
    [
      'WH-52: any autoscaling key',
      annotated({ 'autoscaling.knative.dev/x': '1' }),
      'invalid key name "autoscaling.knative.dev/x": metadata.annotations\n' +
        'autoscaling annotations must be put under "spec.template.metadata.annotations" to work',
    ],
    [
      'WH-53: no duration',
      annotated({ [ROLLOUT]: 'soon' }),
      `invalid value: soon: metadata.annotations.${ROLLOUT}`,
    ],
    [
      'WH-53: fractions of a second',
      annotated({ [ROLLOUT]: '1500ms' }),
      `rollout-duration=1500ms is not at second precision: metadata.annotations.${ROLLOUT}`,
    ],
    [
      'WH-56: networking keys of a Service are nobody’s business',
      annotated({ 'networking.knative.dev/whatever': 'x' }),
      '',
    ],
    [
      'WH-60, WH-61: those of a template are, prefixed',
      templateAnnotated({ 'networking.knative.dev/whatever': 'x' }),
      `invalid key name "networking.knative.dev/whatever": ${TEMPLATE}.annotations`,
    ],
    ['WH-61: a known one', templateAnnotated({ 'networking.knative.dev/http-protocol': 'x' }), ''],
    [
      'WH-62: a bad template name',
      template({ name: 'foo-A' }),
      `invalid value: not a DNS 1035 label: [${LABEL}]: ${TEMPLATE}.name`,
    ],
    [
      'WH-62: a bad base of one',
      template({ generateName: 'A' }),
      `invalid value: not a DNS 1035 label prefix: [${LABEL}]: ${TEMPLATE}.generateName`,
    ],
    [
      'WH-62: a name where the parent has none yet',
      (made) => {
        put(made, { metadata: { generateName: 'foo-', namespace: 'default' } });
        put(made.spec.template, { metadata: { name: 'foo-1' } });
      },
      `must not set the field(s): ${TEMPLATE}.name`,
    ],
    [
      'WH-63: a percentage that is none',
      templateAnnotated({ [`${SIDECAR}/resource-percentage`]: 'x' }),
      `invalid value: x: ${TEMPLATE}.annotations.[${SIDECAR}/resource-percentage]`,
    ],
    [
      'WH-63: a percentage out of bounds',
      templateAnnotated({ [`${SIDECAR}/resource-percentage`]: '0.05' }),
      `expected 0.1 <= 0.05 <= 100: ${TEMPLATE}.annotations.[${SIDECAR}/resource-percentage]`,
    ],
    [
      'WH-63: a quantity that is none',
      templateAnnotated({ [`${SIDECAR}/cpu-resource-request`]: 'x' }),
      `invalid value: x: ${TEMPLATE}.annotations.[${SIDECAR}/cpu-resource-request]`,
    ],
    [
      'WH-64: a deadline in the past',
      templateAnnotated({ 'serving.knative.dev/progress-deadline': '-1s' }),
      `progress-deadline=-1s must be positive: ${TEMPLATE}.annotations.serving.knative.dev/progress-deadline`,
    ],
    ['WH-64: 0s', templateAnnotated({ 'serving.knative.dev/progress-deadline': '0s' }), ''],
    [
      'WH-67: the two other timeouts are not looked at',
      ({ spec }) => {
        put(spec.template.spec, { idleTimeoutSeconds: -5, responseStartTimeoutSeconds: 9999 });
      },
      '',
    ],
    [
      'WH-67: a timeout of 0 becomes the default',
      ({ spec }) => {
        put(spec.template.spec, { timeoutSeconds: 0 });
      },
      '',
    ],
  ])('%s', (_name, change, expected, maps = {}) => {
    expect(complaint(admit(service(change), null, maps))).toBe(expected);
  });

  it('WH-63: the percentage is deprecated, said without a path', () => {
    const response = admit(service(templateAnnotated({ [`${SIDECAR}/resource-percentage`]: '5' })));
    expect(response).toMatchObject({ allowed: true });
    expect(response.warnings?.at(-1)).toBe(
      'Queue proxy resource percentage annotation is deprecated. Please use the available ' +
        'annotations to explicitly set resource values per service: ',
    );
  });
});

describe('owners', () => {
  const owned = (label: string, kind: string, ownerKind: string, owner: string): KubeObject =>
    ({
      apiVersion: 'serving.knative.dev/v1',
      kind,
      metadata: {
        name: 'a',
        namespace: 'default',
        labels: { [label]: 'foo' },
        ownerReferences: [
          { apiVersion: 'serving.knative.dev/v1', kind: ownerKind, name: owner, uid: 'u' },
        ],
      },
      spec: {
        containers: [{ image: 'hello' }],
        template: { spec: { containers: [{ image: 'hello' }] } },
        traffic: [{ revisionName: 'r', percent: 100 }],
      },
    }) as KubeObject;

  it.each([
    ['serving.knative.dev/service', 'Configuration', 'Service'],
    ['serving.knative.dev/service', 'Route', 'Service'],
    ['serving.knative.dev/configuration', 'Revision', 'Configuration'],
  ])('WH-54: label %s on a %s names its %s', (label, kind, ownerKind) => {
    const missing = `missing field(s): metadata.labels.${label}`;
    const rest = kind === 'Revision' ? 'must not set the field(s): spec.' : '';
    const of = (owner: string): string => {
      const text = complaint(admit(owned(label, kind, ownerKind, owner)));
      return text
        .split('\n')
        .filter((line) => rest === '' || !line.startsWith(rest))
        .join('\n');
    };
    expect(of('foo')).toBe('');
    expect(of('other')).toBe(missing);
  });

  it('WH-31, WH-55: an owned Configuration carries no user names', () => {
    const object = owned('a', 'Configuration', 'Service', 'foo');
    const old = stored(admit(object));
    expect(old.metadata.annotations).toBeUndefined();
    const next = structuredClone(old);
    next.metadata.annotations = { 'serving.knative.dev/creator': 'eve' };
    expect(complaint(admit(next, old))).toBe('');
  });
});

describe('updates', () => {
  const bad = (made: KnativeService): void => {
    put(made.spec.template.spec, { timeoutSeconds: 700 });
  };
  const status = { subresource: 'status' };

  it('WH-50: a status write of a Service is not checked for what the spec holds by now', () => {
    const old = service(bad);
    expect(complaint(admit(structuredClone(old), old, {}, status))).toBe('');
    expect(complaint(admit(structuredClone(old), old))).toContain('expected 0 <= 700 <= 600');
  });

  it('WH-50, WH-65: but a named template may not change with it, nor the creator', () => {
    const make = (image: string, creator: string): KnativeService =>
      service((made, container) => {
        container.image = image;
        put(made.metadata, { annotations: { 'serving.knative.dev/creator': creator } });
        put(made.spec.template, { metadata: { name: 'foo-one' } });
      });
    const text = complaint(admit(make('bb', 'eve'), make('aa', 'ann'), {}, status));
    expect(text).toContain('Saw the following changes without a name change (-old +new)');
    expect(text).toContain('annotation value is immutable');
  });

  it('WH-50: Route and Revision are checked in full on a status write, too', () => {
    const route = {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Route',
      metadata: { name: 'r', namespace: 'default' },
      spec: { traffic: [] },
    } as Route;
    expect(complaint(admit(route, route, {}, status))).toContain('Traffic targets sum to 0');
    const revision = {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Revision',
      metadata: {
        name: 'r',
        namespace: 'default',
        annotations: { 'autoscaling.knative.dev/min-scale': 'x' },
      },
      spec: { containers: [{ name: 'c', image: 'hello' }] },
    } as Revision;
    expect(complaint(admit(revision, revision, {}, status))).toContain('invalid value: x');
  });

  it('WH-55: the last modifier changes with the spec only', () => {
    const old = stored<KnativeService>(admit(service()));
    const next = structuredClone(old);
    put(next.metadata.annotations ?? {}, { 'serving.knative.dev/lastModifier': 'eve' });
    expect(complaint(admit(next, old))).toBe(
      'invalid value: eve: metadata.annotations.serving.knative.dev/lastModifier',
    );
  });

  it('WH-18: an old spec that only lacks defaults was not changed by who fills them in', () => {
    const old = service(({ metadata }) => {
      put(metadata, {
        annotations: {
          'serving.knative.dev/creator': 'ann',
          'serving.knative.dev/lastModifier': 'ann',
        },
      });
    });
    const next = stored<KnativeService>(admit(structuredClone(old), old, {}, { userName: 'bob' }));
    expect(next.metadata.annotations?.['serving.knative.dev/lastModifier']).toBe('ann');
  });

  it('WH-18: validation compares with the old object as it is stored', () => {
    const old = service(({ spec }) => put(spec.template, { metadata: { name: 'foo-one' } }));
    const next = structuredClone(old);
    put(next.spec.template.spec, { timeoutSeconds: 300 });
    expect(complaint(admit(next, old))).toContain('Saw the following changes');
  });

  it('WH-66, WH-68: of a Revision, metadata is checked, a changed spec is told as a difference', () => {
    const revision = (image: string): Revision => ({
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Revision',
      metadata: { name: 'Foo', namespace: 'default' },
      spec: { containers: [{ name: 'queue-proxy', image }] },
    });
    const text = complaint(admit(revision('bb'), revision('aa')));
    expect(text).toContain('Immutable fields changed (-old +new): spec\n{v1.RevisionSpec}.Cont');
    expect(text).toContain('\t-: "aa"\n\t+: "bb"\n');
    expect(text).toContain('not a DNS 1035 label');
    expect(text).not.toContain('reserved container name');
  });

  it('null counts as absent, before and after', () => {
    const old = service(({ spec }) => {
      put(spec.template, { metadata: { name: 'foo-one', creationTimestamp: null } });
    });
    const next = service(({ spec }) => put(spec.template, { metadata: { name: 'foo-one' } }));
    expect(complaint(admit(next, old))).toBe('');
  });
});

describe('kinds', () => {
  it('WH-30: a Configuration gets no traffic, a Route no target', () => {
    const configuration = {
      ...service(),
      kind: 'Configuration',
      spec: { template: { spec: { containers: [{ image: 'hello' }] } } },
    } as unknown as Configuration;
    const made = stored<Configuration>(admit(configuration));
    expect(Object.keys(made.spec)).toEqual(['template']);
    expect(made.spec.template.spec.timeoutSeconds).toBe(300);
  });

  it('WH-30: an update leaves a Revision and a template of the same name alone', () => {
    const old = service(({ spec }) => put(spec.template, { metadata: { name: 'foo-one' } }));
    const made = stored<KnativeService>(admit(structuredClone(old), old));
    expect(made.spec.template).toEqual(old.spec.template);
  });

  it('WH-41: a DomainMapping points into its own namespace', () => {
    const mapping = {
      apiVersion: 'serving.knative.dev/v1beta1',
      kind: 'DomainMapping',
      metadata: { name: 'a.example.com', namespace: 'n' },
      spec: { ref: { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 's' } },
    } as KubeObject;
    expect(stored(admit(mapping))).toMatchObject({ spec: { ref: { namespace: 'n' } } });
  });
});
