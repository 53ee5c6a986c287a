// llhttp as the second reader: its binding (the one node:http uses) fed by hand, without sockets or
// turns of the event loop. What it says about a byte sequence is one more opinion, not the truth.
// Answers to its callbacks are those node:http gives, except that an upgrade nobody wants is read on
// past, as RFC 9110 7.8 has it.

import { METHODS } from 'node:http';
import { createRequire } from 'node:module';
import { readLatin1 } from '../../src/proxy/latin1.ts';

/** node:http's parser object; Node has no public types for it. */
interface Binding {
  initialize(type: number, resource: object, maxHeaderBytes: number, lenient: number): void;
  execute(bytes: Buffer): number | ParseError;
  finish(): ParseError | undefined;
  [callback: number]: unknown;
}

interface ParseError extends Error {
  code: string;
}

interface BindingClass {
  new (): Binding;
  REQUEST: number;
  RESPONSE: number;
  kOnMessageBegin: number;
  kOnHeaders: number;
  kOnHeadersComplete: number;
  kOnBody: number;
  kOnMessageComplete: number;
}

export interface SeenMessage {
  method: string;
  target: string;
  status: number;
  minorVersion: number;
  /** Name and value, in order. */
  headers: string[];
  body: string;
  trailers: string[];
  isUpgrade: boolean;
  keepAlive: boolean;
  isComplete: boolean;
}

export interface Opinion {
  messages: SeenMessage[];
  /** Parser error code, or null while the bytes could go on. */
  error: string | null;
}

const { HTTPParser } = createRequire(import.meta.url)('_http_common') as {
  HTTPParser: BindingClass;
};
const MAX_HEADER_BYTES = 1024 * 1024;
/** What to do about the body, as the callback says it to llhttp. */
const READ_BODY = 0;
const SKIP_BODY = 1;
const TUNNEL = 2;

class Llhttp {
  opinion: Opinion = { messages: [], error: null };
  /** Method of the request an answer is for. */
  requestMethod = '';
  methodNames: string[] = [];
  readonly #type: number;
  readonly #parser: Binding;
  #message: SeenMessage | null = null;
  #hasHead = false;

  constructor(type: number) {
    this.#type = type;
    const parser = new HTTPParser();
    this.#parser = parser;
    parser[HTTPParser.kOnHeaders | 0] = (headers: string[], target: string) => {
      this.#onHeaders(headers, target);
    };
    parser[HTTPParser.kOnHeadersComplete | 0] = (...head: HeadArguments) => this.#onHead(head);
    parser[HTTPParser.kOnBody | 0] = (bytes: Buffer) => {
      this.#message!.body += readLatin1(bytes, 0, bytes.length);
    };
    parser[HTTPParser.kOnMessageBegin | 0] = () => {
      this.#message = null;
      this.#hasHead = false;
    };
    parser[HTTPParser.kOnMessageComplete | 0] = () => {
      this.#message!.isComplete = true;
    };
  }

  start(): void {
    this.opinion = { messages: [], error: null };
    this.#message = null;
    this.#parser.initialize(this.#type, {}, MAX_HEADER_BYTES, 0);
  }

  /** False once nothing more can come: an error, or a tunnel. */
  read(bytes: Buffer): boolean {
    let rest = bytes;
    while (rest.length > 0) {
      const taken = this.#parser.execute(rest);
      if (typeof taken !== 'number') {
        this.opinion.error = taken.code;
        return false;
      }
      // Short only behind a message that asks for another protocol.
      if (taken < rest.length && this.#isTunnel()) return false;
      // Behind an upgrade that also closes, llhttp stands still without a word.
      if (taken === 0) {
        this.opinion.error = 'HPE_CLOSED_CONNECTION';
        return false;
      }
      rest = rest.subarray(taken);
    }
    return true;
  }

  finish(): void {
    const error = this.#parser.finish();
    if (error !== undefined) this.opinion.error = error.code;
  }

  #isTunnel(): boolean {
    const { method, status } = this.#message ?? { method: '', status: 101 };
    return method === 'CONNECT' || status !== 0;
  }

  #current(): SeenMessage {
    this.#message ??= {
      method: '',
      target: '',
      status: 0,
      minorVersion: 0,
      headers: [],
      body: '',
      trailers: [],
      isUpgrade: false,
      keepAlive: false,
      isComplete: false,
    };
    return this.#message;
  }

  /** Called for every 32 lines and for trailers. */
  #onHeaders(headers: string[], target: string): void {
    const message = this.#current();
    (this.#hasHead ? message.trailers : message.headers).push(...headers);
    if (!this.#hasHead) message.target += target;
  }

  #onHead(head: HeadArguments): number {
    const [, minorVersion, headers, method, target, status, , isUpgrade, keepAlive] = head;
    const message = this.#current();
    this.#hasHead = true;
    if (headers !== undefined) message.headers.push(...headers);
    message.minorVersion = minorVersion;
    message.method = method === undefined ? '' : (this.methodNames[method] ?? '');
    message.target += target ?? '';
    message.status = status ?? 0;
    message.isUpgrade = isUpgrade;
    message.keepAlive = keepAlive;
    this.opinion.messages.push(message);
    if (this.#type === HTTPParser.REQUEST) return READ_BODY;
    const isConnected = message.status >= 200 && message.status < 300;
    if (isUpgrade || (this.requestMethod === 'CONNECT' && isConnected)) return TUNNEL;
    return message.status < 200 || this.requestMethod === 'HEAD' ? SKIP_BODY : READ_BODY;
  }
}

type HeadArguments = [
  majorVersion: number,
  minorVersion: number,
  headers: string[] | undefined,
  method: number | undefined,
  target: string | undefined,
  status: number | undefined,
  reason: string | undefined,
  isUpgrade: boolean,
  keepAlive: boolean,
];

const requests = new Llhttp(HTTPParser.REQUEST);
const responses = new Llhttp(HTTPParser.RESPONSE);
requests.methodNames = learnMethodNames();

/** The binding gives methods as numbers and names no table that all Node lines share. */
function learnMethodNames(): string[] {
  const names: string[] = [];
  const parser = new HTTPParser();
  let method = 0;
  parser[HTTPParser.kOnHeadersComplete | 0] = (...head: HeadArguments) => {
    method = head[3] ?? 0;
    return READ_BODY;
  };
  for (const name of METHODS) {
    parser.initialize(HTTPParser.REQUEST, {}, MAX_HEADER_BYTES, 0);
    parser.execute(Buffer.from(`${name} / HTTP/1.1\r\nHost: h\r\n\r\n`));
    names[method] = name;
  }
  return names;
}

/** What llhttp reads from `bytes` as a server that never sees the connection end. */
export function readRequests(bytes: Buffer): Opinion {
  requests.start();
  requests.read(bytes);
  return requests.opinion;
}

/** Where each request in `bytes` begins, empty lines before it included; read byte by byte: slow. */
export function requestStarts(bytes: Buffer): number[] {
  return messageStarts(bytes, HTTPParser.REQUEST);
}

/** The same for answers, interim ones included. */
export function responseStarts(bytes: Buffer): number[] {
  return messageStarts(bytes, HTTPParser.RESPONSE);
}

function messageStarts(bytes: Buffer, type: number): number[] {
  const starts = [0];
  const parser = new HTTPParser();
  let at = 0;
  parser[HTTPParser.kOnMessageComplete | 0] = () => {
    starts.push(at + 1);
  };
  parser[HTTPParser.kOnHeadersComplete | 0] = (...head: HeadArguments) =>
    (head[5] ?? 200) < 200 ? SKIP_BODY : READ_BODY;
  parser.initialize(type, {}, MAX_HEADER_BYTES, 0);
  for (; at < bytes.length; at += 1) {
    if (typeof parser.execute(bytes.subarray(at, at + 1)) !== 'number') break;
  }
  return starts;
}

/** What llhttp reads from `bytes` as the client of one `method` request; then the end, if `ends`. */
export function readResponses(bytes: Buffer, method: string, ends: boolean): Opinion {
  responses.start();
  responses.requestMethod = method;
  if (responses.read(bytes) && ends) responses.finish();
  return responses.opinion;
}
