// AdmissionReviews without a server: envelope, patch, and the words of each way to be refused.

import { describe, expect, it } from 'vitest';
import { stockConfig } from '../api/config/registry.ts';
import type { KubeObject } from '../api/objects.ts';
import { applyJsonPatch } from '../kube/testing/patches.ts';
import { answerReview, HANDLERS, parseReview } from './answers.ts';
import type { ReviewContext } from './review.ts';
import { admit, service, stored } from './testing/requests.ts';

const CONTEXT: ReviewContext = {
  config: stockConfig('cluster.local'),
  clusterDomain: 'cluster.local',
};
const SERVICE = { group: 'serving.knative.dev', version: 'v1', kind: 'Service' };

interface Response {
  allowed: boolean;
  status?: { message: string };
  patch?: string;
  warnings?: string[];
}

async function ask(path: string, request: object, context = CONTEXT): Promise<Response> {
  const full = { uid: 'u', kind: SERVICE, operation: 'CREATE', ...request };
  const review = parseReview(
    JSON.stringify({
      apiVersion: 'admission.k8s.io/v1beta1',
      kind: 'AdmissionReview',
      request: full,
    }),
  );
  const answer = (await answerReview(HANDLERS.get(path)!, review, context)) as {
    apiVersion: string;
    response: Response;
  };
  expect(answer.apiVersion).toBe('admission.k8s.io/v1beta1');
  return answer.response;
}

describe('WH-15: the patch', () => {
  it('makes of the request what admission in-process makes of it', async () => {
    const object = service();
    const userInfo = { username: 'ann' };
    const { patch = '' } = await ask('/defaulting', { object, userInfo });
    const operations = JSON.parse(Buffer.from(patch, 'base64').toString('utf8'));
    expect(applyJsonPatch(object, operations)).toEqual(stored(admit(object)));
  });

  it('is there, and empty, when nothing is to be done', async () => {
    const object = {
      apiVersion: 'networking.internal.knative.dev/v1alpha1',
      kind: 'Certificate',
      metadata: { name: 'c' },
    };
    const kind = { ...SERVICE, group: 'networking.internal.knative.dev', version: 'v1alpha1' };
    const asked = { object, kind: { ...kind, kind: 'Certificate' } };
    const { patch = '' } = await ask('/defaulting', asked);
    expect(Buffer.from(patch, 'base64').toString('utf8')).toBe('[]');
  });

  it('WH-15, WH-17: deletes and connects pass unseen on every path', async () => {
    for (const path of HANDLERS.keys()) {
      for (const operation of ['DELETE', 'CONNECT']) {
        expect(await ask(path, { operation, object: null })).toEqual({ uid: 'u', allowed: true });
      }
    }
  });
});

describe('WH-16: refusals', () => {
  const UNKNOWN = { group: 'g', version: 'v1', kind: 'K' };
  it.each([
    ['/defaulting', { kind: UNKNOWN }, 'mutation failed: unhandled kind: g/v1, Kind=K'],
    [
      '/resource-validation',
      { kind: UNKNOWN },
      'decoding request failed: unhandled kind: g/v1, Kind=K',
    ],
    ['/config-validation', { kind: UNKNOWN }, 'validation failed: unhandled kind: g/v1, Kind=K'],
    ['/defaulting', { object: null }, 'mutation failed: the new object may not be nil'],
    ['/resource-validation', {}, 'validation failed: the new object may not be nil'],
    [
      '/defaulting',
      { object: 1 },
      'mutation failed: cannot decode incoming new object: json: cannot unmarshal number 1 into the object of type object',
    ],
    [
      '/resource-validation',
      { operation: 'UPDATE', object: service(), oldObject: { spec: { traffic: 'x' } } },
      'decoding request failed: cannot decode incoming old object: json: cannot unmarshal string "x" into field spec.traffic of type array',
    ],
  ])('%s %o', async (path, request, message) => {
    const answer = await ask(path, request);
    const status = { status: 'Failure', code: 400, reason: 'BadRequest', message };
    expect(answer).toEqual({ uid: 'u', allowed: false, status });
  });

  it('WH-191: what is no review', () => {
    expect(() => parseReview('')).toThrow('EOF');
    expect(() => parseReview('{}')).toThrow('the review has no request');
    expect(() => parseReview('{"request": {}}')).toThrow('request.uid is not a string');
  });
});

describe('WH-180: dry runs', () => {
  const pods: KubeObject[] = [];
  const trial = (reason: string | null): ReviewContext => ({
    ...CONTEXT,
    async tryPod(pod) {
      pods.push(pod);
      if (reason !== null) throw new Error(reason);
    },
  });
  const complete = stored(admit(service()));
  const check = (more: object, reason: string | null = null): Promise<Response> =>
    ask('/resource-validation', { object: complete, dryRun: true, ...more }, trial(reason));

  it('the pod has the user’s containers only', async () => {
    pods.length = 0;
    expect(await check({})).toMatchObject({ allowed: true });
    expect(pods).toMatchObject([
      {
        kind: 'Pod',
        metadata: { generateName: 'dry-run-validation', namespace: 'default' },
        spec: { containers: [{ name: 'user-container', image: 'hello' }] },
      },
    ]);
    expect(Object.keys((pods[0] as KubeObject & { spec: object }).spec)).not.toContain('volumes');
  });

  it('what the API has against it is the refusal', async () => {
    expect((await check({}, 'no room')).status?.message).toBe(
      'validation callback failed: dry run failed with no room: spec.template',
    );
    const unsupported = 'admission webhook "x" does not support dry run';
    expect(await check({}, unsupported)).toMatchObject({ allowed: true });
  });

  it('WH-181: nothing else asks for a pod', async () => {
    pods.length = 0;
    const annotations = { 'features.knative.dev/podspec-dryrun': 'enabled' };
    const annotated = { ...complete, metadata: { ...complete.metadata, annotations } };
    await check({ dryRun: false, object: annotated });
    await check({ subResource: 'status', operation: 'UPDATE', oldObject: complete });
    const labels = { 'serving.knative.dev/service': 'foo' };
    const owned = { ...complete, kind: 'Configuration', metadata: { name: 'foo', labels } };
    await check({ object: owned, kind: { ...SERVICE, kind: 'Configuration' } });
    expect(pods).toEqual([]);
  });
});
