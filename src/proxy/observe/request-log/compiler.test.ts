// Templates against what Go's text/template made of them: testdata/go-templates.json was written by
// Go 1.26 from the same request (QP-129 to QP-131). `parse` and `run` say when Go refused.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ScriptedExchange } from '../../testing/scripted-exchange.ts';
import type { Outcome } from '../../types.ts';
import { compileTemplate } from './compiler.ts';
import { LogEntry } from './entry.ts';
import { TemplateError } from './lexer.ts';
import { TEMPLATE_FAILURE } from './values.ts';

interface Row {
  template: string;
  output: string | null;
  error?: 'parse' | 'run';
}

const rows = JSON.parse(
  readFileSync(new URL('testdata/go-templates.json', import.meta.url), 'utf8'),
) as Row[];

const bytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
const handler = {
  onRequest: () => undefined,
  onResponseHead: () => undefined,
  onResponseBytes: () => undefined,
  onUpstreamFailure: () => undefined,
  onEnd: (_exchange: unknown, _outcome: Outcome) => undefined,
};

function entryFor(headers: Record<string, string | string[]>, target = '/'): LogEntry {
  const exchange = new ScriptedExchange(handler, { method: 'POST', target, headers });
  Object.assign(exchange, { contentLength: 5 });
  const entry = new LogEntry({
    name: 'hello-00001',
    namespace: 'default',
    service: 'hello',
    configuration: 'hello',
    podName: 'pod-1',
    podIp: '10.1.2.3',
  });
  Object.assign(entry, { exchange, status: 200, size: 13, latencySeconds: 4.009e-5 });
  return entry;
}

const golden = entryFor(
  {
    host: 'hello.example.com',
    'user-agent': bytes('it\'s "me" é'),
    referer: 'http://r/?a=b',
    'x-multi': ['one', 'two'],
    'x-b3-traceid': '80f1',
    traceparent: '00-4bf92f-x-01',
    'content-length': '5',
  },
  `/a%2Fb/c?x='1'&y=<2>"`,
);

function execute(template: string): string | 'parse' | 'run' {
  try {
    return compileTemplate(template)(golden);
  } catch (error) {
    if (error instanceof TemplateError) return 'parse';
    if (error === TEMPLATE_FAILURE) return 'run';
    throw error;
  }
}

/** The one header the Go program had no use for. */
const withoutParent = (text: string) => text.replace(/ ?Traceparent[:=](\[[^\]]*\]|[^;]*;)/g, '');

describe('request log templates', () => {
  for (const { template, output, error } of rows) {
    it(`QP-129: ${JSON.stringify(template).slice(0, 90)} is what Go makes of it`, () => {
      const made = execute(template);
      const isLength = template.startsWith('{{len .Request.Header}}');
      if (isLength) expect(made).toBe('6 4');
      else expect(withoutParent(made)).toBe(error ?? bytes(output ?? ''));
    });
  }

  it('QP-130: the default template gets an apostrophe JSON can read', () => {
    const line = compileTemplate('{"a": "{{js .Request.UserAgent}}"}', true)(golden);
    expect(JSON.parse(Buffer.from(line, 'latin1').toString())).toEqual({ a: 'it\'s "me" é' });
  });

  it('QP-133: the trace id is the second part of traceparent, else X-B3-Traceid', () => {
    const id = (headers: Record<string, string>) =>
      compileTemplate('{{.TraceID}}')(entryFor(headers));
    const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(id({ traceparent: parent })).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
    expect(id({ traceparent: parent, 'x-b3-traceid': '80f1' })).toMatch(/^4bf9/);
    expect(id({ 'x-b3-traceid': '463ac35c9f6413ad' })).toBe('463ac35c9f6413ad');
    expect(id({ traceparent: 'invalid' })).toBe('');
    expect(id({ traceparent: '00' })).toBe('');
  });

  it('a template nested too deeply does not parse', () => {
    const depth = 200;
    expect(execute(`${'{{if true}}'.repeat(depth)}x${'{{end}}'.repeat(depth)}`)).toBe('parse');
  });
});
