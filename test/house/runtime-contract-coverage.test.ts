// Every numbered requirement of the runtime contract (RC-1 to RC-120) is cited by a test, or stands here
// with the reason why none does. Much of the contract says again, for apps, what the sidecar's and
// the control plane's requirements say; those are cited by their own numbers.

import { expect, it } from 'vitest';
import { citedNumbers } from './citations.ts';
import { numbersOf } from './numbers.ts';

/** Numbers a range in a test's name may span. */
const MAX_RANGE = 13;

const WITHOUT_TEST: ReadonlyMap<number, string> = new Map([
  [13, 'QP-111: with auto-detection an h2c-only app is ready'],
  [15, 'QP-85 and QP-86: both directions at once; ours needs no annotation (Q-4)'],
  [16, 'QP-160 and QP-161: TLS ends in the sidecar'],
  [25, 'the table of tag labels is a test of src/queueproxy/telemetry-observer.test.ts'],
  [65, 'CP-210 and the sidecar probes of src/controller/revision/resources'],
  [77, 'permission to stop idle instances, no duty'],
  [91, "a local process has the files of the machine; on Kubernetes they are the kubelet's"],
  [92, 'as RC-91'],
  [96, 'the rows that change config-defaults, in test/conformance/serving/runtime'],
  [100, 'a table of ports: compared by the golden objects, CP-600 to CP-610'],
  [110, 'KN-151 to KN-178: the rows of test/conformance/serving/api-rows.ts'],
  [111, 'CP-40 to CP-46'],
  [113, 'CP-121 to CP-124'],
  [114, 'CP-140, and the rows of Revisions in test/conformance/serving'],
  [120, 'a list of upstream suites: the rows of test/conformance/serving/runtime'],
]);

it('every requirement of the runtime contract is cited by a test or excused', () => {
  const cited = citedNumbers('RC', MAX_RANGE);
  const missing = numbersOf('RC')
    .filter((number) => !cited.has(number) && !WITHOUT_TEST.has(number))
    .map((number) => `RC-${number}`);
  expect(missing).toEqual([]);
});

it('nothing is excused that a test cites', () => {
  const cited = citedNumbers('RC', MAX_RANGE);
  expect([...WITHOUT_TEST.keys()].filter((number) => cited.has(number))).toEqual([]);
});
