// Greets. The smallest server that behaves well on Pilotlight: listens on PORT, answers, and closes
// when told to. Names its revision and process and numbers its answers, so one can see who answered.
import { createServer } from 'node:http';

const { PORT = '8080', TARGET = 'World', K_REVISION = 'local' } = process.env;

let served = 0;

const server = createServer((_request, response) => {
  served += 1;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('x-served', served);
  response.end(`Hello ${TARGET}! (revision ${K_REVISION}, pid ${process.pid})\n`);
});

server.listen(Number(PORT), () => console.log(`listening on ${PORT}`));

process.on('SIGTERM', () => {
  console.log('SIGTERM: finishing what is open');
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
