// Volumes and their mounts (WH-120 to WH-126). Pure; paths are relative to the pod spec or
// container.

import {
  type FeatureName,
  type FeaturesConfig,
  isAdmitted,
  isEnabled,
} from '../config/features.ts';
import type {
  Container,
  KeyToPath,
  PodSpec,
  ProjectedSource,
  Volume,
  VolumeMount,
} from '../core.ts';
import {
  disallowedFields,
  type FieldError,
  fieldError,
  invalidValue,
  missingField,
  missingOneOf,
  multipleOneOf,
  underPath,
} from '../field-errors.ts';
import { isQuantity, parseQuantity } from '../quantity.ts';
import { isDns1123Label } from './names.ts';

type SourceField = Exclude<keyof Volume, 'name'>;

const PLAIN_SOURCES: readonly SourceField[] = ['secret', 'configMap', 'projected'];
/** Source, its feature, and the words of its refusal. */
const FLAGGED_SOURCES: readonly [SourceField, FeatureName, string][] = [
  ['emptyDir', 'kubernetes.podspec-volumes-emptydir', 'EmptyDir volume'],
  ['hostPath', 'kubernetes.podspec-volumes-hostpath', 'HostPath volume'],
  ['csi', 'kubernetes.podspec-volumes-csi', 'CSI volume'],
  ['ephemeral', 'kubernetes.podspec-volumes-ephemeral', 'Ephemeral volume'],
  ['image', 'kubernetes.podspec-volumes-image', 'Image volume'],
];
const CLAIM_FEATURE = 'kubernetes.podspec-persistent-volume-claim';
const PROJECTED_SOURCES = ['secret', 'configMap', 'serviceAccountToken', 'downwardAPI'] as const;
const RESERVED_PATHS = new Set(['/', '/dev', '/dev/log']);
const MOUNT_FIELDS = new Set(['name', 'readOnly', 'mountPath', 'subPath', 'mountPropagation']);
const PULL_POLICIES = new Set(['', 'Always', 'IfNotPresent', 'Never']);

export function validateVolumes(spec: PodSpec, features: FeaturesConfig): FieldError[] {
  const seen = new Set<string>();
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const mounted = new Set(
    containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)),
  );
  return (spec.volumes ?? []).flatMap((volume, index) => {
    const { name } = volume;
    const errors: FieldError[] = [];
    if (seen.has(name)) errors.push(fieldError(`duplicate volume name "${name}"`, 'name'));
    seen.add(name);
    if (!mounted.has(name)) {
      errors.push(fieldError(`volume with name "${name}" not mounted`, 'name'));
    }
    errors.push(...validateVolume(volume, features));
    return underPath(`volumes[${index}]`, errors);
  });
}

function validateVolume(volume: Volume, features: FeaturesConfig): FieldError[] {
  return [
    // As in the reference, a bad name stands in for what the features would say.
    ...(nameError(volume.name) ?? validateFlags(volume, features)),
    ...disallowedSources(volume, features),
    ...validateSourceCount(volume, features),
    ...validateItems(volume),
    ...validateProjected(volume.projected?.sources ?? []),
    ...validateEmptyDir(volume),
    ...validateImage(volume),
  ];
}

/** WH-120. */
function nameError(name: string | undefined): FieldError[] | null {
  if (!name) return [missingField('name')];
  return isDns1123Label(name) ? null : [invalidValue(name, 'name')];
}

/** WH-122, in words. */
function validateFlags(volume: Volume, features: FeaturesConfig): FieldError[] {
  const errors: FieldError[] = [];
  for (const [field, feature, noun] of FLAGGED_SOURCES) {
    if (volume[field] === undefined || isEnabled(features, feature)) continue;
    errors.push(fieldError(`${noun} support is disabled, but found ${noun} ${volume.name}`));
  }
  const claim = volume.persistentVolumeClaim;
  if (claim === undefined) return errors;
  const found = `but found persistent volume claim ${claim.claimName}`;
  if (!isEnabled(features, CLAIM_FEATURE)) {
    errors.push(fieldError(`Persistent volume claim support is disabled, ${found}`));
  }
  const mayWrite = isEnabled(features, 'kubernetes.podspec-persistent-volume-write');
  if (claim.readOnly !== true && !mayWrite) {
    const words = `Persistent volume write support is disabled, ${found} that is not read-only`;
    errors.push(fieldError(words));
  }
  return errors;
}

/** WH-121, WH-122: sources of other kinds, and those whose feature is off altogether. */
function disallowedSources(volume: Volume, features: FeaturesConfig): FieldError[] {
  return Object.keys(volume)
    .filter((field) => field !== 'name' && !isAllowedSource(field, features))
    .map((field) => disallowedFields(field));
}

function isAllowedSource(field: string, features: FeaturesConfig): boolean {
  if (PLAIN_SOURCES.some((source) => source === field)) return true;
  if (field === 'persistentVolumeClaim') return isAdmitted(features, CLAIM_FEATURE);
  const row = FLAGGED_SOURCES.find(([source]) => source === field);
  return row !== undefined && isAdmitted(features, row[1]);
}

/** WH-121. */
function validateSourceCount(volume: Volume, features: FeaturesConfig): FieldError[] {
  const all: SourceField[] = [
    ...PLAIN_SOURCES,
    ...FLAGGED_SOURCES.map(([field]) => field),
    'persistentVolumeClaim',
  ];
  const set = all.filter((field) => volume[field] !== undefined);
  if (set.length === 1) return [];
  if (set.length > 1) return [multipleOneOf(...set)];
  const enabled = FLAGGED_SOURCES.filter(([, feature]) => isEnabled(features, feature));
  const claim = isEnabled(features, CLAIM_FEATURE) ? ['persistentVolumeClaim'] : [];
  return [missingOneOf(...PLAIN_SOURCES, ...enabled.map(([field]) => field), ...claim)];
}

/** WH-123: the path does not name the source, as in the reference. */
function validateItems({ secret, configMap }: Volume): FieldError[] {
  return [secret, configMap].flatMap((source) => itemErrors(source?.items ?? []));
}

function itemErrors(items: readonly Partial<KeyToPath>[]): FieldError[] {
  return items.flatMap(({ key, path }, index) => [
    ...(key ? [] : [missingField(`items[${index}].key`)]),
    ...(path ? [] : [missingField(`items[${index}].path`)]),
  ]);
}

function validateProjected(sources: readonly ProjectedSource[]): FieldError[] {
  return sources.flatMap((source, index) => {
    const set = PROJECTED_SOURCES.filter((field) => source[field] !== undefined);
    const errors: FieldError[] = [];
    if (set.length === 0) errors.push(missingOneOf(...PROJECTED_SOURCES));
    if (set.length > 1) errors.push(multipleOneOf(...set));
    for (const field of ['secret', 'configMap'] as const) {
      const given = source[field];
      if (given === undefined) continue;
      if (!given.name) errors.push(missingField(`${field}.name`));
      errors.push(...underPath(field, itemErrors(given.items ?? [])));
    }
    if (source.serviceAccountToken !== undefined && !source.serviceAccountToken.path) {
      errors.push(missingField('serviceAccountToken.path'));
    }
    errors.push(...underPath('downwardAPI', downwardErrors(source)));
    return underPath(`projected[${index}]`, errors);
  });
}

function downwardErrors({ downwardAPI }: ProjectedSource): FieldError[] {
  return (downwardAPI?.items ?? []).flatMap((item, index) => {
    const errors = item.path ? [] : [missingField('path')];
    if (item.fieldRef === undefined && item.resourceFieldRef === undefined) {
      errors.push(missingOneOf('fieldRef', 'resourceFieldRef'));
    } else if (item.fieldRef !== undefined && item.resourceFieldRef !== undefined) {
      const words = 'Within a single item, cannot set both';
      errors.push(fieldError(words, 'fieldRef', 'resourceFieldRef'));
    }
    return underPath(`items[${index}]`, errors);
  });
}

/** WH-124. */
function validateEmptyDir({ emptyDir }: Volume): FieldError[] {
  if (emptyDir === undefined) return [];
  const errors: FieldError[] = [];
  const { medium = '', sizeLimit } = emptyDir;
  if (medium !== '' && medium !== 'Memory') errors.push(invalidValue(medium, 'emptyDir.medium'));
  const limit = sizeLimit === undefined ? '0' : String(sizeLimit);
  if (!isQuantity(limit) || parseQuantity(limit) < 0) {
    errors.push(invalidValue(limit, 'emptyDir.sizeLimit'));
  }
  return errors;
}

function validateImage({ image }: Volume): FieldError[] {
  if (image === undefined) return [];
  const errors = image.reference ? [] : [missingField('image.reference')];
  const policy = image.pullPolicy ?? '';
  if (!PULL_POLICIES.has(policy)) errors.push(invalidValue(policy, 'image.pullPolicy'));
  return errors;
}

/** WH-125, WH-126; paths relative to the container. */
export function validateMounts(
  container: Container,
  spec: PodSpec,
  features: FeaturesConfig,
): FieldError[] {
  const seenPaths = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const volume = spec.volumes?.find(({ name }) => name === mount.name);
    const errors: FieldError[] = Object.entries(mount)
      .filter(([field, value]) => !MOUNT_FIELDS.has(field) && value !== '')
      .map(([field]) => disallowedFields(field));
    if (volume === undefined) {
      errors.push(fieldError('volumeMount has no matching volume', 'name'));
    }
    errors.push(...validateMountPath(mount, seenPaths), ...validatePropagation(mount, features));
    if (volume !== undefined) errors.push(...validateReadOnly(mount, volume));
    return underPath(`volumeMounts[${index}]`, errors);
  });
}

function validateMountPath({ mountPath }: VolumeMount, seen: Set<string>): FieldError[] {
  if (!mountPath) return [missingField('mountPath')];
  const cleaned = cleanPath(mountPath);
  if (RESERVED_PATHS.has(cleaned)) {
    return [fieldError(`mountPath "${cleaned}" is a reserved path`, 'mountPath')];
  }
  if (!cleaned.startsWith('/')) return [invalidValue(mountPath, 'mountPath')];
  if (seen.has(cleaned)) {
    return [fieldError(`invalid value: "${mountPath}" must be unique`, 'mountPath')];
  }
  seen.add(cleaned);
  return [];
}

/** Without empty, `.` and `..` segments; `/` for an absolute path that has no others. */
function cleanPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..' && path.startsWith('/')) segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return (path.startsWith('/') ? '/' : '') + segments.join('/');
}

function validatePropagation(
  { name, mountPropagation }: VolumeMount,
  features: FeaturesConfig,
): FieldError[] {
  if (mountPropagation === undefined) return [];
  if (!isEnabled(features, 'kubernetes.podspec-volumes-mount-propagation')) {
    const words = `Volume Mount Propagation support is disabled, but found volume mount ${name} with mount propagation`;
    return [fieldError(words)];
  }
  if (mountPropagation === 'None' || mountPropagation === 'HostToContainer') return [];
  const words = 'mount propagation should be set to None or HostToContainer';
  return [fieldError(words, 'mountPropagation')];
}

function validateReadOnly(mount: VolumeMount, volume: Volume): FieldError[] {
  const claim = volume.persistentVolumeClaim;
  const isWritable =
    volume.emptyDir !== undefined || claim !== undefined || volume.ephemeral !== undefined;
  if (!isWritable && mount.readOnly !== true) {
    const words = 'volume mount should be readOnly for this type of volume';
    return [fieldError(words, 'readOnly')];
  }
  if (claim?.readOnly === true && mount.readOnly !== true) {
    return [fieldError('volume is readOnly but volume mount is not', 'readOnly')];
  }
  return [];
}
