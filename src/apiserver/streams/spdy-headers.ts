// Header blocks of SPDY/3: a count, then length-prefixed names and values, deflated with one
// compressor per direction and connection, so blocks must go through it in order. A block that
// inflates beyond its limit ends the connection. Not hot: once per stream.

import { createDeflate, createInflate, constants as zlib } from 'node:zlib';
import { SPDY_DICTIONARY } from './spdy-dictionary.ts';

/** Largest inflated header block; the connection ends beyond it. */
export const MAX_HEADER_BLOCK_BYTES = 16 * 1024;
/** Most headers of one stream; the connection ends beyond it. */
export const MAX_STREAM_HEADERS = 64;

export class SpdyHeaderError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SpdyHeaderError';
  }
}

export class HeaderReader {
  // One byte more than allowed fits, so that too much is seen and never waited for.
  readonly #inflate = createInflate({
    dictionary: SPDY_DICTIONARY,
    flush: zlib.Z_SYNC_FLUSH,
    finishFlush: zlib.Z_SYNC_FLUSH,
    chunkSize: MAX_HEADER_BLOCK_BYTES + 1,
  });

  /** Names are lower case, as they travel. Rejects with SpdyHeaderError. */
  read(block: Buffer): Promise<Map<string, string>> {
    return new Promise((resolve, reject) => {
      this.#inflate.once('error', reject);
      const finish = (): void => {
        this.#inflate.removeListener('error', reject);
        this.#inflate.removeListener('readable', checkSize);
        try {
          resolve(parseBlock((this.#inflate.read() as Buffer | null) ?? Buffer.alloc(0)));
        } catch (error) {
          reject(error as Error);
        }
      };
      const checkSize = (): void => {
        if (this.#inflate.readableLength > MAX_HEADER_BLOCK_BYTES) finish();
      };
      this.#inflate.on('readable', checkSize);
      this.#inflate.write(block, (error) => {
        if (error === null || error === undefined) finish();
      });
    });
  }

  close(): void {
    this.#inflate.destroy();
  }
}

function parseBlock(bytes: Buffer): Map<string, string> {
  if (bytes.length > MAX_HEADER_BLOCK_BYTES) throw new SpdyHeaderError('header block too large');
  let at = 0;
  const number = (): number => {
    if (at + 4 > bytes.length) throw new SpdyHeaderError('header block cut short');
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const end = number() + at;
    if (end > bytes.length) throw new SpdyHeaderError('header block cut short');
    const value = bytes.toString('latin1', at, end);
    at = end;
    return value;
  };
  const count = number();
  if (count > MAX_STREAM_HEADERS) throw new SpdyHeaderError(`${count} headers are too many`);
  const headers = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const name = text();
    headers.set(name.toLowerCase(), text());
  }
  return headers;
}

export class HeaderWriter {
  readonly #deflate = createDeflate({ dictionary: SPDY_DICTIONARY });

  /** The compressed block; the previous call must have been answered. */
  write(headers: ReadonlyMap<string, string>): Promise<Buffer> {
    const parts: Buffer[] = [uint32(headers.size)];
    for (const [name, value] of headers) {
      parts.push(uint32(name.length), Buffer.from(name, 'latin1'));
      parts.push(uint32(value.length), Buffer.from(value, 'latin1'));
    }
    return new Promise((resolve, reject) => {
      this.#deflate.once('error', reject);
      this.#deflate.write(Buffer.concat(parts));
      this.#deflate.flush(zlib.Z_SYNC_FLUSH, () => {
        this.#deflate.removeListener('error', reject);
        resolve((this.#deflate.read() as Buffer | null) ?? Buffer.alloc(0));
      });
    });
  }

  close(): void {
    this.#deflate.destroy();
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}
