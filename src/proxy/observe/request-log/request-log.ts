// The request log (QP-127 to QP-138): one line to stdout per request after it ended. The template
// is compiled once; one that does not parse means there is no log. Hot: `log` runs once per
// request.

import type { LineSink } from '../../../telemetry/line-output.ts';
import type { Logger } from '../../../telemetry/logger.ts';
import type { Exchange } from '../../types.ts';
import { type CompiledTemplate, compileTemplate } from './compiler.ts';
import { LogEntry, type LogRevision } from './entry.ts';
import { TemplateError } from './lexer.ts';
import { formatDouble, TEMPLATE_FAILURE } from './values.ts';

const DEFAULT_HEAD =
  '{"httpRequest": {"requestMethod": "{{.Request.Method}}", ' +
  '"requestUrl": "{{js .Request.RequestURI}}", ' +
  '"requestSize": "{{.Request.ContentLength}}", ' +
  '"status": {{.Response.Code}}, "responseSize": "{{.Response.Size}}", ' +
  '"userAgent": "{{js .Request.UserAgent}}", "remoteIp": "{{js .Request.RemoteAddr}}", ' +
  '"serverIp": "{{.Revision.PodIP}}", "referer": "{{js .Request.Referer}}", ' +
  '"latency": "{{.Response.Latency}}s", "protocol": "{{.Request.Proto}}"}, ';
/** QP-138. */
export const DEFAULT_LOG_TEMPLATE = `${DEFAULT_HEAD}"traceId": "{{.TraceID}}"}`;
/** Its form up to 1.20, which clusters may still carry. */
const EARLIER_DEFAULT = `${DEFAULT_HEAD}"traceId": "{{index .Request.Header "X-B3-Traceid"}}"}`;

export interface RequestLogOptions {
  readonly template: string;
  /** Log probes too (QP-128). */
  readonly logsProbes: boolean;
  readonly revision: LogRevision;
}

export class RequestLog {
  readonly logsProbes: boolean;
  readonly #template: CompiledTemplate;
  readonly #entry: LogEntry;
  readonly #output: LineSink;

  private constructor(
    template: CompiledTemplate,
    { logsProbes, revision }: RequestLogOptions,
    output: LineSink,
  ) {
    this.logsProbes = logsProbes;
    this.#template = template;
    this.#entry = new LogEntry(revision);
    this.#output = output;
  }

  /** Null, and one line in the process log, when the template does not parse (QP-127). */
  static create(options: RequestLogOptions, output: LineSink, logger: Logger): RequestLog | null {
    const { template } = options;
    if (template === '') return null;
    // Both defaults promise JSON; a template of one's own gets exactly Go's `js`.
    const isJson = template.trim() === DEFAULT_LOG_TEMPLATE || template.trim() === EARLIER_DEFAULT;
    const text = template.endsWith('\n') ? template : `${template}\n`;
    try {
      return new RequestLog(compileTemplate(text, isJson), options, output);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      logger.error(
        { error: error.message },
        'Error setting up request logger. Request logs will be unavailable.',
      );
      return null;
    }
  }

  /** As `log`, for a request of that revision. */
  logOf(
    revision: LogRevision,
    exchange: Exchange,
    status: number,
    size: number,
    latencyMs: number,
  ): void {
    this.#entry.revision = revision;
    this.log(exchange, status, size, latencyMs);
  }

  /** Call while the exchange still answers for its headers: before or in its `onEnd`. */
  log(exchange: Exchange, status: number, size: number, latencyMs: number): void {
    const entry = this.#entry;
    entry.exchange = exchange;
    entry.status = status;
    entry.size = size;
    entry.latencySeconds = toSeconds(latencyMs);
    let line: string;
    try {
      line = this.#template(entry);
    } catch (error) {
      if (error !== TEMPLATE_FAILURE) throw error;
      line = failureLine(entry);
    }
    this.#output.write(line);
  }
}

/** Nanoseconds are what a clock knows; more digits would be noise in every line. */
function toSeconds(ms: number): number {
  return Math.round(ms * 1e6) / 1e9;
}

/** QP-132. */
function failureLine({ exchange, status, latencySeconds }: LogEntry): string {
  const latency = formatDouble(latencySeconds);
  return (
    `Invalid request log template: method: ${exchange.method}, response code: ${status}, ` +
    `latency: ${latency}, url: ${exchange.target}\n`
  );
}
