// Random HTTP/1.1 messages for the differential tests: mostly valid, often odd, sometimes broken on
// purpose, then mutated byte by byte. Everything comes from one seed.

export type Random = () => number;

/** mulberry32: small, seedable, good enough to vary test input. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(random: Random, options: readonly T[]): T {
  return options[Math.floor(random() * options.length)]!;
}

/** Mostly the first option. */
function mostly<T>(random: Random, usual: T, odd: readonly T[], oddity = 0.12): T {
  return random() < oddity ? pick(random, odd) : usual;
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'];
const TARGETS = ['/', '/a/b', '/a//b/../c?x=%zz&y="<', '/?', '/%2F;p[1]', 'http://other/p?q', '*'];
const PLAIN_HEADERS = [
  'Accept: */*',
  'x-lower: v',
  'Cookie: a=1; b=2',
  'Cookie: c=3',
  'X-Empty:',
  'X-Tabs:\t v \t',
  'X-Latin: caf\xe9',
  'X-Forwarded-For: 1.1.1.1',
  'TE: trailers, deflate',
  'Expect: 100-continue',
];
const ODD_HEADERS = [
  'Bad Name: x',
  'Space : x',
  ' folded',
  'NoColon',
  ': empty',
  'X-Ctl: a\x01b',
  'X-Nul: a\x00b',
  'X-Cr: a\rb',
  'X-Lf: a\nb',
  'Content-Length: 3',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Content-Length: 0x3',
  'Content-Length: ',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer_Encoding: chunked',
  'Host: twice',
  'Connection: x-lower, keep-alive',
  'Connection: content-length',
  'Upgrade: websocket',
];
const VERSIONS = ['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/1.1 ', 'http/1.1', 'HTTP/11', ''];
const HOSTS = ['Host: h\r\nHost: h', '', 'Host:', 'Host: a b', 'Host: a/b', 'hOST: h:80'];
const ENDS = ['\n', '\r', '\r\r\n', ' \r\n', '\n\r\n'];
const SIZES = [
  '0x3',
  '+3',
  '-1',
  '3 ',
  ' 3',
  '',
  '3g',
  '00000000000000003',
  'fffffffffffffffff',
  '3;',
];
const EXTENSIONS = [';a', ';a=b', ';a="b;c"', '; a=b', ';a = b', ';', ';a=', ';\x01', ';a="\r\n"'];

function chunkedBody(random: Random): string {
  let body = '';
  const count = Math.floor(random() * 3);
  for (let index = 0; index < count; index += 1) {
    const data = pick(random, ['abc', 'x', 'hello world, hello', '\r\n0\r\n\r\n', '\x00\xff']);
    const size = mostly(random, data.length.toString(16), SIZES, 0.06);
    const extension = mostly(random, '', EXTENSIONS);
    body += `${size}${extension}\r\n${data}${mostly(random, '\r\n', ENDS, 0.04)}`;
  }
  const last = mostly(random, '0', ['00', '0;x=y', '-0', '0 '], 0.1);
  const trailers = mostly(
    random,
    '',
    ['X-Sum: 1\r\n', 'Content-Length: 9\r\n', 'Bad Name: x\r\n'],
    0.3,
  );
  return `${last === '0' ? body : body}${last}\r\n${trailers}\r\n`;
}

function framedBody(random: Random): { lines: string[]; body: string } {
  const kind = random();
  if (kind < 0.35) return { lines: [], body: '' };
  if (kind < 0.6) {
    const body = pick(random, ['', 'abc', 'GET / HTTP/1.1\r\nHost: smuggled\r\n\r\n']);
    return {
      lines: [`Content-Length: ${mostly(random, `${body.length}`, ['007', '3 '], 0.05)}`],
      body,
    };
  }
  return { lines: ['Transfer-Encoding: chunked'], body: chunkedBody(random) };
}

function assemble(random: Random, first: string, lines: string[], body: string): string {
  for (let extra = Math.floor(random() * 4); extra > 0; extra -= 1) {
    const line = mostly(random, pick(random, PLAIN_HEADERS), ODD_HEADERS, 0.18);
    lines.splice(Math.floor(random() * (lines.length + 1)), 0, line);
  }
  let text = `${first}${mostly(random, '\r\n', ENDS, 0.02)}`;
  for (const line of lines) text += `${line}${mostly(random, '\r\n', ENDS, 0.015)}`;
  return `${text}${mostly(random, '\r\n', ENDS, 0.02)}${body}`;
}

function oneRequest(random: Random): string {
  const method = mostly(random, pick(random, METHODS), ['get', 'FOO', 'G(T', ''], 0.04);
  const target = mostly(random, pick(random, TARGETS), ['', '/a b', '/\x7f', '/\x80', 'x'], 0.04);
  const version = mostly(random, 'HTTP/1.1', VERSIONS, 0.05);
  const space = mostly(random, ' ', ['  ', '\t', ''], 0.02);
  const { lines, body } = framedBody(random);
  const host = mostly(random, 'Host: h', HOSTS, 0.06);
  if (host !== '') lines.unshift(host);
  if (random() < 0.1) lines.push(pick(random, ['Connection: close', 'Connection: keep-alive']));
  return assemble(random, `${method}${space}${target} ${version}`, lines, body);
}

/** One to three requests in a row, perhaps after empty lines. */
export function generateRequests(random: Random): Buffer {
  let text = random() < 0.05 ? '\r\n' : '';
  for (let count = 1 + Math.floor(random() * 3); count > 0; count -= 1) text += oneRequest(random);
  return mutate(random, Buffer.from(text, 'latin1'));
}

const REASONS = [' OK', '', ' ', ' caf\xe9', ' a\x01'];
const STATUSES = ['204', '304', '404', '100', '103', '101', '099', '1000', '20', '2x0', '600'];

/** One answer, perhaps after interim ones. */
export function generateResponse(random: Random): Buffer {
  let text = '';
  if (random() < 0.15) text += 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
  const version = mostly(random, 'HTTP/1.1', VERSIONS, 0.08);
  const status = mostly(random, '200', STATUSES, 0.25);
  const { lines, body } = framedBody(random);
  if (random() < 0.1) lines.push(pick(random, ['Connection: close', 'Keep-Alive: timeout=5']));
  const first = `${version} ${status}${mostly(random, ' OK', REASONS)}`;
  const rest = lines.length === 0 && random() < 0.5 ? 'until the end' : body;
  text += assemble(random, first, lines, rest);
  return mutate(random, Buffer.from(text, 'latin1'));
}

const INTERESTING = Buffer.from('\r\n \t:;,0139afgG"=-_\0\x0b\x7f\x80\xff', 'latin1');

/** Changes a few bytes in about half of the messages. */
function mutate(random: Random, message: Buffer): Buffer {
  if (random() < 0.5 || message.length === 0) return message;
  let bytes = message;
  for (let count = 1 + Math.floor(random() * 2); count > 0; count -= 1) {
    const at = Math.floor(random() * bytes.length);
    const byte = INTERESTING.subarray(Math.floor(random() * INTERESTING.length)).subarray(0, 1);
    const kind = random();
    if (kind < 0.4) bytes = Buffer.concat([bytes.subarray(0, at), byte, bytes.subarray(at + 1)]);
    else if (kind < 0.7) bytes = Buffer.concat([bytes.subarray(0, at), byte, bytes.subarray(at)]);
    else if (kind < 0.9) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 9))]);
  }
  return bytes;
}
