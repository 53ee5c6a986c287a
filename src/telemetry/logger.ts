// The only home of pino. Every other module takes a Logger, so tests can pass a silent or a
// collecting one. Messages are constant, variable parts are fields; values under secret-looking
// names are redacted here, once, for everybody.

import { pino } from 'pino';

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
  options: { level?: LogLevel; sink?: LogSink } = {},
): Logger {
  const instance = pino(
    {
      level: options.level ?? 'info',
      base: { logger: name },
      messageKey: 'message',
      timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ severity: label.toUpperCase() }) },
      redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
      serializers: { error: pino.stdSerializers.err },
    },
    options.sink ?? pino.destination({ dest: 1, sync: true }),
  );
  return adapt(instance);
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

function adapt(instance: pino.Logger): Logger {
  return {
    debug: (fields, message) => instance.debug(fields, message),
    info: (fields, message) => instance.info(fields, message),
    warn: (fields, message) => instance.warn(fields, message),
    error: (fields, message) => instance.error(fields, message),
    isDebugEnabled: () => instance.isLevelEnabled('debug'),
    child: (fields) => adapt(instance.child(fields)),
  };
}
