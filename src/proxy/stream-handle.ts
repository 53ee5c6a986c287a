// The data path's one place inside of Node: the handle below a `net.Socket`. Reading and
// writing through it skips the stream machinery (a Buffer and a request object per call, ticks and
// callbacks), which is a third of a forwarded request's user time; decision 0010 has the numbers.
// Everything used here is checked when the module loads and again per socket; whatever is missing
// or has another shape makes `handleOf` answer null, and the caller uses the socket's public
// methods. Invariant: a socket's own state stays true: its end, errors and close come as ever.
// Hot: one read and one write each way per request.

import { Socket } from 'node:net';
import { UpstreamSocket } from './upstream-socket.ts';

/** libuv's own object of a connected TCP socket. */
export interface StreamHandle {
  /** What the socket believes about readStart and readStop. */
  reading: boolean;
  onread: (this: StreamHandle, chunk: ArrayBuffer | undefined) => void;
  readStart(): number;
  readStop(): number;
  useUserBuffer(buffer: Uint8Array): void;
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

/** Needed by the handle only for a write the kernel did not take at once. */
interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | null;
  owner: WriteOwner | null;
  size: number;
  /** Kept alive until libuv is done with it. */
  bytes: Uint8Array | null;
}

/** Told when a write that had to wait is over; `status` below 0 is an error number. */
export interface WriteOwner {
  onWritten(size: number, status: number): void;
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

const METHODS = [
  'readStart',
  'readStop',
  'useUserBuffer',
  'writeLatin1String',
  'writeBuffer',
] as const;

const binding = loadBinding();
const state = binding?.streamBaseState ?? new Int32Array(0);
const READ_BYTES = binding?.kReadBytesOrError ?? 0;
const WAS_ASYNC = binding?.kLastWriteWasAsync ?? 0;
/** The request of the next write; only a write that has to wait uses it up. */
let spare: WriteRequest | null = null;
let isWanted = true;

/** False makes `handleOf` answer null from now on: tests of the way without. */
export function useHandles(shouldUse: boolean): void {
  isWanted = shouldUse;
}

/** The handle of a connected TCP socket, or null when it must be used as a stream. */
export function handleOf(socket: object): StreamHandle | null {
  if (binding === null || !isWanted) return null;
  // Anything that inherits from Socket (TLS) has a handle that is not the wire's.
  const isPlain = socket.constructor === Socket || socket.constructor === UpstreamSocket;
  if (!isPlain) return null;
  const handle: unknown = (socket as { _handle?: unknown })._handle;
  return isStreamHandle(handle) ? handle : null;
}

/**
 * From now on the bytes the handle reads land in `buffer` and `onBytes(count)` is called. Ends and
 * errors go where they went before.
 */
export function readInto(
  handle: StreamHandle,
  buffer: Uint8Array,
  onBytes: (count: number) => void,
): void {
  const onOther = handle.onread;
  handle.useUserBuffer(buffer);
  handle.onread = function onRead(chunk) {
    const count = state[READ_BYTES]!;
    if (count > 0) onBytes(count);
    else onOther.call(this, chunk);
  };
}

/**
 * Sends latin1 text. 0: the kernel has all of it. Above 0: that many bytes wait, and the owner
 * hears when they are out. Below 0: the number of an error; nothing more will happen.
 */
export function writeText(handle: StreamHandle, text: string, owner: WriteOwner): number {
  spare ??= createRequest();
  const status = handle.writeLatin1String(spare, text);
  return status !== 0 || state[WAS_ASYNC] === 0 ? status : giveAway(owner, text.length, null);
}

/** The same with bytes; above 0 they must be left alone for good. */
export function writeBytes(handle: StreamHandle, bytes: Uint8Array, owner: WriteOwner): number {
  spare ??= createRequest();
  const status = handle.writeBuffer(spare, bytes);
  return status !== 0 || state[WAS_ASYNC] === 0 ? status : giveAway(owner, bytes.length, bytes);
}

function giveAway(owner: WriteOwner, size: number, bytes: Uint8Array | null): number {
  const request = spare!;
  spare = null;
  request.owner = owner;
  request.size = size;
  request.bytes = bytes;
  return size;
}

function createRequest(): WriteRequest {
  const request = new binding!.WriteWrap();
  request.oncomplete = onComplete;
  request.owner = null;
  request.size = 0;
  request.bytes = null;
  return request;
}

function onComplete(this: WriteRequest, status: number): void {
  const owner = this.owner;
  this.owner = null;
  this.bytes = null;
  owner?.onWritten(this.size, status);
}

function loadBinding(): StreamBinding | null {
  try {
    const { binding: load } = process as unknown as { binding(name: string): unknown };
    const found = load('stream_wrap');
    return isStreamBinding(found) ? found : null;
  } catch {
    // Node without such a thing, or one that forbids it: then everybody uses streams.
    return null;
  }
}

function isStreamBinding(found: unknown): found is StreamBinding {
  const { WriteWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } =
    found as Partial<StreamBinding>;
  return (
    typeof WriteWrap === 'function' &&
    streamBaseState instanceof Int32Array &&
    isIndexOf(streamBaseState, kReadBytesOrError) &&
    isIndexOf(streamBaseState, kLastWriteWasAsync)
  );
}

function isIndexOf(array: Int32Array, index: unknown): boolean {
  return typeof index === 'number' && index >= 0 && index < array.length;
}

function isStreamHandle(handle: unknown): handle is StreamHandle {
  if (typeof handle !== 'object' || handle === null) return false;
  const { reading, onread } = handle as StreamHandle;
  if (typeof reading !== 'boolean' || typeof onread !== 'function') return false;
  return METHODS.every((name) => typeof (handle as StreamHandle)[name] === 'function');
}
