// Streams. `/events?count=5&ms=200` sends server-sent events, `/chunks?count=5&ms=200` a chunked body,
// one piece every `ms` milliseconds; `/echo` sends the request body back as it arrives.
import { createServer } from 'node:http';

const { PORT = '8080', K_REVISION = 'local' } = process.env;
const MAX_COUNT = 100_000;

function number(parameters, name, fallback, highest) {
  const value = Number(parameters.get(name) ?? fallback);
  return Number.isFinite(value) ? Math.min(Math.max(value, 0), highest) : fallback;
}

function stream(response, parameters, format) {
  const count = number(parameters, 'count', 5, MAX_COUNT);
  const ms = number(parameters, 'ms', 200, 60_000);
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    response.write(format(sent));
    if (sent < count) return;
    clearInterval(timer);
    response.end();
  }, ms);
  response.on('close', () => clearInterval(timer));
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.flushHeaders();
    stream(response, searchParams, (n) => `id: ${n}\ndata: ${K_REVISION} ${n}\n\n`);
  } else if (pathname === '/chunks') {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.flushHeaders();
    stream(response, searchParams, (n) => `chunk ${n}\n`);
  } else if (pathname === '/echo') {
    response.writeHead(200, {
      'content-type': request.headers['content-type'] ?? 'application/octet-stream',
    });
    request.pipe(response);
  } else {
    response.end('try /events, /chunks or /echo\n');
  }
});

server.listen(Number(PORT), () => console.log(`listening on ${PORT}`));

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
