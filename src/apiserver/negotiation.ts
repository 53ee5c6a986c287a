// What form an answer takes (KN-130) and what forms a body may have (KN-131). Pure.

import { notAcceptable } from './status-error.ts';

export type ResponseFormat = 'json' | 'yaml' | 'table' | 'metadata';

export interface MediaType {
  type: string;
  parameters: ReadonlyMap<string, string>;
}

export const JSON_TYPE = 'application/json';
const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';
/** Entries of one Accept header that are looked at. */
const MAX_ACCEPT_ENTRIES = 32;

export function parseMediaType(text: string): MediaType {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const equals = part.indexOf('=');
    if (equals > 0) parameters.set(part.slice(0, equals).toLowerCase(), part.slice(equals + 1));
  }
  return { type: type.toLowerCase(), parameters };
}

export function parseAccept(accept: string | undefined): MediaType[] {
  if (accept === undefined || accept.trim() === '') return [{ type: '*/*', parameters: new Map() }];
  return accept.split(',', MAX_ACCEPT_ENTRIES).map(parseMediaType);
}

function formatOf({ type, parameters }: MediaType): ResponseFormat | null {
  if (type === 'application/yaml') return 'yaml';
  if (type !== JSON_TYPE && type !== '*/*' && type !== 'application/*') return null;
  const as = parameters.get('as');
  if (as === undefined) return 'json';
  if (parameters.get('g') !== 'meta.k8s.io') return null;
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'metadata' : null;
}

/** The first acceptable form; throws 406. */
export function chooseFormat(accept: string | undefined): ResponseFormat {
  if (accept === JSON_TYPE || accept === undefined) return 'json';
  for (const entry of parseAccept(accept)) {
    const format = formatOf(entry);
    if (format !== null) return format;
  }
  throw notAcceptable([JSON_TYPE, 'application/yaml']);
}

export type BodyType = 'json' | 'yaml' | 'protobuf';

/** null = a type no body may have. An absent type is read as JSON. */
export function bodyTypeOf(contentType: string | undefined): BodyType | null {
  if (contentType === undefined || contentType === JSON_TYPE) return 'json';
  const { type } = parseMediaType(contentType);
  if (type === JSON_TYPE || type === '') return 'json';
  if (type === 'application/yaml' || type === 'application/x-yaml') return 'yaml';
  return type === PROTOBUF_TYPE ? 'protobuf' : null;
}

export type PatchType = 'merge' | 'json' | 'strategic' | 'apply';

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  'application/merge-patch+json': 'merge',
  'application/json-patch+json': 'json',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export function patchTypeOf(contentType: string | undefined): PatchType | null {
  const type = contentType ?? '';
  return PATCH_TYPES[type] ?? PATCH_TYPES[parseMediaType(type).type] ?? null;
}

/** Accepted patch types in the order Kubernetes names them (KN-173). */
export function acceptedPatchTypes(isCustom: boolean): string[] {
  return [
    'application/json-patch+json',
    'application/merge-patch+json',
    ...(isCustom ? [] : ['application/strategic-merge-patch+json']),
    'application/apply-patch+yaml',
  ];
}
