// Stock kn on the PATH against the embedded API (KN-20 to KN-103): what it does with services, revisions,
// routes, domains and secrets, and what it says when something is not there. Skipped without it.

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Pilotlight, ROOT, startPilotlight, temporaryFolder } from '../support/pilotlight.ts';

const hasKn = spawnSync('kn', ['version']).status === 0;
if (!hasKn) console.log('kn is not on the PATH: its tests are skipped');
const folder = temporaryFolder();
let pilotlight: Pilotlight;

beforeAll(async () => {
  if (hasKn) pilotlight = await startPilotlight();
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function run(command: string): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync('kn', command.split(' '), {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, HOME: folder, KUBECONFIG: pilotlight.kubeconfig },
  });
  return { status, stdout, stderr };
}

function ok(command: string): string {
  const { status, stdout, stderr } = run(command);
  if (status === 0) return stdout;
  throw new Error(`kn ${command}: exit ${status}\n${stdout}${stderr}`);
}

function fails(command: string): string {
  const { status, stdout, stderr } = run(command);
  if (status !== 0) return stdout + stderr;
  throw new Error(`kn ${command}: succeeded with ${stdout}`);
}

/** What `apply` and `up -f` write by themselves: the folder the command runs in. */
const HELLO =
  '--image pilotlight/hello --cmd node --arg server.js ' +
  `--annotation-revision pilotlight.dev/source-dir=${ROOT}/examples/hello`;

describe.skipIf(!hasKn)('kn', () => {
  it('KN-280: service create shows progress, Ready to serve. and the URL', () => {
    const text = ok(`service create app ${HELLO}`);
    expect(text).toMatch(/Creating service 'app' in namespace 'default':\n\n\s+\d+\.\d{3}s /);
    expect(text).toContain(' Ready to serve.\n');
    expect(text).toMatch(/created to latest revision 'app-00001' is available at URL:\nhttp:/);
    expect(fails(`service create app ${HELLO}`)).toContain('already exists');
  });

  it('KN-280: an update makes exactly one Revision, and traffic alone none', () => {
    expect(ok('service update app --env A=b')).toContain("latest revision 'app-00002'");
    const split = '--tag app-00001=old --traffic app-00001=50 --traffic @latest=50';
    expect(ok(`service update app ${split}`)).toContain("'app-00002' (unchanged)");
    expect(ok('revision list').trim().split('\n').length).toBe(3);
  });

  it('KN-80: lists have their columns and cells', () => {
    expect(ok('service list')).toMatch(
      /NAME +URL +LATEST +AGE +CONDITIONS +READY +REASON\napp +http:\S+ +app-00002 +\d+s +3 OK \/ 3 +True/,
    );
    const revisions = ok('revision list');
    expect(revisions).toMatch(/^app-00002 +app +50% +2 +\d+s +[34] OK \/ 4 +True/m);
    expect(revisions).toMatch(/^app-00001 +app +50% +old +1 +\d+s +[34] OK \/ 4 +True/m);
    expect(ok('route list')).toMatch(/NAME +URL +READY\napp +http:\S+ +True/);
  });

  it('KN-83: describe shows revisions with their traffic, tags and conditions', () => {
    const text = ok('service describe app');
    expect(text).toMatch(/50% {2}@latest \(app-00002\) \[2\]/);
    expect(text).toMatch(/50% {2}app-00001 #old \[1\]/);
    expect(text).toMatch(/\+\+ RoutesReady/);
    expect(ok('route describe app')).toMatch(/URL: +http:\/\/old-app\.default\.localhost/);
    expect(ok('revision describe app-00002')).toMatch(/Env: +A=b/);
  });

  it('KN-280: service apply twice has nothing to apply, and then the change', () => {
    expect(ok(`service apply applied ${HELLO}`)).toContain("'applied-00001'");
    expect(ok(`service apply applied ${HELLO}`)).toContain(
      "No changes to apply to service 'applied'.",
    );
    expect(ok(`service apply applied ${HELLO} --env A=b`)).toContain("'applied-00002'");
    expect(ok('service delete applied --wait')).toContain('successfully deleted');
    expect(fails('service describe applied')).toContain('"applied" not found');
  });

  it('KN-22: a domain points at the service', () => {
    expect(ok('domain create app.example.com --ref app')).toContain('created');
    expect(ok('domain list')).toMatch(/^app\.example\.com +http:\S+ +\w+ +app$/m);
    expect(ok('domain delete app.example.com')).toContain('deleted');
  });

  it('KN-25: secrets travel as protobuf', () => {
    ok('secret create s --from-literal a=b');
    expect(ok('secret list')).toMatch(/^s +Opaque$/m);
    ok('secret delete s');
  });

  it('KN-101: what is not installed is named', () => {
    expect(fails('broker list')).toContain('no or newer Knative Eventing API found');
    expect(fails('source list')).toContain('no sources found on the backend');
  });

  it('KN-41: an image nobody can run is the error of the create', () => {
    const text = fails('service create bad --image nope/none --wait-timeout 30');
    expect(text).toContain('RevisionFailed');
    expect(text).toContain('is not mapped to a local command');
    ok('service delete bad app');
  });
});
