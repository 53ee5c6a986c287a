// What people do with what runs: get in every form, watch, describe, explain, wait, scale, logs,
// delete with every cascade. Every kubectl on the PATH, against the embedded API.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
  if (kubectls.length === 0) return;
  pilotlight = await startPilotlight();
  const kubectl = new Kubectl(kubectls[0]!.path, pilotlight.kubeconfig, folder);
  const annotations = { 'autoscaling.knative.dev/min-scale': '1' };
  kubectl.ok('apply -f -', exampleService('hello', 'hello', { annotations }));
  kubectl.ok('wait --for=condition=Ready ksvc/hello --timeout=60s');
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const configMap = (name: string, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
});

describe.each(kubectls)('kubectl 1.$minor', ({ path, minor }) => {
  const name = `v${minor}`;
  let kubectl: Kubectl;
  beforeAll(() => {
    kubectl = new Kubectl(path, pilotlight.kubeconfig, folder);
  });

  it('KN-141: get prints wide, yaml, json, names, labels and paths', () => {
    expect(
      kubectl
        .ok('get pods -o wide')
        .split('\n')[0]
        ?.split(/\s{2,}/),
    ).toEqual([
      'NAME',
      'READY',
      'STATUS',
      'RESTARTS',
      'AGE',
      'IP',
      'NODE',
      'NOMINATED NODE',
      'READINESS GATES',
    ]);
    expect(kubectl.ok('get ksvc hello -o yaml')).toMatch(/^apiVersion: serving.knative.dev\/v1\n/);
    expect(JSON.parse(kubectl.ok('get ksvc hello -o json')).metadata.name).toBe('hello');
    expect(kubectl.ok('get ksvc -o name')).toBe('service.serving.knative.dev/hello\n');
    expect(kubectl.ok('get ksvc hello -o jsonpath={.status.url}')).toBe(
      'http://hello.default.localhost',
    );
    const wide = kubectl.ok('get revisions -A --sort-by=.metadata.name --show-labels');
    expect(wide).toMatch(/NAMESPACE\s+NAME.*LABELS\ndefault\s+hello-00001/s);
    expect(kubectl.ok('get all')).toContain('service.serving.knative.dev/hello');
  });

  it('KN-143: get -w shows rows as they come', async () => {
    kubectl.ok('apply -f -', configMap(`${name}-first`));
    const watch = kubectl.follow('get configmaps -w');
    try {
      await until('the first rows', () => watch.stdout.includes(`${name}-first`));
      kubectl.ok('apply -f -', configMap(`${name}-seen`));
      await until('the new row', () => new RegExp(`^${name}-seen\\s+0`, 'm').test(watch.stdout));
    } finally {
      watch.stop();
    }
  });

  it('KN-242: describe ends with events', () => {
    const text = kubectl.ok('describe ksvc hello');
    expect(text).toMatch(/^Name:\s+hello$/m);
    expect(text).toMatch(/^Events:/m);
    expect(kubectl.ok('describe pods')).toMatch(/^Containers:\n\s+user-container:/m);
  });

  it('KN-120: explain prints fields', () => {
    const text = kubectl.ok('explain ksvc.spec.template.spec');
    expect(text).toMatch(/^KIND:\s+Service$/m);
    expect(text).toMatch(/containerConcurrency\s+<integer>/);
  });

  it('KN-110: api-resources names short names, groups and categories', () => {
    const text = kubectl.ok('api-resources -o wide');
    expect(text).toMatch(/^services\s+svc\s+v1\s+true\s+Service/m);
    expect(text).toMatch(/^services\s+kservice,ksvc\s+serving.knative.dev\/v1\s+true\s+Service/m);
    expect(text).toMatch(
      /^customresourcedefinitions\s+crd,crds\s+apiextensions.k8s.io\/v1\s+false/m,
    );
    expect(kubectl.ok('get knative -o name')).toContain('revision.serving.knative.dev/hello-00001');
  });

  it('KN-260: wait follows conditions, paths and deletion', async () => {
    kubectl.ok('wait --for=condition=Ready ksvc/hello --timeout=30s');
    kubectl.ok('apply -f -', configMap(`${name}-wait`));
    const waiting = kubectl.follow(`wait --for=jsonpath={.data.x}=1 cm/${name}-wait --timeout=60s`);
    const leaving = kubectl.follow(`wait --for=delete cm/${name}-wait --timeout=60s`);
    kubectl.ok(`patch cm ${name}-wait --type=merge -p {"data":{"x":"1"}}`);
    await until('the path to be seen', () => waiting.child.exitCode === 0);
    kubectl.ok(`delete cm ${name}-wait`);
    await until('the deletion to be seen', () => leaving.child.exitCode === 0);
  });

  it('KN-230: scale changes a deployment', () => {
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: `${name}-scaled` },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { containers: [{ name: 'c', image: 'none' }] },
        },
      },
    };
    kubectl.ok('apply -f -', deployment);
    expect(kubectl.ok(`scale deployment/${name}-scaled --replicas=2`)).toContain('scaled');
    expect(kubectl.ok(`get deployment ${name}-scaled -o jsonpath={.spec.replicas}`)).toBe('2');
    const refused = kubectl.fails(
      `scale deployment/${name}-scaled --current-replicas=9 --replicas=1`,
    );
    expect(refused).toContain('Expected replicas to be 9, was 2');
    kubectl.ok(`delete deployment ${name}-scaled`);
  });

  it('KN-231: logs show the tail with times, and follow', async () => {
    const pod = kubectl.ok('get pods -l serving.knative.dev/service=hello -o name').trim();
    const tail = kubectl.ok(`logs ${pod} -c user-container --tail=1 --timestamps`);
    expect(tail).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z .*\n$/);
    const wrong = kubectl.fails(`logs ${pod} -c nothing`);
    expect(wrong).toContain('container nothing is not valid for pod');
    const follow = kubectl.follow(`logs -f ${pod} -c user-container`);
    try {
      await until('the log so far', () => /listening/i.test(follow.stdout));
      expect(follow.child.exitCode).toBe(null);
    } finally {
      follow.stop();
    }
  });

  it('KN-154: selectors, sorting, chunks, columns and templates choose what get prints', () => {
    for (const [suffix, tier] of [
      ['a', 'x'],
      ['b', 'x'],
      ['c', 'y'],
    ] as const) {
      kubectl.ok('apply -f -', configMap(`${name}-sel-${suffix}`, { labels: { tier, run: name } }));
    }
    const names = (flags: string) => kubectl.ok(`get cm -o name ${flags}`).trim().split('\n');
    expect(names(`-l run=${name},tier!=y`)).toEqual([
      `configmap/${name}-sel-a`,
      `configmap/${name}-sel-b`,
    ]);
    expect(names(`-l run=${name},tier=y`)).toEqual(
      names(`--field-selector metadata.name=${name}-sel-c`),
    );
    expect(names(`-l run=${name} --chunk-size=1`).length).toBe(3);
    const columns = kubectl.ok(`get cm -l run=${name} -L tier --sort-by=.metadata.labels.tier`);
    expect(columns).toMatch(/^NAME\s+DATA\s+AGE\s+TIER\n/);
    expect(kubectl.ok(`get cm ${name}-sel-a -o custom-columns=N:.metadata.name`)).toBe(
      `N\n${name}-sel-a\n`,
    );
    expect(kubectl.ok(`get cm ${name}-sel-a -o go-template={{.kind}}`)).toBe('ConfigMap');
    expect(kubectl.fails('get pods --field-selector spec.nothing=x')).toContain(
      'field label not supported: spec.nothing',
    );
    kubectl.ok(`delete cm -l run=${name}`);
    expect(kubectl.ok(`get cm -l run=${name} -o name`)).toBe('');
  });

  it('KN-143: get --watch-only shows nothing that was there before', async () => {
    kubectl.ok('apply -f -', configMap(`${name}-only-old`));
    const watch = kubectl.follow('get cm --watch-only -o name');
    try {
      await until('a new row', () => {
        kubectl.ok(`annotate cm ${name}-only-old n=${Math.random()} --overwrite`);
        return watch.stdout.includes(`configmap/${name}-only-old`);
      });
      expect(watch.stdout).not.toContain('hello');
    } finally {
      watch.stop();
    }
  });

  it('KN-120: explain knows built-in kinds, and all fields at once', () => {
    expect(kubectl.ok('explain pods.spec.containers')).toMatch(/image\s+<string>/);
    expect(kubectl.ok('explain deployment')).toMatch(/^DESCRIPTION:\n\s+\S/m);
    expect(kubectl.ok('explain deployment')).toMatch(/apiVersion\s+<string>\n\s+(?!<no)/);
    const all = kubectl.ok('explain ksvc --recursive');
    expect(all).toMatch(/containerConcurrency\s+<integer>/);
    expect(all).toMatch(/latestRevision\s+<boolean>/);
    expect(kubectl.fails('explain ksvc.spec.nothing')).toContain('does not exist');
  });

  it('KN-260: every kind can be described', () => {
    const kinds =
      'ksvc,configuration,revision,route,podautoscaler,metric,serverlessservice,' +
      'ingresses.networking.internal.knative.dev,deployment,pod,endpoints,service,node,namespace';
    const text = kubectl.ok(`describe ${kinds}`);
    expect(text.match(/^Name:\s/gm)?.length).toBeGreaterThanOrEqual(14);
    expect(text).toMatch(/^Controlled By:\s+Deployment\/hello-00001-deployment$/m);
  });

  it('KN-260: a deployment is restarted, and its rollout is awaited', () => {
    const target = 'deployment/hello-00001-deployment';
    expect(kubectl.ok(`rollout status ${target}`)).toContain('successfully rolled out');
    expect(kubectl.ok(`rollout restart ${target}`)).toContain('restarted');
    expect(kubectl.ok(`rollout status ${target} --timeout=60s`)).toContain('rolled out');
  });

  it('KN-240: what the server is can be asked', () => {
    expect(kubectl.ok('version')).toContain('+pilotlight');
    expect(kubectl.ok('cluster-info')).toContain('control plane is running at');
    expect(kubectl.ok('api-versions').split('\n')).toContain('serving.knative.dev/v1');
    expect(kubectl.ok('auth whoami')).toContain('pilotlight-admin');
    expect(kubectl.ok('events --for ksvc/hello')).toMatch(/Normal\s+Created\s+Service\/hello/);
    expect(kubectl.ok('get --raw /readyz')).toBe('ok');
  });

  it('KN-260: a kustomization is applied, compared and deleted', () => {
    const base = join(folder, `kustomize-${name}`);
    mkdirSync(base);
    const kustomization = { namePrefix: `${name}-`, resources: ['one.json'] };
    writeFileSync(join(base, 'kustomization.yaml'), JSON.stringify(kustomization));
    writeFileSync(join(base, 'one.json'), JSON.stringify(configMap('kustomized')));
    expect(kubectl.ok(`apply -k ${base}`)).toBe(`configmap/${name}-kustomized created\n`);
    expect(kubectl.ok(`diff -k ${base}`)).toBe('');
    expect(kubectl.ok(`delete -k ${base}`)).toContain('deleted');
  });

  it('KN-135: create sends protobuf, which is read', () => {
    kubectl.ok(`create configmap ${name}-made --from-literal=a=1`);
    kubectl.ok(`create secret generic ${name}-made --from-literal=a=1`);
    kubectl.ok(`create namespace ${name}-made`);
    expect(kubectl.ok(`get secret ${name}-made -o jsonpath={.data.a}`)).toBe('MQ==');
    expect(kubectl.ok('auth can-i create pods')).toBe('yes\n');
    kubectl.ok(`delete namespace ${name}-made`);
  });

  it('KN-201: delete cascades in the background, in the foreground, or not at all', async () => {
    for (const cascade of ['background', 'foreground', 'orphan']) {
      const owner = `${name}-${cascade}`;
      kubectl.ok('apply -f -', configMap(owner));
      const uid = kubectl.ok(`get cm ${owner} -o jsonpath={.metadata.uid}`);
      const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: owner, uid };
      const ownerReferences = [{ ...reference, blockOwnerDeletion: true }];
      kubectl.ok('apply -f -', configMap(`${owner}-child`, { ownerReferences }));
      kubectl.ok(`delete cm ${owner} --cascade=${cascade}`);
      const child = () => kubectl.run(['get', 'cm', `${owner}-child`, '-o', 'json']);
      if (cascade === 'orphan') {
        const { metadata } = JSON.parse(child().stdout) as { metadata: object };
        expect(metadata).not.toHaveProperty('ownerReferences');
      } else if (cascade === 'foreground') {
        expect(child().stderr).toContain('not found');
      } else {
        await until('the child to go', () => child().stderr.includes('not found'));
      }
    }
  });
});
