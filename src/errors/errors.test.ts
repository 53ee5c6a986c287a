// The table and docs/errors.md list the same errors, and each answer has the shape its row says.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Answerable, answerError, answerErrorText } from './answer.ts';
import { ERRORS, type ErrorRow } from './errors.ts';

const rows: ErrorRow[] = Object.values(ERRORS);

class Answer implements Answerable {
  seen: [number, string, string] | null = null;
  respond(status: number, headers: string, body: string): void {
    this.seen = [status, headers, body];
  }
}

describe('error table', () => {
  it('agrees with docs/errors.md in every column', () => {
    const document = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    const documented = document.split('\n').filter((line) => line.startsWith('| `KN_'));
    const expected = rows.map((row) => {
      const message = row.message === '' ? '' : `\`${row.message}\` `;
      const retryable = row.retryable ? 'yes' : 'no';
      return `| \`${row.code}\` | ${row.status} | ${row.source} | ${retryable} | ${row.body} | ${message}|`;
    });
    expect(documented).toEqual(expected);
  });

  it('has no code twice', () => {
    expect(new Set(rows.map((row) => row.code)).size).toBe(rows.length);
  });

  it('a plain error is message plus newline, without sniffing', () => {
    const answer = new Answer();
    answerError(answer, ERRORS.QUEUE_FULL);
    expect(answer.seen).toEqual([
      503,
      'Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n',
      'pending request queue full\n',
    ]);
  });

  it('QP-49: a timeout is the bare text', () => {
    const answer = new Answer();
    answerError(answer, ERRORS.REQUEST_TIMEOUT);
    expect(answer.seen).toEqual([
      504,
      'Content-Type: text/plain; charset=utf-8\r\n',
      'request timeout',
    ]);
  });

  it('QP-21: not ready has neither body nor content type', () => {
    const answer = new Answer();
    answerError(answer, ERRORS.NOT_READY);
    expect(answer.seen).toEqual([503, '', '']);
  });

  it('a text of its own replaces the message', () => {
    const answer = new Answer();
    answerErrorText(answer, ERRORS.UPSTREAM_REFUSED, 'dial tcp 127.0.0.1:1: refused');
    expect(answer.seen?.[2]).toBe('dial tcp 127.0.0.1:1: refused\n');
  });
});
