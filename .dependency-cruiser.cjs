// The import rule: main -> role start -> edge -> policy -> shared leaf. Roles never import another
// role, except standalone, which composes them. Each heavy dependency has one home.
const roles = ['queueproxy', 'activator', 'autoscaler', 'controller', 'webhook', 'gateway', 'apiserver', 'cluster', 'node'];
const leaves = ['wire', 'pki', 'telemetry', 'settings', 'clock', 'errors', 'shm'];
const home = (name, dependency, allowed) => ({
  name,
  severity: 'error',
  from: { path: '^src/', pathNot: allowed },
  to: { path: `node_modules/${dependency}/` },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: { path: '^src/' }, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    ...roles.map((role) => ({
      name: `role-${role}-imports-no-other-role`,
      severity: 'error',
      from: { path: `^src/${role}/` },
      to: { path: `^src/(${[...roles, 'standalone', 'cli'].filter((other) => other !== role).join('|')})/` },
    })),
    {
      name: 'shared-imports-no-role',
      severity: 'error',
      from: { path: `^src/(proxy|api|kube|${leaves.join('|')})/` },
      to: { path: `^src/(${[...roles, 'standalone', 'cli'].join('|')})/` },
    },
    {
      name: 'cli-imports-no-role',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: `^src/(${roles.join('|')})/` },
    },
    {
      name: 'api-does-no-io',
      severity: 'error',
      from: { path: '^src/api/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(node:)?(fs|net|http|https|http2|tls|child_process|worker_threads|dgram|dns)(/|$)' },
    },
    {
      name: 'api-imports-only-leaves',
      severity: 'error',
      from: { path: '^src/api/' },
      to: { path: '^src/(proxy|kube|telemetry|settings|shm)/' },
    },
    {
      name: 'leaves-import-only-leaves',
      severity: 'error',
      from: { path: `^src/(${leaves.join('|')})/` },
      to: { path: '^src/(proxy|kube)/' },
    },
    {
      name: 'data-plane-free-of-kube-client',
      comment: 'The sidecar bundle holds nothing of src/kube.',
      severity: 'error',
      from: { path: '^src/(queueproxy|proxy)/' },
      to: { path: '^src/kube/' },
    },
    home('uws-has-one-home', 'uWebSockets', '^src/(proxy|autoscaler)/'),
    home('client-node-has-one-home', '@kubernetes', '^src/kube/'),
    home('piscina-has-one-home', 'piscina', '^src/autoscaler/'),
    home('pino-has-one-home', 'pino', '^src/telemetry/'),
    home('level-has-one-home', 'classic-level', '^src/apiserver/'),
    home('commander-has-one-home', 'commander', '^src/cli/'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
