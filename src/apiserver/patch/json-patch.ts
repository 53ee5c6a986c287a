// JSON patch (RFC 6902, KN-173). Every operation copies the containers on its path, so the target,
// which readers share, never changes. Pure.

import { deepEqual } from '../../kube/equal.ts';
import { badRequest, StatusError } from '../status-error.ts';
import { isJsonObject } from './json-value.ts';

/** KN-173. More operations are refused with 413. */
export const MAX_OPERATIONS = 10_000;

interface Operation {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

/** A well-formed patch that does not fit the object: 422. */
function failure(detail: string): StatusError {
  return new StatusError(
    422,
    'Invalid',
    `the server rejected our request due to an error in our request: ${detail}`,
  );
}

function parsePointer(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw badRequest(`JSON pointer "${pointer}" must start with "/"`);
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function toIndex(token: string, limit: number): number {
  const at = /^(0|[1-9]\d*)$/.test(token) ? Number(token) : Number.NaN;
  if (!(at <= limit)) throw failure(`index ${token} is out of range`);
  return at;
}

function read(target: unknown, path: readonly string[]): unknown {
  let at = target;
  for (const token of path) {
    if (Array.isArray(at)) at = at[toIndex(token, at.length - 1)];
    else if (isJsonObject(at) && Object.hasOwn(at, token)) at = at[token];
    else throw failure(`path /${path.join('/')} does not exist`);
  }
  return at;
}

type Edit = (container: unknown[] | Record<string, unknown>, token: string) => void;

/** Copies the containers on the path and lets `edit` change the copy of the last one. */
function edited(target: unknown, path: readonly string[], depth: number, edit: Edit): unknown {
  const token = path[depth]!;
  const container = Array.isArray(target)
    ? [...target]
    : isJsonObject(target)
      ? { ...target }
      : null;
  if (container === null) throw failure(`path /${path.slice(0, depth).join('/')} has no members`);
  if (depth === path.length - 1) {
    edit(container, token);
    return container;
  }
  const child = read(container, [token]);
  const next = edited(child, path, depth + 1, edit);
  if (Array.isArray(container)) container[Number(token)] = next;
  else container[token] = next;
  return container;
}

function add(target: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value;
  return edited(target, path, 0, (container, token) => {
    if (!Array.isArray(container)) container[token] = value;
    else if (token === '-') container.push(value);
    else container.splice(toIndex(token, container.length), 0, value);
  });
}

function remove(target: unknown, path: readonly string[]): unknown {
  if (path.length === 0) throw failure('the whole document cannot be removed');
  return edited(target, path, 0, (container, token) => {
    if (Array.isArray(container)) container.splice(toIndex(token, container.length - 1), 1);
    else if (Object.hasOwn(container, token)) delete container[token];
    else throw failure(`path /${path.join('/')} does not exist`);
  });
}

function replace(target: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value;
  read(target, path);
  return edited(target, path, 0, (container, token) => {
    if (Array.isArray(container)) container[toIndex(token, container.length - 1)] = value;
    else container[token] = value;
  });
}

function applyOperation(target: unknown, operation: Operation): unknown {
  const path = parsePointer(operation.path);
  switch (operation.op) {
    case 'add':
      return add(target, path, operation.value);
    case 'remove':
      return remove(target, path);
    case 'replace':
      return replace(target, path, operation.value);
    case 'move': {
      const from = parsePointer(operation.from ?? '');
      return add(remove(target, from), path, read(target, from));
    }
    case 'copy':
      return add(target, path, read(target, parsePointer(operation.from ?? '')));
    case 'test':
      if (!deepEqual(read(target, path), operation.value)) {
        throw failure(`testing path ${operation.path} failed`);
      }
      return target;
    default:
      throw badRequest(`unexpected JSON patch operation "${operation.op}"`);
  }
}

function isOperation(value: unknown): value is Operation {
  return (
    isJsonObject(value) &&
    typeof value['op'] === 'string' &&
    typeof value['path'] === 'string' &&
    (value['from'] === undefined || typeof value['from'] === 'string')
  );
}

/** Throws 400 for what is not a patch, 422 for one that does not fit. */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is an array of operations');
  if (patch.length > MAX_OPERATIONS) {
    throw new StatusError(
      413,
      'RequestEntityTooLarge',
      `the allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  }
  return patch.reduce((at: unknown, operation: unknown) => {
    if (!isOperation(operation)) throw badRequest('a JSON patch operation needs "op" and "path"');
    return applyOperation(at, operation);
  }, target);
}
