// HTTP/2 as RFC 9113 has it, row by row, in raw frames against our server. Rows that fail would be
// listed in docs/engines.md, and have to fail here: a row that begins to hold leaves that list.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RawHttp2 } from '../../../src/proxy/testing/h2-frames.ts';
import { Http2App, Http2Harness } from '../../../src/proxy/testing/h2-harness.ts';
import type { Exchange } from '../../../src/proxy/types.ts';
import { definitionRows } from './definition-rows.ts';
import { frameRows } from './frame-rows.ts';
import { messageRows } from './message-rows.ts';
import { Peer, type Row } from './peer.ts';

const MIN_GREEN_ROWS = 109;
const rows: readonly Row[] = [...frameRows, ...definitionRows, ...messageRows];
const knownFailures = listedFailures();

let harness: Http2Harness;
let app: Http2App;
let raw: RawHttp2;

beforeEach(async () => {
  app = new Http2App(({ stream }) => {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  harness = new Http2Harness();
  await harness.start(await app.listen());
  harness.handler.onRequestHook = answer;
  raw = await RawHttp2.open(harness.port);
});

afterEach(async () => {
  raw.socket.destroy();
  await harness.stop();
  app.close();
});

/** `/hold` stays open, `/echo` goes to an application, everything else is answered at once. */
function answer(exchange: Exchange): void {
  if (exchange.target === '/hold') return;
  if (exchange.target === '/echo') {
    exchange.forward(harness.handler.upstream!, harness.handler.edits);
  } else exchange.respond(200, '', 'ok');
}

/** Ids in the section `HTTP/2` of docs/engines.md. */
function listedFailures(): ReadonlySet<string> {
  const path = fileURLToPath(new URL('../../../docs/engines.md', import.meta.url));
  const section = readFileSync(path, 'utf8')
    .split(/^## /m)
    .find((part) => part.startsWith('HTTP/2'));
  const ids = (section ?? '').matchAll(/^\| ([0-9]\S*) \|/gm);
  return new Set([...ids].map((match) => match[1]!));
}

describe('RFC 9113', () => {
  for (const row of rows) {
    const known = knownFailures.has(row.id);
    it(`${row.id} (${row.level})${known ? ' [known failure]' : ''}: ${row.says}`, async () => {
      const checking = row.check(new Peer(raw, harness.handler), harness.port);
      if (known) await expect(checking).rejects.toThrow();
      else await checking;
    });
  }

  it('has rows with ids of their own, and enough that hold', () => {
    const ids = rows.map((row) => row.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect([...knownFailures].filter((id) => !ids.includes(id))).toEqual([]);
    expect(ids.length - knownFailures.size).toBeGreaterThanOrEqual(MIN_GREEN_ROWS);
  });
});
