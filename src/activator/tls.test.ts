// TLS inside the system through the whole activator: its own port, and the way to pods whose
// sidecars speak TLS. Certificates are real, the API is in memory.

import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigMap, Secret } from '../api/core.ts';
import { ConfigMap as ConfigMapKind, Secret as SecretKind } from '../api/kinds.ts';
import { systemClock } from '../clock/clock.ts';
import {
  createCertificateAuthority,
  issueServingCertificate,
  type KeyPairPem,
} from '../pki/certificates.ts';
import { DualApp } from '../proxy/testing/dual-app.ts';
import { answerOf } from '../proxy/testing/h2-harness.ts';
import { until } from '../proxy/testing/harness.ts';
import { NetActivator } from './testing/net-activator.ts';

const UNSET = { minVersion: '', maxVersion: '', cipherSuites: '', curvePreferences: '' };
const CA_NAMES = { commonName: 'test CA', validDays: 1 };
let authority: KeyPairPem;
let stranger: KeyPairPem;
let activator: NetActivator | null = null;
let pod: DualApp | null = null;

beforeAll(async () => {
  const nowMs = systemClock.nowMs();
  authority = await createCertificateAuthority({ ...CA_NAMES, nowMs });
  stranger = await createCertificateAuthority({ ...CA_NAMES, commonName: 'other CA', nowMs });
});
afterEach(async () => {
  await activator?.stop();
  pod?.close();
  activator = null;
  pod = null;
});

async function issue(hosts: string[], ca = authority): Promise<{ cert: string; key: string }> {
  const nowMs = systemClock.nowMs();
  const pair = await issueServingCertificate(ca, { commonName: 'x', hosts, nowMs, validDays: 1 });
  return { cert: pair.certificatePem, key: pair.privateKeyPem };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function secretOf(pair: { cert: string; key: string }): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'knative-serving', name: 'routing-serving-certs' },
    data: {
      'tls.crt': base64(pair.cert),
      'tls.key': base64(pair.key),
      'ca.crt': base64(authority.certificatePem),
    },
  };
}

/** An activator with TLS whose pods listen on the port of `pod`. */
async function start(podNames: string[], ca = authority): Promise<NetActivator> {
  const onStream = (stream: import('node:http2').ServerHttp2Stream): void => {
    stream.respond({ ':status': 200, 'x-proto': 'h2' });
    stream.end('over tls');
  };
  pod = await DualApp.start(
    onStream,
    (_request, response) => response.setHeader('x-proto', 'h1').end('over tls'),
    { ...(await issue(podNames, ca)), minVersion: 'TLSv1.3' },
  );
  const own = await issue(['kn-routing', 'data-plane.knative.dev']);
  activator = await NetActivator.start(
    { tls: { port: 0, texts: UNSET, podPort: pod.port } },
    async (client) => {
      await client.create<Secret>(SecretKind, secretOf(own));
    },
  );
  await activator.deploy('hello', {}, () => undefined);
  return activator;
}

const GOOD_NAMES = ['data-plane.knative.dev', 'kn-user-default'];

function getOverTls(port: number, ca = authority): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(
      {
        port,
        host: '127.0.0.1',
        servername: 'kn-routing',
        ca: ca.certificatePem,
        agent: false,
        headers: {
          'Knative-Serving-Namespace': 'default',
          'Knative-Serving-Revision': 'hello',
        },
      },
      (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

describe('TLS inside the system', () => {
  it('ACT-1, ACT-118, ACT-119, ACT-122: HTTPS in, HTTPS to the pod; its probes stay plain', async () => {
    const { running, port } = await start(GOOD_NAMES);
    expect(await getOverTls(running.tlsPort)).toEqual({ status: 200, body: 'over tls' });
    const plain = await fetch(`http://127.0.0.1:${port}/`, {
      headers: { 'Knative-Serving-Namespace': 'default', 'Knative-Serving-Revision': 'hello' },
    });
    expect(plain.headers.get('x-proto')).toBe('h1');
    expect(await plain.text()).toBe('over tls');
    expect(pod?.protocols.every((protocol) => protocol === 'http/1.1')).toBe(true);
  });

  it('ACT-110: HTTP/2 by ALPN in is HTTP/2 by ALPN out, with scheme https', async () => {
    const { running } = await start(GOOD_NAMES);
    const session = connectHttp2(`https://127.0.0.1:${running.tlsPort}`, {
      servername: 'kn-routing',
      ca: authority.certificatePem,
    });
    const answer = await answerOf(
      session.request({
        'knative-serving-namespace': 'default',
        'knative-serving-revision': 'hello',
      }),
    );
    session.destroy();
    expect(answer).toMatchObject({ status: 200, body: 'over tls', resetCode: 0 });
    expect(answer.headers['x-proto']).toBe('h2');
    expect(pod?.protocols).toEqual(['h2']);
    expect(pod?.requests[0]?.headers[':scheme']).toBe('https');
  });

  it.each([
    ['another namespace', ['data-plane.knative.dev', 'kn-user-other'], /san "kn-user-default"/],
    ['another server', ['kn-user-default'], /data-plane\.knative\.dev/],
  ])('ACT-119: a pod of %s is not spoken to', async (_what, names, text) => {
    const { running } = await start(names);
    const answer = await getOverTls(running.tlsPort);
    expect(answer.status).toBe(502);
    expect(answer.body).toMatch(text);
  });

  it('ACT-120: a pod of an unknown CA is trusted once a bundle names it', async () => {
    const started = await start(GOOD_NAMES, stranger);
    expect((await getOverTls(started.running.tlsPort)).status).toBe(502);
    await started.client.create<ConfigMap>(ConfigMapKind, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        namespace: 'knative-serving',
        name: 'bundle',
        labels: { 'networking.knative.dev/trust-bundle': 'true' },
      },
      data: { 'ca.crt': stranger.certificatePem, 'bad.crt': 'nothing' },
    });
    let status = 0;
    for (let tries = 0; status !== 200 && tries < 200; tries += 1) {
      ({ status } = await getOverTls(started.running.tlsPort));
    }
    expect(status).toBe(200);
  });

  it('ACT-121: a new certificate is presented, a broken one is not; TLS 1.2 is refused', async () => {
    const started = await start(GOOD_NAMES);
    const fingerprint = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(
          { port: started.running.tlsPort, host: '127.0.0.1', rejectUnauthorized: false },
          () => {
            resolve(socket.getPeerCertificate().fingerprint256);
            socket.destroy();
          },
        );
        socket.on('error', reject);
      });
    const before = await fingerprint();
    const replace = async (pair: { cert: string; key: string }): Promise<void> => {
      const key = { namespace: 'knative-serving', name: 'routing-serving-certs' };
      const current = await started.client.get<Secret>(SecretKind, key);
      await started.client.update<Secret>(SecretKind, { ...current, ...dataOf(pair) });
    };
    const dataOf = (pair: { cert: string; key: string }) => ({ data: secretOf(pair).data ?? {} });
    await replace({ cert: 'broken', key: 'broken' });
    expect(await fingerprint()).toBe(before);
    await replace(await issue(['kn-routing']));
    let now = before;
    await until(() => {
      void fingerprint().then((seen) => {
        now = seen;
      });
      return now !== before;
    }, 'the new certificate');
    await expect(
      new Promise((resolve, reject) => {
        connect({
          port: started.running.tlsPort,
          host: '127.0.0.1',
          maxVersion: 'TLSv1.2',
          rejectUnauthorized: false,
        })
          .on('error', reject)
          .on('secureConnect', resolve);
      }),
    ).rejects.toThrow();
  });

  it('ACT-117: without the Secret the activator does not start, and says which is missing', async () => {
    await expect(NetActivator.start({ tls: { port: 0, texts: UNSET } })).rejects.toThrow(
      /knative-serving\/routing-serving-certs/,
    );
  });
});
