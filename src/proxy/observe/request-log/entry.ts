// What a request log template sees of one finished request (QP-129, QP-133). One object per log,
// refilled for every line; nothing is copied out of the exchange before a template asks for it.
// Hot: the readers of ROOT_TEXTS are the steps of compiled templates.

import type { Exchange } from '../../types.ts';
import { formatDouble, GoFloat, GoMap, type GoRecord, type Value } from './values.ts';

/** Constant parts of every line. */
export interface LogRevision {
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly configuration: string;
  readonly podName: string;
  readonly podIp: string;
}

export class LogEntry implements GoRecord {
  /** Only set while a line is made. */
  exchange!: Exchange;
  status = 0;
  size = 0;
  latencySeconds = Number.NaN;
  /** The same for all lines of a sidecar; of each line's revision in the activator. */
  revision: LogRevision;
  readonly #request: GoRecord = {
    member: (name, args) => requestMember(this, name, args),
    text: () => null,
  };
  readonly #response: GoRecord = {
    member: (name) => responseMember(this, name),
    text: () => `{${this.status} ${this.size} ${formatDouble(this.latencySeconds)}}`,
  };
  readonly #revisionRecord: GoRecord;

  constructor(revision: LogRevision) {
    this.revision = revision;
    this.#revisionRecord = {
      member: (name) => REVISION_TEXTS.get(name)?.(this),
      text: () => `{${[...REVISION_TEXTS.values()].map((read) => read(this)).join(' ')}}`,
    };
  }

  member(name: string): Value | undefined {
    if (name === 'Request') return this.#request;
    if (name === 'Response') return this.#response;
    if (name === 'Revision') return this.#revisionRecord;
    return name === 'TraceID' ? traceId(this) : undefined;
  }

  text(): null {
    return null;
  }
}

export type TextReader = (entry: LogEntry) => string;

const PROTOCOLS: Readonly<Record<number, string>> = {
  10: 'HTTP/1.0',
  11: 'HTTP/1.1',
  20: 'HTTP/2.0',
};

function peer({ exchange }: LogEntry): string {
  const address = exchange.remoteAddress;
  const host = address.includes(':') ? `[${address}]` : address;
  return `${host}:${exchange.remotePort}`;
}

/** QP-133: as the client sent it, not as tracing may have replaced it. */
function traceId({ exchange }: LogEntry): string {
  const parent = exchange.header('traceparent');
  if (parent === '') return exchange.header('x-b3-traceid');
  const start = parent.indexOf('-') + 1;
  if (start === 0) return exchange.header('x-b3-traceid');
  const end = parent.indexOf('-', start);
  return end < 0 ? parent.slice(start) : parent.slice(start, end);
}

const REQUEST_TEXTS = new Map<string, TextReader>([
  ['Method', (entry) => entry.exchange.method],
  ['URL', (entry) => entry.exchange.target],
  ['RequestURI', (entry) => entry.exchange.target],
  ['Proto', (entry) => PROTOCOLS[entry.exchange.httpVersion] ?? ''],
  ['Host', (entry) => entry.exchange.host],
  ['RemoteAddr', peer],
  ['UserAgent', (entry) => entry.exchange.header('user-agent')],
  ['Referer', (entry) => entry.exchange.header('referer')],
]);

const REVISION_TEXTS = new Map<string, TextReader>([
  ['Name', (entry) => entry.revision.name],
  ['Namespace', (entry) => entry.revision.namespace],
  ['Service', (entry) => entry.revision.service],
  ['Configuration', (entry) => entry.revision.configuration],
  ['PodName', (entry) => entry.revision.podName],
  ['PodIP', (entry) => entry.revision.podIp],
]);

/** Fields of the root by path: what prints without becoming a value first. */
export const ROOT_TEXTS: ReadonlyMap<string, TextReader> = new Map<string, TextReader>([
  ...[...REQUEST_TEXTS].map(([name, read]) => [`Request.${name}`, read] as const),
  ...[...REVISION_TEXTS].map(([name, read]) => [`Revision.${name}`, read] as const),
  ['Request.ContentLength', (entry) => String(entry.exchange.contentLength)],
  ['Response.Code', (entry) => String(entry.status)],
  ['Response.Size', (entry) => String(entry.size)],
  ['Response.Latency', (entry) => formatDouble(entry.latencySeconds)],
  ['TraceID', traceId],
]);

function requestMember(entry: LogEntry, name: string, args: readonly Value[]): Value | undefined {
  const { exchange } = entry;
  const isMethod = name === 'UserAgent' || name === 'Referer';
  if (args.length > 0 && !isMethod) return undefined;
  switch (name) {
    case 'URL':
      return urlRecord(exchange.target);
    case 'ContentLength':
      return exchange.contentLength;
    case 'ProtoMajor':
      return Math.floor(exchange.httpVersion / 10);
    case 'ProtoMinor':
      return exchange.httpVersion % 10;
    case 'Header':
      return headerMap(exchange);
    default:
      return REQUEST_TEXTS.get(name)?.(entry);
  }
}

function responseMember(entry: LogEntry, name: string): Value | undefined {
  if (name === 'Code') return entry.status;
  if (name === 'Size') return entry.size;
  return name === 'Latency' ? new GoFloat(entry.latencySeconds) : undefined;
}

/** The parts of a url.URL that a request target has. */
function urlRecord(target: string): GoRecord {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return {
    text: () => target,
    member(name) {
      if (name === 'Path' || name === 'EscapedPath') {
        return name === 'Path' ? unescapePath(path) : path;
      }
      if (name === 'RawQuery') return mark < 0 ? '' : target.slice(mark + 1);
      if (name === 'String' || name === 'RequestURI') return target;
      return /^(Scheme|Host|Fragment|Opaque|RawPath|Hostname|Port)$/.test(name) ? '' : undefined;
    },
  };
}

function unescapePath(path: string): string {
  return path.replace(/%([\da-fA-F]{2})/g, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/** Canonical names, values in order. Host is no header in Go. */
function headerMap(exchange: Exchange): GoRecord & GoMap {
  const entries = new Map<string, string[]>();
  for (const [name, value] of exchange.headers()) {
    const key = canonicalName(name);
    if (key === 'Host') continue;
    const values = entries.get(key);
    if (values === undefined) entries.set(key, [value]);
    else values.push(value);
  }
  return new HeaderMap(entries);
}

/** A map with the methods of http.Header; a field of it is a key. */
class HeaderMap extends GoMap implements GoRecord {
  member(name: string, args: readonly Value[]): Value | undefined {
    const [key] = args;
    if (name !== 'Get' && name !== 'Values') return this.entries.get(name) ?? [];
    if (args.length !== 1 || typeof key !== 'string') return undefined;
    const values = this.entries.get(canonicalName(key)) ?? [];
    return name === 'Values' ? values : (values[0] ?? '');
  }

  text(): null {
    return null;
  }
}

/** `x-b3-traceid` -> `X-B3-Traceid`. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
