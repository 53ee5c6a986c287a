// The SETTINGS of a client, checked (RFC 9113 section 6.5.2) and kept. Pure but for what it keeps.
// Not hot.

import { Http2Code } from '../h2-codes.ts';
import {
  DEFAULT_WINDOW_BYTES,
  LARGEST_MAX_FRAME_BYTES,
  LARGEST_WINDOW,
  MIN_MAX_FRAME_BYTES,
  Setting,
  uint32,
} from './frames.ts';

export const SETTING_BYTES = 6;
/** Until the client says otherwise, and as much as we use. */
const DEFAULT_TABLE_BYTES = 4_096;

export class PeerSettings {
  initialWindow = DEFAULT_WINDOW_BYTES;
  headerTableBytes = DEFAULT_TABLE_BYTES;

  /** Entries in `bytes[start, end)`, in order; NO_ERROR, or the code the connection ends with. */
  apply(bytes: Uint8Array, start: number, end: number): Http2Code {
    for (let at = start; at < end; at += SETTING_BYTES) {
      const id = (bytes[at]! << 8) | bytes[at + 1]!;
      const code = this.#set(id, uint32(bytes, at + 2));
      if (code !== Http2Code.NO_ERROR) return code;
    }
    return Http2Code.NO_ERROR;
  }

  #set(id: number, value: number): Http2Code {
    switch (id) {
      case Setting.HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        return Http2Code.NO_ERROR;
      case Setting.ENABLE_PUSH:
        return value <= 1 ? Http2Code.NO_ERROR : Http2Code.PROTOCOL_ERROR;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > LARGEST_WINDOW) return Http2Code.FLOW_CONTROL_ERROR;
        this.initialWindow = value;
        return Http2Code.NO_ERROR;
      case Setting.MAX_FRAME_SIZE:
        return value >= MIN_MAX_FRAME_BYTES && value <= LARGEST_MAX_FRAME_BYTES
          ? Http2Code.NO_ERROR
          : Http2Code.PROTOCOL_ERROR;
      default:
        // Unknown ones are ignored; the rest is advice about messages we hardly send.
        return Http2Code.NO_ERROR;
    }
  }
}
