// Where a watch's lines go over HTTP: as chunks (RFC 9112 section 7.1) straight to the socket, past the
// response, which would frame every line anew for every watcher. A line's chunk is made once for all
// watchers, and what one turn brings a watcher leaves in one write.
// Invariant: the head is out before the first line, and the response writes only the last chunk.
// Hot: `write` runs per watcher and event.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { WatchSink } from './watch.ts';

const CRLF = '\r\n';

/** Shared by all watches of a server. */
export class WatchOutbox {
  #line: Buffer | null = null;
  #chunk: Buffer = Buffer.alloc(0);
  readonly #corked: Socket[] = [];
  readonly #flush = (): void => {
    for (const socket of this.#corked) socket.uncork();
    this.#corked.length = 0;
  };

  /** The sink of a response whose head has been sent. `onDrain`: it takes lines again. */
  sinkFor(response: ServerResponse, onDrain: () => void): WatchSink {
    const { socket } = response;
    if (!response.chunkedEncoding || !socket) {
      // HTTP/1.0, a pipelined request, or a reader in this process.
      response.on('drain', onDrain);
      return response;
    }
    socket.on('drain', onDrain);
    response.once('close', () => socket.off('drain', onDrain));
    return {
      write: (line) => {
        if (socket.writableCorked === 0) this.#hold(socket);
        return socket.write(this.#chunkOf(line));
      },
      end: () => response.end(),
    };
  }

  #hold(socket: Socket): void {
    socket.cork();
    if (this.#corked.push(socket) === 1) process.nextTick(this.#flush);
  }

  #chunkOf(line: Buffer): Buffer {
    if (this.#line === line) return this.#chunk;
    const size = line.length.toString(16) + CRLF;
    const chunk = Buffer.allocUnsafe(size.length + line.length + CRLF.length);
    chunk.write(size, 0, 'latin1');
    line.copy(chunk, size.length);
    chunk.write(CRLF, size.length + line.length, 'latin1');
    this.#line = line;
    this.#chunk = chunk;
    return chunk;
  }
}
