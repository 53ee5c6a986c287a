// The real kubectl against the real server (KN-281). Skipped where kubectl is not installed, or
// older than 1.27, which needs an OpenAPI v2 document (KN-123).

import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiServer } from './start.ts';
import { PODS, SERVICES, startTestServer, TestClient } from './testing/harness.ts';

function hasKubectl(): boolean {
  try {
    const text = execFileSync('kubectl', ['version', '--client', '-o', 'json'], {
      encoding: 'utf8',
    });
    const { clientVersion } = JSON.parse(text) as { clientVersion: { minor: string } };
    return Number.parseInt(clientVersion.minor, 10) >= 27;
  } catch {
    return false; // not installed: the suite says so by its name
  }
}

const MANIFEST = `
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: hello
spec:
  template:
    spec:
      containers:
      - image: hello
        env:
        - name: TARGET
          value: VALUE
`;

let server: ApiServer;
let client: TestClient;
let home: string;

interface Outcome {
  code: number;
  out: string;
  error: string;
}

function kubectl(args: string, input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: environment(), timeout: 30_000 };
    const child = execFile('kubectl', args.split(' '), options, (error, out, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, out, error: stderr });
    });
    child.stdin?.end(input);
  });
}

const environment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: home,
  KUBECONFIG: join(home, 'kubeconfig'),
});

const manifest = (value: string, more = ''): string => MANIFEST.replace('VALUE', value) + more;

describe.skipIf(!hasKubectl())('kubectl (skipped when it is not installed)', () => {
  beforeAll(async () => {
    server = await startTestServer({
      podLogs: { open: (_namespace, _pod, container) => Readable.from([`log of ${container}\n`]) },
    });
    client = new TestClient(server);
    home = await mkdtemp(join(tmpdir(), 'pilotlight-kubectl-'));
    await writeFile(join(home, 'kubeconfig'), server.kubeconfig, { mode: 0o600 });
  });

  afterAll(async () => {
    client.close();
    await server.stop();
    await rm(home, { recursive: true, force: true });
  });

  test('KN-281: apply says created, unchanged, configured', async () => {
    expect((await kubectl('apply -f -', manifest('a'))).out).toContain('hello created');
    expect((await kubectl('apply -f -', manifest('a'))).out).toContain('hello unchanged');
    expect((await kubectl('apply -f -', manifest('b'))).out).toContain('hello configured');
  });

  test('KN-281: an unknown field is a strict decoding error', async () => {
    const { code, error } = await kubectl('apply -f -', manifest('b', '        colour: red\n'));
    expect(code).toBe(1);
    expect(error).toContain(
      'strict decoding error: unknown field "spec.template.spec.containers[0].colour"',
    );
  });

  test('KN-281: patch without a type gives the 415 text', async () => {
    const { error } = await kubectl('patch ksvc hello -p {"spec":{}}');
    expect(error).toContain('the body of the request was in an unknown format');
  });

  test('KN-281: get prints columns, namespaces when sorted, everything of a category', async () => {
    expect((await kubectl('get ksvc')).out).toMatch(
      /^NAME +URL +LATESTCREATED +LATESTREADY +READY/,
    );
    const all = await kubectl('get ksvc -A --sort-by=.metadata.name');
    expect(all.out).toMatch(/^NAMESPACE +NAME[^\n]*\ndefault +hello/);
    expect((await kubectl('get all')).out).toContain('service.serving.knative.dev/hello');
    expect((await kubectl('get ksvc -o name')).out).toBe('service.serving.knative.dev/hello\n');
  });

  test('KN-281: wait returns when the condition comes', async () => {
    const waiting = kubectl('wait --for=condition=Ready ksvc/hello --timeout=20s');
    const { body } = await client.get(`${SERVICES}/hello`);
    const status = {
      observedGeneration: body.metadata.generation,
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    await client.merge(`${SERVICES}/hello/status`, { status });
    expect((await waiting).out).toContain('hello condition met');
  });

  test('KN-281: imperative commands, sent as protobuf, work', async () => {
    expect((await kubectl('create configmap made --from-literal=a=b')).out).toContain('created');
    expect((await kubectl('create namespace other')).out).toContain('namespace/other created');
    expect((await kubectl('create secret generic s --from-literal=a=b')).out).toContain('created');
    expect((await kubectl('create deployment d --image=x --replicas=2')).out).toContain('created');
    expect((await kubectl('scale deployment d --replicas=3')).out).toContain('scaled');
    expect((await kubectl('get deployment d')).out).toContain('0/3');
    expect((await kubectl('auth can-i create pods')).out).toContain('yes');
  });

  test('KN-281: explain prints fields, describe ends with events', async () => {
    expect((await kubectl('explain ksvc.spec')).out).toContain('template\t<Object>');
    expect((await kubectl('describe ksvc hello')).out).toMatch(/Events: +<none>\n$/);
  });

  test('KN-231: logs come from the pod', async () => {
    const spec = { containers: [{ name: 'user', image: 'x' }] };
    await client.post(PODS, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec });
    expect((await kubectl('logs p')).out).toBe('log of user\n');
  });

  test('KN-281: get -w shows live rows', async () => {
    const child = spawn('kubectl', ['get', 'cm', '-w'], { env: environment() });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
    });
    await expect.poll(() => out, { timeout: 20_000 }).toContain('made');
    await kubectl('create configmap live --from-literal=a=b');
    await expect.poll(() => out, { timeout: 20_000 }).toMatch(/live +1 +/);
    child.kill('SIGKILL');
    await once(child, 'close');
  });

  test('KN-281: delete returns at once, and with a finalizer only after its removal', async () => {
    expect((await kubectl('delete cm made')).out).toContain('"made" deleted');
    await client.merge(`${SERVICES}/hello`, { metadata: { finalizers: ['x/hold'] } });
    let isDone = false;
    const deleting = kubectl('delete ksvc hello').then((outcome) => {
      isDone = true;
      return outcome;
    });
    const isMarked = async () =>
      (await client.get(`${SERVICES}/hello`)).body.metadata.deletionTimestamp !== undefined;
    await expect.poll(isMarked, { timeout: 20_000 }).toBe(true);
    expect(isDone).toBe(false);
    await client.merge(`${SERVICES}/hello`, { metadata: { finalizers: null } });
    expect((await deleting).code).toBe(0);
  });

  test('kubectl apply --server-side creates and merges', async () => {
    expect((await kubectl('apply --server-side -f -', manifest('c'))).out).toContain(
      'serverside-applied',
    );
    expect((await kubectl('apply --server-side -f -', manifest('d'))).code).toBe(0);
    expect((await kubectl('delete ns other')).out).toContain('deleted');
  });
});
