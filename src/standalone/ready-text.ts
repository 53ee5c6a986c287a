// The lines people copy when something has become ready. Pure.

import type { ServiceReport } from './messages.ts';
import { quoteWord } from './shell-words.ts';

/** What a shell takes as it stands. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

export interface GatewayPorts {
  readonly gatewayPort: number;
  readonly httpsPort: number;
}

/** How to call one ready Service: by its name, and where a resolver does not know `*.localhost`. */
export function describeService(report: ServiceReport, ports: GatewayPorts): string[] {
  if (report.url === null) return [];
  const { hostname, protocol } = new URL(report.url);
  const isSecure = protocol === 'https:';
  const port = isSecure ? ports.httpsPort : ports.gatewayPort;
  const trust = isSecure && report.caFile !== null ? `--cacert ${quoted(report.caFile)} ` : '';
  const byName = `${protocol}//${hostname}:${port}/`;
  // A certificate is chosen by the name in the handshake, so a Host header is not enough there.
  const elsewhere = isSecure
    ? `    curl ${trust}--resolve ${hostname}:${port}:127.0.0.1 ${byName}`
    : `    curl -H 'Host: ${hostname}' http://127.0.0.1:${port}/`;
  // Other domains resolve only where somebody made them.
  const resolves = hostname === 'localhost' || hostname.endsWith('.localhost');
  return resolves ? [`    curl ${trust}${byName}`, elsewhere] : [elsewhere];
}

/** How to look inside. */
export function describeReady(kubeconfig: string): string[] {
  return [
    `    kubectl --kubeconfig ${quoted(kubeconfig)} get ksvc,revision,pods`,
    '    Ctrl-C stops everything.',
  ];
}

function quoted(word: string): string {
  return PLAIN_WORD.test(word) ? word : quoteWord(word);
}
