// Whether labels match a LabelSelector, as Kubernetes reads it: every pair and every expression has
// to hold, an empty selector matches all. Pure.

import type { LabelMap, LabelSelector } from './core.ts';

export function matchesSelector(selector: LabelSelector, labels: LabelMap = {}): boolean {
  const pairs = Object.entries(selector.matchLabels ?? {});
  return (
    pairs.every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every((expression) => holds(expression, labels))
  );
}

/** An operator nobody knows never holds. */
function holds(
  { key, operator, values = [] }: NonNullable<LabelSelector['matchExpressions']>[number],
  labels: LabelMap,
): boolean {
  const value = labels[key];
  if (operator === 'In') return value !== undefined && values.includes(value);
  if (operator === 'NotIn') return value === undefined || !values.includes(value);
  if (operator === 'Exists') return value !== undefined;
  return operator === 'DoesNotExist' && value === undefined;
}
