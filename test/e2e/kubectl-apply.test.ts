// What people do with manifests: apply, server-side apply, diff, edit, patch, definitions of their
// own. Every kubectl on the PATH, against the embedded API of the real program.

import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

beforeAll(async () => {
  if (kubectls.length > 0) pilotlight = await startPilotlight();
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

const definition = (group: string) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `widgets.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                description: 'What the widget is like.',
                properties: { size: { type: 'integer', description: 'How large.', maximum: 9 } },
              },
            },
          },
        },
      },
    ],
  },
});

describe.each(kubectls)('kubectl 1.$minor', ({ path, minor }) => {
  const name = `m${minor}`;
  let kubectl: Kubectl;
  beforeAll(() => {
    kubectl = new Kubectl(path, pilotlight.kubeconfig, folder);
  });

  it('KN-281: apply says created, unchanged, configured', () => {
    expect(kubectl.ok('apply -f -', configMap(name, { a: '1' }))).toBe(
      `configmap/${name} created\n`,
    );
    expect(kubectl.ok('apply -f -', configMap(name, { a: '1' }))).toBe(
      `configmap/${name} unchanged\n`,
    );
    expect(kubectl.ok('apply -f -', configMap(name, { a: '2' }))).toBe(
      `configmap/${name} configured\n`,
    );
  });

  it('KN-174: diff shows the change and exits 1, and 0 when there is none', () => {
    const changed = kubectl.run(['diff', '-f', '-'], { input: configMap(name, { a: '3' }) });
    expect(changed.status).toBe(1);
    expect(changed.stdout).toMatch(/^-\s+a: "2"$/m);
    expect(changed.stdout).toMatch(/^\+\s+a: "3"$/m);
    const same = kubectl.run(['diff', '-f', '-'], { input: configMap(name, { a: '2' }) });
    expect([same.status, same.stdout]).toEqual([0, '']);
  });

  it('KN-193: server-side apply conflicts, and takes over when forced', () => {
    const own = configMap(`${name}-ss`, { a: '1' });
    expect(kubectl.ok('apply --server-side -f -', own)).toBe(
      `configmap/${name}-ss serverside-applied\n`,
    );
    const other = configMap(`${name}-ss`, { a: '2' });
    const refused = kubectl.fails('apply --server-side --field-manager=other -f -', other);
    expect(refused).toContain('Apply failed with 1 conflict: conflict with "kubectl": .data.a');
    kubectl.ok('apply --server-side --field-manager=other --force-conflicts -f -', other);
    expect(kubectl.ok(`get cm ${name}-ss -o jsonpath={.data.a}`)).toBe('2');
    const yaml = kubectl.ok(`get cm ${name}-ss -o yaml --show-managed-fields`);
    expect(yaml).toMatch(/manager: other\n\s+operation: Apply/);
    expect(kubectl.ok(`get cm ${name}-ss -o yaml`)).not.toContain('managedFields');
  });

  it('KN-177: what was applied client-side is taken over without conflict', () => {
    const object = configMap(`${name}-over`, { a: '1', b: '1' });
    kubectl.ok('apply -f -', object);
    kubectl.ok('apply --server-side -f -', configMap(`${name}-over`, { a: '2' }));
    expect(kubectl.ok(`get cm ${name}-over -o jsonpath={.data}`)).toBe('{"a":"2"}');
    const managers = kubectl.ok(
      `get cm ${name}-over --show-managed-fields -o jsonpath={.metadata.managedFields[*].manager}`,
    );
    expect(managers.split(' ')).toContain('kubectl');
    expect(managers).not.toContain('kubectl-client-side-apply');
  });

  it('KN-175: a dry run on the server changes nothing', () => {
    const dry = kubectl.ok('apply --dry-run=server -f -', configMap(name, { a: '9' }));
    expect(dry).toBe(`configmap/${name} configured (server dry run)\n`);
    expect(kubectl.ok(`get cm ${name} -o jsonpath={.data.a}`)).toBe('2');
  });

  it('KN-260: edit, patch, label, annotate and replace write', () => {
    const edited = kubectl.run(['edit', 'cm', name], { editor: 'sed -i s/\\"2\\"/\\"5\\"/' });
    expect(edited.stdout).toBe(`configmap/${name} edited\n`);
    expect(kubectl.ok(`get cm ${name} -o jsonpath={.data.a}`)).toBe('5');
    kubectl.ok(`patch cm ${name} --type=merge -p {"data":{"b":"1"}}`);
    kubectl.ok(`patch cm ${name} --type=json -p [{"op":"replace","path":"/data/b","value":"2"}]`);
    kubectl.ok(`patch cm ${name} -p {"data":{"c":"3"}}`);
    kubectl.ok(`label cm ${name} l=x`);
    kubectl.ok(`annotate cm ${name} n=y`);
    expect(kubectl.ok(`get cm ${name} -o jsonpath={.data}{.metadata.labels}`)).toBe(
      '{"a":"5","b":"2","c":"3"}{"l":"x"}',
    );
    const failed = kubectl.fails(
      `patch cm ${name} --type=json -p [{"op":"test","path":"/data/b","value":"9"}]`,
    );
    expect(failed).toMatch(/testing (?:path|value) \/data\/b failed/);
    kubectl.ok('replace -f -', configMap(name, { only: '1' }));
    expect(kubectl.ok(`get cm ${name} -o jsonpath={.data}`)).toBe('{"only":"1"}');
  });

  it('KN-281: a strategic patch of a Knative Service is refused with the accepted types', () => {
    kubectl.ok('create --dry-run=server -f -', exampleService(`${name}-svc`, 'hello'));
    kubectl.ok('apply -f -', exampleService(`${name}-svc`, 'hello'));
    expect(kubectl.fails(`patch ksvc ${name}-svc -p {"spec":{}}`)).toContain(
      'accepted media types include: application/json-patch+json, ' +
        'application/merge-patch+json, application/apply-patch+yaml',
    );
    const typo = exampleService(`${name}-typo`, 'hello');
    (typo.spec as Record<string, unknown>)['templat'] = {};
    expect(kubectl.fails('create -f -', typo)).toContain('unknown field "spec.templat"');
    kubectl.ok(`delete ksvc ${name}-svc`);
  });

  it('KN-272: a definition of its own is established, explained, served and deleted', async () => {
    const group = `${name}.example.com`;
    expect(kubectl.ok('apply -f -', definition(group))).toContain('created');
    kubectl.ok(`wait --for=condition=Established crd/widgets.${group} --timeout=30s`);
    expect(kubectl.ok('get crd')).toMatch(new RegExp(`^widgets.${group}\\s+\\d{4}-`, 'm'));
    const widget = (size: number) => ({
      apiVersion: `${group}/v1`,
      kind: 'Widget',
      metadata: { name: 'w' },
      spec: { size },
    });
    expect(kubectl.fails('apply -f -', widget(10))).toContain('should be less than or equal to 9');
    kubectl.ok('apply -f -', widget(3));
    expect(kubectl.ok(`get widgets.${group}`)).toMatch(/^NAME\s+SIZE\nw\s+3\n$/);
    expect(kubectl.ok(`explain widgets.spec --api-version=${group}/v1`)).toMatch(
      /size\s+<integer>\n\s+How large\./,
    );
    kubectl.ok(`delete crd widgets.${group}`);
    await until('the kind to be gone', () =>
      kubectl.run(['get', `widgets.${group}`]).stderr.includes("doesn't have a resource type"),
    );
  });
});
