// What this server says it is. The Kubernetes minor is the one whose behaviour the clients we test
// with expect (KN-240): within one of theirs, so that no skew warning is printed.

import { arch, platform } from 'node:process';

const MAJOR = '1';
const MINOR = '33';
const GOARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

export function serverVersion(): object {
  return {
    major: MAJOR,
    minor: MINOR,
    gitVersion: `v${MAJOR}.${MINOR}.4+pilotlight`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'node',
    platform: `${platform}/${GOARCH[arch] ?? arch}`,
  };
}
