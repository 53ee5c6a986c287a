// Volumes and mounts of a template: section 12, each refusal in its words.

import { expect, it } from 'vitest';
import {
  AT,
  admit,
  allowed,
  complaint,
  enabled,
  put,
  type RefusalRow,
  SPEC,
  service,
} from './testing/requests.ts';

const CLAIM = 'kubernetes.podspec-persistent-volume-claim';
const WRITE = 'kubernetes.podspec-persistent-volume-write';
const PROPAGATION = 'kubernetes.podspec-volumes-mount-propagation';
const VOLUME = `${SPEC}.volumes[0]`;
const MOUNT = `${AT}.volumeMounts[0]`;
const mustNot = (...paths: string[]): string => `must not set the field(s): ${paths.join(', ')}`;

/** One volume `v`, mounted at /v unless told otherwise. */
const volume =
  (fields: object, mount: object = {}): RefusalRow[1] =>
  ({ spec }, made) => {
    const given = { name: 'v', ...fields };
    put(spec.template.spec, { volumes: [given] });
    put(made, { volumeMounts: [{ name: given.name, mountPath: '/v', ...mount }] });
  };
const secret = { secret: { secretName: 's' } };
const claim = (readOnly: boolean): object => ({
  persistentVolumeClaim: { claimName: 'c', readOnly },
});

it.each<RefusalRow>([
  ['WH-120: no name', volume({ name: '', ...secret }), `missing field(s): ${VOLUME}.name`],
  ['WH-120: a bad name', volume({ name: 'A', ...secret }), `invalid value: A: ${VOLUME}.name`],
  [
    'WH-120: a bad name hides what the features say, not the mask',
    volume({ name: 'A', hostPath: {} }),
    `invalid value: A: ${VOLUME}.name\n${mustNot(`${VOLUME}.hostPath`)}`,
  ],
  [
    'WH-120: a name twice',
    ({ spec }, made) => {
      put(spec.template.spec, {
        volumes: [
          { name: 'v', ...secret },
          { name: 'v', ...secret },
        ],
      });
      put(made, { volumeMounts: [{ name: 'v', mountPath: '/v' }] });
    },
    `duplicate volume name "v": ${SPEC}.volumes[1].name`,
  ],
  [
    'WH-121: no source',
    volume({}),
    `expected exactly one, got neither: ${['configMap', 'emptyDir', 'projected', 'secret'].map((name) => `${VOLUME}.${name}`).join(', ')}`,
  ],
  [
    'WH-121: two sources',
    volume({ ...secret, emptyDir: {} }, { readOnly: true }),
    `expected exactly one, got both: ${VOLUME}.emptyDir, ${VOLUME}.secret`,
  ],
  ['WH-121: a source nobody knows', volume({ nfs: {}, ...secret }), mustNot(`${VOLUME}.nfs`)],
  ...(['csi', 'ephemeral', 'image'] as const).map((field): RefusalRow => {
    const noun = { csi: 'CSI', ephemeral: 'Ephemeral', image: 'Image' }[field];
    return [
      `WH-122: ${field}`,
      volume({ [field]: { reference: 'x' } }),
      `${noun} volume support is disabled, but found ${noun} volume v: \n${mustNot(`${VOLUME}.${field}`)}`,
    ];
  }),
  [
    'WH-122, WH-71: Allowed is not enough, but silences the mask',
    volume({ hostPath: { path: '/x' } }),
    'HostPath volume support is disabled, but found HostPath volume v: ',
    allowed('kubernetes.podspec-volumes-hostpath'),
  ],
  [
    'WH-122: an empty folder where it is off',
    volume({ emptyDir: {} }),
    `EmptyDir volume support is disabled, but found EmptyDir volume v: \n${mustNot(`${VOLUME}.emptyDir`)}`,
    { features: { 'kubernetes.podspec-volumes-emptydir': 'Disabled' } },
  ],
  [
    'WH-122: a claim, to be written to',
    volume(claim(false)),
    'Persistent volume claim support is disabled, but found persistent volume claim c: \n' +
      'Persistent volume write support is disabled, but found persistent volume claim c that is not read-only: \n' +
      mustNot(`${VOLUME}.persistentVolumeClaim`),
  ],
  ['WH-122: with both features', volume(claim(false)), '', enabled(CLAIM, WRITE)],
  [
    'WH-123: items',
    volume({ secret: { secretName: 's', items: [{}] } }),
    `missing field(s): ${VOLUME}.items[0].key, ${VOLUME}.items[0].path`,
  ],
  [
    'WH-123: projected sources',
    volume({
      projected: {
        sources: [{}, { secret: {}, configMap: { name: 'm' } }, { serviceAccountToken: {} }],
      },
    }),
    `expected exactly one, got both: ${VOLUME}.projected[1].configMap, ${VOLUME}.projected[1].secret\n` +
      `expected exactly one, got neither: ${['configMap', 'downwardAPI', 'secret', 'serviceAccountToken'].map((name) => `${VOLUME}.projected[0].${name}`).join(', ')}\n` +
      `missing field(s): ${VOLUME}.projected[1].secret.name, ${VOLUME}.projected[2].serviceAccountToken.path`,
  ],
  [
    'WH-123: fields of the pod',
    volume({
      projected: {
        sources: [{ downwardAPI: { items: [{ path: 'p', fieldRef: {}, resourceFieldRef: {} }] } }],
      },
    }),
    `Within a single item, cannot set both: ${VOLUME}.projected[0].downwardAPI.items[0].fieldRef, ${VOLUME}.projected[0].downwardAPI.items[0].resourceFieldRef`,
  ],
  [
    'WH-124: an empty folder of another kind and less than nothing',
    volume({ emptyDir: { medium: 'Disk', sizeLimit: '-1' } }),
    `invalid value: -1: ${VOLUME}.emptyDir.sizeLimit\ninvalid value: Disk: ${VOLUME}.emptyDir.medium`,
  ],
  [
    'WH-124: an image',
    volume({ image: { pullPolicy: 'Sometimes' } }),
    `invalid value: Sometimes: ${VOLUME}.image.pullPolicy\nmissing field(s): ${VOLUME}.image.reference`,
    enabled('kubernetes.podspec-volumes-image'),
  ],
  [
    'WH-125: a volume that is not there, a path that is not absolute, foreign fields',
    (_service, made) => {
      const mount = { name: 'x', mountPath: 'v', readOnly: true, recursiveReadOnly: 'x' };
      put(made, { volumeMounts: [mount] });
    },
    `invalid value: v: ${MOUNT}.mountPath\n${mustNot(`${MOUNT}.recursiveReadOnly`)}\nvolumeMount has no matching volume: ${MOUNT}.name`,
  ],
  ['WH-125: no path', volume(secret, { mountPath: '' }), `missing field(s): ${MOUNT}.mountPath`],
  [
    'WH-125: a reserved path by a detour',
    volume(secret, { mountPath: '/x/../dev/./log/' }),
    `mountPath "/dev/log" is a reserved path: ${MOUNT}.mountPath`,
  ],
  [
    'WH-125: a path twice',
    ({ spec }, made) => {
      put(spec.template.spec, { volumes: [{ name: 'v', ...secret }] });
      const mount = { name: 'v', mountPath: '/v' };
      put(made, { volumeMounts: [mount, { ...mount, mountPath: '/v/' }] });
    },
    `invalid value: "/v/" must be unique: ${AT}.volumeMounts[1].mountPath`,
  ],
  [
    'WH-125: a claim that is read only, a mount that is not',
    volume(claim(true)),
    `volume is readOnly but volume mount is not: ${MOUNT}.readOnly`,
    enabled(CLAIM),
  ],
  [
    'WH-125, WH-36: an init container is not defaulted',
    ({ spec }) => {
      const mount = { name: 'v', mountPath: '/v' };
      put(spec.template.spec, {
        volumes: [{ name: 'v', ...secret }],
        initContainers: [{ name: 'i', image: 'hello', volumeMounts: [mount] }],
      });
    },
    `volume mount should be readOnly for this type of volume: ${MOUNT}.readOnly`,
    enabled('kubernetes.podspec-init-containers'),
  ],
  [
    'WH-126: propagation without the feature',
    volume(secret, { mountPropagation: 'None' }),
    'Volume Mount Propagation support is disabled, but found volume mount v with mount propagation: ',
  ],
  [
    'WH-126: propagation in both directions',
    volume(secret, { mountPropagation: 'Bidirectional' }),
    `mount propagation should be set to None or HostToContainer: ${MOUNT}.mountPropagation`,
    enabled(PROPAGATION),
  ],
])('%s', (_name, change, expected, maps = {}) => {
  expect(complaint(admit(service(change), null, maps))).toBe(expected);
});
