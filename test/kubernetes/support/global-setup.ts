// The API server all files of `npm run test:kubernetes` share: the one KUBECONFIG names, or a real
// kube-apiserver built with Go and started for this run. With neither, tests get the reason instead
// and are skipped.

import type { TestProject } from 'vitest/node';
import { buildRealServer, kubernetesVersion } from './build.ts';
import { startRealServer } from './real-server.ts';

export interface ClusterInfo {
  /** Path of a kubeconfig; null = there is no cluster. */
  kubeconfig: string | null;
  /** Started for this run: nobody else's objects are in it, and it reaches this machine. */
  isOwn: boolean;
  /** For people. */
  says: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    cluster: ClusterInfo;
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | void> {
  const given = process.env['KUBECONFIG'];
  const tell = (info: ClusterInfo): void => {
    console.log(info.says);
    project.provide('cluster', info);
  };
  if (given) {
    tell({ kubeconfig: given, isOwn: false, says: `against the cluster of KUBECONFIG=${given}` });
    return;
  }
  const binary = await buildRealServer((line) => console.log(line));
  if (binary === null) {
    const says =
      'KUBECONFIG is not set and there is no Go to build kube-apiserver with: all skipped';
    tell({ kubeconfig: null, isOwn: false, says });
    return;
  }
  const server = await startRealServer(binary);
  const says = `against kube-apiserver ${kubernetesVersion()}`;
  tell({ kubeconfig: server.kubeconfigPath, isOwn: true, says });
  return () => server.stop();
}
