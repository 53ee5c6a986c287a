// Admission as an API user meets it: what is filled in, what may not change, what passes.

import { describe, expect, it } from 'vitest';
import type { Container } from '../api/core.ts';
import type { KubeObject } from '../api/objects.ts';
import type { KnativeService, Revision, Route, TrafficTarget } from '../api/serving.ts';
import { exampleChecksum } from './config-maps.ts';
import { admit, complaint, secure, service, stored } from './testing/requests.ts';

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
          resources: {},
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
