// Kubernetes protobuf bodies to plain JSON (KN-135): the `k8s\0` envelope, then the message named
// in it, read by the field tables beside. kubectl sends its imperative commands this way and does
// not fall back. Answers stay JSON, which clients accept.

import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire';
import type { JsonObject } from '../patch/json-value.ts';
import { badRequest, unsupportedMediaType } from '../status-error.ts';
import { DELETE_OPTIONS, type FieldType, MESSAGES, type MessageShape } from './messages.ts';

export const PROTOBUF_MEDIA_TYPE = 'application/vnd.kubernetes.protobuf';
const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

/** Throws 400 for broken bytes, 415 for messages without a table. */
export function decodeProtobuf(bytes: Buffer): JsonObject {
  if (bytes.length < MAGIC.length || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw badRequest('the request body does not start with the Kubernetes protobuf prefix');
  }
  try {
    return decodeEnvelope(bytes.subarray(MAGIC.length));
  } catch (error) {
    if (error instanceof RangeError || (error as Error).name === 'Error') {
      throw badRequest(`the request body is not valid protobuf: ${(error as Error).message}`);
    }
    throw error;
  }
}

function decodeEnvelope(bytes: Uint8Array): JsonObject {
  const reader = new BinaryReader(bytes);
  let apiVersion = '';
  let kind = '';
  let raw: Uint8Array = new Uint8Array();
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) {
      const typeMeta = readMessage(reader.bytes(), TYPE_META);
      apiVersion = String(typeMeta['apiVersion'] ?? '');
      kind = String(typeMeta['kind'] ?? '');
    } else if (field === 2) raw = reader.bytes();
    else reader.skip(wireType, field);
  }
  const shape = kind === 'DeleteOptions' ? DELETE_OPTIONS : MESSAGES[`${apiVersion}/${kind}`];
  if (shape === undefined) throw unsupportedMediaType(['application/json', 'application/yaml']);
  return { apiVersion, kind, ...readMessage(raw, shape) };
}

const TYPE_META: MessageShape = {
  1: { name: 'apiVersion', type: 'string' },
  2: { name: 'kind', type: 'string' },
};

function readMessage(bytes: Uint8Array, shape: MessageShape): JsonObject {
  const reader = new BinaryReader(bytes);
  const message: JsonObject = {};
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = shape[number];
    if (field === undefined) {
      reader.skip(wireType, number);
      continue;
    }
    const value = readField(reader, wireType, field.type, message[field.name]);
    if (field.repeated) {
      const list = (message[field.name] ?? []) as unknown[];
      list.push(value);
      message[field.name] = list;
    } else if (value !== undefined && value !== '') message[field.name] = value;
  }
  return message;
}

/** `earlier` is what this member holds already: map entries arrive one by one. */
function readField(
  reader: BinaryReader,
  wireType: WireType,
  type: FieldType,
  earlier: unknown,
): unknown {
  if (typeof type !== 'string') return readMessage(reader.bytes(), type);
  switch (type) {
    case 'string':
      return reader.string();
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64');
    case 'bool':
      return reader.bool();
    case 'int32':
      return reader.int32();
    case 'int64':
      return Number(reader.int64());
    case 'time':
      return readTime(reader.bytes());
    case 'intOrString':
      return readIntOrString(reader.bytes());
    case 'stringMap':
      return addEntry(reader.bytes(), earlier, (entry) => entry.string());
    case 'bytesMap':
      return addEntry(reader.bytes(), earlier, (entry) =>
        Buffer.from(entry.bytes()).toString('base64'),
      );
    case 'quantityMap':
      return addEntry(reader.bytes(), earlier, (entry) => readQuantity(entry.bytes()));
    default:
      reader.skip(wireType);
      return undefined;
  }
}

function addEntry(
  bytes: Uint8Array,
  earlier: unknown,
  readValue: (reader: BinaryReader) => string,
): JsonObject {
  const map = (earlier ?? Object.create(null)) as JsonObject;
  const reader = new BinaryReader(bytes);
  let key = '';
  let value = '';
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) key = reader.string();
    else if (field === 2) value = readValue(reader);
    else reader.skip(wireType, field);
  }
  if (key === '__proto__') throw badRequest('a member may not be called __proto__');
  map[key] = value;
  return map;
}

function readTime(bytes: Uint8Array): string | undefined {
  const { seconds } = readMessage(bytes, { 1: { name: 'seconds', type: 'int64' } });
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds * 1000)) return undefined;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

function readIntOrString(bytes: Uint8Array): number | string {
  const shape: MessageShape = {
    1: { name: 'type', type: 'int64' },
    2: { name: 'int', type: 'int32' },
    3: { name: 'text', type: 'string' },
  };
  const value = readMessage(bytes, shape);
  return value['type'] === 1 ? String(value['text'] ?? '') : Number(value['int'] ?? 0);
}

function readQuantity(bytes: Uint8Array): string {
  const shape: MessageShape = { 1: { name: 'text', type: 'string' } };
  return String(readMessage(bytes, shape)['text'] ?? '0');
}
