// What an HTTP/2 connection needs to run without a network: a socket that is told what it read and
// keeps what was written, and an application that sends every body back. Everything happens within
// the call, so a fuzz case is the same each time it runs.

import { EventEmitter } from 'node:events';
import type { Clock } from '../../src/clock/clock.ts';
import type { ClientSocket } from '../../src/proxy/client-closing.ts';
import type { RawFields } from '../../src/proxy/h2-fields.ts';
import { FailureCode } from '../../src/proxy/types.ts';
import type {
  CallPool,
  CallPoolWaiter,
  CallUpstream,
  UpstreamCall,
  UpstreamCallOwner,
} from '../../src/proxy/upstream-link.ts';
import { UpstreamPool } from '../../src/proxy/upstream-pools.ts';

const HIGH_WATER_BYTES = 16 << 10;

export class FakeSocket extends EventEmitter {
  readonly written: Buffer[] = [];
  writtenBytes = 0;
  destroyed = false;
  writable = true;
  readonly readableLength = 0;
  readonly writableLength = 0;
  readonly writableHighWaterMark = HIGH_WATER_BYTES;

  /** A connection takes it for the stream it behaves like. */
  get asSocket(): ClientSocket {
    return this as unknown as ClientSocket;
  }

  read(): null {
    return null;
  }

  write(bytes: Buffer): boolean {
    this.written.push(Buffer.from(bytes));
    this.writtenBytes += bytes.length;
    return true;
  }

  pause(): this {
    return this;
  }

  resume(): this {
    return this;
  }

  end(onEnd?: () => void): this {
    this.writable = false;
    onEnd?.();
    return this;
  }

  destroySoon(): void {
    this.destroy();
  }

  destroy(): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.writable = false;
    this.emit('close');
    return this;
  }
}

const OPTIONS = { maxIdlePerUpstream: 1, idleTimeoutMs: 1, dialTimeoutMs: 1, maxDialAttempts: 1 };

/** Leads to an application that sends a request's body and trailers back. */
export class EchoPool extends UpstreamPool {
  readonly #echo = new Echo();

  constructor(clock: Clock) {
    super('127.0.0.1', 1, OPTIONS, { clock, random: () => 0 });
  }

  override get http2(): CallPool {
    return this.#echo;
  }
}

class Echo implements CallPool, CallUpstream {
  checkout(): CallUpstream {
    return this;
  }

  sweep(): void {
    // It keeps nothing.
  }

  close(): void {
    // See above.
  }

  wait(waiter: CallPoolWaiter): void {
    waiter.onUpstreamUnreachable(FailureCode.CLOSED, 'EOF');
  }

  cancel(): void {
    // Nobody ever waits.
  }

  open(_fields: unknown, hasBody: boolean, owner: UpstreamCallOwner): UpstreamCall {
    return new EchoCall(owner, hasBody);
  }

  isUnprocessed(): boolean {
    return false;
  }

  failureCode(): FailureCode {
    return FailureCode.CLOSED;
  }

  describeFailure(): string {
    return 'EOF';
  }
}

const HEAD: RawFields = [':status', '200', 'content-type', 'text/plain', 'x-echo', 'yes'];

class EchoCall implements UpstreamCall {
  readonly isReused = true;
  isUntouched = true;
  #owner: UpstreamCallOwner | null;

  constructor(owner: UpstreamCallOwner, hasBody: boolean) {
    this.#owner = owner;
    if (!hasBody) process.nextTick(() => this.end(null));
  }

  write(chunk: Buffer): boolean {
    this.#start();
    this.#owner?.onCallData(this, chunk);
    return true;
  }

  end(trailers: RawFields | null): void {
    this.#start();
    const owner = this.#owner;
    this.#owner = null;
    owner?.onCallEnd(this, trailers);
  }

  pause(): void {
    // The case is small.
  }

  resume(): void {
    // See above.
  }

  cancel(): void {
    this.#owner = null;
  }

  #start(): void {
    if (!this.isUntouched) return;
    this.isUntouched = false;
    this.#owner?.onCallHead(this, 200, HEAD, false);
  }
}
