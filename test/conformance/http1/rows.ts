// The HTTP/1.1 conformance table: our own, from RFC 9110 and RFC 9112, one row per rule that a proxy
// can keep or break. It knows no engine: the tests run it on `net`, docs/engines.md shows `uws`.

import { ANSWER_ROWS } from './answer-rows.ts';
import { CONNECTION_ROWS } from './connection-rows.ts';
import { type ContextOptions, Http1Context } from './context.ts';
import { FIELD_ROWS } from './field-rows.ts';
import { FRAMING_ROWS } from './framing-rows.ts';
import { REQUEST_LINE_ROWS } from './request-line-rows.ts';
import type { Http1Row } from './row.ts';

export const HTTP1_ROWS: readonly Http1Row[] = [
  ...REQUEST_LINE_ROWS,
  ...FIELD_ROWS,
  ...FRAMING_ROWS,
  ...CONNECTION_ROWS,
  ...ANSWER_ROWS,
];

/** Runs one row on a server of its own; throws when the engine does not keep to it. */
export async function runRow(row: Http1Row, options: ContextOptions): Promise<void> {
  const context = new Http1Context(options);
  await context.start();
  try {
    await row.run(context);
  } finally {
    await context.stop();
  }
}
