// The remembered hash must be the hash of the Deployment that would be made, whatever changed.

import { describe, expect, it } from 'vitest';
import { DEPLOYMENT_HASH_LABEL } from '../../api/labels.ts';
import type { Revision } from '../../api/serving.ts';
import { goldenConfig, goldenRevision } from '../testing/golden.ts';
import { DeploymentHashes } from './deployment-hashes.ts';
import { makeDeployment } from './resources/deployment.ts';

const config = goldenConfig();
const made = (revision: Revision, current = config): string =>
  makeDeployment(revision, current, 'knative-serving').metadata.labels![DEPLOYMENT_HASH_LABEL]!;

describe('remembered deployment hashes', () => {
  it.each<[string, (revision: Revision) => void]>([
    ['nothing', () => undefined],
    [
      'the image digest',
      ({ status }) => Object.assign(status!.containerStatuses![0]!, { imageDigest: 'x' }),
    ],
    ['an annotation', ({ metadata }) => Object.assign(metadata.annotations!, { y: 'z' })],
    ['a label', ({ metadata }) => Object.assign(metadata.labels!, { y: 'z' })],
    ['the uid', ({ metadata }) => Object.assign(metadata, { uid: 'other' })],
    ['the spec', ({ spec }) => Object.assign(spec, { timeoutSeconds: 7 })],
  ])('follow a change of %s', (_name, change) => {
    const hashes = new DeploymentHashes('knative-serving');
    expect(hashes.hashOf('k', goldenRevision(), config)).toBe(made(goldenRevision()));
    const changed = goldenRevision();
    change(changed);
    expect(hashes.hashOf('k', changed, config)).toBe(made(changed));
  });

  it('follow a change of the config', () => {
    const hashes = new DeploymentHashes('knative-serving');
    const before = hashes.hashOf('k', goldenRevision(), config);
    const changed = goldenConfig({ deployment: { 'queue-sidecar-image': 'qp:2' } });
    expect(hashes.hashOf('k', goldenRevision(), changed)).toBe(made(goldenRevision(), changed));
    expect(hashes.hashOf('k', goldenRevision(), changed)).not.toBe(before);
  });

  it('go with their Revision', () => {
    const hashes = new DeploymentHashes('knative-serving');
    hashes.hashOf('k', goldenRevision(), config);
    hashes.forget('k');
    expect(hashes.size).toBe(0);
  });
});
