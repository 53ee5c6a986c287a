import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MetricStore } from './metric-store.ts';
import { MAX_TABLE_KEY_BYTES, type RowEntry, RowTable } from './row-table.ts';

const store = new MetricStore();

function entry(key: string): RowEntry {
  return { row: store.retain(key), bucket: '' };
}

/** The names somewhere in a frame, and their span. */
function framed(namespace: string, name: string) {
  const bytes = Buffer.from(`__${namespace}_${name}`);
  const namespaceEnd = 2 + Buffer.byteLength(namespace);
  const span = {
    namespaceAt: 2,
    namespaceEnd,
    nameAt: namespaceEnd + 1,
    nameEnd: bytes.length,
  };
  return { bytes, span };
}

describe('rows by the bytes of their names', () => {
  it('finds what was put in, and nothing else', () => {
    const label = fc.string({ maxLength: 4, unit: fc.constantFrom('a', 'b', '-') });
    const pair = fc.tuple(label, label);
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 200 }), fc.array(pair), (put, asked) => {
        const table = new RowTable();
        const expected = new Map<string, RowEntry>();
        for (const [namespace, name] of put) {
          const { bytes, span } = framed(namespace, name);
          const given = entry(`${namespace}/${name}`);
          table.set(bytes, span, given);
          expected.set(`${namespace}/${name}`, given);
        }
        for (const [namespace, name] of [...put, ...asked]) {
          const { bytes, span } = framed(namespace, name);
          const found = table.find(bytes, span);
          expect(found).toBe(expected.get(`${namespace}/${name}`) ?? null);
        }
        expect(table.size).toBe(expected.size);
      }),
    );
  });

  it('does not keep names longer than two DNS labels', () => {
    const table = new RowTable();
    for (const length of [MAX_TABLE_KEY_BYTES - 1, MAX_TABLE_KEY_BYTES]) {
      const { bytes, span } = framed('n', 'x'.repeat(length));
      const given = entry(`n/${length}`);
      table.set(bytes, span, given);
      expect(table.find(bytes, span)).toBe(length < MAX_TABLE_KEY_BYTES ? given : null);
    }
  });
});
