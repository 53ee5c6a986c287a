// What a connection of ours said, read back from its bytes: checked against the rules for a sender
// (RFC 9113 sections 4 to 6), and boiled down to what must not depend on how its input was cut. When
// WINDOW_UPDATEs go out and where DATA is cut may depend on it; heads, bodies, ends, resets and the
// GOAWAY may not.

import { HpackDecoder } from '../../src/proxy/h2/hpack-decoder.ts';
import { Flag, FrameType } from '../../src/proxy/testing/h2-frames.ts';

const HEAD_BYTES = 9;
const MAX_FRAME_BYTES = 16_384;
const TABLE_BYTES = 4_096;

class SentStream {
  heads: string[] = [];
  body = '';
  hasEnded = false;
  resetCode = -1;
}

export class Transcript {
  /** The first rule that was broken. */
  problem: string | null = null;
  readonly #streams = new Map<number, SentStream>();
  readonly #decoder = new HpackDecoder(TABLE_BYTES);
  readonly #log: readonly string[];
  #goaway = '';
  #pongs = 0;
  #acks = 0;
  #isFirst = true;

  constructor(bytes: Buffer, log: readonly string[]) {
    this.#log = log;
    let at = 0;
    while (at + HEAD_BYTES <= bytes.length && this.problem === null) {
      const length = bytes.readUIntBE(at, 3);
      const end = at + HEAD_BYTES + length;
      if (length > MAX_FRAME_BYTES || end > bytes.length) this.problem = `frame of ${length} bytes`;
      else {
        const id = bytes.readUInt32BE(at + 5);
        this.#take(bytes[at + 3]!, bytes[at + 4]!, id, bytes.subarray(at + HEAD_BYTES, end));
      }
      at = end;
    }
    if (this.problem === null && at !== bytes.length) this.problem = 'an unfinished frame';
  }

  /** The same for the same input, however it was cut. */
  get summary(): string {
    const streams = [...this.#streams].map(([id, { heads, body, hasEnded, resetCode }]) => {
      // How much of an answer got out before a reset is chance.
      if (resetCode >= 0) return `${id} reset ${resetCode}`;
      return `${id} ${heads.join(';')} ${body.length} ${hasEnded}`;
    });
    const events = this.#log.toSorted();
    const counts = `pongs ${this.#pongs} acks ${this.#acks} goaway ${this.#goaway}`;
    return [...events, ...streams.toSorted(), counts].join(' | ');
  }

  #take(type: number, flags: number, id: number, payload: Buffer): void {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (isFirst && type !== FrameType.SETTINGS) this.problem = `first frame of type ${type}`;
    switch (type) {
      case FrameType.DATA:
      case FrameType.HEADERS:
        this.#onMessage(type, flags, id, payload);
        return;
      case FrameType.RST_STREAM:
        this.#streamOf(id).resetCode = payload.readUInt32BE(0);
        return;
      case FrameType.SETTINGS:
        if ((flags & Flag.ACK) !== 0) this.#acks += 1;
        return;
      case FrameType.PING:
        this.#pongs += 1;
        return;
      case FrameType.GOAWAY:
        this.#goaway += ` ${payload.readUInt32BE(0)}:${payload.readUInt32BE(4)}`;
        return;
      case FrameType.WINDOW_UPDATE:
        if (payload.readUInt32BE(0) === 0) this.problem = 'WINDOW_UPDATE by 0';
        return;
      default:
        this.problem = `frame of type ${type}`;
    }
  }

  #onMessage(type: number, flags: number, id: number, payload: Buffer): void {
    const stream = this.#streamOf(id);
    if (stream.hasEnded || stream.resetCode >= 0) this.problem = `frame behind the end of ${id}`;
    if ((flags & Flag.END_STREAM) !== 0) stream.hasEnded = true;
    if (type === FrameType.DATA) {
      if (stream.heads.length === 0) this.problem = `DATA before a head on ${id}`;
      stream.body += payload.toString('latin1');
      return;
    }
    const fields: string[] = [];
    const sink = { onField: (name: string, value: string) => void fields.push(`${name}=${value}`) };
    if (!this.#decoder.decode(payload, 0, payload.length, sink)) this.problem = 'undecodable head';
    stream.heads.push(fields.join('&'));
  }

  #streamOf(id: number): SentStream {
    let stream = this.#streams.get(id);
    if (stream === undefined) {
      if (id === 0 || id % 2 === 0) this.problem = `a message on stream ${id}`;
      stream = new SentStream();
      this.#streams.set(id, stream);
    }
    return stream;
  }
}
