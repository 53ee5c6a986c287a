// config-logging (CP-113). The logger configuration itself is opaque to us and handed to sidecars
// as it is; only the levels are understood.

import { type ConfigMapData, ConfigReader, type ParsedConfig } from './reader.ts';

export interface LoggingConfig {
  /** JSON text, passed on verbatim. */
  readonly loggerConfig: string;
  /** Component -> level word. */
  readonly levels: Readonly<Record<string, string>>;
}

const LEVELS = new Set(['debug', 'info', 'warn', 'error', 'dpanic', 'panic', 'fatal']);
const LEVEL_PREFIX = 'loglevel.';

export function parseLoggingConfig(data?: ConfigMapData): ParsedConfig<LoggingConfig> {
  const reader = new ConfigReader(data);
  const levels: Record<string, string> = {};
  for (const key of Object.keys(data ?? {})) {
    if (!key.startsWith(LEVEL_PREFIX)) continue;
    const level = reader.text('', key);
    if (level === '') continue;
    if (LEVELS.has(level.toLowerCase())) levels[key.slice(LEVEL_PREFIX.length)] = level;
    else reader.problem(`invalid logging level: ${level}`);
  }
  return reader.finish({
    loggerConfig: data?.['zap-logger-config'] ?? '',
    levels: Object.freeze(levels),
  });
}
