// The stat messages byte for byte against the vectors of ACT-140 and QP-42, then round trips.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_STAT_BYTES } from './probe-headers.ts';
import {
  decodeStat,
  decodeStatMessages,
  emptyStat,
  encodeStat,
  encodeStatMessages,
  type Stat,
} from './stat.ts';

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

function stat(average: number, count: number): Stat {
  return {
    ...emptyStat('activator-0'),
    averageConcurrentRequests: average,
    requestCount: count,
  };
}

const vectors = [
  {
    name: 'one entry with average 1 and count 1',
    hex: '0a370a0764656661756c74120b68656c6c6f2d30303030311a1f0a0b616374697661746f722d3011000000000000f03f21000000000000f03f',
    messages: [{ namespace: 'default', name: 'hello-00001', stat: stat(1, 1) }],
  },
  {
    name: 'one entry with all numbers zero',
    hex: '0a250a0764656661756c74120b68656c6c6f2d30303030311a0d0a0b616374697661746f722d30',
    messages: [{ namespace: 'default', name: 'hello-00001', stat: stat(0, 0) }],
  },
  {
    name: 'two entries, one with a negative count',
    hex: '0a370a0764656661756c74120b68656c6c6f2d30303030311a1f0a0b616374697661746f722d3011000000000000e03f21000000000000f0bf0a2a0a036e7332120272321a1f0a0b616374697661746f722d30110000000000000040210000000000000840',
    messages: [
      { namespace: 'default', name: 'hello-00001', stat: stat(0.5, -1) },
      { namespace: 'ns2', name: 'r2', stat: stat(2, 3) },
    ],
  },
  {
    name: 'all fields',
    hex: '0a4e0a0764656661756c74120b68656c6c6f2d30303030311a360a017011000000000000f83f19000000000000e03f21000000000000244029000000000000104031000000000080284038c0949cc506',
    messages: [
      {
        namespace: 'default',
        name: 'hello-00001',
        stat: {
          podName: 'p',
          averageConcurrentRequests: 1.5,
          averageProxiedConcurrentRequests: 0.5,
          requestCount: 10,
          proxiedRequestCount: 4,
          processUptime: 12.25,
          timestamp: 1755777600,
        },
      },
    ],
  },
];

describe('stat messages', () => {
  it.each(vectors)('ACT-140: $name encodes and decodes exactly', ({ hex: wire, messages }) => {
    expect(hex(encodeStatMessages(messages))).toBe(wire);
    expect(decodeStatMessages(bytes(wire))).toEqual(messages);
  });

  it('ACT-140: an entry without stat is ignored', () => {
    expect(decodeStatMessages(bytes('0a160a0764656661756c74120b68656c6c6f2d3030303031'))).toEqual(
      [],
    );
  });

  it('ACT-140: an entry with an empty stat is accepted as zeros', () => {
    const wire = '0a180a0764656661756c74120b68656c6c6f2d30303030311a00';
    expect(decodeStatMessages(bytes(wire))).toEqual([
      { namespace: 'default', name: 'hello-00001', stat: emptyStat('') },
    ]);
  });

  it('ACT-139: unknown fields of every wire type are skipped and order does not matter', () => {
    // stat: uptime 1, unknown 15 (varint, 64 bit, bytes, 32 bit), then the pod name.
    const stat = '31000000000000f03f7801790102030405060708' + '7a0161' + '7d01020304' + '0a0170';
    const decoded = decodeStat(bytes(stat));
    expect(decoded).toEqual({ ...emptyStat('p'), processUptime: 1 });
    const entry = `1a${(stat.length / 2).toString(16)}${stat}12017210010a016e`;
    const batch = `10050a${(entry.length / 2).toString(16)}${entry}`;
    expect(decodeStatMessages(bytes(batch))).toEqual([
      { namespace: 'n', name: 'r', stat: decoded },
    ]);
  });

  it('ACT-138: a stat that comes in parts is one stat', () => {
    const parts = '1a0c0a017011000000000000f03f' + '1a0921000000000000f03f';
    const batch = `0a${((parts.length + 6) / 2).toString(16)}120172${parts}`;
    expect(decodeStatMessages(bytes(batch))).toEqual([
      { namespace: '', name: 'r', stat: { ...stat(1, 1), podName: 'p' } },
    ]);
  });

  it('QP-42: an idle pod after its first report is sixteen bytes', () => {
    const wire = encodeStat({ ...emptyStat('pod-1'), processUptime: 1 });
    expect(hex(wire)).toBe('0a05706f642d3131000000000000f03f');
    expect(wire.length).toBe(16);
  });

  it('QP-43: before the first report only the pod name is there', () => {
    expect(hex(encodeStat(emptyStat('pod-1')))).toBe('0a05706f642d31');
  });

  it('QP-44: a full message with the longest pod name fits into 336 bytes', () => {
    const wire = encodeStat({
      podName: 'p'.repeat(253),
      averageConcurrentRequests: 1.1,
      averageProxiedConcurrentRequests: 1.1,
      requestCount: 1.1,
      proxiedRequestCount: 1.1,
      processUptime: 1.1,
      timestamp: Number.MAX_SAFE_INTEGER,
    });
    expect(wire.length).toBeLessThanOrEqual(MAX_STAT_BYTES);
  });

  it('any batch survives encoding and decoding', () => {
    const double = fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value));
    const anyStat = fc.record({
      podName: fc.string(),
      averageConcurrentRequests: double,
      averageProxiedConcurrentRequests: double,
      requestCount: double,
      proxiedRequestCount: double,
      processUptime: double,
      timestamp: fc.maxSafeInteger(),
    });
    const message = fc.record({ namespace: fc.string(), name: fc.string(), stat: anyStat });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
        expect(decodeStatMessages(encodeStatMessages(messages))).toEqual(messages);
      }),
    );
  });

  it('arbitrary bytes are decoded or refused with an error, never looped over', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        try {
          decodeStatMessages(data);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
