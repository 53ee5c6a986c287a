// The columns of a frame against the objects that stat.ts makes of it, for frames as senders write
// them and for every way to damage one.

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeStatMessages, encodeStatMessages, type StatMessage } from './stat.ts';
import { MAX_PLAIN_STATS, SPAN, SPANS, StatFrame, VALUE, VALUES } from './stat-frame.ts';

const double = fc.double().map((value) => (value === 0 ? 0 : value));
const name = fc.string({ maxLength: 140, unit: 'binary' });
const message = fc.record({
  namespace: name,
  name,
  stat: fc.record({
    podName: name,
    averageConcurrentRequests: double,
    averageProxiedConcurrentRequests: double,
    requestCount: double,
    proxiedRequestCount: double,
    processUptime: double,
    timestamp: fc.nat({ max: 2 ** 34 }),
  }),
});
const batch = fc.array(message, { maxLength: 12 });

function messagesOf(frame: StatFrame): StatMessage[] {
  const text = (at: number): string =>
    Buffer.from(frame.bytes.subarray(frame.spans[at]!, frame.spans[at + 1]!)).toString('utf8');
  return Array.from({ length: frame.count }, (_, index) => {
    const value = (cell: keyof typeof VALUE): number => frame.values[index * VALUES + VALUE[cell]]!;
    const span = index * SPANS;
    return {
      namespace: text(span + SPAN.namespaceAt),
      name: text(span + SPAN.nameAt),
      stat: {
        podName: text(span + SPAN.podNameAt),
        averageConcurrentRequests: value('average'),
        averageProxiedConcurrentRequests: value('proxied'),
        requestCount: value('count'),
        proxiedRequestCount: value('proxiedCount'),
        processUptime: value('processUptime'),
        timestamp: value('timestamp'),
      },
    };
  });
}

/** What is taken is what stat.ts reads; what stat.ts refuses is never taken. */
function expectAgreement(frame: StatFrame, bytes: Uint8Array): void {
  if (frame.read(bytes)) expect(messagesOf(frame)).toEqual(decodeStatMessages(bytes));
}

describe('a frame of stats in columns', () => {
  it('AS-58, ACT-136: takes every batch a sender writes, and reads what is in it', () => {
    const frame = new StatFrame();
    fc.assert(
      fc.property(batch, (messages) => {
        expect(frame.read(encodeStatMessages(messages))).toBe(true);
        expect(messagesOf(frame)).toEqual(messages);
      }),
    );
  });

  it('AS-57, ACT-139: fields in any order and left out', () => {
    const frame = new StatFrame();
    const field = fc.constantFrom(1, 2, 3, 4, 5, 6, 7);
    const fields = fc.array(field, { maxLength: 9 });
    const parts = fc.array(fc.constantFrom('namespace', 'name', 'stat'), { maxLength: 5 });
    fc.assert(
      fc.property(fields, parts, (order, outer) => {
        const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).fork();
        for (const part of outer) {
          if (part === 'stat') {
            writer.tag(3, WireType.LengthDelimited).fork();
            for (const number of order) {
              if (number === 1) writer.tag(1, WireType.LengthDelimited).string('pod');
              else if (number === 7) writer.tag(7, WireType.Varint).int64(1_755_777_600);
              else writer.tag(number, WireType.Bit64).double(number / 3);
            }
            writer.join();
          } else {
            writer.tag(part === 'name' ? 2 : 1, WireType.LengthDelimited).string(part);
          }
        }
        expectAgreement(frame, writer.join().finish());
      }),
    );
  });

  it('damaged frames are left to the decoder that knows the errors', () => {
    const frame = new StatFrame();
    const damage = fc.record({
      messages: fc.array(message, { minLength: 1, maxLength: 3 }),
      at: fc.nat(),
      byte: fc.nat(255),
      kind: fc.constantFrom('replace', 'insert', 'cut'),
    });
    fc.assert(
      fc.property(damage, ({ messages, at, byte, kind }) => {
        const whole = [...encodeStatMessages(messages)];
        const from = at % whole.length;
        if (kind === 'cut') whole.length = from;
        else whole.splice(from, kind === 'replace' ? 1 : 0, byte);
        expectAgreement(frame, Uint8Array.from(whole));
      }),
      { numRuns: 5000 },
    );
  });

  it('arbitrary bytes are taken only if the other decoder agrees', () => {
    const frame = new StatFrame();
    const likely = fc.constantFrom(0x0a, 0x12, 0x1a, 0x11, 0x38, 0, 1, 2, 8, 0x80, 0xff);
    const bytes = fc.array(fc.oneof(likely, fc.nat(255)), { maxLength: 60 });
    fc.assert(
      fc.property(bytes, (data) => expectAgreement(frame, Uint8Array.from(data))),
      { numRuns: 5000 },
    );
  });

  it('a frame inside a larger buffer is read from its own beginning', () => {
    const frame = new StatFrame();
    const bytes = encodeStatMessages(fc.sample(batch, { numRuns: 1, seed: 7 })[0]!);
    const larger = new Uint8Array(bytes.length + 3);
    larger.set(bytes, 3);
    expectAgreement(frame, larger.subarray(3));
  });

  it(`takes ${MAX_PLAIN_STATS} stats and no more`, () => {
    const one = Uint8Array.of(0x0a, 2, 0x1a, 0);
    const most = new Uint8Array(one.length * MAX_PLAIN_STATS);
    for (let at = 0; at < most.length; at += one.length) most.set(one, at);
    const frame = new StatFrame();
    expect(frame.read(most)).toBe(true);
    expect(frame.count).toBe(MAX_PLAIN_STATS);
    const more = new Uint8Array(most.length + one.length);
    more.set(most);
    more.set(one, most.length);
    expect(frame.read(more)).toBe(false);
  });
});
