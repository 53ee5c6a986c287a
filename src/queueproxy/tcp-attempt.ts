// One TCP connection that is closed as soon as it stands (QP-105), or kept by whoever wants it. An
// app that starts is asked dozens of times, and each refusal through node:net costs 137 µs for a
// stream, an error and its stack; a bare handle costs 25. Where Node has no such handle, and for
// host names, node:net does it. Invariant: the handle is closed once and the caller hears once.

import { connect, isIPv4 } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { Clock } from '../clock/clock.ts';

/** libuv's object of a TCP connection. */
export interface TcpHandle {
  connect(request: object, address: string, port: number): number;
  close(): void;
}

interface TcpBinding {
  TCP: new (type: number) => TcpHandle;
  TCPConnectWrap: new () => { oncomplete: (status: number) => void };
  constants: { SOCKET: number };
}

interface HandleAttempt {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly keep: ((handle: TcpHandle) => boolean) | null;
}

/** Undefined = not looked for yet. */
let binding: TcpBinding | null | undefined;

/**
 * Resolves with null, or with what went wrong. `timeoutMs` 0 = no limit. Never rejects. `keep` is
 * offered the connection that stands; true = it is the taker's to close. Not offered everywhere.
 */
export function attemptTcp(
  { host, port }: { readonly host: string; readonly port: number },
  timeoutMs: number,
  clock: Clock,
  keep: ((handle: TcpHandle) => boolean) | null = null,
): Promise<string | null> {
  if (binding === undefined) binding = loadBinding();
  if (binding === null || !isIPv4(host)) return attemptWithSocket(host, port, timeoutMs, clock);
  return attemptWithHandle(binding, { host, port, timeoutMs, keep }, clock);
}

function attemptWithHandle(
  { TCP, TCPConnectWrap, constants }: TcpBinding,
  { host, port, timeoutMs, keep }: HandleAttempt,
  clock: Clock,
): Promise<string | null> {
  return new Promise((resolve) => {
    const handle = new TCP(constants.SOCKET);
    const timer = timeoutMs > 0 ? clock.setTimer(timeoutMs, () => finish('i/o timeout')) : null;
    let isOver = false;
    const finish = (problem: string | null): void => {
      if (isOver) return;
      isOver = true;
      timer?.cancel();
      if (problem !== null || keep?.(handle) !== true) handle.close();
      resolve(problem === null ? null : `dial tcp ${host}:${port}: ${problem}`);
    };
    const ended = (status: number): void =>
      finish(status === 0 ? null : `connect ${getSystemErrorName(status)} ${host}:${port}`);
    const request = new TCPConnectWrap();
    request.oncomplete = ended;
    const status = handle.connect(request, host, port);
    if (status !== 0) ended(status);
  });
}

function attemptWithSocket(
  host: string,
  port: number,
  timeoutMs: number,
  clock: Clock,
): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const timer = timeoutMs > 0 ? clock.setTimer(timeoutMs, () => finish('i/o timeout')) : null;
    const finish = (problem: string | null): void => {
      timer?.cancel();
      socket.destroy();
      resolve(problem === null ? null : `dial tcp ${host}:${port}: ${problem}`);
    };
    socket.once('connect', () => finish(null));
    socket.on('error', (error) => finish(error.message));
  });
}

function loadBinding(): TcpBinding | null {
  try {
    const { binding: load } = process as unknown as { binding(name: string): unknown };
    const { TCP, TCPConnectWrap, constants } = load('tcp_wrap') as Partial<TcpBinding>;
    const isKnown =
      typeof TCP === 'function' &&
      typeof TCPConnectWrap === 'function' &&
      typeof constants?.SOCKET === 'number' &&
      typeof TCP.prototype.connect === 'function';
    return isKnown ? { TCP, TCPConnectWrap, constants } : null;
  } catch {
    return null; // Node without such a thing, or one that forbids it.
  }
}
