// exec, attach, cp and port-forward (KN-232 to KN-234): every kubectl on the PATH, over WebSockets
// and over the SPDY older ones speak, against pods that are processes of the real program.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock/clock.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import {
  exampleService,
  type Pilotlight,
  startPilotlight,
  temporaryFolder,
  until,
} from '../support/pilotlight.ts';

const kubectls = findKubectls();
const folder = temporaryFolder();
let pilotlight: Pilotlight;
let pod = '';

async function findPod(kubectl: Kubectl): Promise<void> {
  await until('a pod that is ready', () => {
    kubectl.ok('wait --for=condition=Ready ksvc/hello --timeout=60s');
    pod = kubectl.ok('get pods -o name').trim();
    return (
      /^pod\/\S+$/.test(pod) && kubectl.run(['wait', '--for=condition=Ready', pod]).status === 0
    );
  });
}

beforeAll(async () => {
  if (kubectls.length === 0) return;
  pilotlight = await startPilotlight();
  const kubectl = new Kubectl(kubectls[0]!.path, pilotlight.kubeconfig, folder);
  const annotations = { 'autoscaling.knative.dev/min-scale': '1' };
  kubectl.ok('apply -f -', exampleService('hello', 'hello', { annotations }));
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const overSpdy = {
  KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false',
  KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false',
};
const ways = kubectls.flatMap((kubectl) => [
  { ...kubectl, way: 'websocket', variables: {} },
  { ...kubectl, way: 'SPDY', variables: overSpdy },
]);

describe.each(ways)('kubectl 1.$minor over $way', ({ path, variables }) => {
  let kubectl: Kubectl;
  beforeAll(async () => {
    kubectl = new Kubectl(path, pilotlight.kubeconfig, folder, variables);
    await findPod(kubectl);
  });

  it("KN-232: exec runs in the container's environment and folder, with its exit code", () => {
    const script = 'echo $K_REVISION; pwd; cat; echo wrong >&2; exit 3';
    const args = ['exec', '-i', pod, '--', 'sh', '-c', script];
    const { status, stdout, stderr } = kubectl.run(args, { input: 'typed\n' });
    expect(stdout).toMatch(/^hello-00001\n\/.*\ntyped\n$/);
    expect(stderr).toContain('wrong\n');
    expect(stderr).toContain('command terminated with exit code 3');
    expect(status).toBe(3);
  });

  it('KN-233: port-forward reaches the app by its container port, and says who refuses', async () => {
    const forward = kubectl.follow(`port-forward ${pod} :8080 :1`);
    try {
      const ports = () => [...forward.stdout.matchAll(/127\.0\.0\.1:(\d+) ->/g)].map((m) => m[1]);
      await until('both listeners', () => ports().length === 2);
      const bodies = await Promise.all(
        Array.from({ length: 8 }, async () =>
          (await fetch(`http://127.0.0.1:${ports()[0]}`)).text(),
        ),
      );
      for (const body of bodies) expect(body).toContain('Hello');
      await fetch(`http://127.0.0.1:${ports()[1]}`).catch(() => undefined);
      await until('the refusal', () => /forwarding port 1 to pod .*REFUSED/.test(forward.stderr));
    } finally {
      forward.stop();
    }
  });
});

describe.each(kubectls)('kubectl 1.$minor', ({ path, minor }) => {
  let kubectl: Kubectl;
  beforeAll(async () => {
    kubectl = new Kubectl(path, pilotlight.kubeconfig, folder);
    await findPod(kubectl);
  });

  it('KN-232: what cannot be run is said', () => {
    expect(kubectl.fails(`exec ${pod} -- no-such-program`)).toContain(
      'exec: "no-such-program": executable file not found in $PATH',
    );
    expect(kubectl.fails(`exec ${pod} -c queue-proxy -- true`)).toContain(
      'is hosted inside the data plane and has no process of its own',
    );
    expect(kubectl.fails(`exec ${pod} -c nothing -- true`)).toContain('nothing is not valid');
  });

  it('KN-234: cp copies both ways', () => {
    const [from, there, back] = ['from', 'there', 'back'].map((name) => join(folder, name + minor));
    writeFileSync(from!, 'x'.repeat(200_000));
    const name = pod.replace('pod/', '');
    kubectl.ok(`cp ${from} ${name}:${there}`);
    kubectl.ok(`cp ${name}:${there} ${back}`);
    expect(readFileSync(back!, 'utf8')).toBe(readFileSync(from!, 'utf8'));
  });

  it('attach shows what is printed until the end; a command ends with its client or container', async () => {
    const beatFile = join(folder, `beat${minor}`);
    const script = `while :; do echo x >> ${beatFile}; sleep 0.02; done`;
    const beat = ['exec', pod, '--', 'sh', '-c', script];
    const hasStopped = async () => {
      const before = sizeOf(beatFile);
      await systemClock.sleep(200);
      return sizeOf(beatFile) === before;
    };
    const left = kubectl.followArgs(beat);
    await until('the command to run', () => sizeOf(beatFile) > 0);
    left.stop();
    await until('it to end with its client', hasStopped);
    const attach = kubectl.follow(`attach ${pod}`);
    const staying = kubectl.followArgs(beat);
    try {
      await until('the log', () => attach.stderr.includes('command prompt'));
      await until('the command to run again', async () => !(await hasStopped()));
      kubectl.ok(`delete ${pod} --grace-period=5`);
      expect(await hasStopped()).toBe(true);
      await until('the commands to end', () => staying.child.exitCode !== null);
      await until('the log to end', () => attach.child.exitCode !== null);
      expect(staying.child.exitCode).toBe(137);
      expect(attach.stdout).toContain('SIGTERM');
    } finally {
      attach.stop();
      staying.stop();
    }
  });
});

function sizeOf(path: string): number {
  try {
    return readFileSync(path).length;
  } catch {
    return 0; // Not written yet.
  }
}
