// YAML in, objects and line numbers out; what is wrong is said with file and line.

import { describe, expect, it } from 'vitest';
import { fieldsIn, type Manifest, parseManifests, pathOf } from './manifests.ts';

const service = `apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: hello
spec:
  template:
    spec:
      containers:
        - image: a
          env:
            - name: X
              valu: y
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: m
data:
  a: b
`;

function parse(text: string): { manifests: Manifest[]; problems: string[] } {
  const problems: string[] = [];
  return { manifests: parseManifests(text, 'x.yaml', problems), problems };
}

describe('parseManifests', () => {
  it('reads every document of a file', () => {
    const { manifests, problems } = parse(service);
    expect(problems).toEqual([]);
    expect(manifests.map(({ object }) => object.kind)).toEqual(['Service', 'ConfigMap']);
  });

  it('skips empty documents and takes lists apart', () => {
    const list =
      '---\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: a}}\n';
    expect(parse(list).manifests.map(({ object }) => object.metadata.name)).toEqual(['a']);
  });

  it.each([
    ['broken YAML', 'a: b\nc: [', /^x\.yaml:2:\d+: /],
    ['a missing kind', 'apiVersion: v1\nmetadata: {name: a}\n', /^x\.yaml:1: kind: missing/],
    [
      'a missing name, at its line',
      'apiVersion: v1\nkind: A\nmetadata:\n  labels: {}\n',
      /^x\.yaml:3: metadata\.name: missing/,
    ],
    ['something that is no object', '- 1\n', /^x\.yaml:1: not an object/],
  ])('reports %s', (_name, text, expected) => {
    const { manifests, problems } = parse(text);
    expect(manifests).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(expected);
  });
});

describe('lineOf', () => {
  const [first, second] = parse(service).manifests;

  it.each([
    ['spec.template.spec.containers[0].image', 9],
    ['spec.template.spec.containers[0].env[0].valu', 12],
    ['spec.template.spec.containers[0].ports', 9],
    ['spec.nosuch', 5],
    ['metadata.name', 4],
  ])('%s stands on line %i', (field, line) => {
    expect(first?.lineOf(field)).toBe(line);
  });

  it('counts from the start of the file in later documents', () => {
    expect(second?.lineOf('data.a')).toBe(19);
  });
});

describe('fields in messages', () => {
  it('finds the paths a server names', () => {
    expect(fieldsIn('strict decoding error: unknown field "spec.template.spec.foo"')).toEqual([
      'spec.template.spec.foo',
    ]);
    expect(
      fieldsIn('validation failed: missing field(s): spec.template.spec.containers[0].image'),
    ).toEqual(['spec.template.spec.containers[0].image']);
  });

  it('takes a path apart', () => {
    expect(pathOf('spec.containers[0].env[A].value')).toEqual([
      'spec',
      'containers',
      0,
      'env',
      'A',
      'value',
    ]);
  });
});
