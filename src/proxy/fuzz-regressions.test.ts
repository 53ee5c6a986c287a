// Messages the fuzzer found our codec and llhttp to read differently, each under the name of what was
// wrong. They are judged as `npm run fuzz -- http1` judges: whole, cut at every byte, byte by byte.

import { expect, it } from 'vitest';
import { type Case, judgeEverywhere } from '../../bench/fuzz/http1.ts';
import { runAnswer, runRequests } from '../../bench/fuzz/http1-codec.ts';

const GET = { method: 'GET', minorVersion: 1, upgrade: '' };

interface Regression extends Omit<Case, 'bytes'> {
  name: string;
  text: string;
  /** What it leads to now. */
  leadsTo: 'refused' | 'relayed' | 'truncated' | 'tunnel' | 'forwarded';
}

const REGRESSIONS: readonly Regression[] = [
  {
    name: '`CONNECT *` is not the question `OPTIONS *` is: a 200 would promise a tunnel (RFC 9112 3.2)',
    asked: null,
    text: 'CONNECT * HTTP/1.1\r\nHost:\r\n\r\n',
    leadsTo: 'refused',
  },
  {
    name: 'a 101 without `Connection: upgrade` is no switch of protocols (RFC 9110 7.8)',
    asked: { ...GET, upgrade: 'websocket' },
    text: 'HTTP/1.1 101\r\nUpgrade:websocket\r\n\r\n',
    leadsTo: 'refused',
  },
  {
    name: 'a Connection line in the trailers of an answer is refused: llhttp would obey it',
    asked: GET,
    text: 'HTTP/1.1 200\r\nTransfer-Encoding:chunked\r\n\r\n0\r\nConnection:close\r\n\r\n',
    leadsTo: 'truncated',
  },
  {
    name: 'a Connection line in the trailers of a request is refused, and no request behind it is read',
    asked: null,
    text:
      'PUT / HTTP/1.1\r\nHost:\r\nTransfer-Encoding:chunked\r\n\r\n0\r\nConnection:close\r\n\r\n' +
      'GET / HTTP/1.1\r\nHost:\r\n\r\n',
    leadsTo: 'refused',
  },
];

for (const { name, asked, text, leadsTo } of REGRESSIONS) {
  it(name, () => {
    const bytes = Buffer.from(text, 'latin1');
    expect(judgeEverywhere({ bytes, asked })).toBeNull();
    expect(asked === null ? fateOf(bytes) : runAnswer(bytes, asked).outcome).toBe(leadsTo);
  });
}

function fateOf(bytes: Buffer): string {
  const { requests, rejected } = runRequests(bytes);
  return rejected > 0 && requests.every(({ isComplete }) => !isComplete) ? 'refused' : 'forwarded';
}
