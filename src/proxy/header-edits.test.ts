import { describe, expect, it } from 'vitest';
import { CompiledHeaderEdits, compileEdits, createHeaderEdits, NO_EDITS } from './header-edits.ts';
import { HeaderFields } from './header-fields.ts';

function fieldsOf(text: string): HeaderFields {
  const fields = new HeaderFields();
  fields.text = text;
  fields.restart(0);
  fields.scan(Buffer.from(`${text}\r\n`), 0, text.length + 2);
  return fields;
}

describe('header edits', () => {
  it('what is set is also dropped, lower-case', () => {
    const edits = createHeaderEdits({ drop: ['X-Gone'], set: { 'X-New': 'v' } });
    expect([...edits.drop].sort()).toEqual(['x-gone', 'x-new']);
    expect(edits.add).toBe('X-New: v\r\n');
  });

  it('match whole names in any case, not prefixes', () => {
    const edits = compileEdits(createHeaderEdits({ drop: ['x-gone'] }));
    const fields = fieldsOf('X-GONE: 1\r\nX-Gone-Not: 2\r\nX-Gon: 3\r\nX-Keep: 4\r\n');
    const dropped = [0, 1, 2, 3].map((index) => edits.drops(fields, index));
    expect(dropped).toEqual([true, false, false, false]);
  });

  it('names and values from configuration cannot smuggle lines', () => {
    expect(() => createHeaderEdits({ set: { 'X Y': 'v' } })).toThrow('not a header name');
    expect(() => createHeaderEdits({ set: { A: 'b\r\nC: d' } })).toThrow('not a value');
    expect(() => createHeaderEdits({ host: 'a\nb' })).toThrow('not a value');
  });

  it('plain objects are compiled once', () => {
    const plain = { drop: new Set(['a']), add: '', host: null, forwardedFor: false };
    expect(compileEdits(plain)).toBe(compileEdits(plain));
    expect(compileEdits(NO_EDITS)).toBeInstanceOf(CompiledHeaderEdits);
  });
});
