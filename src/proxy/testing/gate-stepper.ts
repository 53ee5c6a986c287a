// The gate's own source with every atomic access turned into a point where another thread may run.
// Not a model: gate.ts and gate-team.ts are read from disk, their methods become generators, each
// `Atomics.f(…)` becomes `yield ['f', …]` and each call of such a method `yield*`. Whoever drives
// the generators performs the accesses, in the order it wants to try.

import { readFileSync } from 'node:fs';
import ts from 'typescript';
import type { GateSeat } from '../gate-team.ts';

/** An atomic access that is about to happen: name, array, index, values. */
export type Access = readonly [name: 'load' | 'store', cells: Int32Array, ...values: number[]];
/** One operation under way; `next` takes what the last access returned. */
export type Steps<Result> = Generator<Access, Result, number>;

export interface SteppedWaiter {
  gateNext: SteppedWaiter | null;
  gatePrevious: SteppedWaiter | null;
  gateState: number;
  readonly id: number;
  readonly arrivedAtMs: number;
  onGateAdmit(): Steps<void>;
}

export interface SteppedGate {
  readonly shared: SharedArrayBuffer;
  acquire(waiter: SteppedWaiter): Steps<number>;
  cancel(waiter: SteppedWaiter): Steps<boolean>;
  release(): Steps<void>;
  resize(limit: number): Steps<void>;
  collect(): Steps<void>;
  /** What the thread itself remembers between operations; equal text = equal state. */
  inspect(): string;
}

export interface SteppedGateClass {
  create(limit: number, waitLimit: number, seat: GateSeat): SteppedGate;
  attach(shared: SharedArrayBuffer, seat: GateSeat): SteppedGate;
}

const INSPECT = `inspect() {
  const ids = [];
  for (let waiter = this.#head; waiter !== null; waiter = waiter.gateNext) ids.push(waiter.id);
  return this.#held + ';' + this.#debts + ';' + this.#pumping + ';' + ids;
}`;

export function loadSteppedGate(): SteppedGateClass {
  const sources = ['../gate-team.ts', '../gate.ts'].map((file) =>
    transpile(readFileSync(new URL(file, import.meta.url), 'utf8')),
  );
  const script = ts.createSourceFile('gate.js', sources.join('\n'), ts.ScriptTarget.ES2022, true);
  const methods = new Set(['onGateAdmit']);
  const collectMethods = (node: ts.Node): void => {
    if (isStepped(node)) methods.add(node.name.getText());
    ts.forEachChild(node, collectMethods);
  };
  collectMethods(script);
  const text = print(script, methods).replace(/class Gate \{/, `class Gate { ${INSPECT}`);
  return new Function(`${text}\nreturn Gate;`)() as SteppedGateClass;
}

/** Without types, imports and exports: both files become one script. */
function transpile(source: string): string {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  return outputText
    .replace(/^import [^;]*;$/gm, '')
    .replace(/^export \{.*$/gm, '')
    .replace(/^export /gm, '');
}

/** Creation happens before there is a second thread, so it stays as it is. */
function isStepped(node: ts.Node): node is ts.MethodDeclaration {
  if (!ts.isMethodDeclaration(node)) return false;
  return !node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword);
}

function print(script: ts.SourceFile, methods: ReadonlySet<string>): string {
  const { factory } = ts;
  const result = ts.transform(script, [
    (context) => (root) => {
      const visit = (node: ts.Node, isInside: boolean): ts.Node => {
        const inside = isInside || isStepped(node);
        const seen = ts.visitEachChild(node, (child) => visit(child, inside), context);
        if (isStepped(node)) return asGenerator(seen as ts.MethodDeclaration);
        if (!inside || !ts.isCallExpression(seen) || !ts.isCallExpression(node)) return seen;
        if (!ts.isPropertyAccessExpression(node.expression)) return seen;
        const { expression, name } = node.expression;
        if (expression.getText() === 'Atomics') {
          const access = [factory.createStringLiteral(name.text), ...seen.arguments];
          const point = factory.createYieldExpression(
            undefined,
            factory.createArrayLiteralExpression(access),
          );
          return factory.createParenthesizedExpression(point);
        }
        if (!methods.has(name.text)) return seen;
        const all = factory.createToken(ts.SyntaxKind.AsteriskToken);
        return factory.createParenthesizedExpression(factory.createYieldExpression(all, seen));
      };
      return visit(root, false) as ts.SourceFile;
    },
  ]);
  return ts.createPrinter().printFile(result.transformed[0]!);
}

function asGenerator(method: ts.MethodDeclaration): ts.MethodDeclaration {
  return ts.factory.updateMethodDeclaration(
    method,
    method.modifiers,
    ts.factory.createToken(ts.SyntaxKind.AsteriskToken),
    method.name,
    method.questionToken,
    method.typeParameters,
    method.parameters,
    method.type,
    method.body,
  );
}
