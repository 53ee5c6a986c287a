// RFC 9113 section 6: what every frame type demands.

import {
  data,
  Flag,
  FrameType,
  fieldBlock,
  frame,
  HEADERS_DONE,
  REQUEST_DONE,
  request,
  requestFields,
  requestHead,
  Setting,
  settings,
  uint32,
} from '../../../src/proxy/testing/h2-frames.ts';
import { Code, type Peer, type Row } from './peer.ts';

const MAX_WINDOW = 2 ** 31 - 1;
const UNKNOWN_SETTING = 0x7f7f;
const block = fieldBlock(requestFields());

/** A row whose bytes end the connection with one code. */
function fatal(id: string, says: string, code: number, ...bytes: Uint8Array[]): Row {
  return {
    id,
    level: 'must',
    says,
    check(peer) {
      peer.send(...bytes);
      return peer.connectionError(code);
    },
  };
}

/** A row whose bytes the connection bears; afterwards a request is answered. */
function harmless(id: string, says: string, ...bytes: Uint8Array[]): Row {
  return {
    id,
    level: 'must',
    says,
    async check(peer) {
      peer.send(...bytes, request(101));
      await peer.answered(101);
      await peer.untroubled();
    },
  };
}

const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR } = Code;

export const definitionRows: readonly Row[] = [
  fatal('6.1-stream-0', 'DATA on stream 0 is PROTOCOL_ERROR', PROTOCOL_ERROR, data(0, 'x')),
  fatal(
    '6.1-padding',
    'DATA whose padding fills the frame or more is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    requestHead(1, { ':path': '/hold' }),
    frame(FrameType.DATA, Flag.PADDED, 1, Buffer.from([5, 1, 2])),
  ),
  {
    id: '6.1-padded',
    level: 'must',
    says: 'padding of DATA is taken off the body',
    async check(peer) {
      const padded = Buffer.from([3, 65, 66, 0, 0, 0]);
      peer.send(requestHead(1, { ':path': '/echo', 'content-length': '2' }));
      peer.send(frame(FrameType.DATA, Flag.PADDED | Flag.END_STREAM, 1, padded));
      await peer.answered(1);
      if (peer.raw.body(1) !== 'AB') throw new Error(`body ${peer.raw.body(1)}`);
    },
  },
  harmless(
    '6.1-empty',
    'DATA without bytes and without END_STREAM is allowed',
    requestHead(1, { ':path': '/hold' }),
    data(1, ''),
  ),
  fatal(
    '6.2-stream-0',
    'HEADERS on stream 0 is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    frame(FrameType.HEADERS, REQUEST_DONE, 0, block),
  ),
  fatal(
    '6.2-padding',
    'HEADERS whose padding exceeds the fragment is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    frame(FrameType.HEADERS, REQUEST_DONE | Flag.PADDED, 1, Buffer.from([200, 0x82])),
  ),
  harmless(
    '6.2-priority',
    'HEADERS may carry priority fields, which mean nothing',
    frame(
      FrameType.HEADERS,
      REQUEST_DONE | Flag.PRIORITY,
      1,
      Buffer.concat([uint32(0), Buffer.from([15]), block]),
    ),
  ),
  fatal(
    '6.3-stream-0',
    'PRIORITY on stream 0 is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    frame(FrameType.PRIORITY, 0, 0, Buffer.alloc(5)),
  ),
  {
    id: '6.3-length',
    level: 'must',
    says: 'PRIORITY of another length than 5 is FRAME_SIZE_ERROR for the stream',
    check(peer) {
      peer.send(request(1, { ':path': '/hold' }), frame(FrameType.PRIORITY, 0, 1, uint32(0)));
      return peer.streamError(1, FRAME_SIZE_ERROR);
    },
  },
  harmless(
    '6.3-idle',
    'PRIORITY may come on any stream, idle ones included',
    frame(FrameType.PRIORITY, 0, 9, Buffer.from([0, 0, 0, 0, 15])),
  ),
  fatal(
    '6.4-stream-0',
    'RST_STREAM on stream 0 is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    frame(FrameType.RST_STREAM, 0, 0, uint32(8)),
  ),
  fatal(
    '6.4-length',
    'RST_STREAM of another length than 4 is FRAME_SIZE_ERROR for the connection',
    FRAME_SIZE_ERROR,
    request(1, { ':path': '/hold' }),
    frame(FrameType.RST_STREAM, 0, 1, Buffer.alloc(3)),
  ),
  {
    id: '6.5-acknowledged',
    level: 'must',
    says: 'SETTINGS are acknowledged',
    async check(peer) {
      const before = acknowledgements(peer);
      peer.send(settings([Setting.MAX_CONCURRENT_STREAMS, 10]), settings());
      await peer.settle();
      if (acknowledgements(peer) !== before + 2) throw new Error('not acknowledged');
    },
  },
  fatal(
    '6.5-ack-payload',
    'SETTINGS with ACK and a payload is FRAME_SIZE_ERROR',
    FRAME_SIZE_ERROR,
    frame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(6)),
  ),
  fatal(
    '6.5-stream',
    'SETTINGS on a stream is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    frame(FrameType.SETTINGS, 0, 1),
  ),
  fatal(
    '6.5-length',
    'SETTINGS whose length is no multiple of 6 is FRAME_SIZE_ERROR',
    FRAME_SIZE_ERROR,
    frame(FrameType.SETTINGS, 0, 0, Buffer.alloc(5)),
  ),
  fatal(
    '6.5.2-push',
    'SETTINGS_ENABLE_PUSH other than 0 and 1 is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    settings([Setting.ENABLE_PUSH, 2]),
  ),
  fatal(
    '6.5.2-window',
    'SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1 is FLOW_CONTROL_ERROR',
    FLOW_CONTROL_ERROR,
    settings([Setting.INITIAL_WINDOW_SIZE, 2 ** 31]),
  ),
  fatal(
    '6.5.2-frame-small',
    'SETTINGS_MAX_FRAME_SIZE below 16,384 is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    settings([Setting.MAX_FRAME_SIZE, 16_383]),
  ),
  fatal(
    '6.5.2-frame-large',
    'SETTINGS_MAX_FRAME_SIZE above 2^24-1 is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    settings([Setting.MAX_FRAME_SIZE, 2 ** 24]),
  ),
  harmless(
    '6.5.2-unknown',
    'settings with unknown identifiers are ignored',
    settings([UNKNOWN_SETTING, 1]),
  ),
  fatal(
    '6.6-push',
    'PUSH_PROMISE from a client is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    request(1, { ':path': '/hold' }),
    frame(FrameType.PUSH_PROMISE, HEADERS_DONE, 1, Buffer.concat([uint32(2), block])),
  ),
  {
    id: '6.7-answered',
    level: 'must',
    says: 'PING is answered with ACK and the same payload',
    async check(peer) {
      const payload = Buffer.from('pingpong');
      peer.send(frame(FrameType.PING, 0, 0, payload));
      await peer.raw.until(
        (one) =>
          one.type === FrameType.PING && one.flags === Flag.ACK && one.payload.equals(payload),
      );
    },
  },
  {
    id: '6.7-ack',
    level: 'must',
    says: 'PING with ACK is not answered, nor held against anybody',
    async check(peer) {
      const payload = Buffer.from('unbidden');
      peer.send(frame(FrameType.PING, Flag.ACK, 0, payload));
      await peer.untroubled();
      if (peer.raw.find((one) => one.payload.equals(payload)) !== undefined) {
        throw new Error('answered');
      }
    },
  },
  fatal(
    '6.7-stream',
    'PING on a stream is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    frame(FrameType.PING, 0, 1, Buffer.alloc(8)),
  ),
  fatal(
    '6.7-length',
    'PING of another length than 8 is FRAME_SIZE_ERROR',
    FRAME_SIZE_ERROR,
    frame(FrameType.PING, 0, 0, Buffer.alloc(7)),
  ),
  fatal(
    '6.8-stream',
    'GOAWAY on a stream is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    frame(FrameType.GOAWAY, 0, 1, Buffer.alloc(8)),
  ),
  {
    id: '6.8-running',
    level: 'must',
    says: 'streams that run are finished after the client said GOAWAY',
    async check(peer) {
      peer.send(requestHead(1, { ':path': '/echo' }), data(1, 'A'));
      peer.send(frame(FrameType.GOAWAY, 0, 0, Buffer.alloc(8)), data(1, 'B', true));
      await peer.raw.until((one) => one.streamId === 1 && one.type === FrameType.DATA);
      await peer.raw.untilClosed();
      if (peer.raw.body(1) !== 'AB') throw new Error(`body ${peer.raw.body(1)}`);
    },
  },
  fatal(
    '6.9-zero',
    'WINDOW_UPDATE by 0 on the connection is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(0)),
  ),
  {
    id: '6.9-zero-stream',
    level: 'must',
    says: 'WINDOW_UPDATE by 0 on a stream is PROTOCOL_ERROR for the stream',
    check(peer) {
      peer.send(request(1, { ':path': '/hold' }));
      peer.send(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(0)));
      return peer.streamError(1, PROTOCOL_ERROR);
    },
  },
  fatal(
    '6.9-length',
    'WINDOW_UPDATE of another length than 4 is FRAME_SIZE_ERROR',
    FRAME_SIZE_ERROR,
    frame(FrameType.WINDOW_UPDATE, 0, 0, Buffer.alloc(3)),
  ),
  {
    id: '6.9.1-window',
    level: 'must',
    says: 'no more DATA is sent than the window allows, and the rest when it grows',
    async check(peer) {
      peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 1]), request(1));
      await peer.raw.until((one) => one.type === FrameType.DATA);
      await peer.settle();
      if (peer.raw.body(1) !== 'o') throw new Error(`body ${peer.raw.body(1)}`);
      peer.send(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(100)));
      await peer.answered(1);
      if (peer.raw.body(1) !== 'ok') throw new Error(`body ${peer.raw.body(1)}`);
    },
  },
  fatal(
    '6.9.1-overflow',
    'a connection window beyond 2^31-1 is FLOW_CONTROL_ERROR',
    FLOW_CONTROL_ERROR,
    frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(MAX_WINDOW)),
    frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(MAX_WINDOW)),
  ),
  {
    id: '6.9.1-overflow-stream',
    level: 'must',
    says: 'a stream window beyond 2^31-1 is FLOW_CONTROL_ERROR for the stream',
    check(peer) {
      const update = frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(MAX_WINDOW));
      peer.send(request(1, { ':path': '/hold' }), update, update);
      return peer.streamError(1, FLOW_CONTROL_ERROR);
    },
  },
  {
    id: '6.9.2-raise',
    level: 'must',
    says: 'a new SETTINGS_INITIAL_WINDOW_SIZE changes the windows of streams that are open',
    async check(peer) {
      peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 0]), request(1));
      await peer.raw.until((one) => one.type === FrameType.HEADERS);
      await peer.settle();
      if (peer.raw.body(1) !== '') throw new Error(`body ${peer.raw.body(1)}`);
      peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 2]));
      await peer.answered(1);
    },
  },
  {
    id: '6.9.2-overflow',
    level: 'must',
    says: 'SETTINGS that push a stream window beyond 2^31-1 are FLOW_CONTROL_ERROR',
    check(peer) {
      peer.send(request(1, { ':path': '/hold' }));
      peer.send(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(MAX_WINDOW - 65_535)));
      peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 65_536]));
      return peer.streamError(1, FLOW_CONTROL_ERROR);
    },
  },
  harmless(
    '6.10-continued',
    'a field block may go on in CONTINUATION frames',
    frame(FrameType.HEADERS, Flag.END_STREAM, 1, block.subarray(0, 10)),
    frame(FrameType.CONTINUATION, 0, 1, block.subarray(10, 20)),
    frame(FrameType.CONTINUATION, HEADERS_DONE, 1, block.subarray(20)),
  ),
  fatal(
    '6.10-stream-0',
    'CONTINUATION on stream 0 is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    frame(FrameType.HEADERS, Flag.END_STREAM, 1, block),
    frame(FrameType.CONTINUATION, HEADERS_DONE, 0),
  ),
  fatal(
    '6.10-unbegun',
    'CONTINUATION behind a complete field block is PROTOCOL_ERROR',
    PROTOCOL_ERROR,
    request(1, { ':path': '/hold' }),
    frame(FrameType.CONTINUATION, HEADERS_DONE, 1),
  ),
  {
    id: '7-unknown-code',
    level: 'must',
    says: 'unknown error codes trigger nothing special',
    async check(peer) {
      peer.send(request(1, { ':path': '/hold' }));
      peer.send(frame(FrameType.RST_STREAM, 0, 1, uint32(0xffff)), request(3));
      await peer.answered(3);
      await peer.untroubled();
    },
  },
];

function acknowledgements(peer: Peer): number {
  return peer.raw.frames.filter((one) => one.type === FrameType.SETTINGS && one.flags === Flag.ACK)
    .length;
}
