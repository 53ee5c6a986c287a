// Per-request objects keep one hidden class whatever happens to the request: a second one would
// make every access on the hot path slower.

import { setFlagsFromString } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { FailureCode } from '../proxy/types.ts';
import { ActivatorHarness, settle } from './testing/harness.ts';

setFlagsFromString('--allow-natives-syntax');
const haveSameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (
  a: unknown,
  b: unknown,
) => boolean;

describe('activation request', () => {
  it('has one shape from arrival to end', async () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello', {
      containerConcurrency: 1,
      responseStartTimeoutSeconds: 5,
      idleTimeoutSeconds: 5,
    });
    const held = harness.request('hello');
    const alsoHeld = harness.request('hello');
    throttler.setPods(['10.0.0.1:1']);
    await settle(2);
    harness.onSuspect = () => throttler.setPods([]);
    held.podAnswers().podSends(10);
    held.finish();
    await settle(2);
    alsoHeld.podFails(FailureCode.CONNECT_REFUSED, false);
    const upgraded = harness.request('hello').podAnswers(101);
    harness.clock.advance(6_000);
    for (const exchange of [alsoHeld, upgraded]) {
      expect(haveSameMap(held.context, exchange.context)).toBe(true);
    }
  });
});
