// How the process log names and writes its standing fields (QP-165): the part of zap's JSON
// configuration that shapes a line. Cold: read once; `callerOf` runs per line, of which there are
// few.

/** Keys of the standing fields; '' leaves a field out. */
export interface LogFormat {
  readonly levelKey: string;
  readonly timeKey: string;
  readonly nameKey: string;
  readonly callerKey: string;
  readonly messageKey: string;
  readonly isLowerCase: boolean;
  /** Name of zap's time encoder. */
  readonly timeEncoder: string;
}

/** What Knative ships. */
export const DEFAULT_LOG_FORMAT: LogFormat = {
  levelKey: 'severity',
  timeKey: 'timestamp',
  nameKey: 'logger',
  callerKey: 'caller',
  messageKey: 'message',
  isLowerCase: false,
  timeEncoder: 'iso8601',
};

/** `config` is zap's JSON; what it does not say, or says wrongly, stays as shipped. */
export function parseLogFormat(config: string): LogFormat {
  const encoder = encoderOf(config);
  const text = (key: string, fallback: string): string => {
    const value = encoder[key];
    return typeof value === 'string' ? value : fallback;
  };
  const base = DEFAULT_LOG_FORMAT;
  return {
    levelKey: text('levelKey', base.levelKey),
    timeKey: text('timeKey', base.timeKey),
    nameKey: text('nameKey', base.nameKey),
    callerKey: text('callerKey', base.callerKey),
    messageKey: text('messageKey', base.messageKey) || base.messageKey,
    isLowerCase: text('levelEncoder', '').startsWith('lower'),
    timeEncoder: text('timeEncoder', base.timeEncoder).toLowerCase() || base.timeEncoder,
  };
}

function encoderOf(config: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(config);
    const encoder = (parsed as { encoderConfig?: unknown } | null)?.encoderConfig;
    return typeof encoder === 'object' && encoder !== null ? { ...encoder } : {};
  } catch {
    return {}; // Empty or broken: the reference falls back to its built-in configuration too.
  }
}

/** JSON text of that moment. */
export function formatLogTime(nowMs: number, encoder: string): string {
  switch (encoder) {
    case 'epoch':
      return String(nowMs / 1000);
    case 'epochmillis':
    case 'millis':
      return String(nowMs);
    case 'epochnanos':
    case 'nanos':
      return `${nowMs}000000`;
    case 'rfc3339':
      return `"${new Date(nowMs).toISOString().replace(/\.\d+/, '')}"`;
    default:
      return `"${new Date(nowMs).toISOString()}"`;
  }
}

const FRAME = /(?:file:\/\/)?([^\s()]+):(\d+):\d+\)?$/;
/** Frames of the logger itself and of what it is built on. */
const NOT_A_CALLER = /[\\/](?:telemetry[\\/]log|node_modules[\\/]pino)|^node:/;

/** `folder/file.js:line` of the first frame of `stack` that is not the logger's own; '' if none. */
export function callerOf(stack: string): string {
  for (const line of stack.split('\n').slice(1)) {
    const [, path = '', number = ''] = FRAME.exec(line) ?? [];
    if (path === '' || NOT_A_CALLER.test(path)) continue;
    return `${path.split(/[\\/]/).slice(-2).join('/')}:${number}`;
  }
  return '';
}
