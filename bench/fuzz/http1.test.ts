// The fuzzer must not rot, and the codec must not drift from llhttp: a short run with a fixed seed in
// every test pass; `npm run fuzz -- http1` is the long one.

import { describe, expect, it } from 'vitest';
import { describeCase, fuzzHttp1 } from './http1.ts';
import { minimize } from './minimize.ts';
import { OTHER } from './rejections.ts';

const SEED = Number(process.env.CODEC_SEED ?? 20_261_121);
const CASES = Number(process.env.CODEC_CASES ?? 700);

describe('HTTP/1.1 against llhttp', () => {
  it(`no message is framed differently, whole or cut (seed ${SEED})`, () => {
    const report = fuzzHttp1({ seed: SEED, mayGoOn: (cases) => cases < CASES });
    const { failure, requests, answers } = report;
    const found =
      failure === null ? null : describeCase({ ...failure.found, bytes: failure.smallest });
    expect(found, failure?.violation.detail).toBeNull();
    // Reading nothing alike would mean that nothing was compared.
    expect(requests.alike).toBeGreaterThan(CASES / 30);
    expect(answers.alike).toBeGreaterThan(CASES / 60);
    expect(requests.stricter.total).toBeGreaterThan(0);
    // A refusal without a reason is one nobody decided on.
    for (const tally of [requests.stricter, answers.stricter]) {
      expect(tally.entries.get(OTHER)?.example).toBeUndefined();
    }
  });

  it('the same seed makes the same run', () => {
    const run = (): unknown => fuzzHttp1({ seed: 7, mayGoOn: (cases) => cases < 60 });
    expect(run()).toEqual(run());
  });
});

describe('minimize', () => {
  it('leaves only what the failure needs', () => {
    const message = Buffer.from('some words, X, more words, Y, and the rest');
    const smallest = minimize(message, (bytes) => /X.*Y/.test(bytes.toString()));
    expect(smallest.toString()).toBe('XY');
  });
});
