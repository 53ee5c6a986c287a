// The kinds of cert-manager this controller reads and writes. Not kinds of ours: the embedded API
// does not serve them, and the controller that needs them runs only where an API has them (CP-2).

import type { IssuerReference } from '../../api/config/certmanager.ts';
import type { Kind } from '../../api/kinds.ts';
import type { CommonStatus, KubeObject } from '../../api/objects.ts';

const CERT_MANAGER_GROUP = 'cert-manager.io';
const ACME_GROUP = 'acme.cert-manager.io';

function row(group: string, kind: string, plural: string, namespaced = true): Kind {
  return {
    group,
    version: 'v1',
    kind,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced,
    subresources: ['status'],
    custom: true,
    columns: [],
  };
}

export const IssuedCertificate = row(CERT_MANAGER_GROUP, 'Certificate', 'certificates');
export const ClusterIssuer = row(CERT_MANAGER_GROUP, 'ClusterIssuer', 'clusterissuers', false);
export const Challenge = row(ACME_GROUP, 'Challenge', 'challenges');

/** CP-2: plurals that discovery has to list, by path. */
export const REQUIRED_RESOURCES: ReadonlyMap<string, readonly string[]> = new Map([
  [
    `/apis/${CERT_MANAGER_GROUP}/v1`,
    ['certificaterequests', 'certificates', 'clusterissuers', 'issuers'],
  ],
  [`/apis/${ACME_GROUP}/v1`, ['challenges']],
]);

export interface IssuedCertificateObject extends KubeObject {
  spec: {
    commonName: string;
    dnsNames: string[];
    secretName: string;
    issuerRef: IssuerReference;
    secretTemplate?: { labels: Record<string, string> };
  };
  status?: CommonStatus & { notAfter?: string; renewalTime?: string };
}

export interface ClusterIssuerObject extends KubeObject {
  spec?: { acme?: { solvers?: { http01?: object }[] } };
}

export interface ChallengeObject extends KubeObject {
  spec: { dnsName: string; token: string };
}
