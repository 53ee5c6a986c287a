// Turns a parsed template into a chain of small functions, once. A step is given the entry and
// returns text; fields of the root, bare or through one escape, become steps without any value in
// between, which is all the default template consists of. The rest runs on values (expressions.ts).
// Hot: `compileTemplate(…)(entry)` runs once per logged request.

import type { LogEntry, TextReader } from './entry.ts';
import { ROOT_TEXTS } from './entry.ts';
import { escapeHtml, escapeJs, escapeJsonSafe, escapeQuery } from './escapes.ts';
import { ExpressionCompiler, Scope } from './expressions.ts';
import type { Expression, Pipeline, Statement } from './nodes.ts';
import { parseTemplate } from './parser.ts';
import { formatValue, GoMap, isList, isTrue, TEMPLATE_FAILURE, type Value } from './values.ts';

/** Makes the line of one request. Throws TEMPLATE_FAILURE when the template fails on it. */
export type CompiledTemplate = (entry: LogEntry) => string;

type Step = (scope: Scope) => string;

/** Control flow of a range, told apart from text by identity. */
const Jump = { NONE: 0, BREAK: 1, CONTINUE: 2 } as const;

/**
 * `isJson`: `js` writes an apostrophe as `\u0027`. Throws TemplateError when the template
 * does not parse.
 */
export function compileTemplate(source: string, isJson = false): CompiledTemplate {
  const statements = parseTemplate(source);
  const compiler = new TemplateCompiler(isJson ? escapeJsonSafe : escapeJs);
  const simple = compiler.simpleSteps(statements);
  if (simple !== null) return joined(simple);
  const run = compiler.statements(statements);
  return (entry) => run(new Scope(entry));
}

/** Concatenates without arrays or closures at run time. */
function joined(steps: readonly TextReader[]): CompiledTemplate {
  return (entry) => {
    let line = '';
    for (let index = 0; index < steps.length; index += 1) line += steps[index]!(entry);
    return line;
  };
}

class TemplateCompiler {
  readonly #escapes: ReadonlyMap<string, (text: string) => string>;
  readonly #expressions: ExpressionCompiler;

  constructor(js: (text: string) => string) {
    this.#escapes = new Map([
      ['js', js],
      ['html', escapeHtml],
      ['urlquery', escapeQuery],
    ]);
    this.#expressions = new ExpressionCompiler(js);
  }

  /** Null when the template does more than print fields of the root. */
  simpleSteps(statements: readonly Statement[]): readonly TextReader[] | null {
    const steps: TextReader[] = [];
    for (const statement of statements) {
      if (statement.kind === 'text') {
        const text = statement.text;
        steps.push(() => text);
        continue;
      }
      const reader = statement.kind === 'action' ? this.#rootText(statement.pipeline) : null;
      if (reader === null) return null;
      steps.push(reader);
    }
    return steps;
  }

  statements(statements: readonly Statement[]): Step {
    const steps = statements.map((statement) => this.#statement(statement));
    return (scope) => {
      let text = '';
      for (const step of steps) {
        text += step(scope);
        if (scope.jump !== Jump.NONE) break;
      }
      return text;
    };
  }

  /** `.Request.X`, `js .Request.X` or `.Request.X | js` at the top level. */
  #rootText({ variables, commands }: Pipeline): TextReader | null {
    if (variables.length > 0) return null;
    const [first, second, ...more] = commands;
    if (first === undefined || more.length > 0) return null;
    if (second === undefined && first.length === 1) return rootReader(first[0]!);
    if (second === undefined && first.length === 2) return this.#escaped(first[0]!, first[1]!);
    if (second?.length !== 1 || first.length !== 1) return null;
    return this.#escaped(second[0]!, first[0]!);
  }

  #escaped(callee: Expression, arg: Expression): TextReader | null {
    const change = callee.kind === 'function' ? this.#escapes.get(callee.name) : undefined;
    const read = rootReader(arg);
    if (change === undefined || read === null) return null;
    return (entry) => change(read(entry));
  }

  #statement(statement: Statement): Step {
    switch (statement.kind) {
      case 'text': {
        const text = statement.text;
        return () => text;
      }
      case 'action':
        return this.#action(statement.pipeline);
      case 'if':
      case 'with':
        return this.#branch(statement.kind, statement);
      case 'range':
        return this.#range(statement);
      default: {
        const jump = statement.kind === 'break' ? Jump.BREAK : Jump.CONTINUE;
        return (scope) => {
          scope.jump = jump;
          return '';
        };
      }
    }
  }

  #action(pipeline: Pipeline): Step {
    const evaluate = this.#expressions.pipeline(pipeline);
    if (pipeline.variables.length > 0) {
      return (scope) => {
        evaluate(scope);
        return '';
      };
    }
    return (scope) => {
      const value = evaluate(scope);
      return value === null ? '<no value>' : formatValue(value);
    };
  }

  #branch(
    kind: 'if' | 'with',
    { pipeline, body, otherwise }: Extract<Statement, { pipeline: Pipeline; body: unknown }>,
  ): Step {
    const evaluate = this.#expressions.pipeline(pipeline);
    const whenTrue = this.statements(body);
    const whenFalse = this.statements(otherwise);
    return (scope) => {
      const depth = scope.depth;
      const dot = scope.dot;
      const value = evaluate(scope);
      const isMet = isTrue(value);
      if (kind === 'with' && isMet) scope.dot = value;
      const text = isMet ? whenTrue(scope) : whenFalse(scope);
      scope.dot = dot;
      scope.leave(depth);
      return text;
    };
  }

  #range({
    pipeline,
    body,
    otherwise,
  }: Extract<Statement, { pipeline: Pipeline; body: unknown }>): Step {
    // The variables take key and element of each round, not the value of the pipeline.
    const evaluate = this.#expressions.pipeline({ ...pipeline, variables: [] });
    const round = this.#round(pipeline, this.statements(body));
    const whenEmpty = this.statements(otherwise);
    return (scope) => {
      const value = evaluate(scope);
      const elements = elementsOf(value);
      if (elements.length === 0) return whenEmpty(scope);
      let text = '';
      for (const [key, element] of elements) {
        text += round(scope, key, element);
        const jump = scope.jump;
        scope.jump = Jump.NONE;
        if (jump === Jump.BREAK) break;
      }
      return text;
    };
  }

  #round({ variables, isAssignment }: Pipeline, body: Step) {
    return (scope: Scope, key: Value, element: Value): string => {
      const depth = scope.depth;
      const dot = scope.dot;
      const values = variables.length === 2 ? [key, element] : [element];
      variables.forEach((name, index) => {
        if (isAssignment) scope.assign(name, values[index]!);
        else scope.declare(name, values[index]!);
      });
      scope.dot = element;
      const text = body(scope);
      scope.dot = dot;
      scope.leave(depth);
      return text;
    };
  }
}

function rootReader(expression: Expression): TextReader | null {
  if (expression.kind !== 'fields') return null;
  const { of, names } = expression;
  if (of.kind !== 'dot' && !(of.kind === 'variable' && of.name === '$')) return null;
  return ROOT_TEXTS.get(names.join('.')) ?? null;
}

/**
 * Numbers of a range are counted up to this; a larger one fails, as a log line would be endless.
 */
const MAX_RANGE_COUNT = 10_000;

function elementsOf(value: Value): (readonly [Value, Value])[] {
  if (value instanceof GoMap) {
    return value.sortedKeys.map((key) => [key, value.entries.get(key)!] as const);
  }
  if (isList(value)) return value.map((element, index) => [index, element] as const);
  if (typeof value === 'number' && value <= MAX_RANGE_COUNT) {
    return Array.from({ length: Math.max(0, value) }, (_unused, index) => [index, index] as const);
  }
  throw TEMPLATE_FAILURE;
}
