// The status of an Ingress for each way serving it can turn out (ING-40 to ING-45). Pure: status
// in, status out, time as an argument.

import { CONDITION_SETS, ConditionManager, READY } from '../api/conditions.ts';
import type { Ingress, IngressStatus, LoadBalancerStatus } from '../api/networking.ts';

export type IngressVerdict =
  /** The snapshot in use serves this version. */
  | { kind: 'served' }
  /** Accepted, but a backend has no address yet, so the version cannot be confirmed. */
  | { kind: 'waiting' }
  /** Another Ingress owns one of the hosts. */
  | { kind: 'conflict' }
  /** The spec cannot be translated. */
  | { kind: 'invalid'; message: string };

export interface LoadBalancerDomains {
  public: string;
  private: string;
}

export function ingressStatus(
  ingress: Ingress,
  verdict: IngressVerdict,
  domains: LoadBalancerDomains,
  nowMs: number,
): IngressStatus {
  const status: IngressStatus = structuredClone(ingress.status ?? {});
  const conditions = new ConditionManager(CONDITION_SETS.Ingress, status, nowMs);
  conditions.initialize();
  if (ingress.metadata.generation !== undefined) {
    status.observedGeneration = ingress.metadata.generation;
  }
  switch (verdict.kind) {
    case 'served':
      conditions.markTrue('NetworkConfigured');
      status.publicLoadBalancer = loadBalancer(domains.public);
      status.privateLoadBalancer = loadBalancer(domains.private);
      conditions.markTrue('LoadBalancerReady');
      break;
    case 'waiting':
      conditions.markTrue('NetworkConfigured');
      conditions.markUnknown(
        'LoadBalancerReady',
        'Uninitialized',
        'Waiting for load balancer to be ready',
      );
      break;
    case 'conflict':
      conditions.markFalse(
        'LoadBalancerReady',
        'DomainConflict',
        'Ingress rejected: ingress has a conflicting domain with another ingress',
      );
      break;
    case 'invalid':
      conditions.markUnknown('NetworkConfigured', 'ReconcileIngressFailed', verdict.message);
      conditions.markUnknown(READY, 'ReconcileIngressFailed', verdict.message);
      break;
  }
  return status;
}

function loadBalancer(domainInternal: string): LoadBalancerStatus {
  return { ingress: [{ domainInternal }] };
}
