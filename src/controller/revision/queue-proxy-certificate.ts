// The certificate the sidecars of a namespace serve with, while system-internal-tls is on (CP-170).
// Pods are not made before their Secret is there: they would wait for its volume.

import type { Secret } from '../../api/core.ts';
import {
  apiVersionOf,
  Certificate as CertificateKind,
  Secret as SecretKind,
} from '../../api/kinds.ts';
import {
  CERTIFICATE_CLASS_ANNOTATIONS,
  CERTIFICATE_TYPE_LABEL,
  firstAnnotation,
  SYSTEM_INTERNAL_TYPE,
} from '../../api/labels.ts';
import type { Certificate } from '../../api/networking.ts';
import { controllerReference, type KubeObject } from '../../api/objects.ts';
import type { Revision } from '../../api/serving.ts';
import { isNotFound, type KubeClient, type Lister } from '../../kube/types.ts';
import { type CertificateWriter, ensureCertificate } from '../certificate/ensure.ts';
import { SERVING_CERTS_SECRET } from './resources/volumes.ts';

const DATA_PLANE_NAME = 'data-plane.knative.dev';

export function makeQueueProxyCertificate(
  revision: Revision,
  namespace: KubeObject,
  defaultClass: string,
): Certificate {
  const { name } = namespace.metadata;
  const given = firstAnnotation(revision.metadata.annotations, CERTIFICATE_CLASS_ANNOTATIONS);
  return {
    apiVersion: apiVersionOf(CertificateKind),
    kind: 'Certificate',
    metadata: {
      name: SERVING_CERTS_SECRET,
      namespace: name,
      labels: { [CERTIFICATE_TYPE_LABEL]: SYSTEM_INTERNAL_TYPE },
      annotations: { [CERTIFICATE_CLASS_ANNOTATIONS[0]]: given ?? defaultClass },
      ownerReferences: [controllerReference(namespace)],
    },
    spec: {
      dnsNames: [`kn-user-${name.toLowerCase()}`, DATA_PLANE_NAME],
      secretName: SERVING_CERTS_SECRET,
    },
  };
}

/** Rejects with an Error until the Secret holds a certificate and its key. */
export async function ensureQueueProxyCertificate(
  writer: CertificateWriter & { readonly namespaces: Lister<KubeObject> },
  revision: Revision,
  defaultClass: string,
): Promise<void> {
  const name = revision.metadata.namespace ?? '';
  const namespace = writer.namespaces.get(undefined, name);
  if (namespace === undefined) throw new Error(`failed to get namespace "${name}": not found`);
  const desired = makeQueueProxyCertificate(revision, namespace, defaultClass);
  await ensureCertificate(writer, namespace, desired);
  await requireSecret(writer.client, name);
}

async function requireSecret(client: KubeClient, namespace: string): Promise<void> {
  const text = `${namespace}/${SERVING_CERTS_SECRET} is not ready yet:`;
  let secret: Secret;
  try {
    secret = await client.get<Secret>(SecretKind, { namespace, name: SERVING_CERTS_SECRET });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new Error(`secret ${text} secret could not be found`, { cause: error });
  }
  const missing = (what: string): Error =>
    new Error(`certificate in secret ${text} ${what} not found`);
  if (!secret.data?.['tls.crt']) throw missing('public cert');
  if (!secret.data['tls.key']) throw missing('private key');
}
