// The part of Kubernetes JSONPath that printer columns use (KN-142): members, quoted members,
// indexes, wildcards and equality filters on one member. Compiled once per column. Pure.

type Step = (values: unknown[]) => unknown[];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const member =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []));

const index =
  (at: number): Step =>
  (values) =>
    values.flatMap((value) => {
      const found = Array.isArray(value) ? value.at(at) : undefined;
      return found === undefined ? [] : [found];
    });

const every: Step = (values) =>
  values.flatMap((value) => (isObject(value) ? Object.values(value) : []));

function filter(path: string, operator: string, literal: string): Step {
  const inner = compileJsonPath(path);
  const wanted: unknown = JSON.parse(literal.replace(/^'(.*)'$/, '"$1"'));
  return (values) =>
    values.flatMap((value) =>
      Array.isArray(value)
        ? value.filter(
            (item) => inner(item).some((found) => found === wanted) === (operator === '=='),
          )
        : [],
    );
}

/** Longest first where one could hide another. */
const STEPS: readonly [RegExp, (match: RegExpExecArray) => Step][] = [
  [
    /^\[\?\(\s*@((?:\.[\w-]+)+)\s*(==|!=)\s*("[^"]*"|'[^']*'|-?\d+|true|false)\s*\)\]/,
    (match) => filter(match[1]!, match[2]!, match[3]!),
  ],
  [/^\['((?:[^'\\]|\\.)+)'\]/, (match) => member(match[1]!.replace(/\\(.)/g, '$1'))],
  [/^\["((?:[^"\\]|\\.)+)"\]/, (match) => member(match[1]!.replace(/\\(.)/g, '$1'))],
  [/^\[(-?\d+)\]/, (match) => index(Number(match[1]))],
  [/^(?:\[\*\]|\.\*)/, () => every],
  [/^\.((?:[\w-]|\\.)+)/, (match) => member(match[1]!.replace(/\\(.)/g, '$1'))],
];

/** Throws for a path outside the subset: columns are ours, so that is a programming error. */
export function compileJsonPath(path: string): (object: unknown) => unknown[] {
  const steps: Step[] = [];
  let rest = path;
  while (rest !== '') {
    const found = STEPS.map(([pattern, make]) => ({ match: pattern.exec(rest), make })).find(
      (candidate) => candidate.match !== null,
    );
    if (found?.match == null) throw new Error(`unsupported JSONPath ${path} at ${rest}`);
    steps.push(found.make(found.match));
    rest = rest.slice(found.match[0].length);
  }
  return (object) => steps.reduce((values, step) => step(values), [object]);
}
