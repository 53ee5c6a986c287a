// A raw HTTP/2 client against the `net` engine, with the questions the rows of the table ask of it.
// Nothing waits for time to pass: after what is tested come PINGs, and once their answers are here
// every reaction to what was sent before them is here too.

import {
  Flag,
  type Frame,
  FrameType,
  frame,
  goawayCode,
  type RawHttp2,
  resetCode,
} from '../../../src/proxy/testing/h2-frames.ts';
import type { ForwardingHandler } from '../../../src/proxy/testing/harness.ts';

export const Code = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** Frames are answered at once; what roles and applications say comes turns later. */
const PING_ROUNDS = 3;
const STATUS_200 = 0x88;
const STATUS_400 = 0x8c;

export class Peer {
  readonly raw: RawHttp2;
  readonly handler: ForwardingHandler;
  #pings = 0;

  constructor(raw: RawHttp2, handler: ForwardingHandler) {
    this.raw = raw;
    this.handler = handler;
  }

  send(...parts: readonly Uint8Array[]): void {
    this.raw.write(...parts);
  }

  /** Waits until everything sent so far had its effect, or the connection ended. */
  async settle(): Promise<void> {
    for (let round = 0; round < PING_ROUNDS; round += 1) {
      if (this.#goaway() !== undefined) return;
      this.#pings += 1;
      const payload = Buffer.alloc(8);
      payload.writeUInt32BE(0xc0ffee, 0);
      payload.writeUInt32BE(this.#pings, 4);
      this.send(frame(FrameType.PING, 0, 0, payload));
      await this.raw
        .until((one) => isGoaway(one) || (isPong(one) && one.payload.equals(payload)))
        .catch(() => undefined);
      if (this.raw.hasClosed) return;
    }
  }

  /** The connection ended, with one of `codes` where GOAWAY said why. */
  async connectionError(...codes: readonly number[]): Promise<void> {
    await this.settle();
    const goaway = this.#goaway();
    if (goaway === undefined) {
      if (!this.raw.hasClosed) throw new Error(`connection goes on: ${this.raw.summary()}`);
      return;
    }
    const code = goawayCode(goaway);
    if (!codes.includes(code)) throw new Error(`GOAWAY ${code}, not ${codes.join(' or ')}`);
  }

  /** The stream was reset with one of `codes`, or the connection ended with it. */
  async streamError(id: number, ...codes: readonly number[]): Promise<void> {
    await this.settle();
    const reset = this.#resetOf(id);
    if (reset === undefined) {
      await this.connectionError(...codes);
      return;
    }
    const code = resetCode(reset);
    if (!codes.includes(code)) throw new Error(`RST_STREAM ${code}, not ${codes.join(' or ')}`);
  }

  /** Refused as malformed, and no role has seen it (RFC 9113 section 8.1.1). */
  async malformed(id: number): Promise<void> {
    await this.settle();
    if (this.handler.exchanges.length > 0) throw new Error('a role saw the request');
    const head = this.#headOf(id);
    if (head !== undefined && head.payload[0] === STATUS_400) return;
    await this.streamError(id, Code.PROTOCOL_ERROR);
  }

  /** The stream has its answer, status 200. */
  async answered(id: number): Promise<void> {
    await this.raw.until((one) => isGoaway(one) || isEndOf(one, id) || isResetOf(one, id));
    const head = this.#headOf(id);
    if (head === undefined || head.payload[0] !== STATUS_200) {
      throw new Error(`no answer: ${this.raw.summary()}`);
    }
  }

  /** The connection and what it carries are as they were. */
  async untroubled(): Promise<void> {
    await this.settle();
    const trouble = this.raw.find((one) => isGoaway(one) || one.type === FrameType.RST_STREAM);
    if (trouble !== undefined || this.raw.hasClosed) throw new Error(this.raw.summary());
  }

  #goaway(): Frame | undefined {
    return this.raw.find(isGoaway);
  }

  #resetOf(id: number): Frame | undefined {
    return this.raw.find((one) => isResetOf(one, id));
  }

  #headOf(id: number): Frame | undefined {
    return this.raw.find((one) => one.type === FrameType.HEADERS && one.streamId === id);
  }
}

/** One sentence of the RFC and how we look whether it holds. */
export interface Row {
  /** Section, then a word; unique. */
  readonly id: string;
  readonly level: 'must' | 'should';
  readonly says: string;
  /** Throws when it does not hold. Gets a connection whose settings are exchanged. */
  check(peer: Peer, port: number): Promise<void>;
}

function isGoaway(one: Frame): boolean {
  return one.type === FrameType.GOAWAY;
}

function isPong(one: Frame): boolean {
  return one.type === FrameType.PING && one.flags === Flag.ACK;
}

function isResetOf(one: Frame, id: number): boolean {
  return one.type === FrameType.RST_STREAM && one.streamId === id;
}

function isEndOf(one: Frame, id: number): boolean {
  return one.streamId === id && one.type <= 1 && (one.flags & Flag.END_STREAM) !== 0;
}
