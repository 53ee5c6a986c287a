// curl, as it comes with the system, through a real sidecar process to a real application. What
// these tests pin is what people see: bodies arrive whole, `Expect` is answered, HEAD and
// compression pass, an early 413 reaches the uploader, and `--http2` without TLS (the Upgrade
// handshake) is served as HTTP/1.1.

import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Sidecar, startSidecar } from '../../../bench/torture/sidecar.ts';

const hasCurl = spawnSync('curl', ['--version']).status === 0;
const UPLOAD = randomBytes(20 * 1024 * 1024);
const TEXT = 'compressed text '.repeat(1000);
const folder = mkdtempSync(join(tmpdir(), 'pilotlight-curl-'));
const uploadFile = join(folder, 'upload');

interface Output {
  readonly code: number | null;
  readonly body: Buffer;
  /** What `-v` says: requests, answers, connections. */
  readonly log: string;
}

let app: Server;
let sidecar: Sidecar;
let url: string;
/** Of the newest request. */
let seen: IncomingMessage;
let digest = '';

async function curl(...args: string[]): Promise<Output> {
  const child = spawn('curl', ['-sv', '--max-time', '60', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const body: Buffer[] = [];
  let log = '';
  child.stdout.on('data', (bytes: Buffer) => body.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => {
    log += bytes.toString('latin1');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, body: Buffer.concat(body), log };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  seen = request;
  if (request.url === '/big') {
    response.writeHead(413, { 'Content-Type': 'text/plain' }).end('too big');
    return;
  }
  if (request.url === '/text') {
    if (request.method === 'HEAD') response.setHeader('Content-Length', TEXT.length);
    const isGzip = request.headers['accept-encoding']?.includes('gzip') === true;
    if (isGzip) response.setHeader('Content-Encoding', 'gzip');
    response.end(isGzip ? gzipSync(TEXT) : TEXT);
    return;
  }
  const hash = createHash('sha256');
  request.on('data', (bytes: Buffer) => hash.update(bytes));
  request.on('end', () => {
    digest = hash.digest('hex');
    response.end('hello\n');
  });
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe.runIf(hasCurl)('curl through a sidecar', () => {
  beforeAll(async () => {
    writeFileSync(uploadFile, UPLOAD);
    app = createServer(answer);
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    const appPort = (app.address() as AddressInfo).port;
    sidecar = await startSidecar(
      { appPort, containerConcurrency: 10 },
      { engine: 'net', threads: 1 },
    );
    url = `http://127.0.0.1:${sidecar.port}`;
  });

  afterAll(async () => {
    app?.close();
    app?.closeAllConnections();
    await sidecar?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('GET, twice on one connection', async () => {
    const { code, body, log } = await curl(`${url}/a`, `${url}/b`);
    expect([code, body.toString()]).toEqual([0, 'hello\nhello\n']);
    expect(log).toContain('Re-using existing connection');
    expect(seen.headers['x-forwarded-for']).toBe('127.0.0.1');
  });

  it('QP-71: POST --data-binary of 20 MiB arrives as it was', async () => {
    const { code } = await curl('--data-binary', `@${uploadFile}`, `${url}/`);
    expect(code).toBe(0);
    expect([seen.headers['content-length'], digest]).toEqual([`${UPLOAD.length}`, sha256(UPLOAD)]);
  });

  it('QP-73: -T waits for 100 Continue and gets it', async () => {
    const { code, log } = await curl('-H', 'Expect: 100-continue', '-T', uploadFile, `${url}/put`);
    expect(code).toBe(0);
    expect(log).toContain('< HTTP/1.1 100 Continue');
    expect(log).toContain('< HTTP/1.1 200 OK');
    expect([seen.method, seen.headers.expect]).toEqual(['PUT', '100-continue']);
    expect(digest).toBe(sha256(UPLOAD));
  });

  it('QP-71: an upload of unknown length stays chunked', async () => {
    const { code } = await curl('-T', uploadFile, '-H', 'Transfer-Encoding: chunked', `${url}/put`);
    expect(code).toBe(0);
    expect(seen.headers['transfer-encoding']).toBe('chunked');
    expect(digest).toBe(sha256(UPLOAD));
  });

  it('HEAD has the head of GET and nothing after it', async () => {
    const { code, log } = await curl('-I', `${url}/text`, '--next', '-sv', `${url}/a`);
    expect(code).toBe(0);
    expect(log).toContain(`< Content-Length: ${TEXT.length}`);
    expect(log).toContain('Re-using existing connection');
  });

  it('QP-61: --compressed is between curl and the application', async () => {
    const compressed = await curl('--compressed', `${url}/text`);
    expect(compressed.body.toString()).toBe(TEXT);
    expect(compressed.log).toContain('< Content-Encoding: gzip');
    const plain = await curl(`${url}/text`);
    expect(plain.body.toString()).toBe(TEXT);
    expect(seen.headers['accept-encoding']).toBeUndefined();
  });

  it('QP-87: a 413 comes back while the upload runs', async () => {
    const { body, log } = await curl(
      '-H',
      'Expect:',
      '--data-binary',
      `@${uploadFile}`,
      `${url}/big`,
    );
    expect(log).toContain('< HTTP/1.1 413');
    expect(body.toString()).toBe('too big');
  });

  it('QP-3: --http2 without TLS asks for h2c and is served by HTTP/1.1', async () => {
    const { code, body, log } = await curl('--http2', `${url}/a`);
    expect(log).toContain('> Upgrade: h2c');
    expect([code, body.toString()]).toEqual([0, 'hello\n']);
    expect(log).toContain('< HTTP/1.1 200 OK');
    expect(seen.headers.upgrade).toBeUndefined();
  });

  it('QP-60: --http1.0 is answered and closed', async () => {
    const { code, body, log } = await curl('--http1.0', `${url}/a`);
    expect([code, body.toString()]).toEqual([0, 'hello\n']);
    expect(log).toContain('< HTTP/1.0 200 OK');
    expect(seen.httpVersion).toBe('1.1');
  });
});
