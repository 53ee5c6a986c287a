// The lines people copy when something has become ready. Pure.

import type { ServiceReport } from './messages.ts';

/** How to call one ready Service: by its name, and where a resolver does not know `*.localhost`. */
export function describeService(report: ServiceReport, gatewayPort: number): string[] {
  if (report.url === null) return [];
  const host = new URL(report.url).host;
  const { hostname } = new URL(report.url);
  return [
    `    curl http://${hostname}:${gatewayPort}/`,
    `    curl -H 'Host: ${host}' http://127.0.0.1:${gatewayPort}/`,
  ];
}

/** How to look inside. */
export function describeReady(kubeconfig: string): string[] {
  return [
    `    kubectl --kubeconfig ${kubeconfig} get ksvc,revision,pods`,
    '    Ctrl-C stops everything.',
  ];
}
