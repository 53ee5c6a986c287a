// llhttp, as node:http runs it, over in-memory streams: the other reader in the differential tests.
// What it says about a byte sequence is taken as one more opinion, not as the truth.

import {
  request as clientRequest,
  createServer,
  type IncomingMessage,
  type RequestListener,
} from 'node:http';
import { Duplex } from 'node:stream';

export interface SeenRequest {
  method: string;
  target: string;
  /** Name and value, in order. */
  headers: string[];
  body: string;
  trailers: string[];
}

export interface RequestOpinion {
  requests: SeenRequest[];
  /** Parser error code, or null while the bytes could go on. */
  error: string | null;
}

export interface SeenResponse {
  status: number;
  headers: string[];
  body: string;
  trailers: string[];
  /** False when the connection ended before the message did. */
  isComplete: boolean;
}

export interface ResponseOpinion {
  interim: number[];
  response: SeenResponse | null;
  error: string | null;
}

class MemoryStream extends Duplex {
  override _read(): void {
    // Bytes are pushed by the test.
  }

  override _write(_chunk: unknown, _encoding: string, callback: () => void): void {
    callback();
  }

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    this.destroy();
  }
}

const TURNS_UNTIL_QUIET = 4;

async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS_UNTIL_QUIET; turn += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function collect(message: IncomingMessage, onEnd: (body: string) => void): void {
  let body = '';
  message.setEncoding('latin1');
  message.on('data', (text: string) => {
    body += text;
  });
  message.on('error', () => undefined);
  message.on('end', () => onEnd(body));
}

/** What llhttp reads from `bytes` as a server that never sees the connection end. */
export async function readRequests(bytes: Buffer): Promise<RequestOpinion> {
  const opinion: RequestOpinion = { requests: [], error: null };
  const server = createServer({ keepAliveTimeout: 0 });
  const onRequest: RequestListener = (request, response) => {
    collect(request, (body) => {
      opinion.requests.push({
        method: request.method ?? '',
        target: request.url ?? '',
        headers: request.rawHeaders,
        body,
        trailers: request.rawTrailers,
      });
      response.end();
    });
  };
  server.on('request', onRequest);
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  // The stream stays open: requests before the broken one are still being read out.
  server.on('clientError', (error: NodeJS.ErrnoException) => {
    opinion.error ??= error.code ?? 'unknown';
  });
  const stream = new MemoryStream();
  server.emit('connection', stream);
  stream.push(bytes);
  await settle();
  stream.destroy();
  return opinion;
}

/** What llhttp reads from `bytes`, then the end of the connection, as the client of one request. */
export async function readResponse(bytes: Buffer, method: string): Promise<ResponseOpinion> {
  const opinion: ResponseOpinion = { interim: [], response: null, error: null };
  const stream = new MemoryStream();
  const request = clientRequest({ method, createConnection: () => stream as never });
  request.on('information', (information) => opinion.interim.push(information.statusCode));
  request.on('error', (error: NodeJS.ErrnoException) => {
    opinion.error = error.code ?? 'unknown';
  });
  request.on('response', (response) => {
    const seen: SeenResponse = {
      status: response.statusCode ?? 0,
      headers: response.rawHeaders,
      body: '',
      trailers: [],
      isComplete: false,
    };
    opinion.response = seen;
    response.setEncoding('latin1');
    response.on('data', (text: string) => {
      seen.body += text;
    });
    response.on('error', (error: NodeJS.ErrnoException) => {
      opinion.error ??= error.code ?? 'unknown';
    });
    response.on('end', () => {
      seen.isComplete = response.complete;
      seen.trailers = response.rawTrailers;
    });
  });
  request.end();
  await settle();
  stream.push(bytes);
  stream.push(null);
  await settle();
  stream.destroy();
  request.destroy();
  return opinion;
}
