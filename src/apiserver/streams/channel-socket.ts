// exec and attach over a WebSocket (KN-232): every binary message starts with the number of its
// channel. Versions 4 and 5 of the protocol differ in one thing: only 5 can close the input.

import { Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { TerminalSize } from '../pod-streams.ts';
import type { RemoteStreams } from './remote-command.ts';

export const CHANNEL_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;
/** Largest message taken; the connection ends beyond it. */
export const MAX_CHANNEL_MESSAGE_BYTES = 1024 * 1024;

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;
const NORMAL_CLOSURE = 1000;

export function openChannels(
  socket: WebSocket,
  wants: { stdin: boolean; stdout: boolean; stderr: boolean },
): RemoteStreams {
  const stdin = new Readable({ read: () => socket.resume() });
  let size: TerminalSize | null = null;
  let onResize: (size: TerminalSize) => void = () => undefined;
  socket.on('message', (data: RawData) => {
    const bytes = asBuffer(data);
    const [channel] = bytes;
    if (channel === STDIN) {
      if (!stdin.readableEnded && !stdin.push(bytes.subarray(1))) socket.pause();
    } else if (channel === RESIZE) {
      size = parseSize(bytes.subarray(1)) ?? size;
      if (size !== null) onResize(size);
    } else if (channel === CLOSE && bytes[1] === STDIN) stdin.push(null);
  });
  socket.on('error', () => undefined); // 'close' follows.
  const stdout = wants.stdout ? channelWriter(socket, STDOUT) : null;
  const stderr = wants.stderr ? channelWriter(socket, STDERR) : null;
  // Clients take an empty message for the sign that the other end has started.
  socket.send(Buffer.from([wants.stdout ? STDOUT : STDERR]));
  return {
    stdin: wants.stdin ? stdin : null,
    stdout,
    stderr,
    onResize(listener) {
      onResize = listener;
      if (size !== null) listener(size); // Sent before the command was there to hear it.
    },
    finish(status) {
      socket.send(Buffer.concat([Buffer.from([ERROR]), Buffer.from(JSON.stringify(status))]));
      socket.close(NORMAL_CLOSURE);
    },
    onGone(listener) {
      socket.once('close', () => {
        stdout?.destroy();
        stderr?.destroy();
        stdin.destroy();
        listener();
      });
    },
  };
}

function channelWriter(socket: WebSocket, channel: number): Writable {
  const prefix = Buffer.from([channel]);
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      socket.send(Buffer.concat([prefix, chunk]), () => done());
    },
  });
}

function asBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** Null for anything but `{"Width": n, "Height": n}`, which is ignored. */
export function parseSize(bytes: Buffer): TerminalSize | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch {
    return null; // Not JSON: the terminal keeps its size.
  }
  const { Width: columns, Height: rows } = (parsed ?? {}) as { Width?: unknown; Height?: unknown };
  const isSize = (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
  return isSize(columns) && isSize(rows) ? { columns, rows } : null;
}
