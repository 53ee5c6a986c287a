// A gRPC service in plain Node: greeter.proto over node:http2, without a library. A gRPC call is an
// HTTP/2 request whose body is messages, each behind five bytes (compressed or not, length), and
// whose answer ends in the trailer `grpc-status`. The only message here is one string.
import { createServer } from 'node:http2';

const { PORT = '8080', K_REVISION = 'local' } = process.env;
const STATUS = { OK: '0', INVALID_ARGUMENT: '3', UNIMPLEMENTED: '12' };
const MAX_MESSAGE_BYTES = 1 << 20;
const COUNT = 5;
const PERIOD_MS = 100;
const NAME_FIELD = 0x0a;

/** `Hello { name }` as protobuf, framed as gRPC. */
function hello(name) {
  const text = Buffer.from(name);
  const length = [];
  for (let rest = text.length; ; rest >>>= 7) {
    if (rest < 128) {
      length.push(rest);
      break;
    }
    length.push((rest & 127) | 128);
  }
  const message = Buffer.concat([Buffer.from([NAME_FIELD, ...length]), text]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** The name in a `Hello`; '' when it is not set. */
function nameIn(message) {
  if (message.length === 0) return '';
  if (message[0] !== NAME_FIELD) throw new Error('not a Hello');
  let length = 0;
  let at = 1;
  for (let shift = 0; ; shift += 7) {
    const byte = message[at];
    at += 1;
    length += (byte & 127) * 2 ** shift;
    if (byte < 128) break;
  }
  if (at + length > message.length) throw new Error('not a Hello');
  return message.toString('utf8', at, at + length);
}

/** Names as they come in on a stream. */
async function* names(stream) {
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 5) {
      const length = bytes.readUInt32BE(1);
      if (bytes[0] !== 0 || length > MAX_MESSAGE_BYTES) throw new Error('not a message we read');
      if (bytes.length < 5 + length) break;
      yield nameIn(bytes.subarray(5, 5 + length));
      bytes = bytes.subarray(5 + length);
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const METHODS = {
  async SayHello(stream) {
    for await (const name of names(stream)) stream.write(hello(`Hello ${name} from ${K_REVISION}`));
  },
  async CountHellos(stream) {
    let asked = '';
    for await (const name of names(stream)) asked = name;
    for (let n = 1; n <= COUNT && !stream.closed; n += 1) {
      stream.write(hello(`Hello ${asked}, ${n}`));
      if (n < COUNT) await pause(PERIOD_MS);
    }
  },
  async CollectHellos(stream) {
    const all = [];
    for await (const name of names(stream)) all.push(name);
    stream.write(hello(`Hello ${all.join(' and ')}`));
  },
  async ChatHellos(stream) {
    for await (const name of names(stream)) stream.write(hello(`Hello ${name}`));
  },
};

async function serve(stream, headers) {
  const [, service, method] = (headers[':path'] ?? '').split('/');
  let status = STATUS.OK;
  stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  if (service !== 'pilotlight.Greeter' || !Object.hasOwn(METHODS, method)) {
    status = STATUS.UNIMPLEMENTED;
    stream.resume();
  } else {
    try {
      await METHODS[method](stream);
    } catch {
      status = STATUS.INVALID_ARGUMENT;
    }
  }
  if (!stream.closed) stream.end();
}

const server = createServer();
server.on('stream', (stream, headers) => {
  stream.on('error', () => undefined); // A caller that left.
  void serve(stream, headers);
});
const sessions = new Set();
server.on('session', (session) => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
});

server.listen(Number(PORT), () => console.log(`greeter listens on ${server.address().port}`));
process.on('SIGTERM', () => {
  for (const session of sessions) session.close();
  server.close(() => process.exit(0));
});
