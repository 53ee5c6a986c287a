// The part of the selector grammar (KN-154) tests need: `k`, `!k`, `k=v`, `k==v`, `k!=v`, joined by
// commas, and the field selectors metadata.name and metadata.namespace.

import type { KubeObject } from '../../api/objects.ts';
import type { ListOptions } from '../types.ts';

export function matchesSelectors(object: KubeObject, options: ListOptions): boolean {
  const { name, namespace, labels } = object.metadata;
  const fields = { 'metadata.name': name, 'metadata.namespace': namespace };
  return matches(labels ?? {}, options.labelSelector) && matches(fields, options.fieldSelector);
}

function matches(values: Record<string, string | undefined>, selector = ''): boolean {
  return selector
    .split(',')
    .filter((term) => term !== '')
    .every((term) => matchesTerm(values, term.trim()));
}

function matchesTerm(values: Record<string, string | undefined>, term: string): boolean {
  const [, key = '', operator, value] = /^!?([^=!]+)(==|=|!=)?(.*)$/.exec(term) ?? [];
  if (operator === '!=') return values[key] !== value;
  if (operator !== undefined) return values[key] === value;
  return (values[key] === undefined) === term.startsWith('!');
}
