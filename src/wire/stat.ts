// Autoscaler statistics on the wire: the protobuf messages of ACT-136 (package `metrics`). A bare
// Stat is what a queue-proxy serves on :9090 (QP-42); a StatMessages batch is one binary websocket
// message from an activator to the autoscaler (ACT-137). Written by hand on top of the protobuf
// wire primitives because three small messages need no generated code at start-up. Zero-valued
// fields are omitted, unknown fields skipped, any field order is read (ACT-138, ACT-139).

import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

export interface Stat {
  /** Identity of the reporter. */
  podName: string;
  /** Time-weighted mean number of requests inside during the period. */
  averageConcurrentRequests: number;
  /** The part of the above that came through an activator. */
  averageProxiedConcurrentRequests: number;
  /** Arrivals: per second from a queue-proxy, per report from an activator; may be negative. */
  requestCount: number;
  proxiedRequestCount: number;
  /** Seconds since the reporter started. */
  processUptime: number;
  /** Unix seconds; 0 = not set, as reporters leave it. */
  timestamp: number;
}

export interface StatMessage {
  namespace: string;
  /** Revision name. */
  name: string;
  stat: Stat;
}

/** A Stat with everything but the reporter's name at zero. */
export function emptyStat(podName: string): Stat {
  return {
    podName,
    averageConcurrentRequests: 0,
    averageProxiedConcurrentRequests: 0,
    requestCount: 0,
    proxiedRequestCount: 0,
    processUptime: 0,
    timestamp: 0,
  };
}

export function encodeStat(stat: Stat): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  writeStat(writer, stat);
  return writer.finish();
}

/** One serialized `WireStatMessages`. */
export function encodeStatMessages(messages: readonly StatMessage[]): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  for (const message of messages) {
    writer.tag(1, WireType.LengthDelimited).fork();
    if (message.namespace !== '') {
      writer.tag(1, WireType.LengthDelimited).string(message.namespace);
    }
    if (message.name !== '') writer.tag(2, WireType.LengthDelimited).string(message.name);
    writer.tag(3, WireType.LengthDelimited).fork();
    writeStat(writer, message.stat);
    writer.join().join();
  }
  return writer.finish();
}

/** Throws on bytes that are not a protobuf message. */
export function decodeStat(bytes: Uint8Array): Stat {
  const stat = emptyStat('');
  readStat(new BinaryReader(bytes), bytes.length, stat);
  return stat;
}

/** Entries without a stat are left out (ACT-138). Throws on bytes that are no such message. */
export function decodeStatMessages(bytes: Uint8Array): StatMessage[] {
  const reader = new BinaryReader(bytes);
  const messages: StatMessage[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 1 || type !== WireType.LengthDelimited) {
      reader.skip(type, field);
      continue;
    }
    const message = readStatMessage(reader, endOfSubmessage(reader));
    if (message !== null) messages.push(message);
  }
  return messages;
}

function writeStat(writer: BinaryWriter, stat: Stat): void {
  if (stat.podName !== '') writer.tag(1, WireType.LengthDelimited).string(stat.podName);
  writeDouble(writer, 2, stat.averageConcurrentRequests);
  writeDouble(writer, 3, stat.averageProxiedConcurrentRequests);
  writeDouble(writer, 4, stat.requestCount);
  writeDouble(writer, 5, stat.proxiedRequestCount);
  writeDouble(writer, 6, stat.processUptime);
  if (stat.timestamp !== 0) writer.tag(7, WireType.Varint).int64(Math.trunc(stat.timestamp));
}

function writeDouble(writer: BinaryWriter, field: number, value: number): void {
  if (value !== 0) writer.tag(field, WireType.Bit64).double(value);
}

function endOfSubmessage(reader: BinaryReader): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError('truncated submessage');
  return end;
}

function readStatMessage(reader: BinaryReader, end: number): StatMessage | null {
  let namespace = '';
  let name = '';
  let stat: Stat | null = null;
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    if (type !== WireType.LengthDelimited) reader.skip(type, field);
    else if (field === 1) namespace = reader.string();
    else if (field === 2) name = reader.string();
    else if (field === 3) {
      stat ??= emptyStat(''); // Said more than once, the parts make one message.
      readStat(reader, endOfSubmessage(reader), stat);
    } else reader.skip(type, field);
  }
  if (reader.pos !== end) throw new RangeError('submessage overruns its length');
  return stat === null ? null : { namespace, name, stat };
}

function readStat(reader: BinaryReader, end: number, stat: Stat): void {
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    if (!readStatField(reader, field, type, stat)) reader.skip(type, field);
  }
  if (reader.pos !== end) throw new RangeError('submessage overruns its length');
}

/** False when the field is unknown or of an unexpected wire type, and so still to be skipped. */
function readStatField(reader: BinaryReader, field: number, type: WireType, stat: Stat): boolean {
  if (type === WireType.Bit64) {
    if (field === 2) stat.averageConcurrentRequests = reader.double();
    else if (field === 3) stat.averageProxiedConcurrentRequests = reader.double();
    else if (field === 4) stat.requestCount = reader.double();
    else if (field === 5) stat.proxiedRequestCount = reader.double();
    else if (field === 6) stat.processUptime = reader.double();
    else return false;
    return true;
  }
  if (field === 1 && type === WireType.LengthDelimited) stat.podName = reader.string();
  else if (field === 7 && type === WireType.Varint) stat.timestamp = Number(reader.int64());
  else return false;
  return true;
}
