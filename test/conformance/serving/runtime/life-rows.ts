// From the first start to the last signal: probes, restarts, crashes, logs, the end of a pod.

import { expect } from 'vitest';
import { at, condition } from '../cluster.ts';
import { POD, REVISION, SERVICE } from '../resources.ts';
import { row, type ServingRow } from '../row.ts';
import {
  app,
  containerOf,
  deployed,
  eventuallyPods,
  Held,
  headersOf,
  hostOf,
  logOf,
  podsOf,
  type Report,
  report,
} from './app.ts';

const isReady = (pod: Parameters<typeof condition>[0]) => condition(pod, 'Ready').status === 'True';

/** `node -e code` in place of app.js. */
const inline = (code: string) => [process.execPath, '-e', code];

export const probeRows: readonly ServingRow[] = [
  row('RC-60, WH-35', 'Without a probe the port is asked by TCP', async (cluster) => {
    const { body } = await cluster.post(app('unprobed'), '?dryRun=All');
    const { template } = (body as { spec: { template: { spec: { containers: unknown[] } } } }).spec;
    expect(template.spec.containers[0]).toMatchObject({
      readinessProbe: { tcpSocket: { port: 0 }, successThreshold: 1 },
    });
  }),
  row('RC-61, RC-66', 'A container that listens late is ready when it does', async (cluster) => {
    const host = await deployed(cluster, app('late', { env: { LISTEN_AFTER_MS: '500' } }));
    expect((await report(cluster, host)).env['LISTEN_AFTER_MS']).toBe('500');
  }),
  row('RC-63', 'An HTTP probe asks the path, with its headers, as kube-probe', async (cluster) => {
    const httpHeaders = [{ name: 'X-Probe', value: 'mine' }];
    const readinessProbe = { httpGet: { path: '/health?full=1', httpHeaders } };
    const host = await deployed(cluster, app('http-probe', { container: { readinessProbe } }));
    const { body } = await cluster.ask(host, { path: '/health-checks' });
    const [check] = JSON.parse(body) as { method: string; rawHeaders: string[] }[];
    expect(check!.method).toBe('GET');
    expect(headersOf(check!).get('x-probe')).toEqual(['mine']);
    expect(headersOf(check!).get('user-agent')?.[0]).toMatch(/^kube-probe\//);
  }),
  row('RC-60, RC-61', 'A probe with a period is asked by it', async (cluster) => {
    const readinessProbe = { httpGet: { path: '/health' }, periodSeconds: 1 };
    const host = await deployed(cluster, app('periodic', { container: { readinessProbe } }));
    expect((await report(cluster, host)).method).toBe('GET');
  }),
  row('RC-60', 'An exec probe is run beside the container', async (cluster) => {
    const exec = { command: ['sh', '-c', 'test -n "$K_REVISION"'] };
    const host = await deployed(
      cluster,
      app('exec-probe', { container: { readinessProbe: { exec, periodSeconds: 1 } } }),
    );
    expect((await cluster.ask(host, { path: '/status?code=200' })).status).toBe(200);
  }),
  row('RC-60', 'An exec probe that fails keeps the pod from being ready', async (cluster) => {
    const exec = { command: ['false'] };
    const readinessProbe = { exec, periodSeconds: 1, failureThreshold: 1 };
    await cluster.create(app('exec-false', { container: { readinessProbe } }));
    await eventuallyPods(cluster, 'exec-false', ([pod]) => {
      expect(containerOf(pod!)?.state).toHaveProperty('running');
      expect(isReady(pod!)).toBe(false);
    });
    expect(condition(await cluster.get(SERVICE, 'exec-false'), 'Ready').status).toBe('Unknown');
  }),
  row('RC-63', 'A gRPC probe asks the health service', async (cluster) => {
    const object = app('grpc-probe', {
      env: { PROTOCOL: 'h2c' },
      container: {
        ports: [{ name: 'h2c', containerPort: 8080 }],
        readinessProbe: { grpc: { port: 8080 } },
      },
    });
    const host = await deployed(cluster, object);
    expect((await report(cluster, host)).httpVersion).toBe('2.0');
  }),
  row('RC-64', 'A startup probe holds the others back', async (cluster) => {
    const host = await deployed(
      cluster,
      app('started', {
        env: { LISTEN_AFTER_MS: '1200' },
        container: {
          startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 60 },
          livenessProbe: { httpGet: { path: '/health' }, periodSeconds: 1, timeoutSeconds: 10 },
        },
      }),
    );
    expect((await report(cluster, host)).method).toBe('GET');
    const [pod] = await podsOf(cluster, 'started');
    expect(containerOf(pod!)).toMatchObject({ started: true, restartCount: 0 });
  }),
  row('RC-64', 'A failed liveness probe restarts the container, not the pod', async (cluster) => {
    const timing = { periodSeconds: 1, timeoutSeconds: 10 };
    const container = {
      // A slow start is no failure.
      startupProbe: { tcpSocket: { port: 8080 }, failureThreshold: 60, ...timing },
      livenessProbe: { httpGet: { path: '/health' }, failureThreshold: 1, ...timing },
    };
    const host = await deployed(cluster, app('liveness', { container }));
    const before = await report(cluster, host);
    const [pod] = await podsOf(cluster, 'liveness');
    await cluster.ask(host, { path: '/healthy?is=false' });
    await cluster.eventually(POD, pod!.metadata.name, (object) => {
      expect(containerOf(object)).toMatchObject({ restartCount: 1, ready: true });
      expect(containerOf(object, 'queue-proxy')).toMatchObject({ restartCount: 0 });
      expect(isReady(object)).toBe(true);
    });
    const answer = await cluster.eventuallyAnswers(host, ({ status }) => expect(status).toBe(200), {
      path: '/report',
    });
    const after = JSON.parse(answer.body) as Report;
    expect(after.pid).not.toBe(before.pid);
    expect(after.env['K_REVISION']).toBe('liveness-00001');
  }),
  row('RC-60', 'Readiness that fails later takes the pod out, and back in', async (cluster) => {
    const readinessProbe = { httpGet: { path: '/health' }, periodSeconds: 1, failureThreshold: 1 };
    const host = await deployed(cluster, app('wavering', { container: { readinessProbe } }));
    const [pod] = await podsOf(cluster, 'wavering');
    const { metadata } = pod!;
    await cluster.ask(host, { path: '/healthy?is=false&checks=2' });
    await cluster.eventually(POD, metadata.name, (object) => expect(isReady(object)).toBe(false));
    await cluster.eventually(POD, metadata.name, (object) => expect(isReady(object)).toBe(true));
    expect(containerOf(await cluster.get(POD, metadata.name))).toMatchObject({ restartCount: 0 });
    expect((await cluster.ask(host, { path: '/status?code=200' })).status).toBe(200);
  }),
];

export const endRows: readonly ServingRow[] = [
  row('RC-83, RC-82', 'A container that ends is restarted; why it did is kept', async (cluster) => {
    const host = await deployed(cluster, app('restarted'));
    const [pod] = await podsOf(cluster, 'restarted');
    const words = encodeURIComponent('out of paper');
    await cluster.ask(host, { path: `/exit?code=7&words=${words}` });
    await cluster.eventually(POD, pod!.metadata.name, (object) => {
      expect(containerOf(object)).toMatchObject({
        restartCount: 1,
        state: { running: {} },
        lastState: {
          terminated: { exitCode: 7, reason: 'Error', message: expect.stringContaining('paper') },
        },
      });
    });
    expect((await report(cluster, host)).env['K_SERVICE']).toBe('restarted');
    expect(await logOf(cluster, pod!.metadata.name, '&previous=true')).toContain('out of paper');
    expect(await logOf(cluster, pod!.metadata.name)).not.toContain('out of paper');
  }),
  row(
    'RC-83, QP-64',
    'A request that finds the container gone is 502 or served',
    async (cluster) => {
      const host = await deployed(cluster, app('flaky'));
      await cluster.ask(host, { path: '/exit?code=1&words=x' });
      await cluster.eventuallyAnswers(host, ({ status }) => expect(status).toBe(200), {
        path: '/status?code=200',
      });
    },
  ),
  row(
    'RC-82, CP-185',
    'A container that cannot start fails the Revision with its words',
    async (cluster) => {
      const command = inline('console.error("no database at db:5432"); process.exit(9)');
      await cluster.create(app('crashing', { command }));
      const revision = await cluster.eventually(REVISION, 'crashing-00001', (object) => {
        expect(condition(object, 'ContainerHealthy').status).toBe('False');
      });
      expect(condition(revision, 'ContainerHealthy')).toMatchObject({ reason: 'ExitCode9' });
      expect(condition(revision, 'ContainerHealthy').message).toMatch(
        /^Container failed with: [\s\S]*no database at db:5432/,
      );
      const service = await cluster.eventually(SERVICE, 'crashing', (object) => {
        expect(condition(object, 'Ready').status).toBe('False');
      });
      expect(condition(service, 'Ready')).toMatchObject({ reason: 'RevisionFailed' });
      await eventuallyPods(cluster, 'crashing', ([pod]) => {
        expect(containerOf(pod!)?.restartCount).toBeGreaterThan(0);
      });
    },
  ),
  row('RC-82, CP-185', 'A container that ends well is not healthy either', async (cluster) => {
    await cluster.create(app('finished', { command: inline('process.exit(0)') }));
    await cluster.eventually(REVISION, 'finished-00001', (object) => {
      expect(condition(object, 'ContainerHealthy')).toMatchObject({
        status: 'False',
        reason: 'ExitCode0',
        message: 'Container failed with: container exited with no error',
      });
    });
  }),
  row(
    'RC-121, RC-80',
    'A command that does not exist is a condition that names it',
    async (cluster) => {
      await cluster.create(app('commandless', { command: ['/no/such/program'] }));
      const revision = await cluster.eventually(REVISION, 'commandless-00001', (object) => {
        expect(condition(object, 'ResourcesAvailable').status).toBe('False');
      });
      expect(condition(revision, 'ResourcesAvailable').message).toContain('"/no/such/program"');
    },
  ),
  row(
    'RC-68',
    'A revision that is not ready in time has failed, and its pod goes',
    async (cluster) => {
      const annotations = { 'serving.knative.dev/progress-deadline': '2s' };
      const command = inline('setInterval(() => 0, 1e6)');
      await cluster.create(app('never', { annotations, command }));
      await cluster.eventually(REVISION, 'never-00001', (object) => {
        expect(condition(object, 'ResourcesAvailable')).toMatchObject({
          status: 'False',
          reason: 'ProgressDeadlineExceeded',
        });
      });
    },
  ),
  row(
    'RC-70, RC-71, RC-74',
    'A pod that goes finishes its requests before SIGTERM',
    async (cluster) => {
      const host = await deployed(cluster, app('leaving'));
      const [pod] = await podsOf(cluster, 'leaving');
      const held = new Held(cluster, host);
      const crowd = async () => {
        const other = new Held(cluster, host);
        other.finish();
        return (JSON.parse((await other.answer).body) as { inside: number }).inside;
      };
      await expect.poll(crowd, { timeout: 20_000 }).toBe(2);
      const path = `/api/v1/namespaces/default/pods/${pod!.metadata.name}/log`;
      const log = cluster.api.ask('GET', `${path}?container=user-container&follow=true`, {
        accept: '*/*',
      });
      await cluster.delete(POD, pod!.metadata.name);
      await cluster.eventually(POD, pod!.metadata.name, ({ metadata }) => {
        expect(metadata.deletionTimestamp).toBeDefined();
      });
      await eventuallyPods(cluster, 'leaving', ([next]) => expect(isReady(next!)).toBe(true));
      held.finish();
      expect((await held.answer).status).toBe(200);
      await cluster.gone(POD, pod!.metadata.name);
      expect(String((await log).body)).toMatch(/SIGTERM\n(.*\n)*closed\n$/);
    },
  ),
  row(
    'RC-70, RC-75',
    'A container deaf to SIGTERM is ended after timeoutSeconds',
    async (cluster) => {
      const spec = { timeoutSeconds: 2 };
      await deployed(cluster, app('deaf', { spec, env: { IGNORE_SIGTERM: 'true' } }));
      const [pod] = await podsOf(cluster, 'deaf');
      expect(at(pod, 'spec.terminationGracePeriodSeconds')).toBe(2);
      await cluster.delete(SERVICE, 'deaf');
      await cluster.gone(POD, pod!.metadata.name);
    },
  ),
  row('RC-84, RC-112', 'With the Service everything it made goes', async (cluster) => {
    await deployed(cluster, app('doomed'));
    const [pod] = await podsOf(cluster, 'doomed');
    await cluster.delete(SERVICE, 'doomed');
    await cluster.gone(REVISION, 'doomed-00001');
    await cluster.gone(POD, pod!.metadata.name);
    await cluster.eventuallyAnswers(hostOf('doomed'), ({ status }) => expect(status).toBe(404));
  }),
];
