// What a container is started with: variables, arguments, folder, standard streams, devices; and what a
// local process cannot have, which has to be said.

import { expect } from 'vitest';
import { configuration, route } from '../objects.ts';
import { type AnyObject, CONFIGURATION, POD, ROUTE } from '../resources.ts';
import { aloneRow, row, type ServingRow, shared } from '../row.ts';
import {
  APP,
  app,
  containerOf,
  deployed,
  eventuallyPods,
  hostOf,
  IMAGE,
  logOf,
  podsOf,
  report,
} from './app.ts';

/** Given by the person who started `up`, by the platform, and as marks to find processes by. */
const EXPECTED =
  /^(PATH|HOME|USER|LANG|TMPDIR|PORT|K_(SERVICE|REVISION|CONFIGURATION|GATEWAY)|PILOTLIGHT_(RUN|CONTAINER))$/;

const bare = shared(async (cluster) => report(cluster, await deployed(cluster, app('bare'))));

const data = (kind: string, name: string, values: Record<string, string>): AnyObject =>
  ({
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: 'default' },
    ...(kind === 'Secret' ? { stringData: values } : { data: values }),
  }) as AnyObject;

const reference = (kind: 'configMap' | 'secret', name: string, key: string, optional = false) => ({
  valueFrom: { [`${kind}KeyRef`]: { name, key, ...(optional ? { optional } : {}) } },
});

const full = shared(async (cluster) => {
  await cluster.create(
    data('ConfigMap', 'settings', { color: 'green', SHAPE: 'round', BOTH: 'map' }),
  );
  await cluster.create(data('Secret', 'credentials', { token: 's3cret\n', BOTH: 'secret' }));
  const host = await deployed(
    cluster,
    app('full', {
      container: {
        args: ['one two', '$(FIRST)', '$$(FIRST)', '$(NOBODY)', '$(K_REVISION):$(PORT)'],
        workingDir: '/proc',
        envFrom: [
          { configMapRef: { name: 'settings' } },
          { secretRef: { name: 'credentials' }, prefix: 'S_' },
          { secretRef: { name: 'credentials' } },
          { configMapRef: { name: 'not-there', optional: true } },
        ],
        env: [
          { name: 'FIRST', value: '1' },
          { name: 'SECOND', value: '$(FIRST)/$(SHAPE)' },
          { name: 'EARLY', value: '$(LATER)' },
          { name: 'LATER', value: 'now' },
          { name: 'ESCAPED', value: '$$(FIRST)' },
          { name: 'EMPTY', value: '' },
          { name: 'SHAPE', value: 'square' },
          { name: 'COLOR', ...reference('configMap', 'settings', 'color') },
          { name: 'TOKEN', ...reference('secret', 'credentials', 'token') },
          { name: 'ABSENT', ...reference('configMap', 'settings', 'no-such-key', true) },
        ],
      },
    }),
  );
  return report(cluster, host);
});

const waiting = (cluster: Parameters<typeof podsOf>[0], name: string, message: string) =>
  eventuallyPods(cluster, name, ([pod]) => {
    expect(containerOf(pod!)?.state.waiting).toEqual({
      reason: 'CreateContainerConfigError',
      message,
    });
  });

export const environmentRows: readonly ServingRow[] = [
  row('RC-1', 'PORT is the decimal number of the port that is asked', async (cluster) => {
    expect((await bare(cluster)).env['PORT']).toMatch(/^[1-9]\d{3,4}$/);
  }),
  row(
    'RC-2',
    'K_SERVICE, K_CONFIGURATION and K_REVISION name the three objects',
    async (cluster) => {
      expect((await bare(cluster)).env).toMatchObject({
        K_SERVICE: 'bare',
        K_CONFIGURATION: 'bare',
        K_REVISION: 'bare-00001',
      });
    },
  ),
  row('RC-2', 'K_SERVICE is empty where there is only a Configuration', async (cluster) => {
    await cluster.create(configuration('lone', { image: IMAGE, command: APP, isAwake: true }));
    await cluster.create(route('lone', [{ configurationName: 'lone', percent: 100 }]));
    await Promise.all([cluster.ready(CONFIGURATION, 'lone'), cluster.ready(ROUTE, 'lone')]);
    const { env } = await report(cluster, hostOf('lone'));
    expect(env).toMatchObject({ K_SERVICE: '', K_CONFIGURATION: 'lone' });
  }),
  row('RC-3', 'Nothing else is added, nothing of the shell that started `up`', async (cluster) => {
    const names = Object.keys((await bare(cluster)).env);
    expect(names.filter((name) => !EXPECTED.test(name))).toEqual([]);
    expect(process.env['VITEST']).toBeDefined();
  }),
  row('RC-5', 'There are no variables for other Services', async (cluster) => {
    const names = Object.keys((await full(cluster)).env);
    expect(names.filter((name) => /_SERVICE_HOST$|_PORT_\d+_TCP/.test(name))).toEqual([]);
  }),
  row('RC-4', 'Variables come from keys of ConfigMaps and Secrets, whole', async (cluster) => {
    const { env } = await full(cluster);
    expect(env).toMatchObject({ COLOR: 'green', TOKEN: 's3cret\n' });
  }),
  row('RC-4', 'envFrom takes all keys, with prefix, and the later source wins', async (cluster) => {
    const { env } = await full(cluster);
    expect(env).toMatchObject({ color: 'green', S_token: 's3cret\n', S_BOTH: 'secret' });
    expect(env['BOTH']).toBe('secret');
  }),
  row('RC-4', 'env wins over envFrom', async (cluster) => {
    expect((await full(cluster)).env['SHAPE']).toBe('square');
  }),
  row(
    'RC-4',
    'What is optional and missing is left out, what is empty is there',
    async (cluster) => {
      const { env } = await full(cluster);
      expect(env).not.toHaveProperty('ABSENT');
      expect(env['EMPTY']).toBe('');
    },
  ),
  row('RC-4', '$(NAME) is what was set before it, $$ escapes', async (cluster) => {
    const { env } = await full(cluster);
    expect(env).toMatchObject({ SECOND: '1/round', EARLY: '$(LATER)', ESCAPED: '$(FIRST)' });
  }),
  row(
    'RC-4',
    'A missing ConfigMap is named, and the container starts once it is there',
    async (cluster) => {
      const { metadata } = await cluster.create(
        app('expecting', { container: { envFrom: [{ configMapRef: { name: 'comes-late' } }] } }),
      );
      await waiting(cluster, metadata.name, 'configmap "comes-late" not found');
      await cluster.create(data('ConfigMap', 'comes-late', { SHAPE: 'late' }));
      await cluster.ready('serving.knative.dev/v1/services', metadata.name);
      expect((await report(cluster, hostOf(metadata.name))).env['SHAPE']).toBe('late');
    },
  ),
  row('RC-4', 'A missing key of a Secret is named', async (cluster) => {
    await cluster.create(data('Secret', 'keyless', { other: 'x' }));
    const env = [{ name: 'TOKEN', ...reference('secret', 'keyless', 'token') }];
    await cluster.create(app('keyless', { container: { env } }));
    await waiting(cluster, 'keyless', 'secret "keyless" has no key "token"');
  }),
  row('RC-3, CP-205', 'A second container may have a PORT of its own', async (cluster) => {
    const second = {
      name: 'second',
      image: IMAGE,
      command: [
        process.execPath,
        '-e',
        'console.log("PORT is", process.env.PORT); setInterval(() => 0, 1e6)',
      ],
      env: [{ name: 'PORT', value: '7' }],
    };
    const object = app('pair', {
      container: { name: 'first', ports: [{ containerPort: 8080 }] },
      beside: [second],
    });
    const host = await deployed(cluster, object);
    expect((await report(cluster, host)).env['PORT']).not.toBe('7');
    const [pod] = await podsOf(cluster, 'pair');
    const path = `/api/v1/namespaces/default/pods/${pod!.metadata.name}/log?container=second`;
    expect((await cluster.api.ask('GET', path, { accept: '*/*' })).body).toBe('PORT is 7\n');
  }),
  row('RC-80', 'command and args are given word by word, $(NAME) replaced', async (cluster) => {
    const { argv, env } = await full(cluster);
    const port = env['PORT'];
    expect(argv).toEqual(['one two', '1', '$(FIRST)', '$(NOBODY)', `full-00001:${port}`]);
  }),
  row('RC-80', 'workingDir is where the process starts', async (cluster) => {
    expect((await full(cluster)).cwd).toBe('/proc');
  }),
  row('RC-80', 'stdin is at its end and nothing is a terminal', async (cluster) => {
    await bare(cluster);
    const { body } = await cluster.ask(hostOf('bare'), { path: '/surroundings' });
    expect(JSON.parse(body)).toMatchObject({ stdin: '', isTty: [false, false, false] });
  }),
  row('RC-90', 'The devices are there and /tmp is open to all', async (cluster) => {
    await bare(cluster);
    const { body } = await cluster.ask(hostOf('bare'), { path: '/surroundings' });
    const { modes } = JSON.parse(body) as { modes: Record<string, number | string> };
    for (const [path, mode] of Object.entries(modes)) expect([path, mode]).not.toContain('ENOENT');
    for (const path of ['/dev/null', '/dev/full', '/dev/random', '/dev/urandom', '/dev/zero']) {
      expect(Number(modes[path]) & 0o170000).toBe(0o020000);
    }
    expect(Number(modes['/tmp']) & 0o777).toBe(0o777);
  }),
  row('RC-80, RC-82', 'stdout and stderr are the log of the pod', async (cluster) => {
    await bare(cluster);
    await cluster.ask(hostOf('bare'), { path: '/say?text=hello%20log' });
    const [pod] = await podsOf(cluster, 'bare');
    await expect
      .poll(() => logOf(cluster, pod!.metadata.name), { timeout: 20_000 })
      .toMatch(/^out: hello log\n(.*\n)*err: hello log$|^err: hello log\n(.*\n)*out: hello log$/m);
    expect(await logOf(cluster, pod!.metadata.name, '&tailLines=1')).toMatch(/^\S+: hello log\n$/);
  }),
  row('RC-81, RC-94, RC-95', 'What a local process cannot have, its pod says', async (cluster) => {
    const object = app('wishes', {
      container: {
        securityContext: { runAsUser: 65_532, readOnlyRootFilesystem: true },
        resources: { limits: { memory: '64Mi' } },
        volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
      },
      spec: { volumes: [{ name: 'scratch', emptyDir: {} }] },
    });
    await deployed(cluster, object);
    const [pod] = await podsOf(cluster, 'wishes');
    const { status } = await cluster.get(POD, pod!.metadata.name);
    const said = status?.conditions?.find(({ type }: { type: string }) => type === 'LocalProcess');
    expect(said).toMatchObject({ status: 'True', reason: 'NotHonoured' });
    for (const words of ['runAsUser', 'file system', 'resource limits', 'volumes']) {
      expect(said?.message).toContain(words);
    }
  }),
  aloneRow('WH-82, CP-103', 'fieldRef is refused until the feature is on', async (cluster) => {
    const env = [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }];
    const object = app('fieldref', { container: { env } });
    expect(await cluster.refusal(object)).toContain(
      'must not set the field(s): spec.template.spec.containers[0].env[0].valueFrom.fieldRef',
    );
    const data = { 'kubernetes.podspec-fieldref': 'Allowed' };
    await cluster.configured('config-features', data, async () => {
      await expect
        .poll(async () => (await cluster.post(object, '?dryRun=All')).code, { timeout: 20_000 })
        .toBe(201);
      const { env: given } = await report(cluster, await deployed(cluster, object));
      const [pod] = await podsOf(cluster, 'fieldref');
      expect(given['POD']).toBe(pod!.metadata.name);
    });
  }),
];
