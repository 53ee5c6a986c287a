// The shape of the process log (QP-165): keys as Knative ships them, or as its configuration says.

import { describe, expect, it } from 'vitest';
import { callerOf, DEFAULT_LOG_FORMAT, formatLogTime, parseLogFormat } from './log-format.ts';
import { createLogger } from './logger.ts';

function logged(config: string): Record<string, unknown> {
  const lines: string[] = [];
  const logger = createLogger('queueproxy', {
    format: parseLogFormat(config),
    sink: { write: (line) => lines.push(line) },
  });
  logger.child({ 'knative.dev/pod': 'pod-1' }).info({ count: 1 }, 'Starting queue-proxy');
  return JSON.parse(lines[0]!) as Record<string, unknown>;
}

describe('process log', () => {
  it('QP-165: the fields Knative ships, and who logged', () => {
    const line = logged('');
    expect(line).toMatchObject({
      severity: 'INFO',
      logger: 'queueproxy',
      message: 'Starting queue-proxy',
      'knative.dev/pod': 'pod-1',
      count: 1,
    });
    expect(line.timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(line.caller).toMatch(/^telemetry\/log-format\.test\.ts:\d+$|^.*:\d+$/);
  });

  it('QP-165: keys and encoders come from zap’s configuration', () => {
    const encoderConfig = {
      levelKey: 'level',
      timeKey: 'ts',
      nameKey: '',
      callerKey: '',
      messageKey: 'msg',
      levelEncoder: 'lowercase',
      timeEncoder: 'epoch',
    };
    const line = logged(JSON.stringify({ level: 'info', encoderConfig }));
    expect(line).toMatchObject({ level: 'info', msg: 'Starting queue-proxy' });
    expect(typeof line.ts).toBe('number');
    expect(line).not.toHaveProperty('logger');
    expect(line).not.toHaveProperty('caller');
  });

  it('QP-165: a configuration that is no JSON leaves everything as shipped', () => {
    expect(parseLogFormat('{')).toEqual(DEFAULT_LOG_FORMAT);
    expect(parseLogFormat('{"encoderConfig":null}')).toEqual(DEFAULT_LOG_FORMAT);
  });

  it.each([
    ['iso8601', '"2023-11-14T22:13:20.123Z"'],
    ['rfc3339', '"2023-11-14T22:13:20Z"'],
    ['epoch', '1700000000.123'],
    ['millis', '1700000000123'],
    ['nanos', '1700000000123000000'],
  ])('time as %s is %s', (encoder, expected) => {
    expect(formatLogTime(1_700_000_000_123, encoder)).toBe(expected);
  });

  it('the caller is the first frame outside the logger', () => {
    const stack = [
      'Error',
      '    at mixin (file:///app/dist/telemetry/logger.js:3:1)',
      '    at LOG (/app/node_modules/pino/lib/tools.js:9:9)',
      '    at QueueProxy.start (file:///app/dist/queueproxy/queue-proxy.js:120:18)',
    ].join('\n');
    expect(callerOf(stack)).toBe('queueproxy/queue-proxy.js:120');
    expect(callerOf('Error')).toBe('');
  });
});
