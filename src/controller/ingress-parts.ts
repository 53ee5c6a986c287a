// What the Ingresses of Routes and DomainMappings have in common (CP-305, CP-311, CP-312): the
// annotations they take over from their owner, the answer to plain HTTP, and the paths an issuer of
// certificates asks for. Pure.

import type { NetworkConfig } from '../api/config/network.ts';
import {
  CERTIFICATE_CLASS_ANNOTATIONS,
  firstAnnotation,
  HTTP_PROTOCOL_ANNOTATIONS,
  INGRESS_CLASS_ANNOTATIONS,
  LAST_APPLIED_ANNOTATION,
} from '../api/labels.ts';
import type { Http01Challenge, IngressPath, IngressTls } from '../api/networking.ts';
import type { KubeObject } from '../api/objects.ts';
import { withoutKeys } from './children.ts';

/**
 * The owner's annotations for a child of the networking layer, with the class spelled the new way:
 * its own if it names one, else `fallback`.
 */
export function classedAnnotations(
  { metadata }: KubeObject,
  [key, alias]: typeof INGRESS_CLASS_ANNOTATIONS | typeof CERTIFICATE_CLASS_ANNOTATIONS,
  fallback: string,
): Record<string, string> {
  return {
    ...withoutKeys(metadata.annotations, [
      LAST_APPLIED_ANNOTATION,
      INGRESS_CLASS_ANNOTATIONS[1],
      CERTIFICATE_CLASS_ANNOTATIONS[1],
    ]),
    [key]: firstAnnotation(metadata.annotations, [key, alias]) ?? fallback,
  };
}

/** CP-312; throws an Error for an annotation that is neither word. */
export function makeHttpOption(
  { metadata }: KubeObject,
  network: NetworkConfig,
): 'Enabled' | 'Redirected' | '' {
  const given = firstAnnotation(metadata.annotations, HTTP_PROTOCOL_ANNOTATIONS);
  const word = given?.toLowerCase() ?? network.httpProtocol;
  if (word === 'enabled') return 'Enabled';
  if (word === 'redirected') return 'Redirected';
  if (given !== undefined) throw new Error(`incorrect http-protocol annotation: ${given}`);
  return '';
}

/** Host and path of a challenge; null when its URL is none. */
export function challengeTarget({ url }: Http01Challenge): { host: string; path: string } | null {
  if (!URL.canParse(url)) return null;
  const { host, pathname } = new URL(url);
  return { host, path: pathname };
}

/** CP-311: what has to be served at `host` while a certificate is being issued. */
export function challengePaths(
  challenges: readonly Http01Challenge[],
  host: string,
): IngressPath[] {
  return challenges.flatMap((challenge) => {
    const target = challengeTarget(challenge);
    if (target?.host !== host) return [];
    const { serviceNamespace, serviceName, servicePort } = challenge;
    const split = { serviceNamespace, serviceName, servicePort, percent: 100 };
    return [{ path: target.path, splits: [split] }];
  });
}

export function makeTls(
  hosts: readonly string[],
  secretName: string,
  secretNamespace: string,
): IngressTls {
  return { hosts: [...hosts], secretName, secretNamespace };
}
