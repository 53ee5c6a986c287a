import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackDecoder } from './hpack-decoder.ts';
import { blockBound, HpackEncoder } from './hpack-encoder.ts';
import { decodeHuffman, encodeHuffman, huffmanBytes } from './huffman.ts';
import { FieldKind, STATIC_ENTRIES, STATIC_NAMES } from './static-table.ts';

type Pairs = (readonly [string, string])[];

const SEED = Number(process.env.CODEC_SEED ?? 20_261_121);

class Collected {
  pairs: Pairs = [];
  kinds: number[] = [];

  onField(name: string, value: string, kind: number): void {
    this.pairs.push([name, value]);
    this.kinds.push(kind);
  }
}

/** Null when the block is none. */
function decode(decoder: HpackDecoder, bytes: Buffer): Pairs | null {
  const sink = new Collected();
  return decoder.decode(bytes, 0, bytes.length, sink) ? sink.pairs : null;
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

function encode(encoder: HpackEncoder, pairs: Pairs): Buffer {
  const fields = pairs.flat();
  const into = Buffer.alloc(blockBound(fields) + 1);
  const end = encoder.encode(fields, into, 0);
  expect(end).toBeLessThan(into.length);
  return into.subarray(0, end);
}

const asked: Pairs = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
];
const askedAgain: Pairs = [...asked, ['cache-control', 'no-cache']];
const askedLast: Pairs = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/index.html'],
  [':authority', 'www.example.com'],
  ['custom-key', 'custom-value'],
];
const moved: Pairs = [
  [':status', '302'],
  ['cache-control', 'private'],
  ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
  ['location', 'https://www.example.com'],
];
const cookie = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';

describe('HPACK examples of RFC 7541 appendix C', () => {
  const runs: [string, number, [string, Pairs, number][]][] = [
    [
      'C.2: single fields',
      4_096,
      [
        [
          '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
          [['custom-key', 'custom-header']],
          55,
        ],
        ['040c 2f73 616d 706c 652f 7061 7468', [[':path', '/sample/path']], 55],
        ['1008 7061 7373 776f 7264 0673 6563 7265 74', [['password', 'secret']], 55],
        ['82', [[':method', 'GET']], 55],
      ],
    ],
    [
      'C.3: requests without Huffman code',
      4_096,
      [
        ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', asked, 57],
        ['8286 84be 5808 6e6f 2d63 6163 6865', askedAgain, 110],
        [
          '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
          askedLast,
          164,
        ],
      ],
    ],
    [
      'C.4: requests with Huffman code',
      4_096,
      [
        ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', asked, 57],
        ['8286 84be 5886 a8eb 1064 9cbf', askedAgain, 110],
        ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', askedLast, 164],
      ],
    ],
    [
      'C.6: answers with Huffman code and a table of 256 bytes',
      256,
      [
        [
          '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
          moved,
          222,
        ],
        ['4883 640e ffc1 c0bf', [[':status', '307'], ...moved.slice(1)], 222],
        [
          '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
          [
            [':status', '200'],
            ['cache-control', 'private'],
            ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
            ['location', 'https://www.example.com'],
            ['content-encoding', 'gzip'],
            ['set-cookie', cookie],
          ],
          215,
        ],
      ],
    ],
  ];
  for (const [name, limit, blocks] of runs) {
    it(name, () => {
      const decoder = new HpackDecoder(limit);
      for (const [block, pairs, size] of blocks) {
        expect(decode(decoder, hex(block))).toEqual(pairs);
        expect(decoder.tableSize).toBe(size);
      }
    });
  }

  it('strings come out in the code of appendix B', () => {
    const into = Buffer.alloc(64);
    for (const [text, code] of [
      ['www.example.com', 'f1e3 c2e5 f23a 6ba0 ab90 f4ff'],
      ['no-cache', 'a8eb 1064 9cbf'],
      ['custom-value', '25a8 49e9 5bb8 e8b4 bf'],
      ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff'],
    ] as const) {
      const end = encodeHuffman(text, into, 0);
      expect(into.subarray(0, end)).toEqual(hex(code));
      expect(huffmanBytes(text)).toBe(end);
      expect(decodeHuffman(into, 0, end)).toBe(text);
    }
  });
});

describe('HpackDecoder', () => {
  const bad: [string, string][] = [
    ['an index of 0', '80'],
    ['an index beyond both tables', 'be'],
    ['a name index beyond both tables', '7e 00'],
    ['an integer without end', 'ff ff ff ff ff ff ff ff'],
    ['an integer cut off', 'ff 80'],
    ['a string longer than the block', '00 01 61 05 62'],
    ['a literal without its value', '00 01 61'],
    ['a table larger than allowed', '3f e2 1f'],
    ['a table size behind a field', '82 20'],
    ['a Huffman string with eight bits of padding', '00 01 61 82 1f ff'],
    ['a Huffman string padded with zeros', '00 01 61 81 18'],
    ['the end symbol in a Huffman string', '00 01 61 84 ff ff ff ff'],
  ];
  for (const [name, block] of bad) {
    it(`RFC 7541: ${name} is an error`, () => {
      expect(decode(new HpackDecoder(4_096), hex(block))).toBeNull();
    });
  }

  it('RFC 7541 4.4: an entry larger than the table empties it and is no error', () => {
    const decoder = new HpackDecoder(64);
    expect(decode(decoder, hex('40 01 61 01 62'))).toEqual([['a', 'b']]);
    expect(decoder.tableSize).toBe(34);
    const large = Buffer.concat([hex('40 01 61 28'), Buffer.alloc(40, 'x')]);
    expect(decode(decoder, large)).toEqual([['a', 'x'.repeat(40)]]);
    expect(decoder.tableSize).toBe(0);
  });

  it('a value that makes a request malformed does so from the table, too', () => {
    const decoder = new HpackDecoder(4_096);
    const sink = new Collected();
    for (const block of ['40 01 61 02 20 62', 'be', '7e 01 62']) {
      const bytes = hex(block);
      expect(decoder.decode(bytes, 0, bytes.length, sink)).toBe(true);
    }
    expect(sink.kinds).toEqual([FieldKind.MALFORMED, FieldKind.MALFORMED, FieldKind.REGULAR]);
  });

  it('never throws and never reads on, whatever the bytes (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder(128);
        for (const block of blocks) {
          if (decode(decoder, Buffer.from(block)) === null) break;
          expect(decoder.tableSize).toBeLessThanOrEqual(128);
        }
      }),
      { seed: SEED, numRuns: 600 },
    );
  });
});

const nameOf = fc.oneof(
  fc.constantFrom('x-a', 'x-b', 'set-cookie', 'content-type', 'date', 'etag', 'grpc-status'),
  fc.constantFrom(...STATIC_NAMES.slice(STATIC_ENTRIES - 30).filter((name) => name[0] !== ':')),
  fc.stringMatching(/^[a-z0-9-]{1,40}$/),
);
const textOf = fc.oneof(
  fc.constantFrom('', '0', 'a', 'application/grpc', 'x'.repeat(200), 'y'.repeat(5_000)),
  fc.stringMatching(/^[!-~]{0,60}$/),
  fc.stringMatching(/^[\x80-\xff]{1,8}$/),
);
const messageOf = fc.record({
  limit: fc.option(fc.constantFrom(0, 40, 100, 1_000, 4_096, 65_536), { nil: null }),
  pairs: fc.array(fc.tuple(nameOf, textOf), { maxLength: 12 }),
});

describe('HpackEncoder', () => {
  it('what goes in comes out, over many blocks and table sizes (property)', () => {
    fc.assert(
      fc.property(fc.array(messageOf, { minLength: 1, maxLength: 20 }), (messages) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(4_096);
        for (const { limit, pairs } of messages) {
          if (limit !== null) encoder.setLimit(limit);
          const all: Pairs = [[':status', '200'], ...pairs, ...pairs];
          expect(decode(decoder, encode(encoder, all))).toEqual(all);
        }
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  it('a head that is sent again and again is a few bytes', () => {
    const encoder = new HpackEncoder();
    const head: Pairs = [
      [':status', '200'],
      ['content-type', 'application/grpc'],
      ['server', 'some-server/1.0'],
    ];
    for (let n = 0; n < 2; n += 1) encode(encoder, head);
    expect(encode(encoder, head)).toHaveLength(3);
  });

  it('RFC 7541 4.2: a table that became smaller and larger again is told twice', () => {
    const encoder = new HpackEncoder();
    encoder.setLimit(0);
    encoder.setLimit(4_096);
    expect(encode(encoder, [[':status', '200']])).toEqual(hex('20 3f e1 1f 88'));
    expect(encode(encoder, [[':status', '200']])).toEqual(hex('88'));
  });

  it('RFC 7541 7.1.3: secrets are never indexed', () => {
    const encoder = new HpackEncoder();
    for (let n = 0; n < 3; n += 1) {
      expect(encode(encoder, [['set-cookie', 'a']])).toEqual(hex('1f 28 01 61'));
    }
  });
});

describe('HPACK with node:http2 as the peer', () => {
  it('decodes what its client sends, request after request', async () => {
    const heads: Record<string, string>[] = [];
    const decoded: Pairs[] = [];
    const { FrameType, RawHttp2, settings, frame, Flag, PREFACE, STATUS_200, REQUEST_DONE } =
      await import('../testing/h2-frames.ts');
    const { RawApp } = await import('../testing/harness.ts');
    const decoder = new HpackDecoder(4_096);
    const app = new RawApp((connection) => {
      const raw = new RawHttp2(connection.socket, PREFACE.length);
      let seen = 0;
      raw.write(settings(), frame(FrameType.SETTINGS, Flag.ACK, 0));
      connection.socket.on('data', () => {
        const asks = raw.frames.filter((one) => one.type === FrameType.HEADERS);
        for (const ask of asks.slice(seen)) {
          decoded.push(decode(decoder, stripped(ask.payload, ask.flags)) ?? []);
          raw.write(frame(FrameType.HEADERS, REQUEST_DONE, ask.streamId, STATUS_200));
        }
        seen = asks.length;
      });
    });
    const client = connectHttp2(`http://127.0.0.1:${await app.listen()}`);
    for (const pairs of fc.sample(fc.array(fc.tuple(nameOf, textOf), { maxLength: 8 }), {
      seed: SEED,
      numRuns: 60,
    })) {
      const head = Object.fromEntries(pairs.filter(([name]) => /^x-|^[a-z]{9,}$/.test(name)));
      heads.push(head);
      const stream = client.request({ ':path': '/same', ...head }, { endStream: true });
      stream.resume();
      await once(stream, 'close');
    }
    client.destroy();
    app.close();
    expect(decoded).toHaveLength(heads.length);
    decoded.forEach((pairs, index) => {
      const fields = Object.fromEntries(pairs.filter(([name]) => !name.startsWith(':')));
      expect(fields).toEqual({ ...heads[index] });
    });
  });

  it('its client decodes what we send, answer after answer', async () => {
    const { Http2Harness } = await import('../testing/h2-harness.ts');
    const harness = new Http2Harness();
    await harness.start(1);
    const heads = fc.sample(
      fc.array(fc.tuple(fc.stringMatching(/^x-[a-d]{1,2}$/), textOf), { maxLength: 8 }),
      { seed: SEED, numRuns: 80 },
    );
    let next = 0;
    harness.handler.onRequestHook = (exchange) => {
      const lines = heads[next]!.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      next += 1;
      exchange.respond(200, lines, '');
    };
    const client = harness.client();
    for (const head of heads) {
      const stream = client.request({ ':path': '/' }, { endStream: true });
      const [headers] = await once(stream, 'response');
      stream.resume();
      await once(stream, 'close');
      for (const [name] of head) {
        const values = head.filter((one) => one[0] === name).map((one) => one[1]);
        expect(headers[name]).toBe(values.join(', '));
      }
    }
    await harness.stop();
  });
});

/** The fragment of a HEADERS frame without padding and priority. */
function stripped(payload: Buffer, flags: number): Buffer {
  const padded = (flags & 8) !== 0;
  const from = (padded ? 1 : 0) + ((flags & 32) !== 0 ? 5 : 0);
  return payload.subarray(from, payload.length - (padded ? payload[0]! : 0));
}
