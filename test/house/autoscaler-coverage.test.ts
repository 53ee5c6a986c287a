// Every numbered requirement of the autoscaler (AS-1 to AS-200) is cited by a test or by a worked
// example, or stands here with the reason why not. A number that nobody cites is a promise nobody
// keeps.

import { expect, it } from 'vitest';
import { citedNumbers, textsOf } from './citations.ts';

/** Numbers a range in a test's name may span. */
const MAX_RANGE = 13;
const LAST = 200;

const WITHOUT_TEST: ReadonlyMap<number, string> = new Map([
  [3, 'names of groups and domains: everything that reads or writes an object uses them'],
  [4, 'one parser for all roles: src/api/config; its rules are AS-5 to AS-10'],
  [7, 'a part of AS-43'],
  [12, 'a rule of admission: src/webhook checks config maps'],
  [32, 'the resource definition: a row of src/api/kinds.ts, served by the embedded API'],
  [33, 'fields of the resource: the schema in src/api'],
  [34, 'fields of the resource; what is written into them is AS-118 to AS-142'],
  [36, 'a rule of admission: the kinds inside the system are checked by the webhook'],
  [37, 'what the controller makes of a Revision'],
  [38, 'what the controller makes of a Revision'],
  [39, 'what the controller makes of a Revision'],
  [59, 'what the sidecar serves: QP-42 to QP-44; reading it is AS-77'],
  [60, 'how reporters count: the QP and ACT numbers on accounting'],
  [61, 'how activators report: ACT-139 and before'],
  [117, 'log lines of the reference; here `why` and kn.revision.panic.mode tell'],
  [148, 'what the controller makes of the status'],
  [153, 'what the controller of ServerlessServices does'],
  [170, 'improved on: what is lost is forgotten; the next owner goes on under AS-178'],
  [171, 'how a group finds its members: a part of AS-173 and AS-178'],
  [177, 'a process of its own in the reference; here class HPA runs in the autoscaler'],
  [183, 'the activator dials: ACT-152 to ACT-159'],
  [190, 'how the reference paces its API client; ours has one keep-alive connection pool'],
  [194, 'a note on AS-159'],
  [195, 'a note on AS-10, rule 8'],
  [197, 'a list of what may be done better: AS-31, AS-90, AS-114, AS-170 and AS-174'],
]);

it('every requirement of the autoscaler is cited by a test or excused', () => {
  const cited = citedNumbers('AS', MAX_RANGE, textsOf('src/autoscaler/testdata', '.json'));
  const missing = Array.from({ length: LAST }, (_, index) => index + 1)
    .filter((number) => !cited.has(number) && !WITHOUT_TEST.has(number))
    .map((number) => `AS-${number}`);
  expect(missing).toEqual([]);
});
