// HTTP/1.1 messages by grammar: mostly valid, often odd, sometimes broken on purpose. Every piece
// that decides about framing has a usual spelling and a list of spellings somebody, somewhere, reads
// differently. Requests come in rows of one to three, so that a misplaced end is seen; answers
// perhaps after interim ones.

import type { AskedFor } from './http1-codec.ts';
import {
  CHUNK_ENDS,
  CHUNK_EXTENSIONS,
  CHUNK_SIZES,
  HOSTS,
  LENGTHS,
  LINE_ENDS,
  METHODS,
  ODD_LINES,
  ODD_METHODS,
  ODD_TARGETS,
  PLAIN_LINES,
  REASONS,
  SPACES,
  STATUSES,
  TARGETS,
  TRAILERS,
  TRANSFER_CODINGS,
  VERSIONS,
} from './http1-words.ts';
import { MAX_CASE_BYTES } from './mutate.ts';
import { int, mostly, pick, type Random } from './random.ts';

const CRLF = '\r\n';

/** How often a usual piece is spelled oddly: small, or no message would survive. */
const RARE = 0.02;
const SOME = 0.06;
const OFTEN = 0.2;

function chunkedBody(random: Random): string {
  let body = '';
  for (let count = int(random, 3); count > 0; count -= 1) {
    const data = pick(random, ['abc', 'x', 'hello world, hello', '\r\n0\r\n\r\n', '\x00\xff']);
    const size = mostly(random, data.length.toString(16), CHUNK_SIZES, SOME);
    const extension = mostly(random, '', CHUNK_EXTENSIONS, SOME);
    const end = mostly(random, CRLF, CHUNK_ENDS, RARE);
    body += `${size}${extension}${mostly(random, CRLF, LINE_ENDS, RARE)}${data}${end}`;
  }
  const last = mostly(random, '0', ['00', '0;x=y', '-0', '0 ', '0\t', '+0', '0x0'], SOME);
  const trailers = mostly(random, '', TRAILERS, OFTEN);
  return `${body}${last}${CRLF}${trailers}${mostly(random, CRLF, LINE_ENDS, RARE)}`;
}

function framedBody(random: Random): { lines: string[]; body: string } {
  const kind = random();
  if (kind < 0.3) return { lines: [], body: '' };
  if (kind < 0.55) {
    const body = pick(random, ['', 'abc', 'GET / HTTP/1.1\r\nHost: smuggled\r\n\r\n']);
    const length = mostly(random, `${body.length}`, LENGTHS, SOME);
    return { lines: [`Content-Length: ${length}`], body };
  }
  const coding = mostly(random, 'chunked', TRANSFER_CODINGS, SOME);
  return { lines: [`Transfer-Encoding: ${coding}`], body: chunkedBody(random) };
}

function assemble(random: Random, first: string, lines: string[], body: string): string {
  for (let extra = int(random, 4); extra > 0; extra -= 1) {
    const line = mostly(random, pick(random, PLAIN_LINES), ODD_LINES, OFTEN);
    lines.splice(int(random, lines.length + 1), 0, line);
  }
  let text = `${first}${mostly(random, CRLF, LINE_ENDS, RARE)}`;
  for (const line of lines) text += `${line}${mostly(random, CRLF, LINE_ENDS, RARE)}`;
  return `${text}${mostly(random, CRLF, LINE_ENDS, RARE)}${body}`;
}

/** Any target for any method would be refused too often to compare anything. */
function targetFor(random: Random, method: string): string {
  if (method === 'CONNECT') return mostly(random, 'other:80', TARGETS, SOME);
  if (method === 'OPTIONS') return mostly(random, '*', TARGETS, 0.5);
  return pick(random, TARGETS);
}

function oneRequest(random: Random): string {
  const method = mostly(random, pick(random, METHODS), ODD_METHODS, SOME);
  const target = mostly(random, targetFor(random, method), ODD_TARGETS, SOME);
  const version = mostly(random, 'HTTP/1.1', VERSIONS, SOME);
  const { lines, body } = framedBody(random);
  const host = mostly(random, 'Host: h', HOSTS, SOME);
  if (host !== '') lines.unshift(host);
  if (random() < SOME) lines.push(pick(random, ['Connection: close', 'Connection: keep-alive']));
  const before = mostly(random, ' ', SPACES, RARE);
  const behind = mostly(random, ' ', SPACES, RARE);
  return assemble(random, `${method}${before}${target}${behind}${version}`, lines, body);
}

/** One to three requests in a row, perhaps after empty lines. */
export function generateRequests(random: Random): Buffer {
  let text = mostly(random, '', [CRLF, '\r\n\r\n', '\n', '\r'], SOME);
  for (let count = 1 + int(random, 3); count > 0; count -= 1) {
    text += oneRequest(random);
    if (random() < RARE) text += CRLF;
  }
  return Buffer.from(text, 'latin1').subarray(0, MAX_CASE_BYTES);
}

/** One answer, perhaps after interim ones, perhaps with bytes behind it. */
export function generateAnswer(random: Random): Buffer {
  let text = '';
  while (random() < 0.15) {
    text += pick(random, [
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 102 Processing\r\nContent-Length: 3\r\n\r\n',
      'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
      'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n',
    ]);
  }
  const version = mostly(random, 'HTTP/1.1', VERSIONS, SOME);
  const status = mostly(random, '200', STATUSES, OFTEN);
  const { lines, body } = framedBody(random);
  if (random() < 0.1) lines.push(pick(random, ['Connection: close', 'Keep-Alive: timeout=5']));
  const first = `${version}${mostly(random, ' ', SPACES, RARE)}${status}`;
  const reason = mostly(random, ' OK', REASONS, OFTEN);
  const rest = lines.length === 0 && random() < 0.5 ? 'until the end' : body;
  text += assemble(random, first + reason, lines, rest);
  if (random() < RARE) text += 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
  return Buffer.from(text, 'latin1').subarray(0, MAX_CASE_BYTES);
}

/** The request an answer is for: mostly a plain GET. */
export function generateAsked(random: Random): AskedFor {
  return {
    method: mostly(random, 'GET', ['HEAD', 'POST', 'HEAD', 'OPTIONS', 'CONNECT'], OFTEN),
    minorVersion: mostly(random, 1, [0], 0.1),
    upgrade: mostly(random, '', ['websocket', 'x'], 0.1),
  };
}
