// The HTTP/2 fuzzer must not rot: a short run with a fixed seed in every test pass; `npm run fuzz --
// http2` is the long one.

import { describe, expect, it } from 'vitest';
import { shown } from './findings.ts';
import { fuzzHttp2 } from './http2.ts';

const SEED = Number(process.env.CODEC_SEED ?? 20_261_121);
const CASES = Number(process.env.HTTP2_CASES ?? 150);

describe('HTTP/2, generated and mutated', () => {
  it(`frames mean the same however they are cut (seed ${SEED})`, async () => {
    const { failure, requests, clean } = await fuzzHttp2({
      seed: SEED,
      mayGoOn: (cases) => cases < CASES,
    });
    const found = failure === null ? null : shown(failure.smallest);
    expect(found, failure?.violation.detail).toBeNull();
    // Without requests and without connections that last nothing was tested.
    expect(requests).toBeGreaterThan(CASES / 4);
    expect(clean).toBeGreaterThan(CASES / 20);
  });
});
