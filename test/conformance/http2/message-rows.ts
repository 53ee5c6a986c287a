// RFC 9113 section 8: requests, their fields and pseudo-fields, and what makes them malformed.

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
} from '../../../src/proxy/testing/h2-frames.ts';
import { Code, type Row } from './peer.ts';

type Fields = readonly (readonly [string, string])[];

/** A row whose fields make a malformed request. */
function malformed(id: string, says: string, fields: Fields): Row {
  return {
    id,
    level: 'must',
    says,
    check(peer) {
      peer.send(frame(FrameType.HEADERS, REQUEST_DONE, 1, fieldBlock(fields)));
      return peer.malformed(1);
    },
  };
}

const good = requestFields();

/** A good request and one more field. */
function withField(name: string, value: string): Fields {
  return [...good, [name, value]];
}

export const messageRows: readonly Row[] = [
  {
    id: '8.1-body',
    level: 'must',
    says: 'a request is HEADERS, DATA and an end',
    async check(peer) {
      peer.send(requestHead(1, { ':path': '/echo' }), data(1, 'one '), data(1, 'two', true));
      await peer.answered(1);
      if (peer.raw.body(1) !== 'one two') throw new Error(`body ${peer.raw.body(1)}`);
    },
  },
  {
    id: '8.1-trailers',
    level: 'must',
    says: 'a request may end in trailers',
    async check(peer) {
      peer.send(requestHead(1, { ':path': '/echo' }), data(1, 'body'));
      peer.send(frame(FrameType.HEADERS, REQUEST_DONE, 1, fieldBlock([['x-sum', '1']])));
      await peer.answered(1);
      if (peer.raw.body(1) !== 'body') throw new Error(`body ${peer.raw.body(1)}`);
    },
  },
  {
    id: '8.1-trailers-open',
    level: 'must',
    says: 'trailers without END_STREAM are malformed',
    check(peer) {
      peer.send(requestHead(1, { ':path': '/hold' }));
      peer.send(frame(FrameType.HEADERS, HEADERS_DONE, 1, fieldBlock([['x-sum', '1']])));
      return peer.streamError(1, Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '8.1-trailers-pseudo',
    level: 'must',
    says: 'pseudo-fields in trailers are malformed',
    check(peer) {
      peer.send(requestHead(1, { ':path': '/hold' }));
      peer.send(frame(FrameType.HEADERS, REQUEST_DONE, 1, fieldBlock([[':path', '/']])));
      return peer.streamError(1, Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '8.1-early',
    level: 'must',
    says: 'an answer that is complete before the request arrives complete',
    async check(peer) {
      peer.send(requestHead(1, { ':path': '/early' }), data(1, 'some'));
      await peer.answered(1);
    },
  },
  {
    id: '8.1.1-length-short',
    level: 'must',
    says: 'a body shorter than content-length is malformed',
    check(peer) {
      peer.send(requestHead(1, { ':path': '/hold', 'content-length': '9' }), data(1, 'x', true));
      return peer.streamError(1, Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '8.1.1-length-long',
    level: 'must',
    says: 'a body longer than content-length is malformed',
    check(peer) {
      peer.send(requestHead(1, { ':path': '/hold', 'content-length': '1' }), data(1, 'xyz'));
      return peer.streamError(1, Code.PROTOCOL_ERROR);
    },
  },
  {
    id: '8.1.1-length-without-body',
    level: 'must',
    says: 'a content-length with no DATA at all is malformed',
    check(peer) {
      peer.send(request(1, { 'content-length': '1' }));
      return peer.malformed(1);
    },
  },
  malformed('8.2.1-uppercase', 'upper case in a field name is malformed', withField('X-A', '1')),
  malformed('8.2.1-space', 'a space in a field name is malformed', withField('x a', '1')),
  malformed('8.2.1-colon', 'a colon inside a field name is malformed', withField('x:a', '1')),
  malformed('8.2.1-empty', 'an empty field name is malformed', withField('', '1')),
  malformed('8.2.1-nul', 'NUL in a field value is malformed', withField('x-a', 'a\0b')),
  malformed('8.2.1-line', 'CR or LF in a field value is malformed', withField('x-a', 'a\r\nb: c')),
  malformed('8.2.1-edge', 'white space around a field value is malformed', withField('x-a', ' a')),
  malformed('8.2.2-connection', 'connection is malformed', withField('connection', 'close')),
  malformed('8.2.2-keep-alive', 'keep-alive is malformed', withField('keep-alive', 'timeout=5')),
  malformed(
    '8.2.2-transfer-encoding',
    'transfer-encoding is malformed',
    withField('transfer-encoding', 'chunked'),
  ),
  malformed('8.2.2-upgrade', 'upgrade is malformed', withField('upgrade', 'websocket')),
  malformed('8.2.2-te', 'te other than trailers is malformed', withField('te', 'gzip')),
  {
    id: '8.2.2-te-trailers',
    level: 'must',
    says: 'te: trailers is allowed',
    async check(peer) {
      peer.send(request(1, { te: 'trailers' }));
      await peer.answered(1);
    },
  },
  {
    id: '8.2.3-cookie',
    level: 'must',
    says: 'cookie may come in several fields',
    async check(peer) {
      const fields: Fields = [...good, ['cookie', 'a=1'], ['cookie', 'b=2']];
      peer.send(frame(FrameType.HEADERS, REQUEST_DONE, 1, fieldBlock(fields)));
      await peer.answered(1);
    },
  },
  malformed('8.3-unknown', 'an unknown pseudo-field is malformed', [[':foo', '1'], ...good]),
  malformed('8.3-response', 'a pseudo-field of responses is malformed in a request', [
    [':status', '200'],
    ...good,
  ]),
  malformed('8.3-order', 'a pseudo-field behind a regular field is malformed', [
    ['x-a', '1'],
    ...good,
  ]),
  malformed('8.3-twice', 'a pseudo-field that comes twice is malformed', [[':path', '/'], ...good]),
  malformed('8.3.1-no-method', ':method is required', requestFields({ ':method': '' })),
  malformed('8.3.1-no-scheme', ':scheme is required', requestFields({ ':scheme': '' })),
  malformed('8.3.1-no-path', ':path is required', requestFields({ ':path': '' })),
  malformed('8.3.1-empty-path', ':path is not empty', [
    ...requestFields({ ':path': '' }),
    [':path', ''],
  ]),
  malformed(
    '8.3.1-relative-path',
    ':path begins with a slash',
    requestFields({ ':path': 'index.html' }),
  ),
  {
    id: '8.3.1-asterisk',
    level: 'must',
    says: 'OPTIONS has the :path *',
    async check(peer) {
      peer.send(request(1, { ':method': 'OPTIONS', ':path': '*' }));
      await peer.answered(1);
    },
  },
  malformed(
    '8.3.1-userinfo',
    ':authority has no userinfo',
    requestFields({ ':authority': 'me:secret@hello.example' }),
  ),
  {
    ...malformed(
      '8.3.1-other-host',
      'a host that differs from :authority is malformed',
      withField('host', 'other.example'),
    ),
    level: 'should',
  },
  {
    id: '8.3.1-host',
    level: 'must',
    says: 'host names the authority where :authority is absent',
    async check(peer) {
      peer.send(request(1, { ':authority': '', host: 'only.example' }));
      await peer.answered(1);
      if (peer.handler.exchanges[0]?.host !== 'only.example') throw new Error('no host');
    },
  },
  {
    id: '8.4-no-push',
    level: 'must',
    says: 'nothing is pushed to a client that said so',
    async check(peer) {
      peer.send(request(1));
      await peer.answered(1);
      if (peer.raw.find((one) => one.type === FrameType.PUSH_PROMISE)) throw new Error('pushed');
    },
  },
  malformed('8.5-connect', 'CONNECT with :scheme and :path is malformed', [
    [':method', 'CONNECT'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'hello.example:80'],
  ]),
  {
    id: '8.6-no-upgrade',
    level: 'must',
    says: 'no 101 is ever sent',
    async check(peer) {
      peer.send(request(1, { 'http2-settings': 'AAMAAABkAAQAAP__' }));
      await peer.answered(1);
    },
  },
  {
    id: '9.1-reuse',
    level: 'should',
    says: 'a connection carries many requests, one after the other and at once',
    async check(peer) {
      const ids = Array.from({ length: 50 }, (_, index) => index * 2 + 1);
      peer.send(...ids.map((id) => request(id)));
      for (const id of ids) await peer.answered(id);
      peer.send(request(201));
      await peer.answered(201);
      if ((peer.raw.frames.at(-1)!.flags & Flag.END_STREAM) === 0) throw new Error('no end');
    },
  },
];
