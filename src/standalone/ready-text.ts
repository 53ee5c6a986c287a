// The lines people copy when something has become ready. Pure.

import type { ServiceReport } from './messages.ts';

/** How to call one ready Service: by its name, and where a resolver does not know `*.localhost`. */
export function describeService(report: ServiceReport, gatewayPort: number): string[] {
  if (report.url === null) return [];
  const { hostname } = new URL(report.url);
  const byHeader = `    curl -H 'Host: ${hostname}' http://127.0.0.1:${gatewayPort}/`;
  // Other domains resolve only where somebody made them.
  const resolves = hostname === 'localhost' || hostname.endsWith('.localhost');
  return resolves ? [`    curl http://${hostname}:${gatewayPort}/`, byHeader] : [byHeader];
}

/** How to look inside. */
export function describeReady(kubeconfig: string): string[] {
  return [
    `    kubectl --kubeconfig ${kubeconfig} get ksvc,revision,pods`,
    '    Ctrl-C stops everything.',
  ];
}
