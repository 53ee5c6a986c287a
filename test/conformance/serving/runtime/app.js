// The container the runtime rows look at: it tells what it was given (environment, arguments, folder,
// headers, protocol) and misbehaves on request. One file, no dependencies; `PROTOCOL=h2c` makes it
// speak HTTP/2 with prior knowledge, gRPC health included. How long a request stays inside is the
// caller's choice (`/hold` ends with the request's body), so that no row has to guess a time.
import { readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';

const { PORT = '8080', PROTOCOL = 'http1', IGNORE_SIGTERM = '' } = process.env;
const HEALTH_PATH = '/grpc.health.v1.Health/Check';
/** A gRPC message whose field 1 (status) is 1, SERVING. */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]);

const startedWith = { ...process.env };
let inside = 0;
let most = 0;
let served = 0;
let healthy = true;
/** Checks that still fail before it is healthy by itself. */
let checksLeft = Number.POSITIVE_INFINITY;
const healthChecks = [];

function json(response, value) {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

function report(request, response) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () =>
    json(response, {
      env: startedWith,
      argv: process.argv.slice(2),
      cwd: process.cwd(),
      pid: process.pid,
      uid: process.getuid(),
      method: request.method,
      url: request.url,
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
      trailers: request.rawTrailers,
      peer: request.socket.remoteAddress,
      body: Buffer.concat(chunks).toString('latin1').slice(0, 4096),
      bodyBytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      chunks: chunks.length,
    }),
  );
}

/** What the file system and the standard streams look like from here. */
function surroundings(_request, response) {
  const mode = (path) => {
    try {
      return statSync(path).mode;
    } catch (error) {
      return error.code;
    }
  };
  const paths = ['/dev/null', '/dev/full', '/dev/random', '/dev/urandom', '/dev/zero', '/dev/tty'];
  paths.push('/dev/fd', '/dev/stdin', '/dev/stdout', '/dev/stderr', '/proc/self/fd', '/tmp');
  json(response, {
    stdin: readFileSync(0, 'utf8'),
    isTty: [process.stdin, process.stdout, process.stderr].map((stream) => stream.isTTY === true),
    tmpdir: tmpdir(),
    modes: Object.fromEntries(paths.map((path) => [path, mode(path)])),
  });
}

/** Answers with how crowded it is when the caller ends the body. */
function hold(request, response) {
  inside += 1;
  most = Math.max(most, inside);
  const now = inside;
  let isLeft = false;
  const leave = () => {
    if (!isLeft) inside -= 1;
    isLeft = true;
  };
  response.on('close', leave);
  request.resume();
  request.on('end', () => {
    leave();
    served += 1;
    json(response, { inside: now, most, served, pid: process.pid });
  });
}

function health(request, response) {
  healthChecks.push({ method: request.method, rawHeaders: request.rawHeaders });
  if (healthChecks.length > 100) healthChecks.shift();
  response.statusCode = healthy ? 200 : 503;
  if (!healthy) checksLeft -= 1;
  if (checksLeft <= 0) healthy = true;
  response.end();
}

const routes = {
  '/report': report,
  '/surroundings': surroundings,
  '/hold': hold,
  '/health': health,
  '/health-checks': (_request, response) => json(response, healthChecks),
  '/healthy': (_request, response, query) => {
    healthy = query.get('is') === 'true';
    checksLeft = Number(query.get('checks') ?? Number.POSITIVE_INFINITY);
    json(response, { healthy });
  },
  '/echo': (request, response) => {
    response.setHeader('content-type', 'application/octet-stream');
    response.flushHeaders?.();
    request.pipe(response);
  },
  '/status': (_request, response, query) => {
    response.statusCode = Number(query.get('code'));
    response.end(query.get('body') ?? '');
  },
  '/hang': () => undefined,
  '/begin-and-hang': (_request, response, query) => {
    const length = query.get('length');
    if (length !== null) response.setHeader('content-length', length);
    response.write('begun');
  },
  '/tick': (_request, response, query) => {
    let left = Number(query.get('count'));
    const timer = setInterval(
      () => {
        response.write('tick\n');
        left -= 1;
        if (left > 0) return;
        clearInterval(timer);
        response.end();
      },
      Number(query.get('ms')),
    );
    response.on('close', () => clearInterval(timer));
  },
  '/early': (request, response) => {
    request.pause();
    response.statusCode = 413;
    response.setHeader('connection', 'close');
    response.end('too much');
  },
  '/hints': (_request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' });
    response.statusCode = 404;
    response.end('after hints');
  },
  '/headers': (_request, response) => {
    response.setHeader('connection', 'x-for-this-hop');
    response.setHeader('x-for-this-hop', 'gone');
    response.setHeader('keep-alive', 'timeout=77');
    response.setHeader('x-kept', ['one', 'two']);
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.setHeader('server', 'the-app');
    response.setHeader('content-type', 'application/x-own');
    response.end('own headers');
  },
  '/trailers': (_request, response) => {
    response.setHeader('trailer', 'x-sum');
    response.write('body');
    response.addTrailers({ 'x-sum': '42' });
    response.end();
  },
  '/cut': (_request, response) => {
    response.write('half');
    response.write('', () => response.socket.destroy());
  },
  '/drop': (request) => request.socket.destroy(),
  '/bytes': (_request, response, query) => {
    response.end(Buffer.alloc(Number(query.get('count')), query.get('of') ?? 'b'));
  },
  '/say': (_request, response, query) => {
    console.log(`out: ${query.get('text')}`);
    console.error(`err: ${query.get('text')}`);
    response.end('said');
  },
  '/exit': (_request, response, query) => {
    response.end('leaving', () => {
      process.stderr.write(`${query.get('words')}\n`, () =>
        process.exit(Number(query.get('code'))),
      );
    });
  },
};

function serve(request, response) {
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  if (request.url === HEALTH_PATH) return grpcHealth(response);
  const { pathname, searchParams } = new URL(request.url, 'http://app');
  const route = routes[pathname];
  if (route !== undefined) return route(request, response, searchParams);
  response.statusCode = 404;
  return report(request, response);
}

function grpcHealth(response) {
  response.writeHead(200, { 'content-type': 'application/grpc' });
  response.write(SERVING);
  response.addTrailers({ 'grpc-status': '0' });
  response.end();
}

/** Any upgrade becomes an echo of bytes. */
function upgrade(request, socket, head) {
  socket.on('error', () => socket.destroy());
  if (request.url === '/no-upgrade') {
    socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`,
  );
  socket.write(head);
  socket.pipe(socket);
}

const server = PROTOCOL === 'h2c' ? http2.createServer(serve) : http.createServer(serve);
if (PROTOCOL === 'http1') {
  server.on('upgrade', upgrade);
  server.on('checkContinue', (request, response) => {
    if (request.url.startsWith('/status')) return serve(request, response);
    response.writeContinue();
    return serve(request, response);
  });
}

process.on('SIGTERM', () => {
  console.log('SIGTERM');
  if (IGNORE_SIGTERM === 'true') return;
  setTimeout(() => process.exit(0), 5_000).unref();
  server.close(() => {
    console.log('closed');
    process.exit(0);
  });
  server.closeIdleConnections?.();
});

/** Starts slowly where a row asks for it: listening only once a request could be served. */
function listen() {
  server.listen(Number(PORT), () => console.log(`listening on ${PORT}`));
}
if (process.env.LISTEN_AFTER_MS === undefined) listen();
else setTimeout(listen, Number(process.env.LISTEN_AFTER_MS));
