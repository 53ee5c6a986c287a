// The frames that carry no message: SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM, PRIORITY
// (RFC 9113 section 6), and those of types nobody knows, which are skipped. Their lengths are
// checked before a byte of them is kept. Not hot, but for WINDOW_UPDATE.

import { Http2Code } from '../h2-codes.ts';
import type { FloodGuard } from '../h2-flood.ts';
import {
  CONNECTION_WINDOW_BYTES,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_BYTES,
  MAX_HEADER_LIST_BYTES,
  MAX_SETTINGS_ENTRIES,
  STREAM_WINDOW_BYTES,
} from '../h2-limits.ts';
import { HEADER_TABLE_BYTES } from './field-block.ts';
import {
  DEFAULT_WINDOW_BYTES,
  Flag,
  FrameType,
  LARGEST_WINDOW,
  Payload,
  Setting,
  uint31,
} from './frames.ts';
import type { Outlet } from './outlet.ts';
import { PeerSettings, SETTING_BYTES } from './peer-settings.ts';
import type { StreamTable } from './stream-table.ts';

const PRIORITY_BYTES = 5;
const CODE_BYTES = 4;
const INCREMENT_BYTES = 4;
const PING_BYTES = 8;
const MIN_GOAWAY_BYTES = 8;

/** The connection these frames are for. */
export interface ControlledConnection {
  readonly outlet: Outlet;
  readonly streams: StreamTable;
  fail(code: Http2Code): void;
  failStream(streamId: number, code: Http2Code): void;
  judgeReset(): void;
  endFlood(what: string): void;
  onPong(): void;
  onClientGoaway(): void;
}

export class ControlFrames {
  readonly settings = new PeerSettings();
  readonly #connection: ControlledConnection;
  readonly #guard: FloodGuard;

  constructor(connection: ControlledConnection, guard: FloodGuard) {
    this.#connection = connection;
    this.#guard = guard;
  }

  /** The server's preface (RFC 9113 section 3.4; QP-6). */
  greet(): void {
    const { outlet } = this.#connection;
    outlet.settings([
      [Setting.HEADER_TABLE_SIZE, HEADER_TABLE_BYTES],
      [Setting.MAX_CONCURRENT_STREAMS, MAX_CONCURRENT_STREAMS],
      [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
      [Setting.MAX_FRAME_SIZE, MAX_FRAME_BYTES],
      [Setting.MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_BYTES],
    ]);
    outlet.windowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
  }

  onFrameHead(type: number, flags: number, streamId: number, length: number): Payload {
    switch (type) {
      case FrameType.PRIORITY:
        return this.#onPriority(streamId, length);
      case FrameType.RST_STREAM:
        return this.#fixed(streamId !== 0, length, CODE_BYTES);
      case FrameType.SETTINGS:
        return this.#onSettingsHead(flags, streamId, length);
      case FrameType.PUSH_PROMISE:
        return this.#fail(Http2Code.PROTOCOL_ERROR);
      case FrameType.PING:
        return this.#fixed(streamId === 0, length, PING_BYTES);
      case FrameType.GOAWAY:
        return this.#onGoaway(streamId, length);
      case FrameType.WINDOW_UPDATE:
        return this.#fixed(true, length, INCREMENT_BYTES);
      default:
        return this.#guard.onEmpty() ? this.#flood('unknown frames') : Payload.SKIPPED;
    }
  }

  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    switch (type) {
      case FrameType.RST_STREAM:
        this.#onReset(streamId);
        return;
      case FrameType.SETTINGS:
        this.#onSettings(flags, bytes, start, end);
        return;
      case FrameType.PING:
        this.#onPing(flags, bytes.subarray(start, end));
        return;
      default:
        this.#onWindowUpdate(streamId, uint31(bytes, start));
    }
  }

  #fixed(isRightStream: boolean, length: number, wanted: number): Payload {
    if (!isRightStream) return this.#fail(Http2Code.PROTOCOL_ERROR);
    return length === wanted ? Payload.WHOLE : this.#fail(Http2Code.FRAME_SIZE_ERROR);
  }

  #onPriority(streamId: number, length: number): Payload {
    if (streamId === 0) return this.#fail(Http2Code.PROTOCOL_ERROR);
    if (this.#guard.onPriority()) return this.#flood('priority');
    if (length === PRIORITY_BYTES) return Payload.SKIPPED;
    // An idle stream cannot be reset.
    if (this.#connection.streams.get(streamId) === undefined) {
      return this.#fail(Http2Code.FRAME_SIZE_ERROR);
    }
    this.#connection.failStream(streamId, Http2Code.FRAME_SIZE_ERROR);
    return Payload.SKIPPED;
  }

  #onSettingsHead(flags: number, streamId: number, length: number): Payload {
    if (streamId !== 0) return this.#fail(Http2Code.PROTOCOL_ERROR);
    const isAck = (flags & Flag.ACK) !== 0;
    if (length % SETTING_BYTES !== 0 || (isAck && length > 0)) {
      return this.#fail(Http2Code.FRAME_SIZE_ERROR);
    }
    const isLong = length > MAX_SETTINGS_ENTRIES * SETTING_BYTES;
    return isLong || this.#guard.onSettings() ? this.#flood('settings') : Payload.WHOLE;
  }

  #onSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    if ((flags & Flag.ACK) !== 0) return;
    const { outlet, streams } = this.#connection;
    const before = this.settings.initialWindow;
    const code = this.settings.apply(bytes, start, end);
    if (code !== Http2Code.NO_ERROR) {
      this.#connection.fail(code);
      return;
    }
    outlet.encoder.setLimit(this.settings.headerTableBytes);
    outlet.settingsAck();
    const change = this.settings.initialWindow - before;
    if (change === 0) return;
    // RFC 9113 section 6.9.2: of streams that are open, too; they may end up below zero.
    for (const stream of streams.all()) {
      stream.window += change;
      if (stream.window > LARGEST_WINDOW) {
        this.#connection.fail(Http2Code.FLOW_CONTROL_ERROR);
        return;
      }
      if (change > 0) stream.pump();
    }
  }

  #onPing(flags: number, payload: Buffer): void {
    if (this.#guard.onPing()) this.#flood('ping');
    else if ((flags & Flag.ACK) === 0) this.#connection.outlet.ping(Flag.ACK, payload);
    else this.#connection.onPong();
  }

  #onGoaway(streamId: number, length: number): Payload {
    if (streamId !== 0) return this.#fail(Http2Code.PROTOCOL_ERROR);
    if (length < MIN_GOAWAY_BYTES) return this.#fail(Http2Code.FRAME_SIZE_ERROR);
    this.#connection.onClientGoaway();
    return Payload.SKIPPED;
  }

  #onReset(streamId: number): void {
    const { streams } = this.#connection;
    const stream = streams.get(streamId);
    if (stream !== undefined) {
      stream.onGone(false);
      this.#connection.judgeReset();
    } else if (streams.isIdle(streamId)) this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    else if (this.#guard.onEmpty()) this.#flood('reset');
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    const { outlet, streams } = this.#connection;
    const stream = streamId === 0 ? undefined : streams.get(streamId);
    if (this.#guard.onWindowUpdate()) this.#flood('window update');
    else if (streamId !== 0 && stream === undefined) {
      if (streams.isIdle(streamId)) this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    } else if (stream === undefined) {
      const code = increment === 0 ? Http2Code.PROTOCOL_ERROR : Http2Code.FLOW_CONTROL_ERROR;
      outlet.window += increment;
      if (increment === 0 || outlet.window > LARGEST_WINDOW) this.#connection.fail(code);
      else outlet.pumpAll();
    } else if (increment === 0) {
      this.#connection.failStream(streamId, Http2Code.PROTOCOL_ERROR);
    } else {
      stream.window += increment;
      if (stream.window <= LARGEST_WINDOW) stream.pump();
      else this.#connection.failStream(streamId, Http2Code.FLOW_CONTROL_ERROR);
    }
  }

  #fail(code: Http2Code): Payload {
    this.#connection.fail(code);
    return Payload.NONE;
  }

  #flood(what: string): Payload {
    this.#connection.endFlood(what);
    return Payload.NONE;
  }
}
