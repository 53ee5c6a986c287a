// Every numbered requirement of the activator (ACT-1 to ACT-223) is cited by a test, or stands here
// with the reason why none does. A number that nobody cites is a promise nobody keeps.

import { expect, it } from 'vitest';
import { citedNumbers } from './citations.ts';

/** Numbers a range in a test's name may span. */
const MAX_RANGE = 12;
const LAST = 223;

const WITHOUT_TEST: ReadonlyMap<number, string> = new Map([
  // The process and its configuration.
  [4, 'values of src/activator/request-ports.ts; what happens at them is QP-5 and QP-7'],
  [9, 'read and watched by src/activator/process.ts; what the keys do is ACT-32 and ACT-99'],
  [10, 'read once by src/activator/process.ts; what the modes do is ACT-99 and ACT-105'],
  [11, 'rules of config/rbac.yaml'],
  [20, 'follows from ACT-19 and the manifest of the Deployment'],
  [31, 'attributes of the instruments of ACT-201'],
  [33, 'an aborted exchange ends as any other: the request log of all roles, QP-135'],
  [29, 'how the reference passes a revision on; here a request holds its throttler'],
  // Where others have the tests under their own numbers.
  [80, 'improved on: updates coalesce, the last one wins (ACT-45); ACT section 18 allows it'],
  [126, 'the accumulator of all reporters: QP-38'],
  [129, 'rows of ACT-134'],
  [130, 'rows of ACT-134'],
  [135, 'improved on: decision 0008, batches stay in order and a first signal is sent again'],
  [141, 'the scrape: QP-41 to QP-44 and AS-77'],
  [143, 'the loop of ACT-144 and ACT-146'],
  [147, 'the state of ACT-19 and ACT-148'],
  [150, 'what is counted at a connect is ACT-201'],
  [151, 'between autoscalers: AS-180 and what follows'],
  // The autoscaler's side: its own specification has the same rules.
  [160, 'the autoscaler: src/autoscaler/stat-ingest.test.ts'],
  [161, 'the autoscaler: AS-175'],
  [162, 'the autoscaler: AS-173'],
  [163, 'the autoscaler: AS-174'],
  [164, 'the autoscaler: AS-171 and AS-173'],
  [165, 'the autoscaler: AS-154'],
  [166, 'the autoscaler: AS-182'],
  [167, 'the autoscaler: AS-168'],
  [168, 'the autoscaler: AS-167'],
  [169, 'the autoscaler: AS-171'],
  [170, 'the autoscaler: AS-172'],
  [171, 'the autoscaler: AS-172'],
  [172, 'the autoscaler: AS-172'],
  [173, 'the autoscaler: AS-180'],
  [174, 'the autoscaler: AS-176'],
  [175, 'the autoscaler: AS-169'],
  [176, 'the autoscaler: AS-169'],
  [177, 'a note on ACT-176'],
  [178, 'vectors of ACT-176'],
  // The control plane's side: ServerlessService and the modes it is in.
  [179, 'the resource: CP-90'],
  [180, 'names of src/api/naming.ts: CP-62'],
  [181, 'the controller: CP-481'],
  [182, 'the controller: CP-482'],
  [183, 'the controller: CP-480'],
  [184, 'the controller: CP-483'],
  [185, 'the controller: CP-484'],
  [186, 'the controller: CP-483'],
  [187, 'the controller: CP-485'],
  [188, 'the controller: CP-11'],
  [189, 'the autoscaler: AS-151'],
  [190, 'vectors of ACT-189'],
  [191, 'the autoscaler: AS-121 and AS-162'],
  [192, 'the autoscaler: AS-43'],
  [193, 'the autoscaler: AS-25'],
  [194, 'the autoscaler: AS-115'],
  [195, 'the autoscaler: AS-95'],
  [196, 'the autoscaler: AS-150'],
  [197, 'an example of ACT-194'],
  [198, 'the autoscaler: AS-126 to AS-137'],
  [199, 'the journey of test/e2e/wake.test.ts'],
  [200, 'exporters of all data-plane roles: QP-139 and QP-157'],
  [205, 'resource attributes of all data-plane roles: QP-144'],
  [206, 'the autoscaler: its instruments are in docs/metrics.md'],
  [207, 'metrics of the reference up to 1.18; ours are those of ACT-201'],
  // Going down, and the manifest.
  [211, 'follows from ACT-210 and the grace period of the pod'],
  [157, 'ours has no queue: a frame is decoded and taken in by the call that brings it'],
  [158, 'log lines of the reference; ours says one, with the code, per closed connection'],
  [213, 'a note on how the reference closes; here all ports close together'],
  [214, 'the order of src/activator/start.ts: the reporter stops behind the ports'],
  [215, 'the autoscaler: AS-182'],
  [216, 'a manifest of the deployment'],
  [217, 'a manifest of the deployment'],
  [218, 'a manifest of the deployment'],
  [219, 'a manifest of the deployment'],
  [220, 'a manifest of the deployment'],
  [221, 'a manifest of the deployment'],
]);

it('every requirement of the activator is cited by a test or excused', () => {
  const cited = citedNumbers('ACT', MAX_RANGE);
  const missing = Array.from({ length: LAST }, (_, index) => index + 1)
    .filter((number) => !cited.has(number) && !WITHOUT_TEST.has(number))
    .map((number) => `ACT-${number}`);
  expect(missing).toEqual([]);
});
