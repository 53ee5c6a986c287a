// Websocket frames (RFC 6455, section 5) for a server without dependencies: what clients send is
// masked, what we send is not. A message may come in fragments with control frames in between.
export const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };
export const CloseCode = { GOING_AWAY: 1001, PROTOCOL_ERROR: 1002, BAD_TEXT: 1007, TOO_BIG: 1009 };

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const MAX_CONTROL_BYTES = 125;
const MASK_BYTES = 4;
const EMPTY = Buffer.alloc(0);
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The client broke the protocol; the connection ends with `code`. */
export class FrameError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** One unmasked frame, whole. */
export function encodeFrame(opcode, payload = EMPTY) {
  const length = payload.length;
  const extra = length <= 125 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extra);
  head[0] = 0x80 | opcode;
  head[1] = extra === 0 ? length : extra === 2 ? 126 : 127;
  if (extra === 2) head.writeUInt16BE(length, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

export function closeFrame(code, reason = '') {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return encodeFrame(Opcode.CLOSE, payload);
}

/** Collects bytes, hands out whole messages and control frames as `(opcode, payload)`. */
export class FrameReader {
  #bytes = EMPTY;
  #fragments = [];
  #fragmentBytes = 0;
  #fragmentOpcode = 0;
  #onMessage;

  constructor(onMessage) {
    this.#onMessage = onMessage;
  }

  push(chunk) {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    while (this.#readFrame());
  }

  /** False when more bytes are needed. */
  #readFrame() {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const opcode = bytes[0] & 0x0f;
    const isFinal = (bytes[0] & 0x80) !== 0;
    this.#check(bytes, opcode, isFinal);
    const short = bytes[1] & 0x7f;
    const extra = short < 126 ? 0 : short === 126 ? 2 : 8;
    const payloadAt = 2 + extra + MASK_BYTES;
    if (bytes.length < payloadAt) return false;
    const length =
      extra === 0 ? short : Number(extra === 2 ? bytes.readUInt16BE(2) : bytes.readBigUInt64BE(2));
    if (this.#fragmentBytes + length > MAX_MESSAGE_BYTES) {
      throw new FrameError(CloseCode.TOO_BIG, 'message is too big');
    }
    if (bytes.length < payloadAt + length) return false;
    const payload = Buffer.from(bytes.subarray(payloadAt, payloadAt + length));
    const mask = bytes.subarray(payloadAt - MASK_BYTES, payloadAt);
    for (let index = 0; index < length; index += 1) payload[index] ^= mask[index & 3];
    this.#bytes = bytes.subarray(payloadAt + length);
    if (opcode >= Opcode.CLOSE) this.#onMessage(opcode, payload);
    else this.#collect(opcode, payload, isFinal);
    return true;
  }

  #check(bytes, opcode, isFinal) {
    const isControl = opcode >= Opcode.CLOSE;
    const isKnown = opcode <= Opcode.BINARY || (isControl && opcode <= Opcode.PONG);
    const isMasked = (bytes[1] & 0x80) !== 0;
    const isControlWhole = !isControl || (isFinal && (bytes[1] & 0x7f) <= MAX_CONTROL_BYTES);
    const isInOrder =
      isControl || (opcode === Opcode.CONTINUATION) === (this.#fragmentOpcode !== 0);
    // Reserved bits belong to extensions, and none was agreed on.
    if ((bytes[0] & 0x70) === 0 && isKnown && isMasked && isControlWhole && isInOrder) return;
    throw new FrameError(CloseCode.PROTOCOL_ERROR, 'protocol error');
  }

  #collect(opcode, payload, isFinal) {
    if (opcode !== Opcode.CONTINUATION) this.#fragmentOpcode = opcode;
    this.#fragments.push(payload);
    this.#fragmentBytes += payload.length;
    if (!isFinal) return;
    const message = this.#fragments.length === 1 ? payload : Buffer.concat(this.#fragments);
    const kind = this.#fragmentOpcode;
    this.#fragments = [];
    this.#fragmentBytes = 0;
    this.#fragmentOpcode = 0;
    if (kind === Opcode.TEXT) assertText(message);
    this.#onMessage(kind, message);
  }
}

function assertText(message) {
  try {
    utf8.decode(message);
  } catch {
    throw new FrameError(CloseCode.BAD_TEXT, 'text is not UTF-8');
  }
}
