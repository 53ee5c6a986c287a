// The part of Go's text/template that Knative's config maps use in practice: field paths
// (`{{.Name}}`), `index` into maps (`{{index .Annotations "key"}}`), string literals and
// white-space trimming. Anything else is refused when the map is loaded, not when a Route is
// reconciled. Pure.

export type TemplateData = Readonly<Record<string, unknown>>;

export interface Template {
  readonly source: string;
  /** Throws an Error for an unknown field. A missing map key renders as the empty string. */
  render(data: TemplateData): string;
}

type Operand =
  | { kind: 'field'; path: readonly string[] }
  | { kind: 'literal'; text: string }
  | { kind: 'index'; of: Operand; keys: readonly Operand[] };

/** Throws an Error when the source is not a template of the supported form. */
export function compileTemplate(source: string): Template {
  const parts: (string | Operand)[] = [];
  let rest = source;
  for (let open = rest.indexOf('{{'); open >= 0; open = rest.indexOf('{{')) {
    const close = rest.indexOf('}}', open);
    if (close < 0) throw new Error('template: unclosed action');
    let before = rest.slice(0, open);
    let action = rest.slice(open + 2, close);
    rest = rest.slice(close + 2);
    if (action.startsWith('- ')) {
      before = before.trimEnd();
      action = action.slice(2);
    }
    if (action.endsWith(' -')) {
      rest = rest.trimStart();
      action = action.slice(0, -2);
    }
    parts.push(before, parseAction(action.trim()));
  }
  parts.push(rest);
  return {
    source,
    render: (data) =>
      parts
        .map((part) => (typeof part === 'string' ? part : printed(evaluate(part, data))))
        .join(''),
  };
}

function parseAction(action: string): Operand {
  const words = action.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s"`]+/g) ?? [];
  const [first, ...others] = words;
  if (first === undefined) throw new Error('template: missing value for command');
  if (first === 'index') {
    const [of, ...keys] = others.map(parseOperand);
    if (of === undefined) throw new Error('template: wrong number of args for index');
    return { kind: 'index', of, keys };
  }
  if (others.length > 0) throw new Error(`template: unsupported action "${action}"`);
  return parseOperand(first);
}

function parseOperand(word: string): Operand {
  if (word.startsWith('"')) return { kind: 'literal', text: JSON.parse(word) as string };
  if (word.startsWith('`')) return { kind: 'literal', text: word.slice(1, -1) };
  if (/^(\.[A-Za-z_]\w*)+$/.test(word)) return { kind: 'field', path: word.slice(1).split('.') };
  throw new Error(`template: function "${word}" not defined`);
}

function evaluate(operand: Operand, data: TemplateData): unknown {
  if (operand.kind === 'literal') return operand.text;
  if (operand.kind === 'field') {
    return operand.path.reduce<unknown>((value, name, depth) => {
      const found = lookUp(value, name);
      if (found === undefined && depth === 0) {
        throw new Error(`can't evaluate field ${name}`);
      }
      return found ?? '';
    }, data);
  }
  return operand.keys.reduce<unknown>(
    (value, key) => lookUp(value, printed(evaluate(key, data))) ?? '',
    evaluate(operand.of, data),
  );
}

function lookUp(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

function printed(value: unknown): string {
  return typeof value === 'string' ? value : String(value ?? '');
}
