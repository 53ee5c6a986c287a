// Takes the framing off one message body, whichever it has. The data of a read is one contiguous
// range of the same buffer; what lies behind the body is left alone. Hot: once per read of a body.

import { ChunkDecoder, ChunkStatus } from './chunk-decoder.ts';
import { BodyMode } from './response-head.ts';

export const BodyStatus = { MORE: 0, DONE: 1, MALFORMED: 2 } as const;
export type BodyStatus = (typeof BodyStatus)[keyof typeof BodyStatus];

export class BodyReader {
  /** Data of the last `take`: `buffer[dataStart, dataEnd)`. */
  dataStart = 0;
  dataEnd = 0;
  /** Where the last `take` stopped. */
  consumed = 0;
  mode: BodyMode = BodyMode.NONE;
  #left = 0;
  readonly #decoder = new ChunkDecoder();

  start(mode: BodyMode, length: number): void {
    this.mode = mode;
    this.#left = length;
    if (mode === BodyMode.CHUNKED) this.#decoder.reset();
  }

  /** Trailer lines that may be passed on, complete once DONE. */
  get trailers(): string {
    return this.mode === BodyMode.CHUNKED ? this.#decoder.trailers : '';
  }

  take(buffer: Buffer, start: number, end: number): BodyStatus {
    switch (this.mode) {
      case BodyMode.CHUNKED:
        return this.#takeChunked(buffer, start, end);
      case BodyMode.LENGTH:
        this.#take(start, Math.min(end, start + this.#left));
        this.#left -= this.dataEnd - start;
        return this.#left === 0 ? BodyStatus.DONE : BodyStatus.MORE;
      case BodyMode.CLOSE:
        this.#take(start, end);
        return BodyStatus.MORE;
      default:
        this.#take(start, start);
        return BodyStatus.DONE;
    }
  }

  #take(start: number, end: number): void {
    this.dataStart = start;
    this.dataEnd = end;
    this.consumed = end;
  }

  #takeChunked(buffer: Buffer, start: number, end: number): BodyStatus {
    const decoder = this.#decoder;
    const status = decoder.decode(buffer, start, end);
    this.dataStart = decoder.dataStart;
    this.dataEnd = decoder.dataEnd;
    this.consumed = decoder.consumed;
    if (status === ChunkStatus.MALFORMED) return BodyStatus.MALFORMED;
    return status === ChunkStatus.DONE ? BodyStatus.DONE : BodyStatus.MORE;
  }
}
