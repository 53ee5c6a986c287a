// RFC 9113 sections 3 to 5: starting a connection, frames in general, streams and their states.

import {
  data,
  Flag,
  FrameType,
  fieldBlock,
  frame,
  HEADERS_DONE,
  PREFACE,
  RawHttp2,
  REQUEST_DONE,
  request,
  requestFields,
  requestHead,
  reset,
  settings,
  uint32,
} from '../../../src/proxy/testing/h2-frames.ts';
import { Code, Peer, type Row } from './peer.ts';

const CANCEL = 8;
const UNKNOWN_TYPE = 0x7f;
const preface = Buffer.from(PREFACE, 'latin1');

/** A peer that has sent nothing yet. */
async function fresh(like: Peer, port: number): Promise<Peer> {
  const peer = new Peer(await RawHttp2.connect(port), like.handler);
  like.raw.socket.once('close', () => peer.raw.socket.destroy());
  return peer;
}

export const frameRows: readonly Row[] = [
  {
    id: '3.4-first-settings',
    level: 'must',
    says: 'the server connection preface is a SETTINGS frame, the first frame the server sends',
    async check(like, port) {
      const peer = await fresh(like, port);
      peer.send(preface, settings());
      await peer.raw.until(() => true);
      const [first] = peer.raw.frames;
      if (first?.type !== FrameType.SETTINGS || first.flags !== 0) throw new Error('no SETTINGS');
    },
  },
  {
    id: '3.4-bad-preface',
    level: 'must',
    says: 'an invalid connection preface ends the connection',
    async check(like, port) {
      const peer = await fresh(like, port);
      peer.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'));
      await peer.raw.untilClosed();
    },
  },
  {
    id: '3.4-settings-missing',
    level: 'must',
    says: 'the client preface includes a SETTINGS frame; another frame first is an error',
    async check(like, port) {
      const peer = await fresh(like, port);
      peer.send(preface, request(1));
      await peer.connectionError(Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '3.4-no-wait',
    level: 'must',
    says: 'a client may send frames right behind its preface',
    async check(like, port) {
      const peer = await fresh(like, port);
      peer.send(preface, settings(), request(1));
      await peer.answered(1);
    },
  },
  {
    id: '3.4-cut',
    level: 'must',
    says: 'a preface that arrives byte by byte is a preface',
    async check(like, port) {
      const peer = await fresh(like, port);
      for (const byte of Buffer.concat([preface, settings(), request(1)])) {
        peer.send(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await peer.answered(1);
    },
  },
  {
    id: '4.1-unknown-type',
    level: 'must',
    says: 'frames of unknown types are ignored',
    async check(peer) {
      peer.send(frame(UNKNOWN_TYPE, 0xff, 0, Buffer.alloc(10)), request(1));
      await peer.answered(1);
      await peer.untroubled();
    },
  },
  {
    id: '4.1-unknown-flags',
    level: 'must',
    says: 'flags without a meaning for the frame type are ignored',
    async check(peer) {
      peer.send(frame(FrameType.PING, 0xfe, 0, Buffer.alloc(8)));
      await peer.untroubled();
    },
  },
  {
    id: '4.1-reserved-bit',
    level: 'must',
    says: 'the reserved bit before the stream identifier is ignored',
    async check(peer) {
      peer.send(frame(FrameType.PING, 0, 0x80000000, Buffer.alloc(8)));
      await peer.untroubled();
    },
  },
  {
    id: '4.2-minimum-size',
    level: 'must',
    says: 'frames of 16,384 bytes are processed',
    async check(peer) {
      peer.send(requestHead(1), data(1, 'x'.repeat(16_384), true));
      await peer.answered(1);
      await peer.untroubled();
    },
  },
  {
    id: '4.2-too-large',
    level: 'must',
    says: 'a frame above SETTINGS_MAX_FRAME_SIZE is FRAME_SIZE_ERROR',
    async check(peer) {
      peer.send(requestHead(1), data(1, 'x'.repeat((1 << 20) + 1)));
      await peer.streamError(1, Code.FRAME_SIZE_ERROR);
    },
  },
  {
    id: '4.3-undecodable',
    level: 'must',
    says: 'a field block that cannot be decoded is COMPRESSION_ERROR for the connection',
    async check(peer) {
      peer.send(frame(FrameType.HEADERS, REQUEST_DONE, 1, Buffer.from([0xff, 0xff, 0xff, 0xff])));
      await peer.connectionError(Code.COMPRESSION_ERROR);
    },
  },
  {
    id: '4.3-table-size',
    level: 'must',
    says: 'a dynamic table size update above the limit is COMPRESSION_ERROR',
    async check(peer) {
      const update = Buffer.from([0x3f, 0xe1, 0xff, 0x03]);
      const block = Buffer.concat([update, fieldBlock(requestFields())]);
      peer.send(frame(FrameType.HEADERS, REQUEST_DONE, 1, block));
      await peer.connectionError(Code.COMPRESSION_ERROR);
    },
  },
  {
    id: '4.3-interleaved',
    level: 'must',
    says: 'a field block is not interleaved with frames of any other kind or stream',
    async check(peer) {
      const block = fieldBlock(requestFields());
      peer.send(frame(FrameType.HEADERS, Flag.END_STREAM, 1, block));
      peer.send(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
      await peer.connectionError(Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '5.1-idle-data',
    level: 'must',
    says: 'DATA on an idle stream is PROTOCOL_ERROR for the connection',
    async check(peer) {
      peer.send(data(1, 'x'));
      await peer.connectionError(Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '5.1-idle-reset',
    level: 'must',
    says: 'RST_STREAM on an idle stream is PROTOCOL_ERROR for the connection',
    async check(peer) {
      peer.send(reset(1, CANCEL));
      await peer.connectionError(Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '5.1-idle-window',
    level: 'must',
    says: 'WINDOW_UPDATE on an idle stream is PROTOCOL_ERROR for the connection',
    async check(peer) {
      peer.send(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(100)));
      await peer.connectionError(Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '5.1-half-closed-data',
    level: 'must',
    says: 'DATA on a half-closed (remote) stream is STREAM_CLOSED',
    async check(peer) {
      peer.send(request(1, { ':path': '/hold' }), data(1, 'x'));
      await peer.streamError(1, Code.STREAM_CLOSED);
    },
  },
  {
    id: '5.1-half-closed-headers',
    level: 'must',
    says: 'HEADERS on a half-closed (remote) stream is STREAM_CLOSED',
    async check(peer) {
      peer.send(request(1, { ':path': '/hold' }), request(1));
      await peer.streamError(1, Code.STREAM_CLOSED);
    },
  },
  {
    id: '5.1-half-closed-window',
    level: 'must',
    says: 'WINDOW_UPDATE and PRIORITY on a half-closed (remote) stream are accepted',
    async check(peer) {
      peer.send(request(1, { ':path': '/hold' }));
      peer.send(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(10)));
      peer.send(frame(FrameType.PRIORITY, 0, 1, Buffer.alloc(5)));
      await peer.untroubled();
    },
  },
  {
    id: '5.1-closed-data',
    level: 'must',
    says: 'DATA on a stream closed by END_STREAM both ways is STREAM_CLOSED',
    async check(peer) {
      peer.send(request(1));
      await peer.answered(1);
      peer.send(data(1, 'x'));
      await peer.connectionError(Code.STREAM_CLOSED);
    },
  },
  {
    id: '5.1-closed-headers',
    level: 'must',
    says: 'HEADERS on a stream closed by END_STREAM both ways is STREAM_CLOSED',
    async check(peer) {
      peer.send(request(1));
      await peer.answered(1);
      peer.send(request(1));
      await peer.connectionError(Code.STREAM_CLOSED);
    },
  },
  {
    id: '5.1-reset-then-window',
    level: 'must',
    says: 'WINDOW_UPDATE and RST_STREAM shortly after a stream closed are ignored',
    async check(peer) {
      peer.send(request(1));
      await peer.answered(1);
      peer.send(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(10)), reset(1, CANCEL), request(3));
      await peer.answered(3);
      await peer.untroubled();
    },
  },
  {
    id: '5.1.1-even',
    level: 'must',
    says: 'streams a client begins have odd identifiers',
    async check(peer) {
      peer.send(request(2));
      await peer.connectionError(Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '5.1.1-lower',
    level: 'must',
    says: 'a new stream identifier is higher than all before it',
    async check(peer) {
      peer.send(request(5, { ':path': '/hold' }), request(3));
      await peer.connectionError(Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '5.1.1-skipped',
    level: 'must',
    says: 'identifiers may be skipped; the skipped streams are closed',
    async check(peer) {
      peer.send(request(7));
      await peer.answered(7);
      await peer.untroubled();
    },
  },
  {
    id: '5.1.2-concurrency',
    level: 'must',
    says: 'a stream above SETTINGS_MAX_CONCURRENT_STREAMS is refused',
    async check(peer) {
      const held = Array.from({ length: 251 }, (_, index) =>
        request(index * 2 + 1, { ':path': '/hold' }),
      );
      peer.send(...held);
      await peer.streamError(501, Code.PROTOCOL_ERROR, Code.REFUSED_STREAM);
      peer.send(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
      await peer.settle();
    },
  },
  {
    id: '5.4.1-goaway',
    level: 'should',
    says: 'a connection error is announced by GOAWAY',
    async check(peer) {
      peer.send(data(0, 'x'));
      await peer.raw.until((one) => one.type === FrameType.GOAWAY);
    },
  },
  {
    id: '5.4.1-close',
    level: 'must',
    says: 'the connection is closed behind the GOAWAY of an error',
    async check(peer, port) {
      peer.send(frame(FrameType.PING, 0, 0, Buffer.alloc(7)));
      await peer.raw.until((one) => one.type === FrameType.GOAWAY);
      // By the time another connection is served this one is closed, or never will be.
      const other = await fresh(peer, port);
      other.send(preface, settings());
      await other.settle();
      if (!peer.raw.hasClosed) throw new Error('still open');
    },
  },
  {
    id: '5.4.2-stream-only',
    level: 'must',
    says: 'a stream error leaves other streams alone',
    async check(peer) {
      peer.send(request(1, { ':path': '/hold' }));
      peer.send(frame(FrameType.HEADERS, REQUEST_DONE, 3, fieldBlock([[':method', 'GET']])));
      await peer.streamError(3, Code.PROTOCOL_ERROR);
      peer.send(request(5));
      await peer.answered(5);
      if (peer.raw.find((one) => one.streamId === 1) !== undefined) throw new Error('1 disturbed');
    },
  },
  {
    id: '5.5-extension-in-block',
    level: 'must',
    says: 'an extension frame in the middle of a field block is PROTOCOL_ERROR',
    async check(peer) {
      peer.send(frame(FrameType.HEADERS, Flag.END_STREAM, 1, fieldBlock(requestFields())));
      peer.send(frame(UNKNOWN_TYPE, 0, 1), frame(FrameType.CONTINUATION, HEADERS_DONE, 1));
      await peer.connectionError(Code.PROTOCOL_ERROR);
    },
  },
];
