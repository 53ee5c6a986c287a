// Configurations and their Revisions: which are made, what they carry, that they do not change, and
// how latest created and latest ready move.

import { expect } from 'vitest';
import { at, condition, messageOf } from './cluster.ts';
import { configuration, service, template } from './objects.ts';
import { CONFIGURATION, EVENT, REVISION, SERVICE } from './resources.ts';
import { row, type ServingRow, shared } from './row.ts';

const KEY = 'serving.knative.dev';

/** A Service whose template carries metadata of its own. */
const marked = shared(async (cluster) => {
  const labels = { part: 'p' };
  const annotations = { why: 'w' };
  const metadata = { labels: { team: 'a' }, annotations: { note: 'n' } };
  await cluster.deploy(service('marked', { metadata, labels, annotations }));
  return cluster.get(REVISION, 'marked-00001');
});

const alone = shared(async (cluster) => {
  await cluster.create(configuration('by-itself'));
  return cluster.ready(CONFIGURATION, 'by-itself');
});

const identity: readonly ServingRow[] = [
  row(
    'CP-62, CP-143',
    'Revisions are named after their Configuration and its generation',
    async (cluster) => {
      await cluster.deploy(service('counted'));
      await cluster.patch(SERVICE, 'counted', {
        spec: { template: template({ env: { A: '2' } }) },
      });
      await cluster.ready(SERVICE, 'counted');
      const revisions = await cluster.list(REVISION, `${KEY}/configuration=counted`);
      expect(revisions.map(({ metadata }) => metadata.name)).toEqual([
        'counted-00001',
        'counted-00002',
      ]);
    },
  ),
  row(
    'CP-143, CP-63',
    'A Revision is labelled with its Configuration and Service',
    async (cluster) => {
      const { metadata } = await marked(cluster);
      const configuration = (await cluster.get(CONFIGURATION, 'marked')).metadata;
      const { uid } = (await cluster.get(SERVICE, 'marked')).metadata;
      expect(metadata.labels).toMatchObject({
        [`${KEY}/configuration`]: 'marked',
        [`${KEY}/configurationGeneration`]: '1',
        [`${KEY}/configurationUID`]: configuration.uid,
        [`${KEY}/service`]: 'marked',
        [`${KEY}/serviceUID`]: uid,
      });
    },
  ),
  row('CP-143', 'A Revision is controlled by its Configuration', async (cluster) => {
    const { metadata } = await marked(cluster);
    const { uid } = (await cluster.get(CONFIGURATION, 'marked')).metadata;
    expect(metadata.ownerReferences).toMatchObject([
      { kind: 'Configuration', name: 'marked', uid, controller: true, blockOwnerDeletion: true },
    ]);
  }),
  row(
    'CP-143',
    'A Revision carries labels and annotations of the template, not of the Service',
    async (cluster) => {
      const { labels, annotations } = (await marked(cluster)).metadata;
      expect(labels).toMatchObject({ part: 'p' });
      expect(annotations).toMatchObject({ why: 'w' });
      expect(labels).not.toHaveProperty('team');
      expect(annotations).not.toHaveProperty('note');
    },
  ),
  row(
    'CP-143, CP-372',
    'A Revision of a Service is active, with its Route and the time of it',
    async (cluster) => {
      await marked(cluster);
      await cluster.eventually(REVISION, 'marked-00001', ({ metadata }) => {
        expect(metadata.labels?.[`${KEY}/routingState`]).toBe('active');
        expect(metadata.annotations?.[`${KEY}/routes`]).toBe('marked');
        const since = metadata.annotations?.[`${KEY}/routingStateModified`];
        expect(since).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      });
    },
  ),
  row(
    'CP-143',
    'A Revision names who changed its Configuration last as its creator',
    async (cluster) => {
      const { annotations } = (await marked(cluster)).metadata;
      expect(annotations?.[`${KEY}/creator`]).toBeTruthy();
    },
  ),
  row(
    'CP-143',
    'A Revision without a Route is pending and belongs to no Service',
    async (cluster) => {
      await alone(cluster);
      const { labels } = (await cluster.get(REVISION, 'by-itself-00001')).metadata;
      expect(labels).toMatchObject({ [`${KEY}/routingState`]: 'pending' });
      expect(labels).not.toHaveProperty([`${KEY}/service`]);
    },
  ),
  row(
    'CP-41, CP-145',
    'A Configuration by itself becomes Ready with its Revision',
    async (cluster) => {
      const { status } = await alone(cluster);
      expect(status).toMatchObject({
        latestCreatedRevisionName: 'by-itself-00001',
        latestReadyRevisionName: 'by-itself-00001',
      });
      expect(status?.conditions?.map(({ type }) => type)).toEqual(['Ready']);
    },
  ),
  row(
    'CP-144, CP-146',
    'Events of a Configuration tell its Revisions and when it became ready',
    async (cluster) => {
      const { metadata } = await alone(cluster);
      await cluster.eventuallyAll(EVENT, (events) => {
        const messages = events
          .filter((event) => at(event, 'involvedObject.uid') === metadata.uid)
          .map((event) => `${at(event, 'reason')}: ${at(event, 'message')}`);
        expect(messages).toContain('Created: Created Revision "by-itself-00001"');
        expect(messages).toContain('ConfigurationReady: Configuration becomes ready');
        const update = 'LatestReadyRevisionName updated to "by-itself-00001"';
        expect(messages).toContain(`LatestReadyUpdate: ${update}`);
      });
    },
  ),
  row(
    'CP-41',
    'A Revision has Ready, its two dependents, and Active as information',
    async (cluster) => {
      const { status } = await marked(cluster);
      expect(status?.conditions?.map(({ type }) => type)).toEqual([
        'Active',
        'ContainerHealthy',
        'Ready',
        'ResourcesAvailable',
      ]);
      const revision = await cluster.get(REVISION, 'marked-00001');
      expect(condition(revision, 'Active')).toMatchObject({ severity: 'Info' });
    },
  ),
];

const unchanging: readonly ServingRow[] = [
  row('WH-66', 'The spec of a Revision cannot be changed', async (cluster) => {
    await marked(cluster);
    const spec = { containerConcurrency: 7 };
    const message = messageOf(await cluster.change(REVISION, 'marked-00001', { spec }));
    expect(message).toContain('Immutable fields changed (-old +new): spec');
    expect(message).toMatch(/ContainerConcurrency:\n\t-: "?0"?\n\t\+: "?7"?/i);
  }),
  row('WH-66', 'Labels of a Revision can be changed', async (cluster) => {
    await marked(cluster);
    const labels = { later: 'yes' };
    const changed = await cluster.patch(REVISION, 'marked-00001', { metadata: { labels } });
    expect(changed.metadata.labels).toMatchObject(labels);
    expect(changed.metadata.generation).toBe(1);
  }),
  row('CP-140', 'A label in the template makes a new Revision', async (cluster) => {
    await cluster.deploy(service('relabel'));
    const labels = { release: '2' };
    await cluster.patch(SERVICE, 'relabel', { spec: { template: { metadata: { labels } } } });
    const { status } = await cluster.ready(SERVICE, 'relabel');
    expect(status?.['latestReadyRevisionName']).toBe('relabel-00002');
    expect((await cluster.get(REVISION, 'relabel-00002')).metadata.labels).toMatchObject(labels);
  }),
  row('CP-148', 'The latest Revision, deleted, is made again under its name', async (cluster) => {
    await cluster.create(configuration('remade'));
    await cluster.ready(CONFIGURATION, 'remade');
    const { uid } = (await cluster.get(REVISION, 'remade-00001')).metadata;
    await cluster.delete(REVISION, 'remade-00001');
    await cluster.eventually(REVISION, 'remade-00001', ({ metadata }) => {
      expect(metadata.uid).not.toBe(uid);
    });
  }),
];

const named: readonly ServingRow[] = [
  row('CP-141', 'A Revision may be named in the template', async (cluster) => {
    const { status } = await cluster.deploy(service('own', { name: 'own-first' }));
    expect(status?.['latestReadyRevisionName']).toBe('own-first');
  }),
  row('WH-65', 'A template that keeps its name cannot change', async (cluster) => {
    await cluster.deploy(service('kept', { name: 'kept-a' }));
    const changed = { spec: { template: template({ name: 'kept-a', env: { A: '1' } }) } };
    const message = messageOf(await cluster.change(SERVICE, 'kept', changed));
    expect(message).toContain('Saw the following changes without a name change (-old +new)');
    expect(message).toContain('spec.template.metadata.name');
  }),
  row('CP-141', 'Naming an older Revision with its spec goes back to it', async (cluster) => {
    const first = template({ name: 'back-a', env: { A: '1' } });
    await cluster.deploy(service('back', { name: 'back-a', env: { A: '1' } }));
    const second = template({ name: 'back-b', env: { A: '2' } });
    await cluster.patch(SERVICE, 'back', { spec: { template: second } });
    await cluster.ready(SERVICE, 'back');
    await cluster.patch(SERVICE, 'back', { spec: { template: first } });
    const { status } = await cluster.ready(SERVICE, 'back');
    expect(status?.['latestReadyRevisionName']).toBe('back-a');
    const revisions = await cluster.list(REVISION, `${KEY}/configuration=back`);
    expect(revisions.length).toBe(2);
  }),
  row(
    'CP-127, CP-142',
    'A name taken by another Revision fails Configuration and Service',
    async (cluster) => {
      await cluster.deploy(service('clash', { name: 'clash-a', env: { A: '1' } }));
      const second = template({ name: 'clash-b', env: { A: '2' } });
      await cluster.patch(SERVICE, 'clash', { spec: { template: second } });
      await cluster.ready(SERVICE, 'clash');
      const third = template({ name: 'clash-a', env: { A: '3' } });
      await cluster.patch(SERVICE, 'clash', { spec: { template: third } });
      await cluster.eventually(CONFIGURATION, 'clash', (object) => {
        expect(condition(object, 'Ready')).toMatchObject({
          status: 'False',
          reason: 'RevisionFailed',
          message:
            'Revision creation failed with message: revisions.serving.knative.dev "clash-a" already exists.',
        });
      });
      await cluster.eventually(SERVICE, 'clash', (object) => {
        expect(condition(object, 'RoutesReady')).toMatchObject({
          status: 'False',
          reason: 'RevisionNameTaken',
          message:
            'The revision name "clash-a" is taken by a conflicting Revision, so traffic will not be migrated',
        });
      });
    },
  ),
];

export const revisionRows: readonly ServingRow[] = [...identity, ...unchanging, ...named];
