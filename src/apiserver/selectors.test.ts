// Label and field selectors, row by row.

import { expect, test } from 'vitest';
import { ConfigMap, Event, KnativeService, Pod } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { parseFieldSelector, parseLabelSelector, parseSelection } from './selectors.ts';

const labelled = (labels: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'x', namespace: 'ns', labels },
});

test.each([
  ['a', { a: '' }, true],
  ['a', { b: '1' }, false],
  ['!a', { b: '1' }, true],
  ['!a', { a: '1' }, false],
  ['a=1', { a: '1' }, true],
  ['a==1', { a: '2' }, false],
  ['a = 1 , b', { a: '1', b: '2' }, true],
  ['a!=1', {}, true],
  ['a!=1', { a: '1' }, false],
  ['a in (1,2)', { a: '2' }, true],
  ['a in (1, 2),b notin (3)', { a: '1', b: '3' }, false],
  ['a notin (1)', {}, true],
  ['a>3', { a: '10' }, true],
  ['a<3', { a: '10' }, false],
  ['a>3', { a: 'x' }, false],
  ['serving.knative.dev/service=hello', { 'serving.knative.dev/service': 'hello' }, true],
  ['a=', { a: '' }, true],
])('KN-154: label selector %s on %j is %s', (selector, labels, expected) => {
  expect(parseLabelSelector(selector)?.(labelled(labels as Record<string, string>))).toBe(expected);
});

test('KN-154: an empty selector selects everything', () => {
  expect(parseLabelSelector('')).toBeNull();
  expect(parseSelection(ConfigMap, new URLSearchParams()).matches).toBeNull();
});

test.each(['a=b=c', 'a in 1', 'a b', 'a>x', ',', '-a'])(
  'label selector %s is refused',
  (selector) => {
    expect(() => parseLabelSelector(selector)).toThrow('unable to parse requirement: ');
  },
);

test('KN-154: field selectors compare names everywhere and the fields a kind offers', () => {
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'ns' },
    involvedObject: { kind: 'Service', name: 'hello' },
    source: { component: 'controller' },
    type: 'Warning',
  };
  const matches = (selector: string): boolean | undefined =>
    parseFieldSelector(Event, selector)?.matches(event);
  expect(matches('involvedObject.name=hello,involvedObject.kind=Service')).toBe(true);
  expect(matches('involvedObject.name!=hello')).toBe(false);
  expect(matches('source=controller,type==Warning')).toBe(true);
  expect(matches('metadata.namespace=other')).toBe(false);
  expect(parseFieldSelector(KnativeService, 'metadata.name=hello')?.name).toBe('hello');
});

test('KN-154: an unknown field is refused by name', () => {
  expect(() => parseFieldSelector(Pod, 'spec.color=red')).toThrow(
    'field label not supported: spec.color',
  );
});
