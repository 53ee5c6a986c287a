// The application behind every proxy of the bench, as cheap as can be so that it is never what is
// measured: `/<n>` answers n bytes, `/healthz` what an activator's probe wants to hear. Runs as a
// process of its own; the port is the first argument.

import { createServer } from 'node:net';

const answers = new Map<string, Buffer>();
const HEAD_END = '\r\n\r\n';

function answerFor(path: string): Buffer {
  let answer = answers.get(path);
  if (answer === undefined) {
    const isProbe = path === '/healthz';
    const body = isProbe ? Buffer.from('queue') : Buffer.alloc(Number(path.slice(1)) || 0, 'x');
    const length = body.length;
    const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`;
    answer = Buffer.concat([Buffer.from(head, 'latin1'), body]);
    answers.set(path, answer);
  }
  return answer;
}

const server = createServer({ noDelay: true }, (socket) => {
  let pending = '';
  socket.on('data', (chunk) => {
    let text = pending + chunk.toString('latin1');
    for (let end = text.indexOf(HEAD_END); end >= 0; end = text.indexOf(HEAD_END)) {
      const pathStart = text.indexOf(' ') + 1;
      socket.write(answerFor(text.slice(pathStart, text.indexOf(' ', pathStart))));
      text = text.slice(end + HEAD_END.length);
    }
    pending = text;
  });
  socket.on('error', () => socket.destroy());
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 1024 });
