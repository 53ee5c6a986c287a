// A logger whose level can change while the process runs (ACT-9), and with it that of every child.
// A level that is off costs one comparison. Cold but for that.

import { createLogger, type Logger, type LogLevel } from './logger.ts';

const SEVERITIES: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** Shared by a logger and its children. */
interface Threshold {
  /** Index in SEVERITIES. */
  least: number;
}

export class LiveLogger implements Logger {
  readonly #inner: Logger;
  readonly #threshold: Threshold;

  private constructor(inner: Logger, threshold: Threshold) {
    this.#inner = inner;
    this.#threshold = threshold;
  }

  /** `inner` gets what the level lets through; default: JSON lines on stdout. */
  static create(name: string, inner: Logger = createLogger(name, { level: 'debug' })): LiveLogger {
    return new LiveLogger(inner, { least: SEVERITIES.indexOf('info') });
  }

  setLevel(level: LogLevel): void {
    this.#threshold.least = SEVERITIES.indexOf(level);
  }

  debug(fields: object, message: string): void {
    if (this.#threshold.least <= 0) this.#inner.debug(fields, message);
  }

  info(fields: object, message: string): void {
    if (this.#threshold.least <= 1) this.#inner.info(fields, message);
  }

  warn(fields: object, message: string): void {
    if (this.#threshold.least <= 2) this.#inner.warn(fields, message);
  }

  error(fields: object, message: string): void {
    if (this.#threshold.least <= 3) this.#inner.error(fields, message);
  }

  isDebugEnabled(): boolean {
    return this.#threshold.least <= 0;
  }

  child(fields: object): Logger {
    return new LiveLogger(this.#inner.child(fields), this.#threshold);
  }
}
