// The webhook process in front of a real API server: it registers itself, and what users send passes
// through it. Only on the server started for this run: another one cannot reach this process. The API
// server finds it by a Service of type ExternalName, because nobody here routes cluster addresses.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import * as kinds from '../../src/api/kinds.ts';
import { SYSTEM_NAMESPACE } from '../../src/api/labels.ts';
import type { KubeObject } from '../../src/api/objects.ts';
import type { KnativeService } from '../../src/api/serving.ts';
import { systemClock } from '../../src/clock/clock.ts';
import type { KubeClient } from '../../src/kube/types.ts';
import {
  CONFIGURATIONS,
  EXCLUDE_LABEL,
  type WebhookConfiguration,
} from '../../src/webhook/configurations.ts';
import { runWebhook } from '../../src/webhook/process.ts';
import { until } from '../support/pilotlight.ts';
import { ensureNamespace, openClient } from './support/client.ts';
import { installKinds } from './support/crds.ts';
import { applyStrictly, manifests } from './support/manifests.ts';

const { kubeconfig, isOwn } = inject('cluster');
const namespace = 'webhook-users';
const DENIED = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: ';
const SERVICE = { namespace: SYSTEM_NAMESPACE, name: 'webhook' };

let client: KubeClient;
let signal = (): void => undefined;
let exited: Promise<number>;

async function startProcess(): Promise<number> {
  let exit: (code: number) => void = () => undefined;
  exited = new Promise<number>((resolve) => {
    exit = resolve;
  });
  const port = await runWebhook({
    env: {
      SYSTEM_NAMESPACE,
      KUBECONFIG: kubeconfig ?? '',
      WEBHOOK_BIND_ADDRESS: '127.0.0.1',
      WEBHOOK_PORT: '0',
      WEBHOOK_DRAIN_SECONDS: '0',
    },
    args: [],
    clock: systemClock,
    random: () => 0.5,
    onSignal: (listener) => {
      signal = listener;
    },
    exit,
    printError: (line) => console.error(line),
  });
  if (port === null) throw new Error('the webhook did not start');
  return port;
}

/** As config/webhook.yaml installs them, with the port of this process. */
async function register(port: number): Promise<void> {
  const metadata = { ...SERVICE };
  const spec = { type: 'ExternalName', externalName: 'localhost' };
  const service = { apiVersion: 'v1', kind: 'Service', metadata, spec };
  await client.create(kinds.CoreService, service as KubeObject);
  for (const object of manifests()) {
    if (!object.kind.endsWith('WebhookConfiguration')) continue;
    const { webhooks = [] } = object as WebhookConfiguration;
    const moved = webhooks.map((webhook) => ({
      ...webhook,
      clientConfig: { service: { ...webhook.clientConfig.service, port } },
    }));
    await applyStrictly(client, { ...object, webhooks: moved } as KubeObject, { dryRun: false });
  }
  for (const { kind, name } of CONFIGURATIONS) {
    await until(`${name} registered`, async () => {
      const { webhooks } = await client.get<WebhookConfiguration>(kind, { name });
      return webhooks?.[0]?.clientConfig.caBundle !== undefined;
    });
  }
}

beforeAll(async () => {
  if (!isOwn || kubeconfig === null) return;
  client = await openClient(kubeconfig);
  await installKinds(client);
  await ensureNamespace(client, SYSTEM_NAMESPACE);
  await ensureNamespace(client, namespace);
  for (const object of manifests()) {
    const isWanted = object.kind === 'ConfigMap' || object.metadata.name === 'webhook-certs';
    if (isWanted) await applyStrictly(client, object, { dryRun: false });
  }
  await register(await startProcess());
});

afterAll(async () => {
  if (client === undefined) return;
  for (const { kind, name } of CONFIGURATIONS) await client.delete(kind, { name });
  await client.delete(kinds.CoreService, SERVICE);
  signal();
  await exited;
  client.close();
});

const service = (name: string, change: (made: KnativeService) => void = () => undefined) => {
  const made: KnativeService = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      template: { spec: { containers: [{ name: 'user-container', image: 'example.com/app:1' }] } },
    },
  };
  change(made);
  return made;
};
const create = (object: KnativeService): Promise<KnativeService> =>
  client.create(kinds.KnativeService, object);

describe.skipIf(!isOwn)('the webhook process and a real API server', () => {
  it('WH-11: the API server calls it as soon as it is registered', async () => {
    const refused = await until('an invalid Service to be refused', async () => {
      try {
        const dry = await client.request(
          'POST',
          `${kinds.resourcePath(kinds.KnativeService, namespace)}?dryRun=All`,
          { contentType: 'application/json', body: service('early', tooLong) },
        );
        dry.body.resume();
        return undefined;
      } catch (error) {
        const { message } = error as Error;
        return message.startsWith(DENIED) ? message : undefined;
      }
    });
    expect(refused).toContain('expected 0 <= 700 <= 600');
  });

  it('WH-30, WH-31: defaults and user names are stored', async () => {
    const { metadata, spec } = await create(service('hello'));
    expect(metadata.annotations).toMatchObject({
      'serving.knative.dev/creator': 'tester',
      'serving.knative.dev/lastModifier': 'tester',
    });
    expect(spec).toMatchObject({
      template: { spec: { timeoutSeconds: 300, containerConcurrency: 0 } },
      traffic: [{ latestRevision: true, percent: 100 }],
    });
  });

  it('WH-16: what is invalid is denied in the words of the specification', async () => {
    await expect(create(service('long', tooLong))).rejects.toThrow(
      `${DENIED}validation failed: expected 0 <= 700 <= 600: spec.template.spec.timeoutSeconds`,
    );
  });

  it('WH-16: a value of the wrong type is denied by the first webhook', async () => {
    const wrong = service('wrong', ({ spec }) => {
      Object.assign(spec.template.spec, { timeoutSeconds: 'abc' });
    });
    await expect(create(wrong)).rejects.toThrow(
      'admission webhook "webhook.serving.knative.dev" denied the request: mutation failed: ' +
        'cannot decode incoming new object: json: cannot unmarshal string "abc" into field ' +
        'spec.template.spec.timeoutSeconds of type integer',
    );
  });

  it('WH-55: the creator stays', async () => {
    const annotations = { 'serving.knative.dev/creator': 'eve' };
    const key = { namespace, name: 'hello' };
    const patch = { type: 'merge' as const, body: { metadata: { annotations } } };
    await expect(client.patch(kinds.KnativeService, key, patch)).rejects.toThrow(
      `${DENIED}validation failed: annotation value is immutable: metadata.annotations.serving.knative.dev/creator`,
    );
  });

  it('WH-180: a dry run is refused where the API would refuse the pod', async () => {
    const greedy = service('greedy', ({ spec }) => {
      const [container] = spec.template.spec.containers;
      Object.assign(container ?? {}, {
        resources: { requests: { memory: '2Gi' }, limits: { memory: '1Gi' } },
      });
    });
    const path = `${kinds.resourcePath(kinds.KnativeService, namespace)}?dryRun=All`;
    const contentType = 'application/json';
    const asked = client.request('POST', path, { contentType, body: greedy });
    await expect(asked).rejects.toThrow(
      `${DENIED}validation callback failed: dry run failed with Pod`,
    );
    await expect(create(greedy)).resolves.toBeDefined();
  });

  it('WH-170: a config map that does not parse is denied', async () => {
    const key = { namespace: SYSTEM_NAMESPACE, name: 'config-gc' };
    const body = { data: { 'min-non-active-revisions': '-1' } };
    await expect(client.patch(kinds.ConfigMap, key, { type: 'merge', body })).rejects.toThrow(
      'admission webhook "config.webhook.serving.knative.dev" denied the request: ' +
        'validation failed: min-non-active-revisions must be non-negative, was: -1',
    );
  });

  it('WH-11: a namespace may exclude itself', async () => {
    const excluded = 'webhook-excluded';
    await client.create(kinds.Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: excluded, labels: { [EXCLUDE_LABEL]: 'true' } },
    });
    const invalid = service('long', tooLong);
    invalid.metadata.namespace = excluded;
    await until('an invalid Service to pass', async () => {
      const made = await create(invalid).catch(() => undefined);
      return made !== undefined;
    });
  });

  it('WH-3, WH-11: a new Secret brings a new authority to the configurations', async () => {
    const key = { namespace: SYSTEM_NAMESPACE, name: 'webhook-certs' };
    const [row] = CONFIGURATIONS;
    const bundle = async (): Promise<string | undefined> => {
      const found = await client.get<WebhookConfiguration>(row!.kind, { name: row!.name });
      return found.webhooks?.[0]?.clientConfig.caBundle;
    };
    const before = await bundle();
    const body = { data: { 'server-cert.pem': null } };
    await client.patch(kinds.Secret, key, { type: 'merge', body });
    await until('a new authority', async () => (await bundle()) !== before);
    await until('a Service to be admitted again', async () => {
      const made = await create(service('renewed')).catch(() => undefined);
      return made !== undefined;
    });
  });
});

function tooLong({ spec }: KnativeService): void {
  spec.template.spec.timeoutSeconds = 700;
}
