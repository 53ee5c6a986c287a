// The application behind every proxy of the bench, as cheap as can be so that it is never what is
// measured: `/<n>` answers n bytes, `/<n>?id=<id>` with that id in a header, `/healthz` what an
// activator's probe wants to hear. Runs as a process of its own; the port is the first argument.

import { createServer } from 'node:net';

const answers = new Map<string, Buffer>();
const HEAD_END = '\r\n\r\n';
const QUERY = '?id=';

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

/** The same answer with a header only this one has. */
function answerWithId(path: string, id: string): string {
  const text = answerFor(path).toString('latin1');
  return text.replace(HEAD_END, `\r\nX-Request-Id: ${id}${HEAD_END}`);
}

const server = createServer({ noDelay: true }, (socket) => {
  let pending = '';
  socket.on('data', (chunk) => {
    let text = pending + chunk.toString('latin1');
    for (let end = text.indexOf(HEAD_END); end >= 0; end = text.indexOf(HEAD_END)) {
      const pathStart = text.indexOf(' ') + 1;
      const path = text.slice(pathStart, text.indexOf(' ', pathStart));
      const query = path.indexOf(QUERY);
      if (query < 0) socket.write(answerFor(path));
      else {
        const id = path.slice(query + QUERY.length);
        socket.write(answerWithId(path.slice(0, query), id), 'latin1');
      }
      text = text.slice(end + HEAD_END.length);
    }
    pending = text;
  });
  socket.on('error', () => socket.destroy());
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 1024 });
