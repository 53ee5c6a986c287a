// The application behind the HTTP/2 row of the bench: `/<n>` answers n bytes, without TLS. Runs as a
// process of its own; the port is the first argument.

import { createServer } from 'node:http2';

const bodies = new Map<string, Buffer>();

function bodyFor(path: string): Buffer {
  let body = bodies.get(path);
  if (body === undefined) {
    body = Buffer.alloc(Number(path.slice(1)) || 0, 'x');
    bodies.set(path, body);
  }
  return body;
}

const server = createServer();
server.on('session', (session) => session.on('error', () => session.destroy()));
server.on('stream', (stream, headers) => {
  const body = bodyFor(headers[':path'] ?? '/0');
  stream.on('error', () => stream.destroy());
  stream.respond({
    ':status': 200,
    'content-type': 'text/plain',
    'content-length': String(body.length),
  });
  stream.end(body);
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 1024 });
