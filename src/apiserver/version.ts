// What this server says it is (KN-240). The Kubernetes minor is the oldest one that our own
// processes start with (KUBERNETES_MIN_VERSION, ACT-5): newer, and clients of the time before warn
// of a skew; older, and a process run against this server refuses it. Not hot.

import { arch, platform } from 'node:process';

const MAJOR = '1';
const MINOR = '34';
const GOARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

export function serverVersion(): object {
  return {
    major: MAJOR,
    minor: MINOR,
    gitVersion: `v${MAJOR}.${MINOR}.0+pilotlight`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'node',
    platform: `${platform}/${GOARCH[arch] ?? arch}`,
  };
}
