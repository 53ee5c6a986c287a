// A trace collector as cheap as can be: takes OTLP over HTTP and answers that all is well. `GET /`
// tells how many bytes it was sent. A process of its own; the port is the first argument.

import { createServer } from 'node:http';

let received = 0;

createServer((request, response) => {
  request.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  request.on('end', () => {
    const isQuestion = request.method === 'GET';
    response.setHeader('Content-Type', isQuestion ? 'text/plain' : 'application/x-protobuf');
    response.end(isQuestion ? String(received) : '');
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
