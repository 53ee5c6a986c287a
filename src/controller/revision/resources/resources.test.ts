// Children of a Revision against golden objects of the reference, and what updates keep or change.

import { describe, expect, it } from 'vitest';
import type { PodAutoscaler } from '../../../api/autoscaling.ts';
import type { Deployment } from '../../../api/core.ts';
import type { Revision } from '../../../api/serving.ts';
import {
  bare,
  golden,
  goldenConfig,
  goldenConfiguration,
  goldenRevision,
  goldenService,
} from '../../testing/golden.ts';
import { makeDeployment, updatedDeployment } from './deployment.ts';
import { makePodAutoscaler, reachabilityOf, updatedPodAutoscaler } from './pod-autoscaler.ts';
import { sidecarProbeJson } from './probes.ts';
import { queueProxyResources } from './queue-resources.ts';

const HASH = 'serving.knative.dev/deployment-hash';

function deployment(change: (revision: Revision) => void = () => undefined): Deployment {
  const revision = goldenRevision();
  change(revision);
  return makeDeployment(revision, goldenConfig(), 'knative-serving');
}

/** In the golden file an empty value is an absent one. */
function withEmptyValues(expected: Deployment): Deployment {
  for (const container of expected.spec.template.spec.containers) {
    for (const variable of container.env ?? []) {
      if (variable.valueFrom === undefined) variable.value ??= '';
    }
  }
  return expected;
}

describe('a Revision and its children', () => {
  it('CP-603: Revision', () => {
    const expected = golden(603) as Revision;
    expected.spec = goldenService().spec.template.spec;
    const { status, ...revision } = goldenRevision();
    expect(bare(revision)).toEqual(expected);
  });

  it('CP-604: Deployment', () => {
    const expected = withEmptyValues(golden(604) as Deployment);
    const made = deployment();
    expected.metadata.labels![HASH] = made.metadata.labels![HASH]!;
    expect(bare(made)).toEqual(expected);
  });

  it('CP-212: the sidecar gets its variables in the order of the reference', () => {
    const names = (object: Deployment): string[] =>
      object.spec.template.spec.containers[1]!.env!.map(({ name }) => name);
    expect(names(deployment())).toEqual(names(golden(604) as Deployment));
  });

  it('CP-605: PodAutoscaler', () => {
    const revision = goldenRevision();
    const target = deployment();
    const made = makePodAutoscaler(revision, target, reachabilityOf(revision, target, false));
    expect(bare(made)).toEqual(golden(605) as PodAutoscaler);
  });

  it('CP-204 to CP-208: several containers keep their order, the sidecar comes last', () => {
    const made = deployment((revision) => {
      const [serving] = revision.spec.containers;
      const helper = { name: 'helper', image: 'helper', volumeMounts: [] };
      revision.spec.containers = [
        helper,
        { ...serving!, ports: [{ containerPort: 9000 }], livenessProbe: { tcpSocket: {} } },
      ];
      revision.spec.volumes = [{ name: 'own', emptyDir: {} }];
      revision.spec.timeoutSeconds = 77;
    });
    const { containers, volumes, terminationGracePeriodSeconds } = made.spec.template.spec;
    const names = containers.map(({ name }) => name);
    expect(names).toEqual(['helper', goldenRevision().spec.containers[0]!.name, 'queue-proxy']);
    const [helper, serving] = containers;
    expect(helper?.ports ?? []).toEqual([]);
    expect(serving?.ports).toEqual([{ name: 'user-port', containerPort: 9000 }]);
    expect(serving?.livenessProbe?.tcpSocket).toMatchObject({ port: 9000 });
    const portOf = (index: number) =>
      containers[index]?.env?.find(({ name }) => name === 'PORT')?.value;
    expect([portOf(0), portOf(1)]).toEqual([undefined, '9000']);
    expect(volumes?.[0]).toEqual({ name: 'own', emptyDir: {} });
    expect(terminationGracePeriodSeconds).toBe(77);
  });

  it("CP-211: the kubelet asks the sidecar, at the pace of the app's own probe", () => {
    const made = deployment((revision) => {
      revision.spec.containers[0]!.readinessProbe = { httpGet: { path: '/h' }, periodSeconds: 7 };
    });
    expect(made.spec.template.spec.containers[1]?.readinessProbe).toEqual({
      periodSeconds: 7,
      httpGet: { port: 8012, httpHeaders: [{ name: 'K-Network-Probe', value: 'queue' }] },
    });
    const without = deployment((revision) => {
      delete revision.spec.containers[0]!.readinessProbe;
    });
    expect(without.spec.template.spec.containers[1]?.readinessProbe).toBeUndefined();
  });

  it('CP-210: an h2c Revision serves on 8013', () => {
    const made = deployment((revision) => {
      revision.spec.containers[0]!.ports = [{ containerPort: 9000, name: 'h2c' }];
    });
    const [user, queue] = made.spec.template.spec.containers;
    expect(user?.ports).toEqual([{ containerPort: 9000, name: 'user-port' }]);
    expect(queue?.ports).toContainEqual({ name: 'queue-port', containerPort: 8013 });
    expect(queue?.readinessProbe?.httpGet?.port).toBe(8013);
  });

  it('our drain setting reaches the sidecar only where the config map has it', () => {
    const env = (quiet?: string): string[] =>
      makeDeployment(
        goldenRevision(),
        goldenConfig(
          quiet === undefined ? {} : { deployment: { 'queue-sidecar-drain-quiet-period': quiet } },
        ),
        'knative-serving',
      ).spec.template.spec.containers[1]!.env!.flatMap(({ name, value }) =>
        name === 'QUEUE_DRAIN_QUIET_SECONDS' ? [value ?? ''] : [],
      );
    expect(env()).toEqual([]);
    expect(env('1500ms')).toEqual(['1.5']);
  });
});

describe('CP-221: updating a live Deployment', () => {
  it('equal wishes change nothing, however the live object was edited', () => {
    const live = deployment();
    live.spec.template.spec.containers[0]!.image = 'edited';
    expect(updatedDeployment(live, deployment())).toBeUndefined();
  });

  it('replicas, selector and foreign metadata survive an update', () => {
    const live = deployment();
    live.spec.replicas = 7;
    live.spec.template.metadata!.annotations!['kubectl.kubernetes.io/restartedAt'] = 'now';
    live.metadata.labels!['serving.knative.dev/gone'] = 'x';
    const desired = deployment((revision) => {
      revision.metadata.annotations!.x = 'zz';
    });
    const updated = updatedDeployment(live, desired)!;
    expect(updated.spec.replicas).toBe(7);
    expect(updated.spec.template.metadata?.annotations).toMatchObject({
      'kubectl.kubernetes.io/restartedAt': 'now',
      x: 'zz',
    });
    expect(updated.metadata.labels).not.toHaveProperty('serving.knative.dev/gone');
  });
});

describe('CP-193: updating a live PodAutoscaler', () => {
  const wanted = (): PodAutoscaler =>
    makePodAutoscaler(goldenRevision(), deployment(), 'Reachable');

  it('defaulted class and metric are no difference', () => {
    const live = wanted();
    live.metadata.annotations!['autoscaling.knative.dev/class'] = 'kpa.autoscaling.knative.dev';
    live.metadata.annotations!['autoscaling.knative.dev/metric'] = 'concurrency';
    live.spec.containerConcurrency = 0;
    expect(updatedPodAutoscaler(live, wanted())).toBeUndefined();
  });

  it('an autoscaling key the Revision lacks is removed, foreign keys stay', () => {
    const live = wanted();
    live.metadata.annotations!['autoscaling.knative.dev/max-scale'] = '3';
    live.metadata.annotations!.other = 'y';
    const updated = updatedPodAutoscaler(live, wanted())!;
    expect(updated.metadata.annotations).not.toHaveProperty(['autoscaling.knative.dev/max-scale']);
    expect(updated.metadata.annotations?.other).toBe('y');
  });
});

describe('CP-192: reachability', () => {
  it.each([
    ['active', false, 0, 0, 'Reachable'],
    ['reserve', false, 0, 0, 'Unreachable'],
    ['pending', false, 0, 0, ''],
    ['active', true, 1, 0, 'Unreachable'],
    ['active', true, 1, 1, 'Reachable'],
    ['active', true, 0, 0, 'Reachable'],
  ] as const)(
    'state %s, failed %s, %i wanted, %i ready: %s',
    (state, failed, replicas, ready, expected) => {
      const revision = goldenRevision();
      revision.metadata.labels!['serving.knative.dev/routingState'] = state;
      const target = deployment();
      target.spec.replicas = replicas;
      target.status = { readyReplicas: ready };
      expect(reachabilityOf(revision, target, failed)).toBe(expected);
    },
  );
});

describe('CP-213: the probe the sidecar runs', () => {
  const json = (probe: object | undefined, multi = false): string => {
    const { spec } = goldenConfiguration().spec.template;
    const container = { ...spec.containers[0]!, ...(probe && { readinessProbe: probe }) };
    if (probe === undefined) delete container.readinessProbe;
    return sidecarProbeJson({ ...spec, containers: [container] }, multi);
  };

  it.each([
    ['none', undefined, ''],
    [
      'exec becomes a TCP check',
      { exec: { command: ['x'] } },
      '{"tcpSocket":{"port":8080,"host":"127.0.0.1"}}',
    ],
    [
      'http gets host, port and scheme',
      { httpGet: { path: '/h' }, successThreshold: 1 },
      '{"httpGet":{"path":"/h","port":8080,"host":"127.0.0.1","scheme":"HTTP"},"successThreshold":1}',
    ],
    [
      'a period without timeout gets one second',
      { tcpSocket: { port: 9 }, periodSeconds: 3 },
      '{"tcpSocket":{"port":9,"host":"127.0.0.1"},"timeoutSeconds":1,"periodSeconds":3}',
    ],
    ['grpc', { grpc: { service: 's' } }, '{"grpc":{"port":8080,"service":"s"}}'],
  ])('%s', (_name, probe, expected) => {
    expect(json(probe)).toBe(expected);
  });

  it('with several containers it is an array', () => {
    expect(json(undefined, true)).toBe('[null]');
  });
});

describe('CP-215: resources of the sidecar', () => {
  it.each([
    ['stock', {}, { requests: { cpu: '25m' } }],
    [
      'a share of the user container, clamped',
      { 'queue.sidecar.serving.knative.dev/resource-percentage': '10' },
      { requests: { cpu: '25m' }, limits: { cpu: '100m', memory: '200Mi' } },
    ],
    [
      'explicit annotations win',
      {
        'queue.sidecar.serving.knative.dev/resource-percentage': '10',
        'queue.sidecar.serving.knative.dev/cpu-resource-limit': '2',
        'queue.sidecar.serving.knative.dev/memory-resource-request': 'nonsense',
      },
      { requests: { cpu: '25m' }, limits: { cpu: '2', memory: '200Mi' } },
    ],
  ])('%s', (_name, annotations, expected) => {
    const revision = goldenRevision();
    Object.assign(revision.metadata.annotations!, annotations);
    expect(queueProxyResources(revision, goldenConfig())).toEqual(expected);
  });
});
