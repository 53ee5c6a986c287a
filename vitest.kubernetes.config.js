// `npm run test:kubernetes`: the same client and informers against a real API server, the one KUBECONFIG
// names. Apart from `npm test`, because it writes to a cluster.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './test/summary-reporter.js'],
    include: ['test/kubernetes/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
