// Turns a row of the error table into an answer. Nowhere else picks status, content type or
// newline, so a client sees the same shape for the same failure whichever role it met.
// Hot under overload only: heads and bodies without a detail are built once per row.

import type { ErrorRow } from './errors.ts';

/** The part of an exchange an answer needs. */
export interface Answerable {
  respond(status: number, headers: string, body: string): void;
}

const PLAIN_HEADERS =
  'Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n';
/** Head of a text answer that is no error. */
export const TEXT_HEADERS = 'Content-Type: text/plain; charset=utf-8\r\n';

const fixedBodies = new WeakMap<ErrorRow, string>();

/** Answers with the row's own text. `extraHeaders`: whole lines, sent before the content type. */
export function answerError(exchange: Answerable, error: ErrorRow, extraHeaders = ''): void {
  let body = fixedBodies.get(error);
  if (body === undefined) {
    body = bodyOf(error, error.message);
    fixedBodies.set(error, body);
  }
  exchange.respond(error.status, extraHeaders + headersOf(error), body);
}

/** Answers with `text` in place of the row's own, for failures that name what they met. */
export function answerErrorText(exchange: Answerable, error: ErrorRow, text: string): void {
  exchange.respond(error.status, headersOf(error), bodyOf(error, text));
}

function headersOf(error: ErrorRow): string {
  if (error.body === 'plain') return PLAIN_HEADERS;
  return error.body === 'bare' ? TEXT_HEADERS : '';
}

function bodyOf(error: ErrorRow, text: string): string {
  if (error.body === 'plain') return `${text}\n`;
  return error.body === 'bare' ? text : '';
}
