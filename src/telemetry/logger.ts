// The only home of pino. Every other module takes a Logger, so tests can pass a silent or a
// collecting one. Messages are constant, variable parts are fields; values under secret-looking
// names are redacted here, once, for everybody. Pino is set up when the first line is due, because
// it takes a tenth of a sidecar's time to listening and a sidecar may have nothing to say until
// then.

import { pino } from 'pino';
import { callerOf, formatLogTime, type LogFormat } from './log-format.ts';

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** True when `debug` would print; check it before building expensive fields. */
  isDebugEnabled(): boolean;
  child(fields: object): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogSink {
  write(line: string): void;
}

const REDACTED_PATHS = [
  'token',
  'authorization',
  'password',
  'secret',
  '*.token',
  '*.authorization',
  '*.password',
];

/**
 * One JSON line per entry: `severity`, `timestamp` (RFC 3339), `logger`, `message`, then the
 * fields.
 */
export function createLogger(
  name: string,
  options: { level?: LogLevel; sink?: LogSink; format?: LogFormat } = {},
): Logger {
  const level = options.level ?? 'info';
  return new PinoLogger(SEVERITIES.indexOf(level), () =>
    pino(
      {
        level,
        base: { logger: name },
        messageKey: 'message',
        timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
        formatters: { level: (label) => ({ severity: label.toUpperCase() }) },
        redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
        serializers: { error: pino.stdSerializers.err },
        ...(options.format === undefined ? {} : formatOptions(name, options.format)),
      },
      options.sink ?? pino.destination({ dest: 1, sync: true }),
    ),
  );
}

/** What a format of one's own changes (QP-165). */
function formatOptions(name: string, format: LogFormat): pino.LoggerOptions {
  const { levelKey, timeKey, nameKey, callerKey, messageKey, isLowerCase, timeEncoder } = format;
  const caller = () => ({ [callerKey]: callerOf(new Error().stack ?? '') });
  return {
    messageKey,
    base: nameKey === '' ? {} : { [nameKey]: name },
    timestamp: timeKey !== '' && (() => `,"${timeKey}":${formatLogTime(Date.now(), timeEncoder)}`),
    formatters: {
      level: (label) =>
        levelKey === '' ? {} : { [levelKey]: isLowerCase ? label : label.toUpperCase() },
    },
    ...(callerKey === '' ? {} : { mixin: caller }),
  };
}

/** Discards everything. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  isDebugEnabled: () => false,
  child: () => silentLogger,
};

/** From least to most severe; a level prints what stands at its place and after. */
const SEVERITIES: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

class PinoLogger implements Logger {
  /** Index in SEVERITIES. */
  readonly #least: number;
  readonly #create: () => pino.Logger;
  #created: pino.Logger | null = null;

  constructor(least: number, create: () => pino.Logger) {
    this.#least = least;
    this.#create = create;
  }

  debug(fields: object, message: string): void {
    if (this.#least <= 0) this.#instance().debug(fields, message);
  }

  info(fields: object, message: string): void {
    if (this.#least <= 1) this.#instance().info(fields, message);
  }

  warn(fields: object, message: string): void {
    if (this.#least <= 2) this.#instance().warn(fields, message);
  }

  error(fields: object, message: string): void {
    if (this.#least <= 3) this.#instance().error(fields, message);
  }

  isDebugEnabled(): boolean {
    return this.#least <= 0;
  }

  child(fields: object): Logger {
    return new PinoLogger(this.#least, () => this.#instance().child(fields));
  }

  #instance(): pino.Logger {
    this.#created ??= this.#create();
    return this.#created;
  }
}
