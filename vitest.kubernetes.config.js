// `npm run test:kubernetes [-- api]`: client, informers, the API protocol and the controllers against a
// real API server: the one KUBECONFIG names, or kube-apiserver built with Go (decision 0023). Apart
// from `npm test`, because it writes to a cluster and the first build takes long.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './test/summary-reporter.js'],
    include: ['test/kubernetes/**/*.test.ts'],
    globalSetup: ['test/kubernetes/support/global-setup.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
