// Takes one HTTP/1.1 message off the front of raw text, by the plainest reading of RFC 9112, so that a
// row can tell when a peer has all of it. Made for what a correct proxy writes: anything unusual makes
// the message incomplete, and the row that waits for it fails.

export interface RawMessage {
  /** Request line or status line. */
  start: string;
  status: number;
  /** Names in lower case, in order, values trimmed. */
  headers: [name: string, value: string][];
  head: string;
  /** Framing removed. */
  body: string;
  /** Lines behind the last chunk, each with its CRLF. */
  trailers: string;
  /** What follows the message. */
  rest: string;
}

/** All values of that lower-case name. */
export function valuesOf(message: RawMessage, name: string): string[] {
  return message.headers.filter(([key]) => key === name).map(([, value]) => value);
}

/** The first message of `text`, null while it is not whole. `isOver`: nothing more will come. */
export function firstRequest(text: string): RawMessage | null {
  return firstMessage(text, false, false);
}

/** `method` is that of the request; an interim answer counts as a message of its own. */
export function firstAnswer(text: string, method: string, isOver: boolean): RawMessage | null {
  return firstMessage(text, true, isOver, method);
}

function firstMessage(
  text: string,
  isAnswer: boolean,
  isOver: boolean,
  method = '',
): RawMessage | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [start = '', ...lines] = text.slice(0, end).split('\r\n');
  const message: RawMessage = {
    start,
    status: isAnswer ? Number(start.slice(9, 12)) : 0,
    headers: lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
    head: text.slice(0, end + 4),
    body: '',
    trailers: '',
    rest: text.slice(end + 4),
  };
  const { status } = message;
  const isEmpty = status === 204 || status === 304 || (isAnswer && status < 200);
  if (isEmpty || method === 'HEAD') return message;
  return withBody(message, isAnswer, isOver);
}

function withBody(message: RawMessage, isAnswer: boolean, isOver: boolean): RawMessage | null {
  const text = message.rest;
  if (valuesOf(message, 'transfer-encoding').join() === 'chunked') return withChunks(message);
  const [length] = valuesOf(message, 'content-length');
  if (length === undefined && isAnswer) {
    message.body = text;
    message.rest = '';
    return isOver ? message : null;
  }
  const size = Number(length ?? 0);
  if (text.length < size) return null;
  message.body = text.slice(0, size);
  message.rest = text.slice(size);
  return message;
}

function withChunks(message: RawMessage): RawMessage | null {
  let rest = message.rest;
  for (;;) {
    const [line, digits = ''] = /^([0-9a-f]+)\r\n/i.exec(rest) ?? [];
    if (line === undefined) return null;
    const size = Number.parseInt(digits, 16);
    rest = rest.slice(line.length);
    if (size === 0) break;
    if (rest.length < size + 2) return null;
    message.body += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
  const end = rest.startsWith('\r\n') ? 0 : rest.indexOf('\r\n\r\n') + 2;
  if (end === 1) return null;
  message.trailers = rest.slice(0, end);
  message.rest = rest.slice(end + 2);
  return message;
}
