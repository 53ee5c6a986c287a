// How many pods a Revision has, as its PodAutoscaler, its ServerlessService and its own status tell.

import { expect } from 'vitest';
import { condition } from './cluster.ts';
import { built, running } from './deployment-rows.ts';
import { service, template } from './objects.ts';
import {
  type AnyObject,
  POD,
  POD_AUTOSCALER,
  REVISION,
  SERVERLESS_SERVICE,
  SERVICE,
} from './resources.ts';
import { row, type ServingRow } from './row.ts';

const KEY = 'serving.knative.dev';
const SCALE = 'autoscaling.knative.dev';

export const scalingRows: readonly ServingRow[] = [
  row(
    'CP-191',
    'A PodAutoscaler of the name is told limits, protocol and target',
    async (cluster) => {
      await built(cluster);
      const { metadata, spec } = await cluster.get(POD_AUTOSCALER, 'built-00001');
      expect(spec).toMatchObject({
        containerConcurrency: 5,
        protocolType: 'http1',
        scaleTargetRef: {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          name: 'built-00001-deployment',
        },
      });
      expect(metadata.annotations).toMatchObject({
        [`${SCALE}/class`]: 'kpa.autoscaling.knative.dev',
        [`${SCALE}/metric`]: 'concurrency',
        [`${SCALE}/max-scale`]: '3',
      });
      expect(metadata.annotations).not.toHaveProperty([`${KEY}/routes`]);
    },
  ),
  row(
    'CP-193',
    'A scaling annotation put on a Revision reaches its PodAutoscaler, and goes',
    async (cluster) => {
      await cluster.deploy(service('scaled'));
      const key = `${SCALE}/max-scale`;
      for (const value of ['7', null]) {
        await cluster.patch(REVISION, 'scaled-00001', {
          metadata: { annotations: { [key]: value } },
        });
        await cluster.eventually(POD_AUTOSCALER, 'scaled-00001', ({ metadata }) => {
          expect(metadata.annotations?.[key] ?? null).toBe(value);
        });
      }
    },
  ),
  row('CP-192', 'A Revision with traffic is Reachable, one in reserve is not', async (cluster) => {
    await cluster.deploy(service('reached'));
    await cluster.patch(SERVICE, 'reached', { spec: { template: template({ env: { A: '2' } }) } });
    await cluster.ready(SERVICE, 'reached');
    const reachability = (want: string) => (object: AnyObject) =>
      expect(object.spec?.['reachability']).toBe(want);
    await cluster.eventually(POD_AUTOSCALER, 'reached-00002', reachability('Reachable'));
    await cluster.eventually(POD_AUTOSCALER, 'reached-00001', reachability('Unreachable'));
  }),
  row(
    'CP-480, CP-482',
    'A ServerlessService leads to the Deployment through the activator',
    async (cluster) => {
      await built(cluster);
      const object = await cluster.get(SERVERLESS_SERVICE, 'built-00001');
      expect(object.spec).toMatchObject({
        mode: 'Proxy',
        protocolType: 'http1',
        objectRef: { kind: 'Deployment', name: 'built-00001-deployment' },
      });
      expect(object.status).toMatchObject({
        serviceName: 'built-00001',
        privateServiceName: 'built-00001-private',
      });
    },
  ),
  row(
    'CP-195, AS-140',
    'A Revision without pods is Ready, but not Active for want of traffic',
    async (cluster) => {
      await built(cluster);
      const object = await cluster.ready(REVISION, 'built-00001');
      expect(condition(object, 'Active')).toMatchObject({
        status: 'False',
        reason: 'NoTraffic',
        message: 'The target is not receiving traffic.',
      });
    },
  ),
  row('CP-194, CP-87', 'A running Revision counts its pods and is Active', async (cluster) => {
    await running(cluster);
    await cluster.eventually(REVISION, 'running-00001', (object) => {
      expect(object.status).toMatchObject({ actualReplicas: 1, desiredReplicas: 1 });
      expect(condition(object, 'Active').status).toBe('True');
    });
  }),
  row(
    'CP-87, CP-164',
    'A Revision lists its containers with the images they run',
    async (cluster) => {
      await running(cluster);
      const { status } = await cluster.get(REVISION, 'running-00001');
      expect(status?.['containerStatuses']).toMatchObject([{ name: 'user-container' }]);
    },
  ),
  row('CP-164', 'An image given by digest is kept as it is', async (cluster) => {
    const image = `example.org/hello@sha256:${'a'.repeat(64)}`;
    await cluster.deploy(service('digest', { image }));
    const { status } = await cluster.get(REVISION, 'digest-00001');
    expect(status?.['containerStatuses']).toEqual([{ name: 'user-container', imageDigest: image }]);
  }),
  row(
    'CP-517',
    'A pod has an address, a start time, and is Ready with all its containers',
    async (cluster) => {
      await running(cluster);
      const pods = await cluster.list(POD, `${KEY}/revision=running-00001`);
      const [pod] = pods;
      expect(pods).toHaveLength(1);
      expect(pod?.status).toMatchObject({
        phase: 'Running',
        podIP: expect.stringMatching(/^127\./),
      });
      expect(pod?.status?.['startTime']).toBeTruthy();
      const names = (pod?.status?.['containerStatuses'] ?? []) as {
        name: string;
        ready: boolean;
      }[];
      expect(names.map(({ name, ready }) => `${name} ${ready}`).sort()).toEqual([
        'queue-proxy true',
        'user-container true',
      ]);
    },
  ),
];
