// The fuzzer must not rot, and the codec must not drift from llhttp: a short run with a fixed seed in
// every test pass; `npm run fuzz -- http1` is the long one.

import { describe, expect, it } from 'vitest';
import { describeCase, fuzzHttp1 } from './http1.ts';
import { readRequests, readResponses } from './llhttp.ts';
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

describe('llhttp, fed by hand', () => {
  it('comes to an end behind an upgrade that also closes', () => {
    const lines = [
      'GET / HTTP/1.1',
      'Host: h',
      'Connection: upgrade, close',
      'Upgrade: x',
      '',
      'rest',
    ];
    const { messages, error } = readRequests(Buffer.from(lines.join('\r\n')));
    expect(messages).toHaveLength(1);
    expect(error).toBe('HPE_CLOSED_CONNECTION');
  });

  it('reads on behind an interim answer to CONNECT', () => {
    const text = 'HTTP/1.1 100\r\n\r\nHTTP/1.1 404\r\nContent-Length: 0\r\n\r\n';
    const { messages } = readResponses(Buffer.from(text), 'CONNECT', true);
    expect(messages.map(({ status }) => status)).toEqual([100, 404]);
  });
});

describe('minimize', () => {
  it('leaves only what the failure needs', () => {
    const message = Buffer.from('some words, X, more words, Y, and the rest');
    const smallest = minimize(message, (bytes) => /X.*Y/.test(bytes.toString()));
    expect(smallest.toString()).toBe('XY');
  });
});
