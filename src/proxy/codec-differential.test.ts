// Our codec against llhttp: generated and mutated messages, cut at every byte. Being stricter is
// fine and counted; reading something llhttp reads differently is a request smuggled.

import { describe, expect, it } from 'vitest';
import { readAnswerWithOurs, readWithOurs } from './testing/codec-reader.ts';
import { readRequests, readResponse, type SeenRequest } from './testing/llhttp-oracle.ts';
import { generateRequests, generateResponse, seededRandom } from './testing/message-generator.ts';

const SEED = Number(process.env.CODEC_SEED ?? 20_261_121);
const MESSAGES = Number(process.env.CODEC_MESSAGES ?? 400);
/** Messages longer than this are cut at every third byte only. */
const MAX_FULLY_CUT_BYTES = 600;

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
]);

/** End-to-end headers as the application must see them. */
function endToEnd(seen: SeenRequest): string[] {
  const named = new Set<string>();
  const lines: [string, string][] = [];
  for (let at = 0; at < seen.headers.length; at += 2) {
    const name = seen.headers[at]!.toLowerCase();
    lines.push([name, seen.headers[at + 1]!]);
    if (name !== 'connection') continue;
    for (const option of seen.headers[at + 1]!.split(',')) named.add(option.trim().toLowerCase());
  }
  named.delete('content-length');
  return lines
    .filter(([name]) => !HOP_BY_HOP.has(name) && !named.has(name))
    .map(([name, value]) => `${name}: ${value}`);
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1'));
}

function cutPositions(bytes: Buffer): number[] {
  const step = bytes.length > MAX_FULLY_CUT_BYTES ? 3 : 1;
  const positions = [];
  for (let at = 1; at < bytes.length; at += step) positions.push(at);
  return positions;
}

function originForm(target: string): string {
  return target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/^(?!\/|\*)/, '/');
}

/**
 * What we pass on and llhttp refuses, none of it framing: llhttp knows a fixed list of methods and no
 * target bytes above 0x7f; a proxy passes every token and leaves targets alone (QP-58).
 */
const KNOWN_LAXER = new Set(['HPE_INVALID_METHOD', 'HPE_INVALID_URL']);

function isRead(outcome: string): boolean {
  return outcome === 'complete' || outcome === 'switched';
}

function count(tally: Map<string, number>, key: string): void {
  tally.set(key, (tally.get(key) ?? 0) + 1);
}

describe('requests, against llhttp', () => {
  it(`are never framed differently (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    const stricter = new Map<string, number>();
    const laxer = new Map<string, number>();
    let accepted = 0;
    for (let index = 0; index < MESSAGES; index += 1) {
      const bytes = generateRequests(random);
      const theirs = await readRequests(bytes);
      const ours = readWithOurs(bytes);
      const where = `message ${index} of seed ${SEED}: ${shown(bytes)}`;
      // `OPTIONS *` never leaves the server, so it is not in our list.
      const expected = theirs.requests.filter((seen) => seen.target !== '*');
      for (const [at, request] of ours.requests.entries()) {
        const seen = expected[at];
        if (seen === undefined) {
          expect(theirs.error, where).not.toBeNull();
          count(laxer, theirs.error ?? '');
          break;
        }
        expect(request.method, where).toBe(seen.method);
        expect(request.target, where).toBe(originForm(seen.target));
        const [again] = (await readRequests(Buffer.from(ours.forwarded[at]!, 'latin1'))).requests;
        expect(again, where).toBeDefined();
        expect(again!.body, where).toBe(seen.body);
        expect(endToEnd(again!), where).toEqual(endToEnd(seen));
        accepted += 1;
      }
      if (ours.requests.length < expected.length) {
        expect(ours.isClosed, where).toBe(true);
        count(stricter, ours.isRefused ? 'refused' : 'closed after the answer');
      }
    }
    console.log(`seed ${SEED}: ${accepted} requests alike, stricter`, stricter, 'laxer', laxer);
    expect(accepted).toBeGreaterThan(MESSAGES / 4);
    expect([...laxer.keys()].filter((code) => !KNOWN_LAXER.has(code))).toEqual([]);
  });

  it('read alike wherever the bytes are cut', () => {
    const random = seededRandom(SEED + 1);
    for (let index = 0; index < MESSAGES / 8; index += 1) {
      const bytes = generateRequests(random);
      const whole = readWithOurs(bytes);
      for (const cut of cutPositions(bytes)) {
        const where = `message ${index} of seed ${SEED + 1} cut at ${cut}: ${shown(bytes)}`;
        const pieces = readWithOurs(bytes, [cut]);
        expect(pieces.requests, where).toEqual(whole.requests);
        expect(pieces.isRefused, where).toBe(whole.isRefused);
        expect(pieces.ownAnswers, where).toBe(whole.ownAnswers);
      }
      const drip = readWithOurs(bytes, cutPositions(bytes));
      expect(drip.requests, shown(bytes)).toEqual(whole.requests);
      expect(drip.isRefused, shown(bytes)).toBe(whole.isRefused);
    }
  });
});

describe('answers, against llhttp', () => {
  it(`are never framed differently (seed ${SEED})`, async () => {
    const random = seededRandom(SEED + 2);
    const stricter = new Map<string, number>();
    const laxer = new Map<string, number>();
    let accepted = 0;
    for (let index = 0; index < MESSAGES; index += 1) {
      const bytes = generateResponse(random);
      const method = random() < 0.15 ? 'HEAD' : 'GET';
      const theirs = await readResponse(bytes, method);
      const ours = readAnswerWithOurs(bytes, method);
      const where = `${method} answer ${index} of seed ${SEED + 2}: ${shown(bytes)}`;
      const seen = theirs.response;
      if (ours.outcome === 'complete') {
        if (seen === null || !seen.isComplete) {
          count(laxer, theirs.error ?? 'incomplete');
          expect(theirs.error, where).not.toBeNull();
          continue;
        }
        expect(ours.status, where).toBe(seen.status);
        expect(ours.body, where).toBe(seen.body);
        expect(ours.interim, where).toEqual(theirs.interim);
        expect(ours.headers.length, where).toBe(seen.headers.length);
        accepted += 1;
      } else if (seen?.isComplete === true) count(stricter, ours.outcome);
    }
    console.log(`seed ${SEED}: ${accepted} answers alike, stricter`, stricter, 'laxer', laxer);
    expect(accepted).toBeGreaterThan(MESSAGES / 4);
    // Bytes behind a closing answer: llhttp calls that an error of the answer, we drop the connection.
    expect([...laxer.keys()].filter((code) => code !== 'HPE_CLOSED_CONNECTION')).toEqual([]);
  });

  it('read alike wherever the bytes are cut', () => {
    const random = seededRandom(SEED + 3);
    for (let index = 0; index < MESSAGES / 4; index += 1) {
      const bytes = generateResponse(random);
      const whole = readAnswerWithOurs(bytes, 'GET');
      for (const cut of cutPositions(bytes)) {
        const where = `answer ${index} of seed ${SEED + 3} cut at ${cut}: ${shown(bytes)}`;
        const pieces = readAnswerWithOurs(bytes, 'GET', [cut]);
        if (isRead(whole.outcome)) expect(pieces, where).toEqual(whole);
        else expect(isRead(pieces.outcome), where).toBe(false);
      }
    }
  });
});
