// What a Revision that does not work says, all the way up to its Service, and that what worked before
// goes on.

import { expect } from 'vitest';
import { condition } from './cluster.ts';
import { service, template } from './objects.ts';
import { CONFIGURATION, EVENT, REVISION, ROUTE, SERVICE } from './resources.ts';
import { row, type ServingRow, shared } from './row.ts';

const CRASHES = [process.execPath, '-e', 'console.error("no database"); process.exit(3)'];
const NEVER_LISTENS = [process.execPath, '-e', 'setInterval(() => 0, 1000)'];

const missing = shared(async (cluster) => {
  await cluster.create(
    service('no-image', { image: 'ghcr.io/acme/unknown', command: [], isAwake: true }),
  );
  return cluster.eventually(SERVICE, 'no-image', (object) => {
    expect(condition(object, 'Ready').status).toBe('False');
  });
});

const crashing = shared(async (cluster) => {
  await cluster.create(service('crash', { command: CRASHES, isAwake: true }));
  return cluster.eventually(SERVICE, 'crash', (object) => {
    expect(condition(object, 'Ready').status).toBe('False');
  });
});

/** Ready with its first Revision, failed with its second. */
const failedUpdate = shared(async (cluster) => {
  await cluster.deploy(service('half'));
  const spec = { template: template({ command: CRASHES, isAwake: true }) };
  const annotations = { 'autoscaling.knative.dev/initial-scale': '1' };
  await cluster.patch(SERVICE, 'half', {
    spec: { template: { ...spec.template, metadata: { annotations } } },
  });
  return cluster.eventually(SERVICE, 'half', (object) => {
    expect(condition(object, 'ConfigurationsReady').status).toBe('False');
  });
});

export const failureRows: readonly ServingRow[] = [
  row(
    'CP-166, CP-531',
    'An image nobody can resolve fails the Revision as ContainerMissing',
    async (cluster) => {
      await missing(cluster);
      await cluster.eventually(REVISION, 'no-image-00001', (object) => {
        const want = { status: 'False', reason: 'ContainerMissing' };
        expect(condition(object, 'ContainerHealthy')).toMatchObject(want);
        expect(condition(object, 'Ready')).toMatchObject(want);
        expect(condition(object, 'Ready').message).toContain('ghcr.io/acme/unknown');
      });
    },
  ),
  row(
    'CP-146, CP-531',
    'A failed first Revision fails its Configuration with the message',
    async (cluster) => {
      await missing(cluster);
      await cluster.eventually(CONFIGURATION, 'no-image', (object) => {
        const { status, reason, message } = condition(object, 'Ready');
        expect([status, reason]).toEqual(['False', 'RevisionFailed']);
        expect(message).toMatch(/^Revision "no-image-00001" failed with message: .*unknown/);
        expect(object.status).not.toHaveProperty('latestReadyRevisionName');
      });
    },
  ),
  row(
    'CP-275, CP-531',
    'A Route whose Configuration failed has nothing to send traffic to',
    async (cluster) => {
      await missing(cluster);
      await cluster.eventually(ROUTE, 'no-image', (object) => {
        expect(condition(object, 'AllTrafficAssigned')).toMatchObject({
          status: 'False',
          reason: 'RevisionMissing',
          message: 'Configuration "no-image" does not have any ready Revision.',
        });
      });
    },
  ),
  row(
    'CP-44, CP-531',
    'A Service says both what its Configuration and what its Route lacks',
    async (cluster) => {
      await missing(cluster);
      await cluster.eventually(SERVICE, 'no-image', (object) => {
        expect(condition(object, 'ConfigurationsReady').reason).toBe('RevisionFailed');
        expect(condition(object, 'RoutesReady').reason).toBe('RevisionMissing');
        expect(condition(object, 'Ready').reason).toBe('RevisionMissing');
      });
    },
  ),
  row(
    'CP-185, CP-200',
    'A container that exits fails the Revision with its code and last words',
    async (cluster) => {
      await crashing(cluster);
      await cluster.eventually(REVISION, 'crash-00001', (object) => {
        const { status, reason, message } = condition(object, 'ContainerHealthy');
        expect([status, reason]).toEqual(['False', 'ExitCode3']);
        expect(message).toMatch(/^Container failed with: [\s\S]*no database/);
      });
    },
  ),
  row('CP-146', 'A failed Revision is an event of its Configuration', async (cluster) => {
    await crashing(cluster);
    await cluster.eventuallyAll(EVENT, (events) => {
      const failed = events.filter(
        (event) => Reflect.get(event, 'reason') === 'LatestCreatedFailed',
      );
      expect(failed.map((event) => Reflect.get(event, 'message'))).toContain(
        'Latest created revision "crash-00001" has failed',
      );
    });
  }),
  row(
    'CP-176, CP-194',
    'A container that never listens fails at its progress deadline',
    async (cluster) => {
      const annotations = { 'serving.knative.dev/progress-deadline': '4s' };
      await cluster.create(service('mute', { command: NEVER_LISTENS, annotations, isAwake: true }));
      await cluster.eventually(REVISION, 'mute-00001', (object) => {
        expect(condition(object, 'ResourcesAvailable')).toMatchObject({
          status: 'False',
          reason: 'ProgressDeadlineExceeded',
        });
      });
    },
  ),
  row('CP-532', 'A failed update fails the Service and leaves its Route ready', async (cluster) => {
    await failedUpdate(cluster);
    await cluster.eventually(SERVICE, 'half', (object) => {
      expect(condition(object, 'Ready')).toMatchObject({
        status: 'False',
        reason: 'RevisionFailed',
      });
      expect(condition(object, 'RoutesReady').status).toBe('True');
    });
  }),
  row('CP-147, CP-532', 'A failed update does not move latest ready back', async (cluster) => {
    await failedUpdate(cluster);
    const { status } = await cluster.get(SERVICE, 'half');
    expect(status).toMatchObject({
      latestCreatedRevisionName: 'half-00002',
      latestReadyRevisionName: 'half-00001',
    });
  }),
  row('CP-532', 'After a failed update the old Revision answers', async (cluster) => {
    await failedUpdate(cluster);
    const answer = await cluster.ask('half.default.localhost');
    expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('half-00001') });
  }),
  row('CP-147', 'A good update after a failed one takes over', async (cluster) => {
    await cluster.create(
      service('mended', { image: 'ghcr.io/acme/unknown', command: [], isAwake: true }),
    );
    await cluster.eventually(SERVICE, 'mended', (object) => {
      expect(condition(object, 'Ready').status).toBe('False');
    });
    await cluster.patch(SERVICE, 'mended', { spec: { template: template() } });
    const { status } = await cluster.ready(SERVICE, 'mended');
    expect(status?.['latestReadyRevisionName']).toBe('mended-00002');
  }),
];
