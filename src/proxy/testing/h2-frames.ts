// HTTP/2 in raw frames, for tests that send what no library would: a frame writer and reader, field
// blocks as literals without Huffman or dynamic table, and a socket that collects frames. The numbers
// of the RFC stand here once more on purpose: a wrong one in h2/frames.ts must not agree with its test.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './harness.ts';

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const Flag = {
  ACK: 1,
  END_STREAM: 1,
  END_HEADERS: 4,
  PADDED: 8,
  PRIORITY: 32,
} as const;

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

export const HEADERS_DONE = Flag.END_HEADERS;
export const REQUEST_DONE = Flag.END_HEADERS | Flag.END_STREAM;

/** The field block of a bare `:status: 200`. */
export const STATUS_200 = Buffer.from([0x88]);

const HEADER_BYTES = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** [id, value] pairs. */
export function settings(...entries: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(entries.length * 6);
  entries.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame(FrameType.SETTINGS, 0, 0, payload);
}

/** Each field a literal that is not indexed. */
export function fieldBlock(fields: readonly (readonly [string, string])[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    parts.push(Buffer.from([0]), lengthOf(name), Buffer.from(name, 'latin1'));
    parts.push(lengthOf(value), Buffer.from(value, 'latin1'));
  }
  return Buffer.concat(parts);
}

/** A string length as HPACK integer with a 7-bit prefix. */
function lengthOf(text: string): Buffer {
  if (text.length < 127) return Buffer.from([text.length]);
  const bytes = [127];
  let rest = text.length - 127;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** The fields of a good request; `changes` replace by name, '' removes. */
export function requestFields(
  changes: Readonly<Record<string, string>> = {},
): readonly (readonly [string, string])[] {
  const base: Record<string, string> = {
    ':method': 'GET',
    ':scheme': 'http',
    ':path': '/',
    ':authority': 'hello.example',
    ...changes,
  };
  return Object.entries(base).filter(([, value]) => value !== '');
}

/** A whole request of one HEADERS frame. */
export function request(streamId: number, changes: Readonly<Record<string, string>> = {}): Buffer {
  return frame(FrameType.HEADERS, REQUEST_DONE, streamId, fieldBlock(requestFields(changes)));
}

/** The head of a request whose body follows. */
export function requestHead(
  streamId: number,
  changes: Readonly<Record<string, string>> = {},
): Buffer {
  const fields = requestFields({ ':method': 'POST', ...changes });
  return frame(FrameType.HEADERS, HEADERS_DONE, streamId, fieldBlock(fields));
}

export function data(streamId: number, text: string, isLast = false): Buffer {
  return frame(FrameType.DATA, isLast ? Flag.END_STREAM : 0, streamId, Buffer.from(text));
}

export function reset(streamId: number, code: number): Buffer {
  return frame(FrameType.RST_STREAM, 0, streamId, uint32(code));
}

/** A socket and the frames that came over it. */
export class RawHttp2 {
  readonly frames: Frame[] = [];
  hasClosed = false;
  readonly socket: Socket;
  #rest = Buffer.alloc(0);

  /** `skip` bytes (the preface of a client) are no frames. */
  constructor(socket: Socket, skip = 0) {
    this.socket = socket;
    let toSkip = skip;
    socket.on('data', (bytes: Buffer) => {
      const skipped = Math.min(toSkip, bytes.length);
      toSkip -= skipped;
      this.#take(bytes.subarray(skipped));
    });
    socket.on('error', () => socket.destroy());
    socket.on('end', () => {
      this.hasClosed = true;
    });
    socket.on('close', () => {
      this.hasClosed = true;
    });
  }

  static async connect(port: number): Promise<RawHttp2> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const raw = new RawHttp2(socket);
    await once(socket, 'connect');
    return raw;
  }

  /** Connects and completes the handshake of settings. */
  static async open(port: number): Promise<RawHttp2> {
    const raw = await RawHttp2.connect(port);
    raw.write(Buffer.from(PREFACE, 'latin1'), settings());
    await raw.until((one) => one.type === FrameType.SETTINGS && one.flags === Flag.ACK);
    raw.write(frame(FrameType.SETTINGS, Flag.ACK, 0));
    return raw;
  }

  write(...parts: readonly Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(parts));
  }

  find(isWanted: (one: Frame) => boolean): Frame | undefined {
    return this.frames.find(isWanted);
  }

  async until(isWanted: (one: Frame) => boolean): Promise<Frame> {
    await until(() => this.find(isWanted) !== undefined || this.hasClosed, 'a frame');
    const found = this.find(isWanted);
    if (found === undefined) throw new Error(`closed after ${this.summary()}`);
    return found;
  }

  async untilClosed(): Promise<void> {
    await until(() => this.hasClosed, 'end of connection');
  }

  /** Everything received, for messages. */
  summary(): string {
    return this.frames.map((one) => `${one.type}/${one.flags}@${one.streamId}`).join(' ');
  }

  /** Body of a stream so far. */
  body(streamId: number): string {
    const parts = this.frames
      .filter((one) => one.type === FrameType.DATA && one.streamId === streamId)
      .map((one) => one.payload);
    return Buffer.concat(parts).toString();
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= HEADER_BYTES) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < HEADER_BYTES + length) return;
      this.frames.push({
        type: this.#rest[3]!,
        flags: this.#rest[4]!,
        streamId: this.#rest.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(this.#rest.subarray(HEADER_BYTES, HEADER_BYTES + length)),
      });
      this.#rest = this.#rest.subarray(HEADER_BYTES + length);
    }
  }
}

/** Error code of a GOAWAY. */
export function goawayCode(one: Frame): number {
  return one.payload.readUInt32BE(4);
}

/** Error code of a RST_STREAM. */
export function resetCode(one: Frame): number {
  return one.payload.readUInt32BE(0);
}
