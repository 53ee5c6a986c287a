// Host names (ING-10, ING-21, ING-22) and the version hash with its vector (ING-50).

import { describe, expect, it } from 'vitest';
import type { IngressSpec } from '../api/networking.ts';
import { expandHosts, normalizeHost } from './hosts.ts';
import { canonicalJson, specHash, withDefaults } from './spec-hash.ts';

describe('hosts', () => {
  it.each([
    ['hello.example.com', 'hello.example.com'],
    ['Hello.Example.COM:8080', 'hello.example.com'],
    ['hello.example.com.', 'hello.example.com'],
    ['[::1]:8080', '[::1]'],
    ['[::1]', '[::1]'],
    ['', ''],
  ])('ING-10, ING-22: %j is found as %j', (given, expected) => {
    expect(normalizeHost(given)).toBe(expected);
  });

  it('ING-21: a cluster name answers to its short forms', () => {
    const expected = ['foo.ns.svc.cluster.local', 'foo.ns.svc', 'foo.ns'];
    expect(expandHosts(['foo.ns.svc.cluster.local'], 'cluster.local')).toEqual(expected);
    expect(expandHosts(expected, 'cluster.local').sort()).toEqual(expected.sort());
  });

  it.each([
    ['a form ending in digits', 'foo.123.svc.cluster.local', 'foo.123'],
    ['a form ending in a long label', `foo.${'n'.repeat(64)}.svc.cluster.local`, undefined],
  ])('ING-21: %s is left out', (_name, host, dropped = `foo.${'n'.repeat(64)}`) => {
    const expanded = expandHosts([host], 'cluster.local');
    expect(expanded).toContain(host);
    expect(expanded).not.toContain(dropped);
  });
});

describe('version hash', () => {
  const spec: IngressSpec = {
    httpOption: 'Enabled',
    rules: [
      {
        visibility: 'ClusterLocal',
        hosts: ['hello.default', 'hello.default.svc', 'hello.default.svc.cluster.local'],
        http: {
          paths: [
            {
              splits: [
                {
                  percent: 100,
                  serviceName: 'hello-00001',
                  serviceNamespace: 'default',
                  servicePort: 80,
                  appendHeaders: {
                    'Knative-Serving-Revision': 'hello-00001',
                    'Knative-Serving-Namespace': 'default',
                  },
                },
              ],
            },
          ],
        },
      },
    ],
  };
  const vector = '4f11e083169bb43d5b06140d153f36c4a19cddb6a75c0cfa7a16866d1ef14536';

  it('ING-50: the vector', () => {
    expect(specHash(spec, 'default', 'hello')).toBe(vector);
  });

  it('ING-4, ING-50: defaults that were left out make no difference', () => {
    const sparse = structuredClone(spec);
    delete sparse.rules?.[0]?.http?.paths[0]?.splits[0]?.percent;
    expect(specHash(withDefaults(sparse), 'default', 'hello')).toBe(vector);
    expect(withDefaults({ rules: [{ hosts: ['a'] }] }).rules?.[0]?.visibility).toBe('ExternalIP');
  });

  it('ING-50: markup is escaped, maps are sorted, empty members left out', () => {
    expect(
      canonicalJson({
        httpOption: '',
        rules: [
          {
            hosts: ['a.b'],
            http: {
              paths: [
                {
                  path: '/<&>',
                  headers: { B: { exact: '' }, A: { exact: 'x' } },
                  appendHeaders: {},
                  splits: [],
                },
              ],
            },
          },
        ],
      }),
    ).toBe(
      '{"rules":[{"hosts":["a.b"],"http":{"paths":[{"path":"/\\u003c\\u0026\\u003e",' +
        '"headers":{"A":{"exact":"x"},"B":{"exact":""}},"splits":[]}]}}]}',
    );
  });
});
