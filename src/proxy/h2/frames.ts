// The numbers of RFC 9113 section 6, and the reader that cuts a connection's bytes into frames. What
// has to be whole before it means anything (field blocks, a few words of control) is kept until it
// is; DATA passes on as it comes, and what nobody reads is skipped without being kept.
// Invariant: nothing is kept whose length its owner did not agree to. Hot: once per frame.

import { ByteBacklog } from '../byte-backlog.ts';

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

export const FRAME_HEAD_BYTES = 9;
/** What every peer takes (RFC 9113 section 4.2). */
export const MIN_MAX_FRAME_BYTES = 16_384;
export const LARGEST_MAX_FRAME_BYTES = (1 << 24) - 1;
export const LARGEST_WINDOW = 0x7fff_ffff;
/** Of streams and of the connection, until somebody says otherwise. */
export const DEFAULT_WINDOW_BYTES = 65_535;

/** What becomes of a frame's payload. */
export const Payload = {
  /** Goes to `onFrame`, whole. */
  WHOLE: 0,
  /** Goes to `onDataBytes` as it comes; `onDataEnd` follows. */
  PIECES: 1,
  SKIPPED: 2,
  /** The connection has ended: nothing more is read. */
  NONE: 3,
} as const;
export type Payload = (typeof Payload)[keyof typeof Payload];

export interface FrameHandler {
  onFrameHead(type: number, flags: number, streamId: number, length: number): Payload;
  /** `bytes[start, end)` is borrowed for the call. */
  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void;
  onDataBytes(bytes: Buffer, start: number, end: number): void;
  onDataEnd(): void;
  /** Nothing more is read. */
  readonly isOver: boolean;
}

export class FrameReader {
  readonly #handler: FrameHandler;
  /** A frame head or a whole payload that came in pieces. */
  readonly #partial = new ByteBacklog();
  #isInPayload = false;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  #payload: Payload = Payload.SKIPPED;
  /** Payload bytes still to come. */
  #left = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Type of the frame whose payload is not complete; -1 between frames. */
  get openType(): number {
    return this.#isInPayload ? this.#type : -1;
  }

  take(bytes: Buffer, from: number, end: number): void {
    let at = from;
    while (at < end && !this.#handler.isOver) {
      at = this.#isInPayload ? this.#takePayload(bytes, at, end) : this.#takeHead(bytes, at, end);
    }
  }

  #takeHead(bytes: Buffer, at: number, end: number): number {
    const partial = this.#partial;
    const next = at + FRAME_HEAD_BYTES - partial.length;
    if (next > end) {
      partial.append(bytes, at, end);
      return end;
    }
    if (partial.length === 0) this.#onHead(bytes, at);
    else {
      partial.append(bytes, at, next);
      this.#onHead(partial.take(), 0);
    }
    return next;
  }

  #onHead(bytes: Buffer, at: number): void {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    this.#type = bytes[at + 3]!;
    this.#flags = bytes[at + 4]!;
    this.#streamId = uint31(bytes, at + 5);
    this.#left = length;
    this.#payload = this.#handler.onFrameHead(this.#type, this.#flags, this.#streamId, length);
    if (this.#payload === Payload.NONE) return;
    this.#isInPayload = true;
    if (length === 0) this.#finish(bytes, 0, 0);
  }

  #takePayload(bytes: Buffer, at: number, end: number): number {
    const next = Math.min(end, at + this.#left);
    const isWhole = this.#payload === Payload.WHOLE;
    if (isWhole && (next - at < this.#left || this.#partial.length > 0)) {
      this.#partial.append(bytes, at, next);
    }
    this.#left -= next - at;
    if (this.#payload === Payload.PIECES) this.#handler.onDataBytes(bytes, at, next);
    if (this.#left > 0 || this.#handler.isOver) return next;
    if (isWhole && this.#partial.length > 0) {
      const kept = this.#partial.take();
      this.#finish(kept, 0, kept.length);
    } else this.#finish(bytes, at, next);
    return next;
  }

  #finish(bytes: Buffer, start: number, end: number): void {
    this.#isInPayload = false;
    if (this.#payload === Payload.PIECES) this.#handler.onDataEnd();
    else if (this.#payload === Payload.WHOLE) {
      this.#handler.onFrame(this.#type, this.#flags, this.#streamId, bytes, start, end);
    }
  }
}

export function uint31(bytes: Uint8Array, at: number): number {
  return uint32(bytes, at) & LARGEST_WINDOW;
}

/** 0 to 2^32-1. */
export function uint32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  return bytes[at]! * 0x100_0000 + low;
}
