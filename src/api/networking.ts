// Spec and status of the internal networking kinds: Ingress (ING-3, ING-43), ServerlessService
// (CP-90), Certificate and ClusterDomainClaim.

import type { CommonStatus, KubeObject } from './objects.ts';

export interface IngressSplit {
  serviceNamespace: string;
  serviceName: string;
  servicePort: number | string;
  percent?: number;
  appendHeaders?: Record<string, string>;
}

export interface IngressPath {
  /** Literal prefix; absent = every path. */
  path?: string;
  rewriteHost?: string;
  /** All must match exactly. */
  headers?: Record<string, { exact: string }>;
  appendHeaders?: Record<string, string>;
  splits: IngressSplit[];
}

export type IngressVisibility = 'ExternalIP' | 'ClusterLocal';

export interface IngressRule {
  hosts?: string[];
  visibility?: IngressVisibility | '';
  http?: { paths: IngressPath[] };
}

export interface IngressTls {
  hosts?: string[];
  secretName: string;
  secretNamespace: string;
}

export interface LoadBalancerIngress {
  ip?: string;
  domain?: string;
  domainInternal?: string;
  meshOnly?: boolean;
}

export interface LoadBalancerStatus {
  ingress?: LoadBalancerIngress[];
}

export interface IngressSpec {
  httpOption?: 'Enabled' | 'Redirected' | '';
  tls?: IngressTls[];
  rules?: IngressRule[];
}

export interface IngressStatus extends CommonStatus {
  publicLoadBalancer?: LoadBalancerStatus;
  privateLoadBalancer?: LoadBalancerStatus;
}

export interface Ingress extends KubeObject {
  spec: IngressSpec;
  status?: IngressStatus;
}

export type ServerlessServiceMode = 'Serve' | 'Proxy';

export interface ServerlessServiceStatus extends CommonStatus {
  serviceName?: string;
  privateServiceName?: string;
}

export interface ServerlessService extends KubeObject {
  spec: {
    mode: ServerlessServiceMode;
    objectRef: { apiVersion: string; kind: string; name: string };
    protocolType: 'http1' | 'h2c';
    /** Activators in the public Endpoints; 0 or absent = all. */
    numActivators?: number;
  };
  status?: ServerlessServiceStatus;
}

/** A path that an issuer wants served on port 80 to prove who owns the host. */
export interface Http01Challenge {
  url: string;
  serviceName: string;
  serviceNamespace: string;
  servicePort: number | string;
}

export interface CertificateStatus extends CommonStatus {
  notAfter?: string;
  http01Challenges?: Http01Challenge[];
}

export interface Certificate extends KubeObject {
  spec: { dnsNames: string[]; domain?: string; secretName: string };
  status?: CertificateStatus;
}

export interface ClusterDomainClaim extends KubeObject {
  spec: { namespace: string };
}
