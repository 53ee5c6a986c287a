// Compiles the expressions of a template into functions on values: pipelines, calls, fields and
// variables (QP-129). Runs only for templates that do more than print fields of the root.
// Invariant: a scope is left with as many variables as it was entered with.

import type { LogEntry } from './entry.ts';
import { FUNCTIONS, print } from './functions.ts';
import type { Expression, Pipeline } from './nodes.ts';
import { GoFloat, GoMap, isRecord, isTrue, TEMPLATE_FAILURE, type Value } from './values.ts';

/** State of one execution. */
export class Scope {
  dot: Value;
  readonly root: LogEntry;
  /** A `break` or `continue` on its way to its range; 0 = none. */
  jump = 0;
  readonly #names: string[] = [];
  readonly #values: Value[] = [];

  constructor(root: LogEntry) {
    this.root = root;
    this.dot = root;
  }

  get depth(): number {
    return this.#names.length;
  }

  leave(depth: number): void {
    this.#names.length = depth;
    this.#values.length = depth;
  }

  declare(name: string, value: Value): void {
    this.#names.push(name);
    this.#values.push(value);
  }

  assign(name: string, value: Value): void {
    const index = this.#names.lastIndexOf(name);
    if (index < 0) throw TEMPLATE_FAILURE;
    this.#values[index] = value;
  }

  variable(name: string): Value {
    if (name === '$') return this.root;
    const index = this.#names.lastIndexOf(name);
    if (index < 0) throw TEMPLATE_FAILURE;
    return this.#values[index]!;
  }
}

export type Evaluate = (scope: Scope) => Value;

/** Takes the value of the command before it, `undefined` for the first of a pipeline. */
type Command = (scope: Scope, piped: Value | undefined) => Value;

export class ExpressionCompiler {
  readonly #js: (text: string) => string;

  /** `js` is what the function of that name does to its text. */
  constructor(js: (text: string) => string) {
    this.#js = js;
  }

  pipeline({ variables, isAssignment, commands }: Pipeline): Evaluate {
    const steps = commands.map((command) => this.#command(command));
    const [name] = variables;
    return (scope) => {
      let value: Value | undefined;
      for (const step of steps) value = step(scope, value);
      const result = value ?? null;
      if (name !== undefined) {
        if (isAssignment) scope.assign(name, result);
        else scope.declare(name, result);
      }
      return result;
    };
  }

  #command(expressions: readonly Expression[]): Command {
    const [first, ...rest] = expressions;
    const args = rest.map((expression) => this.#value(expression));
    if (first!.kind === 'function') return this.#call(first!.name, args);
    if (first!.kind === 'fields') return this.#member(first!.of, first!.names, args);
    const evaluate = this.#value(first!);
    return (scope, piped) => {
      // Only functions and methods take arguments.
      if (args.length > 0 || piped !== undefined || first!.kind === 'nil') throw TEMPLATE_FAILURE;
      return evaluate(scope);
    };
  }

  #value(expression: Expression): Evaluate {
    switch (expression.kind) {
      case 'pipeline':
        return this.pipeline(expression);
      case 'dot':
        return (scope) => scope.dot;
      case 'variable':
        return (scope) => scope.variable(expression.name);
      case 'fields': {
        const read = this.#member(expression.of, expression.names, []);
        return (scope) => read(scope, undefined);
      }
      case 'function': {
        const call = this.#call(expression.name, []);
        return (scope) => call(scope, undefined);
      }
      case 'nil':
        return () => null;
      default: {
        const value: Value =
          expression.kind === 'float' ? new GoFloat(expression.value) : expression.value;
        return () => value;
      }
    }
  }

  #call(name: string, args: readonly Evaluate[]): Command {
    if (name === 'and' || name === 'or') return shortCircuit(name, args);
    const js = this.#js;
    const call =
      name === 'js' ? (values: readonly Value[]) => js(print(values)) : FUNCTIONS.get(name)!;
    return (scope, piped) => {
      const values = args.map((arg) => arg(scope));
      if (piped !== undefined) values.push(piped);
      return call(values);
    };
  }

  /** The last name may be a method, which gets the arguments. */
  #member(of: Expression, names: readonly string[], args: readonly Evaluate[]): Command {
    const base = this.#value(of);
    return (scope, piped) => {
      let value = base(scope);
      for (let index = 0; index < names.length; index += 1) {
        const values = index < names.length - 1 ? [] : args.map((arg) => arg(scope));
        if (piped !== undefined && index === names.length - 1) values.push(piped);
        value = memberOf(value, names[index]!, values);
      }
      return value;
    };
  }
}

function memberOf(value: Value, name: string, args: readonly Value[]): Value {
  if (isRecord(value)) {
    const member = value.member(name, args);
    if (member === undefined) throw TEMPLATE_FAILURE;
    return member;
  }
  if (value instanceof GoMap && args.length === 0) return value.entries.get(name) ?? [];
  throw TEMPLATE_FAILURE;
}

function shortCircuit(name: 'and' | 'or', args: readonly Evaluate[]): Command {
  const stopsAt = name === 'or';
  return (scope, piped) => {
    let value: Value | undefined;
    for (const arg of args) {
      value = arg(scope);
      if (isTrue(value) === stopsAt) return value;
    }
    const last = piped ?? value;
    if (last === undefined) throw TEMPLATE_FAILURE;
    return last;
  };
}
