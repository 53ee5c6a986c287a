// The websocket through which other autoscalers copy the windows of a bucket, as a behaviour of the
// stat socket's app. µWebSockets.js keeps what the peer has not taken; how much that may be is the
// source's affair.

import type uws from 'uWebSockets.js';
import { MAX_BACKLOG_BYTES, type ReplicaSink } from './replica-source.ts';

export interface ReplicaData {
  bucket: string;
  unsubscribe: (() => void) | null;
}

export type ReplicaSocket = uws.WebSocket<ReplicaData>;

/** A copy lags behind by at most this; see ReplicaSource. */
const MAX_BUFFERED_BYTES = 2 * MAX_BACKLOG_BYTES;
/** Copies say nothing but pings. */
const MAX_INCOMING_BYTES = 1024;

export interface ReplicaSocketOptions {
  ownsBucket: (bucket: string) => boolean;
  subscribe: (bucket: string, sink: ReplicaSink) => (() => void) | null;
}

export function replicaBehavior(
  options: ReplicaSocketOptions,
  sockets: Set<ReplicaSocket>,
  state: { isStopping: boolean },
): uws.WebSocketBehavior<ReplicaData> {
  return {
    maxPayloadLength: MAX_INCOMING_BYTES,
    maxBackpressure: MAX_BUFFERED_BYTES,
    idleTimeout: 0,
    sendPingsAutomatically: false,
    upgrade(response, request, context) {
      const bucket = decoded(request.getParameter(0) ?? '');
      const key = request.getHeader('sec-websocket-key');
      if (state.isStopping || !options.ownsBucket(bucket)) {
        return void response.writeStatus('503 Service Unavailable').end();
      }
      if (key.length !== 24) return void response.writeStatus('400 Bad Request').end();
      response.upgrade({ bucket, unsubscribe: null }, key, '', '', context);
    },
    open(socket) {
      sockets.add(socket);
      const data = socket.getUserData();
      data.unsubscribe = options.subscribe(data.bucket, {
        send: (frame) => void socket.send(frame, true),
        backlog: () => socket.getBufferedAmount(),
        close: () => socket.end(1012, 'Restarting'),
      });
      if (data.unsubscribe === null) socket.end(1013, 'Try Again Later');
    },
    close(socket) {
      sockets.delete(socket);
      socket.getUserData().unsubscribe?.();
    },
  };
}

/** Names of AS-176 are URLs. Text that is no encoding names no bucket. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
