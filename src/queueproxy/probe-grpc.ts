// The gRPC readiness attempt (QP-112): grpc.health.v1.Health/Check over h2c to 127.0.0.1, ready iff
// the service says SERVING. One call on a connection of its own. Imported by the first gRPC probe.

import * as http2 from 'node:http2';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { formatDurationMs } from '../api/duration.ts';
import type { Clock } from '../clock/clock.ts';
import { APP_PROBE_USER_AGENT } from '../wire/probe-headers.ts';

const HOST = '127.0.0.1';
const CHECK_PATH = '/grpc.health.v1.Health/Check';
const STATUS_UNIMPLEMENTED = '12';
const SERVING = 1;
/** By number in HealthCheckResponse.ServingStatus. */
const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
/** A health answer is a few bytes; whatever sends more is something else. */
const MAX_ANSWER_BYTES = 4096;
/** Compression flag and message length. */
const FRAME_HEAD_BYTES = 5;

interface CheckResult {
  readonly grpcStatus: string;
  readonly grpcMessage: string;
  readonly body: Buffer;
}

/** Null = ready. `timeoutMs` covers the whole call, 0 = no limit. */
export async function attemptGrpc(
  port: number,
  service: string,
  timeoutMs: number,
  clock: Clock,
): Promise<string | null> {
  const session = http2.connect(`http://${HOST}:${port}`);
  let expired = false;
  const expire = (): void => {
    expired = true;
    session.destroy(new Error('deadline exceeded'));
  };
  const timer = timeoutMs > 0 ? clock.setTimer(timeoutMs, expire) : null;
  try {
    return verdict(await call(session, service));
  } catch (error) {
    const reason = (error as Error).message;
    if (expired)
      return `health rpc did not complete within ${formatDurationMs(timeoutMs)}: ${reason}`;
    return `health rpc probe failed: ${reason}`;
  } finally {
    timer?.cancel();
    session.destroy();
  }
}

function verdict(result: CheckResult): string | null {
  if (result.grpcStatus === STATUS_UNIMPLEMENTED) {
    const name = 'grpc.health.v1.Health';
    return `this server does not implement the grpc health protocol (${name}) ${result.grpcMessage}`;
  }
  if (result.grpcStatus !== '0') {
    return `health rpc probe failed: status ${result.grpcStatus} ${result.grpcMessage}`;
  }
  const status = servingStatus(result.body);
  if (status === SERVING) return null;
  return `service unhealthy (responded with "${SERVING_STATUS[status] ?? status}")`;
}

function call(session: http2.ClientHttp2Session, service: string): Promise<CheckResult> {
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': CHECK_PATH,
      'content-type': 'application/grpc',
      'user-agent': APP_PROBE_USER_AGENT,
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let bodyBytes = 0;
    // The status stands in the trailers, or in the head of an answer without body.
    let head: http2.IncomingHttpHeaders = {};
    stream.on('response', (headers) => {
      head = headers;
    });
    stream.on('trailers', (trailers) => {
      head = { ...head, ...trailers };
    });
    stream.on('data', (chunk: Buffer) => {
      bodyBytes += chunk.length;
      if (bodyBytes > MAX_ANSWER_BYTES) stream.destroy(new Error('answer is too long'));
      else chunks.push(chunk);
    });
    stream.on('error', reject);
    stream.on('close', () => {
      if (head['grpc-status'] === undefined) reject(new Error(withoutStatus(head)));
      resolve({
        grpcStatus: String(head['grpc-status']),
        grpcMessage: String(head['grpc-message'] ?? ''),
        body: Buffer.concat(chunks),
      });
    });
    stream.end(requestFrame(service));
  });
}

function withoutStatus(head: http2.IncomingHttpHeaders): string {
  const status = head[':status'];
  return status === undefined ? 'connection closed' : `unexpected HTTP status ${status}`;
}

/** HealthCheckRequest { service = 1 } behind its frame head. */
function requestFrame(service: string): Buffer {
  const writer = new BinaryWriter();
  if (service !== '') writer.tag(1, WireType.LengthDelimited).string(service);
  const message = writer.finish();
  const frame = Buffer.alloc(FRAME_HEAD_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, FRAME_HEAD_BYTES);
  return frame;
}

/** HealthCheckResponse { status = 1 }; an empty message is UNKNOWN. */
function servingStatus(body: Buffer): number {
  const reader = new BinaryReader(body.subarray(FRAME_HEAD_BYTES));
  let status = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.Varint) status = reader.int32();
    else reader.skip(type, field);
  }
  return status;
}
