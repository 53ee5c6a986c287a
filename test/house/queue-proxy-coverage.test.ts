// Every numbered requirement of the sidecar (QP-1 to QP-172) is cited by a test, or stands here with
// the reason why none does. A number that nobody cites is a promise nobody keeps.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { citedNumbers } from './citations.ts';

/** Numbers a range in a test's name may span. */
const MAX_RANGE = 5;
const root = join(import.meta.dirname, '..', '..');
const LAST = 172;

const WITHOUT_TEST: ReadonlyMap<number, string> = new Map([
  [8, 'a rule of admission: WH-85 has its tests'],
  [17, 'the table of layers; what follows from it is QP-18, QP-22, QP-30 and QP-34'],
  [19, 'the definition of a probe; used by QP-128, QP-146 and QP-155'],
  [45, 'what versions up to 1.5 did'],
  [54, 'defaults the webhook injects: WH-32'],
  [94, 'what the controller injects: CP-211'],
  [102, 'history: no current code uses it'],
  [126, 'follows from the kubelet; our choice is Q-18 in docs/queue-proxy.md'],
  [163, 'the activator dials; the certificate comes from the control plane'],
  [167, 'the pod the controller builds: CP-204 to CP-214'],
  [168, 'the pod the controller builds; the image is built to run so'],
  [169, 'the pod the controller builds'],
  [170, 'the pod the controller builds'],
  [171, 'the pod the controller builds'],
]);

it('every requirement of the sidecar is cited by a test or excused', () => {
  const cited = citedNumbers('QP', MAX_RANGE);
  const missing = Array.from({ length: LAST }, (_, index) => index + 1)
    .filter((number) => !cited.has(number) && !WITHOUT_TEST.has(number))
    .map((number) => `QP-${number}`);
  expect(missing).toEqual([]);
});

it('every quirk has its row in docs/queue-proxy.md, once', () => {
  const text = readFileSync(join(root, 'docs', 'queue-proxy.md'), 'utf8');
  const rows = [...text.matchAll(/^\| Q-(\d+) \|/gm)].map(([, number]) => Number(number));
  expect(rows).toEqual(Array.from({ length: 22 }, (_, index) => index + 1));
});
