// Unit tests of LastHead, and of heads read through it against heads read without.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LastHead } from './last-head.ts';
import { RequestHead, RequestVerdict } from './request-head.ts';
import { ResponseHead, ResponseVerdict } from './response-head.ts';

/** As large as the buffer connections share, so that it is read by words. */
const shared = Buffer.alloc(64 * 1024);

function put(text: string, at = 0): number {
  shared.write(text, at, 'latin1');
  return at + text.length;
}

const QUESTION = 'GET /a?b=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\n\r\n';

describe('LastHead', () => {
  it('knows the same bytes again, whatever follows them', () => {
    for (let length = 1; length <= QUESTION.length; length += 1) {
      const last = new LastHead();
      last.remember(shared, 0, put(QUESTION.slice(0, length)));
      const end = put(`${QUESTION.slice(0, length)}body`);
      expect(last.isAt(shared, 0, end)).toBe(true);
      expect(last.isAt(shared, 0, length - 1)).toBe(false);
    }
  });

  it('sees a difference in any byte', () => {
    const last = new LastHead();
    last.remember(shared, 0, put(QUESTION));
    for (let at = 0; at < QUESTION.length; at += 1) {
      const end = put(QUESTION);
      shared[at]! ^= 1;
      expect(last.isAt(shared, 0, end)).toBe(false);
    }
  });

  it('knows nothing once it has forgotten, and nothing of heads above 4096 bytes', () => {
    const last = new LastHead();
    last.remember(shared, 0, put(QUESTION));
    last.forget();
    expect(last.isAt(shared, 0, put(QUESTION))).toBe(false);
    const end = put('x'.repeat(4097));
    last.remember(shared, 0, end);
    expect(last.isAt(shared, 0, end)).toBe(false);
  });

  it('stops remembering every head of a peer whose heads differ, and notices when they repeat', () => {
    const last = new LastHead();
    for (let index = 0; index < 100; index += 1) {
      last.forget();
      last.remember(shared, 0, put(`GET /${index} HTTP/1.1\r\n\r\n`));
    }
    let repeats = 0;
    for (let index = 0; index < 100; index += 1) {
      const end = put(QUESTION);
      if (last.isAt(shared, 0, end)) repeats += 1;
      else {
        last.forget();
        last.remember(shared, 0, end);
      }
    }
    expect(repeats).toBeGreaterThanOrEqual(100 - 16);
    expect(repeats).toBeLessThan(100);
  });
});

interface Read {
  readonly text: string;
  /** Where it lies in the buffer; reads normally begin at 0. */
  readonly at: number;
}

const names = fc.constantFrom('A', 'Host', 'Content-Length', 'Connection', 'Keep-Alive', 'Expect');
const values = fc.constantFrom(
  '1',
  'x',
  'close',
  'keep-alive',
  'timeout=5',
  '100-continue',
  'a, b',
);
const lines = fc
  .array(fc.tuple(names, values), { maxLength: 4 })
  .map((fields) => fields.map(([name, value]) => `${name}: ${value}\r\n`).join(''));

function reads(starts: readonly string[]): fc.Arbitrary<Read[]> {
  const head = fc.tuple(fc.constantFrom(...starts), lines).map(([start, rest]) => start + rest);
  return fc.array(head, { minLength: 1, maxLength: 3 }).chain((heads) =>
    fc.array(
      fc.record({
        text: fc.constantFrom(...heads).map((text) => `${text}\r\n`),
        at: fc.constantFrom(0, 0, 0, 3, 8),
      }),
      { minLength: 2, maxLength: 12 },
    ),
  );
}

describe('heads that may repeat', () => {
  it('QP-7: a request head reads the same after any others', () => {
    const starts = ['GET / HTTP/1.1\r\nHost: a\r\n', 'POST /p HTTP/1.1\r\n', 'GET / HTTP/1.0\r\n'];
    fc.assert(
      fc.property(reads(starts), (sequence) => {
        const reused = new RequestHead();
        for (const { text, at } of sequence) {
          const end = put(text, at);
          const fresh = new RequestHead();
          const verdict = fresh.read(shared, at, end);
          expect(reused.read(shared, at, end)).toBe(verdict);
          if (verdict !== RequestVerdict.OK) return;
          expect(view(reused)).toEqual(view(fresh));
          reused.restart();
        }
      }),
    );
  });

  it('answers for more names than it remembers, and for the next head anew', () => {
    const head = new RequestHead();
    const ask = (tail: string): string[] => {
      const lines = Array.from({ length: 40 }, (_, index) => `n${index}: ${index}${tail}\r\n`);
      const end = put(`GET / HTTP/1.1\r\nHost: a\r\n${lines.join('')}\r\n`);
      expect(head.read(shared, 0, end)).toBe(RequestVerdict.OK);
      head.restart();
      return lines.map((_, index) => head.value(`n${index}`));
    };
    const expected = (tail: string) => Array.from({ length: 40 }, (_, index) => `${index}${tail}`);
    for (const tail of ['', '', '', 'x', 'x', '']) expect(ask(tail)).toEqual(expected(tail));
  });

  it('QP-74: an answer head reads the same after any others, also to another method', () => {
    const starts = ['HTTP/1.1 200 OK\r\n', 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.0 200 OK\r\n'];
    const methods = fc.infiniteStream(fc.constantFrom('GET', 'GET', 'HEAD'));
    fc.assert(
      fc.property(reads(starts), methods, (sequence, asked) => {
        const reused = new ResponseHead();
        for (const { text, at } of sequence) {
          const end = put(text, at);
          const method: string = asked.next().value;
          const fresh = new ResponseHead();
          const verdict = fresh.read(shared, at, end, method);
          expect(reused.read(shared, at, end, method)).toBe(verdict);
          if (verdict !== ResponseVerdict.OK) return;
          expect(viewAnswer(reused)).toEqual(viewAnswer(fresh));
          reused.restart();
        }
      }),
    );
  });
});

function view(head: RequestHead): object {
  const { method, target, host, minorVersion, contentLength, keepAlive, upgrade } = head;
  const { expectsContinue, acceptsTrailers, hostFromTarget, length, fields } = head;
  return {
    ...{ method, target, host, minorVersion, contentLength, keepAlive, upgrade, length },
    ...{ expectsContinue, acceptsTrailers, hostFromTarget, fields: [...fields.entries()] },
    kinds: fields.kinds,
    // Asked each time: from the third of equal heads on the answers are remembered ones.
    values: ['a', 'host', 'expect', 'none'].map((name) => head.value(name)),
  };
}

function viewAnswer(head: ResponseHead): object {
  const { minorVersion, status, bodyMode, contentLength, keepAlive, keepAliveMs } = head;
  const { upgrade, lineLength, length, fields } = head;
  return {
    ...{ minorVersion, status, bodyMode, contentLength, keepAlive, keepAliveMs, upgrade },
    ...{ lineLength, length, fields: [...fields.entries()], kinds: fields.kinds },
  };
}
