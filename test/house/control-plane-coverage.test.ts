// Every numbered requirement of the control plane (CP-1 to CP-610) is cited by a test, or stands here
// with the reason why none does. A number that nobody cites is a promise nobody keeps.

import { expect, it } from 'vitest';
import { citedNumbers } from './citations.ts';
import { numbersOf } from './numbers.ts';

/** Numbers a range in a test's name may span. */
const MAX_RANGE = 13;

const WITHOUT_TEST: ReadonlyMap<number, string> = new Map([
  [1, 'the list of controllers: each has its own folder and tests'],
  [5, 'pacing of the reference; ours is the work queue of src/kube, which has its tests'],
  [10, 'a table: live reload is CP-9, what a change reaches is in docs/config.md'],
  [24, 'part of every status pass: CP-23 and CP-25 would fail without it'],
  [40, 'the shape of a condition: CP-41 to CP-46 read and write it'],
  [60, 'the rule behind the vectors of CP-61'],
  [63, 'a table of keys: constants in src/api/labels.ts, compared by the golden objects'],
  [64, 'a table of keys: used by CP-208 and CP-215'],
  [65, 'a table of keys: used by CP-305, CP-312 and CP-345'],
  [80, 'how definitions are installed: config/crds and the embedded API, tested there'],
  [81, 'names of kinds: rows of src/api/kinds.ts, served and tested by the embedded API'],
  [83, 'a part of every schema; the schemas are tested by the embedded API'],
  [84, 'schema: src/api/schema.ts, checked by the embedded API and its tests'],
  [85, 'schema: as CP-84'],
  [86, 'schema: as CP-84'],
  [87, 'schema: as CP-84'],
  [88, 'schema: as CP-84'],
  [89, 'schema: as CP-84'],
  [90, 'schema: as CP-84'],
  [114, 'config-leader-election: tested through the Leases of CP-6'],
  [122, 'the Route of CP-602'],
  [486, 'a choice: core Endpoints are read and written'],
  [511, 'roles for people: objects in config/rbac.yaml'],
  [512, 'Deployments: objects in config/'],
  [513, 'objects of the installation: config/'],
  [514, 'jobs of the reference: nothing to migrate, and domains of our own come from --domain'],
  [515, 'what older versions left: CP-124 and CP-221 take it over'],
  [600, 'the input of CP-601 to CP-610'],
]);

it('every requirement of the control plane is cited by a test or excused', () => {
  const cited = citedNumbers('CP', MAX_RANGE);
  const missing = numbersOf('CP')
    .filter((number) => !cited.has(number) && !WITHOUT_TEST.has(number))
    .map((number) => `CP-${number}`);
  expect(missing).toEqual([]);
});
