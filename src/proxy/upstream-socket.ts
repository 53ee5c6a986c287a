// A TCP socket whose failed writes do not end it while an upload runs. An application may answer
// early (413) and close with the rest of the upload unread; its kernel then refuses our next write
// although the answer is already here. Node would destroy the socket and the answer with it; so the
// error is dropped, and the read side, which learns of the close as well, says what happened
// (QP-87). Hot: without an upload a write costs one comparison more.

import { Socket, type TcpNetConnectOpts } from 'node:net';

type WriteCallback = (error?: Error | null) => void;

export class UpstreamSocket extends Socket {
  /** Set while a request body is being sent. */
  isUploading = false;

  /** `handle`: libuv's object of a connection that stands already. */
  constructor(options: Omit<TcpNetConnectOpts, 'port'> & { handle?: object }) {
    // The constructor reads these, though its type names only some of them.
    super(options);
  }

  override _write(chunk: unknown, encoding: BufferEncoding, callback: WriteCallback): void {
    super._write(chunk, encoding, this.isUploading ? () => callback() : callback);
  }

  override _writev(
    chunks: { chunk: unknown; encoding: BufferEncoding }[],
    callback: WriteCallback,
  ): void {
    super._writev?.(chunks, this.isUploading ? () => callback() : callback);
  }
}
