// One websocket between a client on µWebSockets.js and an application on a byte tunnel. The engine
// speaks frames only, so the application's side is read and written here with the two halves of
// `ws`: its frame reader and its frame writer. Messages, pings of the application, close codes and
// reasons pass; extensions do not (they are not offered), and the engine answers the client's
// pings.
// Invariants: nothing is called on the socket after its close; the application's bytes are copied.

import type { WebSocket } from 'uWebSockets.js';

/** One message of either side, which the engine must hold whole; above it the socket closes. */
export const MAX_WEBSOCKET_MESSAGE_BYTES = 16 * 1024 * 1024;
/**
 * Bytes an application has not taken yet; the engine cannot stop reading a websocket, so above it
 * the socket closes with 1013.
 */
const MAX_WEBSOCKET_BACKLOG_BYTES = 16 * 1024 * 1024;
/** Bytes the client has not taken yet, above which the application is not read. */
const CONGESTED_BYTES = 64 * 1024;

const Opcode = { TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;
type Opcode = (typeof Opcode)[keyof typeof Opcode];

const NORMAL_NO_STATUS = 1005;
const ABNORMAL = 1006;
const TRY_AGAIN_LATER = 1013;
const PROTOCOL_ERROR = 1002;
const CLOSE_CODE_BYTES = 2;

/** The parts of `ws` that make and read frames; its types leave them out. */
export interface FrameCodec {
  Receiver: new (options: { isServer: boolean; maxPayload: number }) => FrameReader;
  Sender: { frame(data: Buffer, options: FrameOptions): Buffer[] };
}

interface FrameOptions {
  fin: boolean;
  rsv1: boolean;
  opcode: number;
  mask: boolean;
  readOnly: boolean;
}

interface FrameReader {
  write(bytes: Buffer): boolean;
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): unknown;
  on(event: 'ping' | 'pong', listener: (data: Buffer) => void): unknown;
  on(event: 'conclude', listener: (code: number, reason: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** The exchange, as far as a tunnel needs it. */
export interface TunnelExchange {
  readonly canTakeBytes: boolean;
  onTunnelBytes(buffer: Buffer, start: number, end: number): void;
  onTunnelEnd(): void;
  onClientGone(): void;
  onClientDrain(): void;
}

export class WebSocketRelay {
  readonly #codec: FrameCodec;
  readonly #exchange: TunnelExchange;
  readonly #reader: FrameReader;
  #socket: WebSocket<object> | null = null;
  /** No more frames of the application are passed on. */
  #isConcluded = false;
  #backlogBytes = 0;

  constructor(codec: FrameCodec, exchange: TunnelExchange) {
    this.#codec = codec;
    this.#exchange = exchange;
    this.#reader = new codec.Receiver({ isServer: false, maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES });
    this.#reader.on('message', (data, isBinary) => this.#socket?.send(data, isBinary));
    this.#reader.on('ping', (data) => this.#socket?.ping(data));
    this.#reader.on('conclude', (code, reason) => this.#conclude(code, reason));
    this.#reader.on('error', () => this.#conclude(PROTOCOL_ERROR, Buffer.alloc(0)));
  }

  get isCongested(): boolean {
    return this.#socket !== null && this.#socket.getBufferedAmount() > CONGESTED_BYTES;
  }

  // The application's side.

  fromApplication(buffer: Buffer, start: number, end: number): void {
    if (this.#isConcluded || start === end) return;
    this.#reader.write(Buffer.from(buffer.subarray(start, end)));
  }

  /** The application closed its connection, with or without a close frame. */
  onApplicationEnd(): void {
    this.#isConcluded = true;
    this.#socket?.close();
  }

  /** The application takes bytes again. */
  onApplicationDrain(): void {
    this.#backlogBytes = 0;
  }

  // The client's side, called by the engine.

  onOpen(socket: WebSocket<object>): void {
    this.#socket = socket;
  }

  onMessage(message: ArrayBuffer, isBinary: boolean): void {
    this.#send(message, isBinary ? Opcode.BINARY : Opcode.TEXT);
  }

  onPing(message: ArrayBuffer): void {
    this.#send(message, Opcode.PING);
  }

  onPong(message: ArrayBuffer): void {
    this.#send(message, Opcode.PONG);
  }

  onDrain(): void {
    if (!this.isCongested) this.#exchange.onClientDrain();
  }

  onClose(code: number, reason: ArrayBuffer): void {
    this.#socket = null;
    if (code === ABNORMAL && !this.#isConcluded) {
      this.#exchange.onClientGone();
      return;
    }
    this.#isConcluded = true;
    if (code !== ABNORMAL) this.#send(closePayload(code, reason), Opcode.CLOSE);
    this.#exchange.onTunnelEnd();
  }

  /** Cuts the client off. */
  abort(): void {
    this.#isConcluded = true;
    this.#socket?.close();
  }

  #conclude(code: number, reason: Buffer): void {
    if (this.#isConcluded) return;
    this.#isConcluded = true;
    if (code === NORMAL_NO_STATUS) this.#socket?.end();
    else this.#socket?.end(code, reason);
  }

  #send(message: ArrayBuffer | Buffer, opcode: Opcode): void {
    const data = Buffer.from(new Uint8Array(message));
    const masked = { fin: true, rsv1: false, opcode, mask: true, readOnly: false };
    for (const piece of this.#codec.Sender.frame(data, masked)) {
      this.#exchange.onTunnelBytes(piece, 0, piece.length);
    }
    if (this.#exchange.canTakeBytes) return;
    this.#backlogBytes += data.length;
    if (this.#backlogBytes <= MAX_WEBSOCKET_BACKLOG_BYTES || this.#isConcluded) return;
    this.#socket?.end(TRY_AGAIN_LATER, 'application does not read');
  }
}

function closePayload(code: number, reason: ArrayBuffer): Buffer {
  if (code === NORMAL_NO_STATUS) return Buffer.alloc(0);
  const payload = Buffer.allocUnsafe(CLOSE_CODE_BYTES + reason.byteLength);
  payload.writeUInt16BE(code, 0);
  payload.set(new Uint8Array(reason), CLOSE_CODE_BYTES);
  return payload;
}
