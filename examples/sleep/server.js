// Takes its time: `GET /?ms=100` answers after 100 ms and reports how long it took and how many
// requests were inside at once, now and at most. For load tests and for watching the autoscaler.
import { createServer } from 'node:http';

const { PORT = '8080', K_REVISION = 'local' } = process.env;
const MAX_MS = 600_000;

let inside = 0;
let most = 0;
let served = 0;

const server = createServer((request, response) => {
  const wanted = Number(
    new URL(request.url ?? '/', 'http://localhost').searchParams.get('ms') ?? 100,
  );
  const ms = Number.isFinite(wanted) ? Math.min(Math.max(wanted, 0), MAX_MS) : 100;
  const startedMs = performance.now();
  inside += 1;
  most = Math.max(most, inside);
  const concurrency = inside;
  let left = false;
  const leave = () => {
    if (!left) inside -= 1;
    left = true;
  };
  response.on('close', leave);
  setTimeout(() => {
    leave();
    served += 1;
    const tookMs = Math.round((performance.now() - startedMs) * 10) / 10;
    response.setHeader('content-type', 'application/json');
    response.end(
      `${JSON.stringify({ revision: K_REVISION, pid: process.pid, tookMs, concurrency, most, served })}\n`,
    );
  }, ms);
});

server.listen(Number(PORT), () => console.log(`listening on ${PORT}`));

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
