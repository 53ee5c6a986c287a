// Echoes over websockets: every message comes back as it was sent, text or binary. Answers pings and
// close frames, chooses the subprotocol `echo` when a client offers it, and tells its clients to go
// away when it is told to stop. No dependencies: frames are in frames.js.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { CloseCode, closeFrame, encodeFrame, FrameError, FrameReader, Opcode } from './frames.js';

const { PORT = '8080', K_REVISION = 'local' } = process.env;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const sockets = new Set();

const server = createServer((_request, response) => {
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(`Connect with a websocket client. (revision ${K_REVISION}, ${sockets.size} open)\n`);
});

server.on('upgrade', (request, socket) => {
  socket.on('error', () => socket.destroy());
  const key = request.headers['sec-websocket-key'];
  const isWebsocket = request.headers.upgrade?.toLowerCase() === 'websocket';
  if (!isWebsocket || key === undefined || request.headers['sec-websocket-version'] !== '13') {
    socket.end(
      'HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\n' +
        'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n',
    );
    return;
  }
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',');
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    'Upgrade: websocket',
    `Sec-WebSocket-Accept: ${createHash('sha1')
      .update(key + GUID)
      .digest('base64')}`,
  ];
  if (offered.some((name) => name.trim() === 'echo')) lines.push('Sec-WebSocket-Protocol: echo');
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  echo(socket);
});

function echo(socket) {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  const reader = new FrameReader((opcode, payload) => {
    if (opcode === Opcode.CLOSE) socket.end(encodeFrame(Opcode.CLOSE, payload));
    else if (opcode === Opcode.PING) socket.write(encodeFrame(Opcode.PONG, payload));
    else if (opcode !== Opcode.PONG && !socket.write(encodeFrame(opcode, payload))) {
      // A client that does not read its echoes is not read from either.
      socket.pause();
    }
  });
  socket.on('drain', () => socket.resume());
  socket.on('data', (chunk) => {
    try {
      reader.push(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      socket.end(closeFrame(error.code, error.message));
    }
  });
}

server.listen(Number(PORT), () => console.log(`listening on ${PORT}`));

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  for (const socket of sockets) socket.end(closeFrame(CloseCode.GOING_AWAY, 'shutting down'));
});
