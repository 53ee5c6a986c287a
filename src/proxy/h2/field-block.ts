// A field block on its way in: one HEADERS frame and the CONTINUATION frames behind it (RFC 9113
// section 4.3), put together and decoded. While one is open nothing else may come on the
// connection, so there is one per connection. Every block is decoded, also that of a stream nobody
// wants: the next one refers to it. Hot: once per request.

import { ByteBacklog } from '../byte-backlog.ts';
import { Http2Code } from '../h2-codes.ts';
import { MAX_CONTINUATIONS, MAX_HEADER_LIST_BYTES } from '../h2-limits.ts';
import { Flag } from './frames.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { FieldCollector } from './request-head.ts';

/** SETTINGS_HEADER_TABLE_SIZE we advertise. */
export const HEADER_TABLE_BYTES = 4_096;
/** Stream dependency and weight, which mean nothing (RFC 9113 section 5.3.2). */
const PRIORITY_BYTES = 5;

export class FieldBlock {
  readonly collector = new FieldCollector();
  readonly #decoder = new HpackDecoder(HEADER_TABLE_BYTES);
  readonly #fragments = new ByteBacklog();
  /** Of the stream the block is for; 0 = none is open. */
  openId = 0;
  /** The HEADERS frame had END_STREAM. */
  isEndStream = false;
  #continuations = 0;

  /**
   * A HEADERS frame. NO_ERROR with `openId` 0: the block is complete and decoded. Otherwise the
   * code the connection ends with.
   */
  begin(flags: number, streamId: number, bytes: Buffer, start: number, end: number): Http2Code {
    let from = start;
    let to = end;
    if ((flags & Flag.PADDED) !== 0) {
      to -= from < to ? bytes[from]! : 1;
      from += 1;
    }
    if ((flags & Flag.PRIORITY) !== 0) from += PRIORITY_BYTES;
    if (from > to) return Http2Code.PROTOCOL_ERROR;
    this.isEndStream = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) return this.#decode(bytes, from, to);
    this.openId = streamId;
    this.#continuations = 0;
    this.#fragments.append(bytes, from, to);
    return Http2Code.NO_ERROR;
  }

  /** A CONTINUATION frame of `openId`. */
  go(flags: number, bytes: Buffer, start: number, end: number): Http2Code {
    this.#continuations += 1;
    const size = this.#fragments.length + end - start;
    if (this.#continuations > MAX_CONTINUATIONS || size > MAX_HEADER_LIST_BYTES) {
      return Http2Code.ENHANCE_YOUR_CALM;
    }
    this.#fragments.append(bytes, start, end);
    if ((flags & Flag.END_HEADERS) === 0) return Http2Code.NO_ERROR;
    this.openId = 0;
    const whole = this.#fragments.take();
    return this.#decode(whole, 0, whole.length);
  }

  #decode(bytes: Buffer, start: number, end: number): Http2Code {
    this.collector.restart();
    return this.#decoder.decode(bytes, start, end, this.collector)
      ? Http2Code.NO_ERROR
      : Http2Code.COMPRESSION_ERROR;
  }
}
