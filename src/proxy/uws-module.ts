// Loads µWebSockets.js, on the first server that wants it and never otherwise: it is a native addon
// that not every machine can load, and the default engine has no use for it. `ws` comes along for
// reading and writing frames.

import type uWebSockets from 'uWebSockets.js';
import { ERRORS } from '../errors/errors.ts';
import type { FrameCodec } from './uws-websocket.ts';

export type UwsModule = typeof uWebSockets;

/** Read by the addon when it loads; without it heads beyond 4 KiB would be refused. */
const HEAD_SIZE_VARIABLE = 'UWS_HTTP_MAX_HEADERS_SIZE';

export interface UwsParts {
  readonly uws: UwsModule;
  readonly frames: FrameCodec;
}

/** The addon exists for other systems than this one, or not at all. */
export class EngineUnavailable extends Error {
  readonly code = ERRORS.ENGINE_UNAVAILABLE.code;
}

let loaded: Promise<UwsParts> | null = null;

/** Rejects with EngineUnavailable, in one line. */
export function loadUws(maxHeadBytes: number): Promise<UwsParts> {
  loaded ??= load(maxHeadBytes, async () => (await import('uWebSockets.js')).default);
  return loaded;
}

/** The same with the import in the caller's hand. */
export async function load(
  maxHeadBytes: number,
  importUws: () => Promise<UwsModule>,
): Promise<UwsParts> {
  process.env[HEAD_SIZE_VARIABLE] ??= String(maxHeadBytes);
  let uws: UwsModule;
  try {
    uws = await importUws();
  } catch (cause) {
    const reason = String((cause as Error).message).replace(/\s+/g, ' ');
    throw new EngineUnavailable(`${ERRORS.ENGINE_UNAVAILABLE.message}${reason}`, { cause });
  }
  silence(uws);
  const { Receiver, Sender } = (await import('ws')) as unknown as FrameCodec;
  return { uws, frames: { Receiver, Sender } };
}

/** The engine names itself in every answer unless told not to (QP-74). */
function silence(uws: UwsModule): void {
  (uws as unknown as { _cfg?: (option: string) => void })._cfg?.('silent');
}
