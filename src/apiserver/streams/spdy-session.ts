// The server's end of one SPDY/3.1 connection, as much of it as kubectl uses: streams the client
// opens, data both ways, half-close, reset, ping, go away. It runs over any Duplex: the upgraded
// socket itself, or a WebSocket that tunnels the bytes (KN-233).
// Invariants: frames are handled one after the other; a stream whose reader is slow stops the
// reading of the whole connection, for SPDY as its clients speak it has no window per stream.

import { Duplex } from 'node:stream';
import { HeaderReader, HeaderWriter } from './spdy-headers.ts';

/** Streams of one connection; more are refused. Port forwarding takes two per connection. */
export const MAX_SPDY_STREAMS = 2_000;
/** Largest frame taken; the connection ends beyond it. */
export const MAX_SPDY_FRAME_BYTES = 1024 * 1024;
/** Bytes kept for a slow reader of one stream before the connection is no longer read. */
export const MAX_STREAM_BUFFER_BYTES = 256 * 1024;

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const FLAG_FIN = 1;
const CONTROL_BIT = 0x8000;
const VERSION = 3;
const HEAD_BYTES = 8;
const REFUSED_STREAM = 3;
const CANCEL = 5;
const INVALID_STREAM = 2;
/** A client's SYN_STREAM: two stream numbers, priority and slot before the headers. */
const SYN_FIXED_BYTES = 10;

function controlFrame(type: number, flags: number, ...parts: (number | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'number' ? word(part) : part)));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(CONTROL_BIT | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  head[4] = flags;
  return Buffer.concat([head, body]);
}

function dataFrame(id: number, flags: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(id, 0);
  head.writeUInt32BE(bytes.length, 4);
  head[4] = flags;
  return Buffer.concat([head, bytes]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

const EMPTY = Buffer.alloc(0);

/** One stream a client opened; ends like any Duplex. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly #send: (frame: Buffer, done: () => void) => void;
  #isReset = false;
  #whenRead: (() => void) | null = null;

  constructor(
    id: number,
    headers: ReadonlyMap<string, string>,
    send: (frame: Buffer, done: () => void) => void,
  ) {
    super({ readableHighWaterMark: MAX_STREAM_BUFFER_BYTES });
    this.id = id;
    this.headers = headers;
    this.#send = send;
  }

  /** Bytes from the client; resolves when more may come. */
  receive(bytes: Buffer): Promise<void> {
    if (this.destroyed || this.readableEnded || this.push(bytes)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenRead = resolve;
    });
  }

  receiveEnd(): void {
    if (!this.destroyed) this.push(null);
  }

  receiveReset(): void {
    this.#isReset = true;
    this.destroy();
  }

  override _read(): void {
    this.#continue();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send(dataFrame(this.id, 0, chunk), done);
  }

  override _final(done: () => void): void {
    this.#send(dataFrame(this.id, FLAG_FIN, EMPTY), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const isFinished = this.readableEnded && this.writableFinished;
    if (!isFinished && !this.#isReset) {
      this.#send(controlFrame(RST_STREAM, 0, this.id, CANCEL), () => undefined);
    }
    this.#continue();
    done(error);
  }

  #continue(): void {
    this.#whenRead?.();
    this.#whenRead = null;
  }
}

export class SpdySession {
  readonly #transport: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #reader = new HeaderReader();
  readonly #writer = new HeaderWriter();

  /** `onStream` gets each stream after the client heard that it is open. */
  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#onStream = onStream;
  }

  /** Reads until the connection ends, however it ends; then every stream is gone. */
  async run(): Promise<void> {
    this.#transport.on('error', () => undefined); // The reading loop hears of it too.
    let rest: Buffer = EMPTY;
    try {
      for await (const chunk of this.#transport as AsyncIterable<Buffer>) {
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        rest = await this.#handleFrames(rest);
      }
    } catch {
      // Cut, or not SPDY any more: either way there is nobody to tell.
    } finally {
      this.#end();
    }
  }

  close(): void {
    this.#transport.end(controlFrame(GOAWAY, 0, 0, 0));
  }

  async #handleFrames(bytes: Buffer): Promise<Buffer> {
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const length = bytes.readUInt32BE(at + 4) & 0xffffff;
      if (length > MAX_SPDY_FRAME_BYTES) throw new Error('SPDY frame too large');
      const end = at + HEAD_BYTES + length;
      if (bytes.length < end) break;
      const isControl = (bytes.readUInt16BE(at) & CONTROL_BIT) !== 0;
      const head = bytes.readUInt32BE(at);
      const flags = bytes.readUInt8(at + 4);
      const body = bytes.subarray(at + HEAD_BYTES, end);
      at = end;
      if (isControl) await this.#handleControl(head & 0xffff, flags, body);
      else await this.#handleData(head, flags, body);
    }
    return at === 0 ? bytes : bytes.subarray(at);
  }

  async #handleData(id: number, flags: number, body: Buffer): Promise<void> {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if ((flags & FLAG_FIN) === 0) this.#send(controlFrame(RST_STREAM, 0, id, INVALID_STREAM));
      return;
    }
    if (body.length > 0) await stream.receive(Buffer.from(body));
    if (flags & FLAG_FIN) stream.receiveEnd();
  }

  async #handleControl(type: number, flags: number, body: Buffer): Promise<void> {
    switch (type) {
      case SYN_STREAM:
        return this.#open(flags, body);
      case RST_STREAM:
        this.#streams.get(body.readUInt32BE(0))?.receiveReset();
        return;
      case PING:
        this.#send(controlFrame(PING, 0, body.readUInt32BE(0)));
        return;
      case GOAWAY:
        this.#transport.end();
        return;
      default: // SETTINGS, HEADERS, WINDOW_UPDATE: nothing here depends on them.
    }
  }

  async #open(flags: number, body: Buffer): Promise<void> {
    const id = body.readUInt32BE(0) & 0x7fffffff;
    // Read even when refused: the compressor's state goes on from every block.
    const headers = await this.#reader.read(body.subarray(SYN_FIXED_BYTES));
    if (this.#streams.size >= MAX_SPDY_STREAMS || this.#streams.has(id)) {
      this.#send(controlFrame(RST_STREAM, 0, id, REFUSED_STREAM));
      return;
    }
    const stream = new SpdyStream(id, headers, (frame, done) => this.#send(frame, done));
    this.#streams.set(id, stream);
    stream.once('close', () => this.#streams.delete(id));
    stream.on('error', () => undefined); // Ends as a reset; whoever uses it listens to 'close'.
    this.#send(controlFrame(SYN_REPLY, 0, id, await this.#writer.write(new Map())));
    if (flags & FLAG_FIN) stream.receiveEnd();
    this.#onStream(stream);
  }

  #send(frame: Buffer, done: () => void = () => undefined): void {
    if (this.#transport.writable) this.#transport.write(frame, () => done());
    else done();
  }

  #end(): void {
    for (const stream of this.#streams.values()) stream.receiveReset();
    this.#streams.clear();
    this.#reader.close();
    this.#writer.close();
    this.#transport.destroy();
  }
}
