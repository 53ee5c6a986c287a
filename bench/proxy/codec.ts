// What the HTTP/1.1 codec itself costs per message, without sockets: reading heads, writing forwarded
// heads, taking chunks apart. CPU time of this thread, median of repeats.

import { systemClock } from '../../src/clock/clock.ts';
import { ByteBacklog } from '../../src/proxy/byte-backlog.ts';
import { ChunkDecoder } from '../../src/proxy/chunk-decoder.ts';
import { compileEdits, createHeaderEdits } from '../../src/proxy/header-edits.ts';
import { AnswerFraming, answerHeadFor, requestHeadFor } from '../../src/proxy/message-heads.ts';
import { DateLine } from '../../src/proxy/replies.ts';
import { RequestHead } from '../../src/proxy/request-head.ts';
import { ResponseHead } from '../../src/proxy/response-head.ts';
import { median, round } from '../support/stats.ts';

export interface CodecRow {
  name: string;
  nsPerMessage: number;
  checksum: number;
}

const REQUEST = Buffer.from(
  [
    'GET /hello/world?name=value HTTP/1.1',
    'Host: hello.default.example.com',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'Accept-Encoding: gzip, deflate, br',
    'Accept-Language: en-GB,en;q=0.5',
    'Cache-Control: no-cache',
    'Cookie: session=0123456789abcdef; theme=dark',
    'Knative-Serving-Namespace: default',
    'Knative-Serving-Revision: hello-00001',
    'X-Forwarded-For: 10.0.0.1',
    'X-Forwarded-Proto: https',
    'X-Request-Id: 9d2c5f0e-0b7a-4b9e-8f2e-1c2d3e4f5a6b',
    '\r\n',
  ].join('\r\n'),
);

/** What the activator asks every request. */
const ASKED = [
  'user-agent',
  'k-kubelet-probe',
  'k-network-probe',
  'knative-serving-namespace',
  'knative-serving-revision',
  'k-original-host',
];
/** As large as the buffer connections share: only there heads are compared with the last one. */
const SHARED_BYTES = 64 * 1024;

const RESPONSE = Buffer.from(
  [
    'HTTP/1.1 200 OK',
    'Content-Type: application/json',
    'Content-Length: 1024',
    'Cache-Control: no-store',
    'Date: Sat, 21 Nov 2026 06:10:31 GMT',
    'Connection: keep-alive',
    'Keep-Alive: timeout=5',
    '\r\n',
  ].join('\r\n'),
);

const CHUNKS = Buffer.from(`${'400\r\n'}${'x'.repeat(1024)}\r\n`.repeat(8));
const EDITS = compileEdits(
  createHeaderEdits({
    drop: ['knative-serving-revision', 'knative-serving-namespace'],
    forwardedFor: true,
  }),
);

/** Each returns something that depends on the work, so that it cannot be left out. */
function benches(): Record<string, () => number> {
  const requestHead = new RequestHead();
  const repeatedHead = new RequestHead();
  const shared = Buffer.alloc(SHARED_BYTES);
  shared.set(REQUEST);
  const responseHead = new ResponseHead();
  const date = new DateLine(systemClock);
  const decoder = new ChunkDecoder();
  const backlog = new ByteBacklog();
  const chunks = Buffer.alloc(CHUNKS.length);
  return {
    'read request head': () => {
      requestHead.restart();
      return requestHead.read(REQUEST, 0, REQUEST.length) + requestHead.target.length;
    },
    'read request head, ask for 6 values': () => {
      requestHead.restart();
      requestHead.read(REQUEST, 0, REQUEST.length);
      return lengthOfValues(requestHead);
    },
    'the same, but the head repeats': () => {
      repeatedHead.restart();
      repeatedHead.read(shared, 0, REQUEST.length);
      return lengthOfValues(repeatedHead);
    },
    'read and forward request head': () => {
      requestHead.restart();
      requestHead.read(REQUEST, 0, REQUEST.length);
      return requestHeadFor(requestHead, EDITS, '10.1.2.3', '127.0.0.1:8080').length;
    },
    'read and relay response head': () => {
      responseHead.restart();
      responseHead.read(RESPONSE, 0, RESPONSE.length, 'GET');
      return answerHeadFor(responseHead, AnswerFraming.LENGTH, 1, false, '', date).length;
    },
    'take 8 chunks of 1 KiB apart': () => {
      decoder.reset();
      // Decoding moves bytes, so each round needs its own.
      chunks.set(CHUNKS);
      decoder.decode(chunks, 0, chunks.length);
      return decoder.dataEnd - decoder.dataStart;
    },
    'keep and hand over 1 KiB': () => {
      backlog.append(RESPONSE, 0, RESPONSE.length);
      return backlog.take().length;
    },
  };
}

function lengthOfValues(head: RequestHead): number {
  let length = 0;
  for (const name of ASKED) length += head.value(name).length;
  return length;
}

/** One row per step of the codec. */
export async function run(options: { tiny: boolean }): Promise<CodecRow[]> {
  const messages = options.tiny ? 200 : 200_000;
  const repeats = options.tiny ? 2 : 7;
  return Object.entries(benches()).map(([name, step]) => {
    const results: number[] = [];
    let checksum = 0;
    for (let repeat = 0; repeat <= repeats; repeat += 1) {
      const start = process.cpuUsage();
      for (let count = 0; count < messages; count += 1) checksum = (checksum + step()) | 0;
      const { user, system } = process.cpuUsage(start);
      if (repeat > 0) results.push(((user + system) * 1000) / messages);
    }
    return { name, nsPerMessage: round(median(results), 0), checksum };
  });
}
