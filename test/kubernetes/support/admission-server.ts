// Our admission plugin in front of a real API server: an HTTPS server on loopback that answers
// admission.k8s.io/v1 reviews, and the MutatingWebhookConfiguration that sends every write of a kind of
// ours through it. For the API server started by the tests only: another one cannot reach this port.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { AdmissionPlugin, AdmissionRequest } from '../../../src/api/admission.ts';
import type { KubeObject } from '../../../src/api/objects.ts';
import type { KubeClient } from '../../../src/kube/types.ts';
import {
  createCertificateAuthority,
  issueServingCertificate,
} from '../../../src/pki/certificates.ts';

const WEBHOOKS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
const NAME = 'webhook.serving.knative.dev';

interface Review {
  request: {
    uid: string;
    operation: AdmissionRequest['operation'];
    subResource?: string;
    dryRun?: boolean;
    userInfo: { username: string };
    object: KubeObject | null;
    oldObject: KubeObject | null;
  };
}

export interface AdmissionServer {
  /** Reviews answered so far. */
  reviews(): number;
  stop(): Promise<void>;
}

export async function startAdmission(
  client: KubeClient,
  plugin: AdmissionPlugin,
): Promise<AdmissionServer> {
  const nowMs = Date.now();
  const authority = await createCertificateAuthority({ commonName: NAME, validDays: 1, nowMs });
  const serving = await issueServingCertificate(authority, {
    commonName: '127.0.0.1',
    hosts: ['127.0.0.1'],
    validDays: 1,
    nowMs,
  });
  let reviews = 0;
  const server = createServer({ cert: serving.certificatePem, key: serving.privateKeyPem });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    reviews += 1;
    void answer(request, response, plugin);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}/`;
  await client.request('POST', WEBHOOKS, {
    contentType: 'application/json',
    body: configuration(url, authority.certificatePem),
  });
  return {
    reviews: () => reviews,
    async stop() {
      const answered = await client.request('DELETE', `${WEBHOOKS}/${NAME}`);
      answered.body.resume();
      server.close();
      server.closeAllConnections();
    },
  };
}

function configuration(url: string, caPem: string): object {
  const rule = (group: string): object => ({
    apiGroups: [group],
    apiVersions: ['*'],
    resources: ['*', '*/status'],
    operations: ['CREATE', 'UPDATE'],
    scope: '*',
  });
  const groups = ['serving', 'autoscaling.internal', 'networking.internal'];
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: NAME },
    webhooks: [
      {
        name: NAME,
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
        clientConfig: { url, caBundle: Buffer.from(caPem).toString('base64') },
        rules: groups.map((group) => rule(`${group}.knative.dev`)),
      },
    ],
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  plugin: AdmissionPlugin,
): Promise<void> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const { request: asked } = JSON.parse(text) as Review;
  const body = JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: asked.uid, ...(await verdict(asked, plugin)) },
  });
  response.setHeader('content-type', 'application/json');
  response.end(body);
}

async function verdict(asked: Review['request'], plugin: AdmissionPlugin): Promise<object> {
  const result = await plugin.admit({
    operation: asked.operation,
    subresource: asked.subResource ?? '',
    dryRun: asked.dryRun ?? false,
    userName: asked.userInfo.username,
    object: asked.object!,
    oldObject: asked.oldObject,
  });
  if (!result.allowed) {
    const { code, reason, message } = result;
    return { allowed: false, status: { code, reason, message } };
  }
  const patch = Object.entries(result.object).map(([name, value]) => ({
    op: 'add',
    path: `/${name}`,
    value,
  }));
  const encoded = Buffer.from(JSON.stringify(patch)).toString('base64');
  return { allowed: true, warnings: result.warnings, patchType: 'JSONPatch', patch: encoded };
}
