// The Certificate an owner needs: created when missing, made what it should be when it differs
// (CP-450). Whoever issues it is somebody else; here only the wish is written.

import { findCondition, isReady, READY } from '../../api/conditions.ts';
import * as kinds from '../../api/kinds.ts';
import type { Certificate } from '../../api/networking.ts';
import type { KubeObject } from '../../api/objects.ts';
import { deepEqual } from '../../kube/equal.ts';
import { messageOf } from '../../kube/status-pass.ts';
import type { Lister } from '../../kube/types.ts';
import { createOrGet, isControlledBy } from '../children.ts';
import type { ChildWriter } from '../ingress-apply.ts';
import { wrapError } from '../pipeline.ts';

/** Somebody else's Certificate has the name we need. */
export class CertificateNotOwnedError extends Error {}

export interface CertificateWriter extends ChildWriter {
  readonly certificates: Lister<Certificate>;
  /** How the events name the kind; `Certificate`, or `Knative Certificate` for namespaces. */
  readonly noun?: string;
}

export async function ensureCertificate(
  writer: CertificateWriter,
  owner: KubeObject,
  desired: Certificate,
): Promise<Certificate> {
  const { namespace, name } = desired.metadata;
  let live = writer.certificates.get(namespace, name);
  if (live === undefined) live = await create(writer, owner, desired);
  if (!isControlledBy(live, owner)) {
    const version = owner.apiVersion.slice(owner.apiVersion.lastIndexOf('/') + 1);
    const type = `*${version}.${owner.kind}`;
    throw new CertificateNotOwnedError(
      `owner: ${owner.metadata.name} with Type ${type} does not own Certificate: "${name}"`,
    );
  }
  return isSame(live, desired) ? live : update(writer, owner, live, desired);
}

function isSame(live: Certificate, desired: Certificate): boolean {
  return (
    deepEqual(live.spec, desired.spec) &&
    deepEqual(live.metadata.annotations ?? {}, desired.metadata.annotations ?? {}) &&
    deepEqual(live.metadata.labels ?? {}, desired.metadata.labels ?? {})
  );
}

async function create(
  { client, recorder, noun = 'Certificate' }: CertificateWriter,
  owner: KubeObject,
  desired: Certificate,
): Promise<Certificate> {
  const text = `${noun} ${desired.metadata.namespace}/${desired.metadata.name}`;
  try {
    const { object, created } = await createOrGet(client, kinds.Certificate, desired);
    if (created) recorder.normal(owner, 'Created', `Created ${text}`);
    return object;
  } catch (error) {
    const message = `Failed to create ${text}: ${messageOf(error)}`;
    recorder.warning(owner, 'CreationFailed', message);
    throw wrapError('failed to create Certificate', error);
  }
}

async function update(
  { client, recorder, noun = 'Certificate' }: CertificateWriter,
  owner: KubeObject,
  live: Certificate,
  { metadata, spec }: Certificate,
): Promise<Certificate> {
  const { labels = {}, annotations = {} } = metadata;
  const text = `${noun} ${metadata.namespace}/${metadata.name}`;
  try {
    const changed = { ...live, metadata: { ...live.metadata, labels, annotations }, spec };
    const stored = await client.update(kinds.Certificate, changed);
    recorder.normal(owner, 'Updated', `Updated Spec for ${text}`);
    return stored;
  } catch (error) {
    const message = `Failed to update ${text}: ${messageOf(error)}`;
    recorder.warning(owner, 'UpdateFailed', message);
    throw wrapError('failed to update Certificate', error);
  }
}

/** `failed`: its issuer gave up for now; `pending`: nothing decided yet. */
export function certificateState(certificate: Certificate): 'ready' | 'failed' | 'pending' {
  if (isReady(certificate)) return 'ready';
  return findCondition(certificate, READY)?.status === 'False' ? 'failed' : 'pending';
}

export function readyReason(certificate: Certificate): string {
  return findCondition(certificate, READY)?.reason ?? '';
}

export function isRenewing(certificate: Certificate): boolean {
  return findCondition(certificate, 'Renewing')?.status === 'True';
}
