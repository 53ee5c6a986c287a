// The JSONPath subset of printer columns.

import { expect, test } from 'vitest';
import { compileJsonPath } from './json-path.ts';

const object = {
  metadata: { labels: { 'serving.knative.dev/configuration': 'hello', plain: 'p' } },
  status: {
    url: 'http://hello',
    zero: 0,
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Other', status: 'False' },
    ],
  },
};

test.each([
  ['.status.url', ['http://hello']],
  ['.status.zero', [0]],
  ['.status.missing.deeper', []],
  ['.status.conditions[?(@.type=="Ready")].status', ['True']],
  ['.status.conditions[?(@.type!="Ready")].status', ['False']],
  ['.status.conditions[*].type', ['Ready', 'Other']],
  ['.status.conditions[0].type', ['Ready']],
  ['.status.conditions[-1].type', ['Other']],
  [".metadata.labels['serving\\.knative\\.dev/configuration']", ['hello']],
  ['.metadata.labels.serving\\.knative\\.dev/configuration', null],
])('KN-142: %s gives %j', (path, expected) => {
  if (expected === null) expect(() => compileJsonPath(path)).toThrow('unsupported JSONPath');
  else expect(compileJsonPath(path)(object)).toEqual(expected);
});
