// The kubeconfig text that lets kubectl and kn reach this server (KN-1). The caller writes it,
// 0600: it holds the token.

import { stringify } from 'yaml';

export function kubeconfigText(options: {
  url: string;
  caPem: string;
  token: string;
  userName: string;
}): string {
  const name = 'pilotlight';
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: {
          server: options.url,
          'certificate-authority-data': Buffer.from(options.caPem).toString('base64'),
        },
      },
    ],
    users: [{ name: options.userName, user: { token: options.token } }],
    contexts: [{ name, context: { cluster: name, user: options.userName, namespace: 'default' } }],
    'current-context': name,
  });
}
