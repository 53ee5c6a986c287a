// The three webhook configurations as the leader keeps them (WH-10 to WH-12): where the API server
// finds the webhook, whose authority it trusts, and for which kinds it asks. They are installed by
// config/webhook.yaml; here is only what is set at run time. Pure.

import type { LabelSelector } from '../api/core.ts';
import type { Kind } from '../api/kinds.ts';
import type { KubeObject, OwnerReference } from '../api/objects.ts';
import { CONFIG, MUTATING, VALIDATING } from './admit.ts';
import { CONFIG_PATH, DEFAULTING_PATH, VALIDATION_PATH } from './answers.ts';
import { ADMITTED_KINDS } from './kinds.ts';

type Operation = 'CREATE' | 'UPDATE' | 'DELETE';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly Operation[];
  readonly resources: readonly string[];
  readonly scope: '*' | 'Namespaced';
}

interface Webhook {
  readonly name: string;
  readonly clientConfig: {
    readonly caBundle?: string;
    readonly service?: { readonly path?: string };
  };
  readonly namespaceSelector?: LabelSelector;
  readonly rules?: readonly Rule[];
  readonly reinvocationPolicy?: 'IfNeeded' | 'Never';
}

export interface WebhookConfiguration extends KubeObject {
  webhooks?: readonly Webhook[];
}

/** One installed configuration. */
export interface ConfigurationRow {
  readonly kind: Kind;
  /** Of the object and of its one webhook. */
  readonly name: string;
  readonly path: string;
  readonly rules: readonly Rule[];
  /** Whether namespaces may exclude themselves by label. */
  readonly isExcludable: boolean;
}

export const EXCLUDE_LABEL = 'webhooks.knative.dev/exclude';

const registration = (kind: string, plural: string): Kind => ({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind,
  plural,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  namespaced: false,
  subresources: [],
  custom: false,
  columns: [],
});
export const MutatingWebhookConfiguration = registration(
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
);
export const ValidatingWebhookConfiguration = registration(
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
);

/** WH-12: one per kind. */
const kindRules = (...operations: Operation[]): Rule[] =>
  ADMITTED_KINDS.map(({ group, version, plural }) => ({
    apiGroups: [group],
    apiVersions: [version],
    operations,
    resources: [plural, `${plural}/status`],
    scope: '*',
  }));

/** WH-10. */
export const CONFIGURATIONS: readonly ConfigurationRow[] = [
  {
    kind: MutatingWebhookConfiguration,
    name: MUTATING,
    path: DEFAULTING_PATH,
    rules: kindRules('CREATE', 'UPDATE'),
    isExcludable: true,
  },
  {
    kind: ValidatingWebhookConfiguration,
    name: VALIDATING,
    path: VALIDATION_PATH,
    rules: kindRules('CREATE', 'UPDATE', 'DELETE'),
    isExcludable: true,
  },
  {
    kind: ValidatingWebhookConfiguration,
    name: CONFIG,
    path: CONFIG_PATH,
    rules: [
      {
        apiGroups: [''],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['configmaps/*'],
        scope: 'Namespaced',
      },
    ],
    isExcludable: false,
  },
];

/** WH-11; `owner` null leaves the owners as they are. */
export function desiredConfiguration(
  current: WebhookConfiguration,
  row: ConfigurationRow,
  authorityPem: string,
  owner: OwnerReference | null,
): WebhookConfiguration {
  const caBundle = Buffer.from(authorityPem, 'utf8').toString('base64');
  const webhooks = (current.webhooks ?? []).map((webhook) =>
    webhook.name === row.name ? desiredWebhook(webhook, row, caBundle) : webhook,
  );
  const { metadata } = current;
  if (owner === null) return { ...current, webhooks };
  const others = (metadata.ownerReferences ?? []).filter(({ kind }) => kind !== owner.kind);
  return { ...current, metadata: { ...metadata, ownerReferences: [...others, owner] }, webhooks };
}

function desiredWebhook(webhook: Webhook, row: ConfigurationRow, caBundle: string): Webhook {
  const { clientConfig } = webhook;
  return {
    ...webhook,
    clientConfig: {
      ...clientConfig,
      caBundle,
      ...(clientConfig.service && { service: { ...clientConfig.service, path: row.path } }),
    },
    rules: row.rules,
    ...(row.isExcludable && { namespaceSelector: withExclusion(webhook.namespaceSelector) }),
    ...(row.path === DEFAULTING_PATH && { reinvocationPolicy: 'IfNeeded' as const }),
  };
}

/** Foreign expressions stay. */
function withExclusion(selector: LabelSelector = {}): LabelSelector {
  const others = (selector.matchExpressions ?? []).filter(({ key }) => key !== EXCLUDE_LABEL);
  const ours = { key: EXCLUDE_LABEL, operator: 'DoesNotExist' as const };
  return { ...selector, matchExpressions: [...others, ours] };
}

/** WH-11: a configuration goes when the system namespace does. */
export function namespaceOwner({ metadata }: KubeObject): OwnerReference {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    name: metadata.name,
    uid: metadata.uid ?? '',
    controller: false,
    blockOwnerDeletion: true,
  };
}
