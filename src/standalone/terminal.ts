// What `pilotlight up` shows. Three ways to say the same things: colours and one live status line
// on a terminal, plain lines when piped, JSON lines with `--log-format json`. Children print JSON
// lines; with JSON they pass through, otherwise only what a person needs is shown: warnings and
// errors. Imports nothing heavy, because it lives in the root process.

import type { Clock } from '../clock/clock.ts';

export type LogFormat = 'auto' | 'plain' | 'json';
export type Severity = 'INFO' | 'WARN' | 'ERROR';

export interface TerminalOptions {
  format: LogFormat;
  /** Where to write; `isTTY` decides what `auto` means. */
  output: { write(text: string): unknown; isTTY?: boolean };
  clock: Clock;
}

const COLOURS = { INFO: '36', WARN: '33', ERROR: '31' } as const;
const CLEAR_LINE = '\r\u001b[2K';

export class Terminal {
  readonly #options: TerminalOptions;
  readonly #mode: 'tty' | 'plain' | 'json';
  #status = '';

  constructor(options: TerminalOptions) {
    this.#options = options;
    const { format, output } = options;
    this.#mode = format === 'auto' ? (output.isTTY === true ? 'tty' : 'plain') : format;
  }

  /** `message` is constant, `fields` vary; `text` is what people read. */
  say(severity: Severity, message: string, fields: object, text: string): void {
    if (this.#mode === 'json') {
      const timestamp = new Date(this.#options.clock.nowMs()).toISOString();
      this.#print(JSON.stringify({ severity, logger: 'up', timestamp, message, ...fields }));
    } else {
      this.#print(this.#decorate(severity, text));
    }
  }

  /** A block people copy from; not shown with JSON, where the fields of `say` hold the same. */
  block(lines: readonly string[]): void {
    if (this.#mode !== 'json') for (const line of lines) this.#print(line);
  }

  /** What is being waited for; replaced by the next one, shown on a terminal only. */
  status(text: string): void {
    this.#status = text;
    if (this.#mode === 'tty') this.#options.output.write(`${CLEAR_LINE}${this.#statusLine()}`);
  }

  /** One line a child process printed. */
  childLine(child: string, line: string): void {
    if (this.#mode === 'json') {
      const isObject = line.startsWith('{') && line.endsWith('}');
      this.#print(
        isObject ? line : JSON.stringify({ severity: 'INFO', logger: child, message: line }),
      );
      return;
    }
    const entry = parseEntry(line);
    if (entry === null) this.#print(`${child}: ${line}`);
    else if (entry.severity === 'WARN' || entry.severity === 'ERROR') {
      this.#print(this.#decorate(entry.severity, entry.text));
    }
  }

  #decorate(severity: Severity, text: string): string {
    if (this.#mode !== 'tty')
      return severity === 'INFO' ? text : `${severity.toLowerCase()}: ${text}`;
    const mark = severity === 'INFO' ? '●' : severity === 'WARN' ? '▲' : '✖';
    return `\u001b[${COLOURS[severity]}m${mark}\u001b[0m ${text}`;
  }

  #statusLine(): string {
    return this.#status === '' ? '' : `\u001b[2m… ${this.#status}\u001b[0m`;
  }

  #print(line: string): void {
    const { output } = this.#options;
    if (this.#mode === 'tty') output.write(`${CLEAR_LINE}${line}\n${this.#statusLine()}`);
    else output.write(`${line}\n`);
  }
}

export interface ChildEntry {
  severity: string;
  message: string;
  /** Logger, message and fields on one line. */
  text: string;
  fields: Readonly<Record<string, unknown>>;
}

/** Null for a line that is no log entry of ours (a stack trace, a native abort). */
export function parseEntry(line: string): ChildEntry | null {
  if (!line.startsWith('{')) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const { severity, logger, message, timestamp, ...fields } = parsed as Record<string, unknown>;
  if (typeof severity !== 'string' || typeof message !== 'string') return null;
  const details = Object.entries(fields).map(([key, value]) => `${key}=${plain(value)}`);
  const text = [`${String(logger)}: ${message}`, ...details].join(' ');
  return { severity, message, text, fields };
}

function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  // Of an error people want the sentence, not the stack.
  if (typeof value === 'object' && value !== null && 'message' in value)
    return String(value.message);
  return JSON.stringify(value);
}
