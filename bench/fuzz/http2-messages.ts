// Frame streams for the HTTP/2 fuzzer: what a client might send, mostly in good order, and what
// becomes of it when bytes and frames are changed, repeated, dropped or moved. Everything follows
// from the random source.

import { HpackEncoder } from '../../src/proxy/h2/hpack-encoder.ts';
import {
  data,
  Flag,
  FrameType,
  fieldBlock,
  frame,
  PREFACE,
  request,
  requestHead,
  reset,
  settings,
  uint32,
} from '../../src/proxy/testing/h2-frames.ts';
import { int, mostly, pick, type Random } from './random.ts';

/** A stream of frames never gets longer. */
export const MAX_HTTP2_BYTES = 4_096;
const MAX_FRAMES = 12;
const FRAME_HEAD_BYTES = 9;
const START = [Buffer.from(PREFACE, 'latin1'), settings()];
const PATHS = ['/', '/echo', '/hold', '*', 'bad', ''];
const NAMES = [
  'x-a',
  'te',
  'host',
  'cookie',
  'X-Upper',
  ':path',
  'content-length',
  'connection',
  '',
];
const VALUES = ['1', '', 'trailers', ' a', 'a\0b', 'hello.example', 'x'.repeat(60), '\xff'];

/** What a client in good order keeps in mind. */
interface Client {
  readonly encoder: HpackEncoder;
  lastId: number;
  /** Streams whose body has not ended. */
  readonly open: number[];
}

/** The frames of a client behind its preface, each a piece. */
export function generateFrames(random: Random): Buffer[] {
  const client: Client = { encoder: new HpackEncoder(), lastId: -1, open: [] };
  const frames: Buffer[] = [];
  const count = 1 + int(random, MAX_FRAMES);
  for (let index = 0; index < count; index += 1) {
    const isNew = client.open.length === 0 || random() < 0.4;
    frames.push(...(isNew ? newStream(random, client) : moreOf(random, client)));
    if (random() < 0.25) frames.push(control(random, pick(random, [1, 3, client.lastId])));
  }
  return frames;
}

export function joined(frames: readonly Buffer[]): Buffer {
  return Buffer.concat([...START, ...frames]).subarray(0, MAX_HTTP2_BYTES);
}

/** One change to a copy of `frames`, and then of their bytes. */
export function mutate(random: Random, frames: readonly Buffer[]): Buffer {
  const changed = [...frames];
  const at = int(random, changed.length);
  const kind = random();
  if (kind < 0.2) changed.splice(at, 1);
  else if (kind < 0.4) changed.splice(at, 0, pick(random, frames));
  else if (kind < 0.8) changed[at] = changedFrame(random, changed[at]!);
  let bytes = joined(changed);
  const flips = kind < 0.8 ? int(random, 2) : 1 + int(random, 3);
  for (let left = flips; left > 0; left -= 1) bytes = changedByte(random, bytes);
  return bytes.subarray(0, MAX_HTTP2_BYTES);
}

function newStream(random: Random, client: Client): Buffer[] {
  client.lastId += 2;
  const id = mostly(random, client.lastId, [0, 1, 2, 3, 101], 0.03);
  const path = mostly(random, pick(random, ['/', '/echo', '/hold']), PATHS, 0.1);
  const kind = random();
  if (kind < 0.3) return [request(id, { ':path': path })];
  client.open.push(id);
  if (kind < 0.5) return [requestHead(id, { ':path': path })];
  return kind < 0.8 ? [compressed(random, client, id, path)] : cutBlock(random, id, path);
}

function moreOf(random: Random, client: Client): Buffer[] {
  const id = mostly(random, pick(random, client.open), [0, 1, 2, 5, 101], 0.03);
  const isLast = random() < 0.3;
  const at = client.open.indexOf(id);
  if (isLast && at >= 0) client.open.splice(at, 1);
  const kind = random();
  if (kind < 0.1) return [reset(id, int(random, 14))];
  if (kind < 0.3) return [padded(random, id, isLast)];
  if (isLast && kind < 0.5) {
    return [frame(FrameType.HEADERS, 5, id, fieldBlock([oddField(random)]))];
  }
  return [data(id, 'x'.repeat(int(random, 40)), isLast)];
}

function control(random: Random, id: number): Buffer {
  const kind = int(random, 7);
  if (kind === 0) return frame(FrameType.PING, int(random, 2), 0, Buffer.alloc(8, 'p'));
  if (kind === 1) return settings([pick(random, [1, 3, 4, 6, 99]), int(random, 70_000)]);
  if (kind === 2) return frame(FrameType.WINDOW_UPDATE, 0, id, uint32(1 + int(random, 1_000)));
  if (kind === 3) return frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(1 + int(random, 2 ** 20)));
  if (kind === 4) return frame(FrameType.PRIORITY, 0, id, Buffer.alloc(5, 1));
  if (kind === 5) return frame(FrameType.GOAWAY, 0, 0, Buffer.alloc(8 + int(random, 20)));
  return frame(10 + int(random, 246), int(random, 256), id, Buffer.alloc(int(random, 30), 7));
}

/** With tables and Huffman code, as libraries send it. */
function compressed(random: Random, client: Client, id: number, path: string): Buffer {
  const [name, value] = oddField(random);
  const fields = [':method', 'POST', ':scheme', 'http', ':path', path, ':authority', 'a.example'];
  const block = Buffer.alloc(1_024);
  const end = client.encoder.encode([...fields, name, value, 'user-agent', 'fuzz/1.0'], block, 0);
  return frame(FrameType.HEADERS, Flag.END_HEADERS, id, block.subarray(0, end));
}

function cutBlock(random: Random, id: number, path: string): Buffer[] {
  const whole = requestHead(id, { ':path': path }).subarray(FRAME_HEAD_BYTES);
  const at = int(random, whole.length);
  const middle = at + int(random, whole.length - at);
  return [
    frame(FrameType.HEADERS, 0, id, whole.subarray(0, at)),
    frame(FrameType.CONTINUATION, 0, id, whole.subarray(at, middle)),
    frame(FrameType.CONTINUATION, Flag.END_HEADERS, id, whole.subarray(middle)),
  ];
}

function padded(random: Random, id: number, isLast: boolean): Buffer {
  const size = int(random, 20);
  const payload = Buffer.alloc(1 + size, 'd');
  payload[0] = mostly(random, int(random, size + 1), [size + 1, 255], 0.1);
  return frame(FrameType.DATA, Flag.PADDED | (isLast ? Flag.END_STREAM : 0), id, payload);
}

function oddField(random: Random): readonly [string, string] {
  return [mostly(random, 'x-a', NAMES, 0.15), mostly(random, '1', VALUES, 0.15)];
}

/** Head and payload stay what they are; length, type, flags or stream do not. */
function changedFrame(random: Random, original: Buffer): Buffer {
  const bytes = Buffer.from(original);
  const kind = int(random, 4);
  if (kind === 0) bytes[3] = int(random, 11);
  else if (kind === 1) bytes[4] = pick(random, [0, 1, 4, 5, 8, 9, 13, 32, 255]);
  else if (kind === 2) bytes[8] = int(random, 16);
  else bytes[2] = (bytes[2]! + int(random, 5) - 2) & 0xff;
  return bytes;
}

function changedByte(random: Random, bytes: Buffer): Buffer {
  const at = int(random, bytes.length);
  const kind = random();
  if (kind < 0.6) {
    const copy = Buffer.from(bytes);
    copy[at] = pick(random, [0, 1, 0x7f, 0x80, 0xff, int(random, 256)]);
    return copy;
  }
  const tail = bytes.subarray(kind < 0.8 ? Math.min(bytes.length, at + 1) : at);
  const more = kind < 0.8 ? Buffer.alloc(0) : Buffer.of(int(random, 256));
  return Buffer.concat([bytes.subarray(0, at), more, tail]);
}
