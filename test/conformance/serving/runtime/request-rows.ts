// Requests as the container sees them: who asked for what, through which protocol, with which headers.

import * as http2 from 'node:http2';
import { expect } from 'vitest';
import type { Cluster } from '../cluster.ts';
import { row, type ServingRow, shared } from '../row.ts';
import {
  app,
  DIRECT,
  deployed,
  deployedDirect,
  headersOf,
  type Report,
  rawRequest,
  report,
  THROUGH_ACTIVATOR,
} from './app.ts';

const direct = shared((cluster) => deployedDirect(cluster, app('direct', { annotations: DIRECT })));
const through = shared((cluster) =>
  deployed(cluster, app('through', { annotations: THROUGH_ACTIVATOR })),
);
const h2c = shared((cluster) =>
  deployed(
    cluster,
    app('h2c', {
      env: { PROTOCOL: 'h2c' },
      container: { ports: [{ name: 'h2c', containerPort: 8080 }] },
    }),
  ),
);

/** Headers the container saw, by two ways: straight, and through the activator. */
async function seen(
  cluster: Cluster,
  headers: Record<string, string>,
): Promise<Map<string, string[]>[]> {
  const hosts = await Promise.all([direct(cluster), through(cluster)]);
  const reports = await Promise.all(hosts.map((host) => report(cluster, host, { headers })));
  return reports.map(headersOf);
}

/** One request over HTTP/2 with prior knowledge. */
async function overHttp2(
  cluster: Cluster,
  host: string,
  path: string,
): Promise<{ status: number; body: string; trailers: http2.IncomingHttpHeaders }> {
  const session = http2.connect(`http://127.0.0.1:${cluster.pilotlight.gatewayPort}`);
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':path': path, ':authority': host });
      let status = 0;
      let body = '';
      let trailers: http2.IncomingHttpHeaders = {};
      stream.setEncoding('latin1');
      stream.on('response', (headers) => {
        status = headers[':status'] ?? 0;
      });
      stream.on('trailers', (headers) => {
        trailers = headers;
      });
      stream.on('data', (text: string) => {
        body += text;
      });
      stream.on('error', reject);
      stream.on('end', () => resolve({ status, body, trailers }));
    });
  } finally {
    session.close();
  }
}

async function rawReport(
  cluster: Cluster,
  host: string,
  requestLine: string,
  ...headers: string[]
): Promise<Report> {
  const client = await rawRequest(cluster, host, requestLine, ...headers);
  const answer = await client.answer();
  client.socket.destroy();
  return JSON.parse(answer.body) as Report;
}

export const requestRows: readonly ServingRow[] = [
  row('RC-20', 'Host is what the client asked for, by both ways', async (cluster) => {
    const [straight, activated] = await seen(cluster, {});
    expect(straight!.get('host')).toEqual(['direct.default.localhost']);
    expect(activated!.get('host')).toEqual(['through.default.localhost']);
  }),
  row('RC-20, ING-22', 'A port in Host is kept', async (cluster) => {
    const host = `${await direct(cluster)}:8080`;
    expect(headersOf(await report(cluster, host)).get('host')).toEqual([host]);
  }),
  row('RC-21, RC-22', 'Forwarded, X-Forwarded-For and -Proto tell who asked', async (cluster) => {
    for (const headers of await seen(cluster, {})) {
      expect(headers.get('forwarded')?.[0]).toMatch(/^for=127\.0\.0\.1;proto=http(, for=127\S+)?$/);
      expect(headers.get('x-forwarded-proto')).toEqual(['http']);
      expect(headers.get('x-forwarded-for')?.[0]).toMatch(/^127\.0\.0\.1(, 127(\.\d+){3})+$/);
    }
  }),
  row('RC-21', 'Addresses a client names come first, those of IPv6 quoted', async (cluster) => {
    for (const headers of await seen(cluster, { 'x-forwarded-for': '1.2.3.4, ::1' })) {
      expect(headers.get('x-forwarded-for')?.[0]).toMatch(/^1\.2\.3\.4, ::1, 127\.0\.0\.1/);
      expect(headers.get('forwarded')?.[0]).toMatch(/^for=1\.2\.3\.4;proto=http, for="\[::1\]"/);
    }
  }),
  row('RC-21', 'A Forwarded that is there stays as it is', async (cluster) => {
    for (const headers of await seen(cluster, { forwarded: 'for=secret;by=me' })) {
      expect(headers.get('forwarded')).toEqual(['for=secret;by=me']);
    }
  }),
  row('RC-22, QP-70', 'Trace context passes', async (cluster) => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    for (const headers of await seen(cluster, { traceparent, tracestate: 'a=b' })) {
      expect(headers.get('traceparent')).toEqual([traceparent]);
      expect(headers.get('tracestate')).toEqual(['a=b']);
    }
  }),
  row(
    'RC-23, ING-14',
    'Routing headers of a client neither mislead nor arrive',
    async (cluster) => {
      const forged = {
        'knative-serving-revision': 'through-00001',
        'knative-serving-namespace': 'elsewhere',
      };
      const [straight, activated] = await seen(cluster, forged);
      expect(straight!.get('host')).toEqual(['direct.default.localhost']);
      for (const headers of [straight!, activated!]) {
        for (const name of Object.keys(forged)) expect(headers.has(name)).toBe(false);
      }
    },
  ),
  row('RC-23, QP-35', 'K-Proxy-Request tells of the activator in the path', async (cluster) => {
    const [straight, activated] = await seen(cluster, {});
    expect(straight!.has('k-proxy-request')).toBe(false);
    expect(activated!.get('k-proxy-request')).toEqual(['activator']);
  }),
  row(
    'RC-23, ING-60',
    'The activator takes K-Network-Hash off, the sidecar does not',
    async (cluster) => {
      const [straight, activated] = await seen(cluster, { 'k-network-hash': 'h' });
      expect(straight!.get('k-network-hash')).toEqual(['h']);
      expect(activated!.has('k-network-hash')).toBe(false);
    },
  ),
  row('RC-23, QP-65', 'Headers of one connection end with it', async (cluster) => {
    const hop = {
      connection: 'x-for-one, keep-alive',
      'x-for-one': '1',
      'keep-alive': 'timeout=5',
      'proxy-authorization': 'Basic eA==',
      te: 'gzip',
    };
    for (const headers of await seen(cluster, hop)) {
      for (const name of ['x-for-one', 'keep-alive', 'proxy-authorization', 'te']) {
        expect([name, headers.has(name)]).toEqual([name, false]);
      }
    }
  }),
  row('RC-23, QP-68', 'What an application may need passes', async (cluster) => {
    const kept = {
      cookie: 'a=1; b=2',
      'x-b3-traceid': 'f00',
      authorization: 'Bearer x',
      te: 'trailers',
    };
    for (const headers of await seen(cluster, kept)) {
      for (const [name, value] of Object.entries(kept)) expect(headers.get(name)).toEqual([value]);
    }
  }),
  row('QP-69', 'Nothing is added beside the forwarding headers', async (cluster) => {
    const { rawHeaders } = await rawReport(cluster, await direct(cluster), 'GET /report HTTP/1.1');
    expect([...headersOf({ rawHeaders }).keys()].sort()).toEqual(
      ['forwarded', 'host', 'x-forwarded-for', 'x-forwarded-proto'].sort(),
    );
  }),
  row('QP-68', 'Repeated headers stay apart and in order', async (cluster) => {
    const host = await direct(cluster);
    const lines = ['X-Many: 1', 'Cookie: a=1', 'X-Many: 2', 'Cookie: b=2'];
    const headers = headersOf(await rawReport(cluster, host, 'GET /report HTTP/1.1', ...lines));
    expect(headers.get('x-many')).toEqual(['1', '2']);
    expect(headers.get('cookie')).toEqual(['a=1', 'b=2']);
  }),
  row('QP-58, ING-70', 'Path and query arrive as they were sent', async (cluster) => {
    const host = await direct(cluster);
    for (const url of ['/a/../b//c', '/%7Ea%2Fb', '/x;y=[1]', '/?a=%zz&&b', '/trailing?']) {
      const { status, body } = await cluster.ask(host, { path: url });
      expect([status, (JSON.parse(body) as Report).url]).toEqual([404, url]);
    }
  }),
  row('QP-58', 'Methods arrive as they were sent', async (cluster) => {
    const host = await direct(cluster);
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      expect((await report(cluster, host, { method })).method).toBe(method);
    }
  }),
  row(
    'RC-11, RC-12',
    'A revision of HTTP/1 sees 1.1, whatever the client speaks',
    async (cluster) => {
      const host = await direct(cluster);
      expect((await report(cluster, host)).httpVersion).toBe('1.1');
      const { status, body } = await overHttp2(cluster, host, '/report');
      expect([status, (JSON.parse(body) as Report).httpVersion]).toEqual([200, '1.1']);
    },
  ),
  row('RC-10, RC-12', 'A revision of h2c sees 2.0, whatever the client speaks', async (cluster) => {
    const host = await h2c(cluster);
    expect((await report(cluster, host)).httpVersion).toBe('2.0');
    const { status, body } = await overHttp2(cluster, host, '/report');
    expect([status, (JSON.parse(body) as Report).httpVersion]).toEqual([200, '2.0']);
  }),
  row('RC-14, QP-77', 'A call of gRPC ends with its trailers', async (cluster) => {
    const path = '/grpc.health.v1.Health/Check';
    const { status, trailers } = await overHttp2(cluster, await h2c(cluster), path);
    expect([status, trailers['grpc-status']]).toEqual([200, '0']);
  }),
  row('QP-60', 'HTTP/1.0 is answered, and the connection ends', async (cluster) => {
    const client = await rawRequest(cluster, await direct(cluster), 'GET /report HTTP/1.0');
    await client.untilClosed();
    const [head = '', body = ''] = client.received.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.[01] 200 /);
    expect((JSON.parse(body) as Report).httpVersion).toBe('1.1');
  }),
  row(
    'RC-11',
    'Requests sent together on one connection are answered in order',
    async (cluster) => {
      const host = await direct(cluster);
      const lines = [1, 2, 3].map(
        (n) => `GET /status?code=20${n} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      );
      const client = await rawRequest(cluster, host, 'GET /status?code=200 HTTP/1.1');
      client.socket.write(lines.join(''));
      const statuses: number[] = [];
      for (let n = 0; n < 4; n += 1) statuses.push((await client.answer()).status);
      client.socket.destroy();
      expect(statuses).toEqual([200, 201, 202, 203]);
    },
  ),
  row('QP-71', 'A body without length arrives whole', async (cluster) => {
    const host = await through(cluster);
    const lines = ['Transfer-Encoding: chunked'];
    const client = await rawRequest(cluster, host, 'POST /report HTTP/1.1', ...lines);
    client.socket.write('5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n');
    const { body } = JSON.parse((await client.answer()).body) as Report;
    client.socket.destroy();
    expect(body).toBe('hello world');
  }),
  row('RC-36', 'A body of 8 MiB arrives whole', async (cluster) => {
    const body = 'x'.repeat(8 * 1024 * 1024);
    for (const host of [await direct(cluster), await through(cluster)]) {
      const seenBytes = (await report(cluster, host, { method: 'POST', body })).bodyBytes;
      expect(seenBytes).toBe(body.length);
    }
  }),
  row('QP-73', "100-continue is the container's to give", async (cluster) => {
    const host = await direct(cluster);
    const head = ['Expect: 100-continue', 'Content-Length: 4'];
    const client = await rawRequest(cluster, host, 'POST /report HTTP/1.1', ...head);
    await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    client.received = '';
    client.socket.write('body');
    expect((JSON.parse((await client.answer()).body) as Report).body).toBe('body');
    client.socket.destroy();
  }),
  row('QP-73', 'A refusal comes without the body being asked for', async (cluster) => {
    const host = await direct(cluster);
    const head = ['Expect: 100-continue', 'Content-Length: 4'];
    const client = await rawRequest(cluster, host, 'POST /status?code=417 HTTP/1.1', ...head);
    expect((await client.answer()).status).toBe(417);
    client.socket.destroy();
  }),
  row('RC-24', 'A network probe is answered on the way, with its hash', async (cluster) => {
    const probe = { 'k-network-probe': 'probe', 'k-network-hash': 'abc' };
    const { status, headers, body } = await cluster.ask(await direct(cluster), { headers: probe });
    expect([status, headers['k-network-hash'], body]).toEqual([200, 'abc', '']);
  }),
  row('RC-24, QP-22', 'Look-alikes of probes reach the container', async (cluster) => {
    const host = await direct(cluster);
    for (const headers of [{ 'k-network-probe': 'queue' }, { 'k-kubelet-probe': 'x' }]) {
      const seenBy = headersOf(await report(cluster, host, { headers }));
      for (const [name, value] of Object.entries(headers))
        expect(seenBy.get(name)).toEqual([value]);
    }
  }),
];
