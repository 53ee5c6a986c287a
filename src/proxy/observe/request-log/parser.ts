// Parses a Go template into statements (QP-129). What Go refuses when it parses is refused here:
// unknown functions, undeclared variables, unbalanced blocks. What Go finds out only while
// executing (fields that do not exist, wrong arguments) is left to execution. `define`, `template`
// and `block` are refused: a log line has no use for them. Cold: runs once, when the sidecar
// starts.

import { FUNCTION_NAMES } from './functions.ts';
import { lex, TemplateError, type Token, TokenKind } from './lexer.ts';
import { characterLiteral, numberLiteral, stringLiteral, toBytes } from './literals.ts';
import type { Expression, Pipeline, Statement } from './nodes.ts';

/** Blocks inside blocks; a deeper template is refused like any other that does not parse. */
const MAX_TEMPLATE_DEPTH = 100;

/** Throws TemplateError. */
export function parseTemplate(source: string): readonly Statement[] {
  return new Parser(lex(source)).parse();
}

/** Which keyword ended a list of statements. */
type Ending = 'end' | 'else' | 'eof';

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  #loops = 0;
  /** Variables in sight, innermost last. */
  #variables: string[] = ['$'];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): readonly Statement[] {
    const [statements, ending] = this.#statements();
    if (ending !== 'eof') throw new TemplateError(`unexpected {{${ending}}}`);
    return statements;
  }

  #statements(): [Statement[], Ending] {
    this.#depth += 1;
    if (this.#depth > MAX_TEMPLATE_DEPTH) throw new TemplateError('blocks are nested too deeply');
    const statements: Statement[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === TokenKind.END || token.kind === TokenKind.TEXT) {
        if (token.kind === TokenKind.END) return this.#leave(statements, 'eof');
        statements.push({ kind: 'text', text: toBytes(token.value) });
        continue;
      }
      this.#skipSpace();
      const keyword = this.#peek().kind === TokenKind.WORD ? this.#peek().value : '';
      if (keyword === 'end' || keyword === 'else') {
        this.#next();
        return this.#leave(statements, keyword);
      }
      statements.push(this.#statement(keyword));
    }
  }

  #leave(statements: Statement[], ending: Ending): [Statement[], Ending] {
    this.#depth -= 1;
    return [statements, ending];
  }

  #statement(keyword: string): Statement {
    switch (keyword) {
      case 'if':
      case 'with':
      case 'range':
        this.#next();
        return this.#block(keyword);
      case 'break':
      case 'continue':
        this.#next();
        if (this.#loops === 0) throw new TemplateError(`{{${keyword}}} outside {{range}}`);
        this.#close();
        return { kind: keyword };
      case 'define':
      case 'template':
      case 'block':
        throw new TemplateError(`{{${keyword}}} is not supported in a request log template`);
      default: {
        const pipeline = this.#pipeline('command', TokenKind.CLOSE);
        return { kind: 'action', pipeline };
      }
    }
  }

  #block(kind: 'if' | 'with' | 'range'): Statement {
    const visible = this.#variables.length;
    const pipeline = this.#pipeline(kind, TokenKind.CLOSE);
    if (kind === 'range') this.#loops += 1;
    const [body, ending] = this.#statements();
    if (kind === 'range') this.#loops -= 1;
    let otherwise: Statement[] = [];
    if (ending === 'eof') throw new TemplateError('unexpected EOF');
    if (ending === 'else') otherwise = this.#else(kind);
    else this.#close();
    this.#variables.length = visible;
    return { kind, pipeline, body, otherwise };
  }

  /** After the word `else`; `else if` and `else with` are the other branch as a whole. */
  #else(kind: 'if' | 'with' | 'range'): Statement[] {
    this.#skipSpace();
    if (kind !== 'range' && this.#peek().kind === TokenKind.WORD && this.#peek().value === kind) {
      this.#next();
      return [this.#block(kind)];
    }
    this.#close();
    const [statements, ending] = this.#statements();
    if (ending !== 'end') throw new TemplateError(`expected {{end}}, found ${ending}`);
    this.#close();
    return statements;
  }

  #pipeline(context: string, end: TokenKind): Pipeline {
    this.#skipSpace();
    const [variables, isAssignment] = this.#declaration(context);
    const commands: Expression[][] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      const isEnd = token.kind === end && (end === TokenKind.CLOSE || token.value === ')');
      if (isEnd) {
        this.#next();
        if (commands.length === 0) throw new TemplateError(`missing value for ${context}`);
        return { kind: 'pipeline', variables, isAssignment, commands };
      }
      commands.push(this.#command(commands.length));
    }
  }

  /** `$x :=`, `$x =` or `$i, $x :=` at the beginning of a pipeline. */
  #declaration(context: string): [string[], boolean] {
    const start = this.#at;
    const names: string[] = [];
    while (this.#peek().kind === TokenKind.VARIABLE && names.length < 2) {
      names.push(this.#next().value);
      this.#skipSpace();
      const sign = this.#peek().kind === TokenKind.SIGN ? this.#peek().value : '';
      if (sign === ':=' || sign === '=') {
        this.#next();
        if (sign === '=') for (const name of names) this.#checkVariable(name);
        else this.#variables.push(...names);
        return [names, sign === '='];
      }
      if (sign !== ',' || context !== 'range') break;
      this.#next();
      this.#skipSpace();
    }
    this.#at = start;
    return [[], false];
  }

  #command(position: number): Expression[] {
    const args: Expression[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind === TokenKind.CLOSE || token.value === ')') break;
      if (token.kind === TokenKind.SIGN && token.value === '|') {
        this.#next();
        if (args.length === 0) throw new TemplateError('missing value for command');
        break;
      }
      args.push(this.#operand());
      this.#checkSeparated();
    }
    if (args.length === 0) throw new TemplateError('empty command');
    const first = args[0]!;
    if (position > 0 && !isCallable(first)) {
      throw new TemplateError('non executable command in pipeline');
    }
    return args;
  }

  #operand(): Expression {
    const operand = this.#term();
    const names: string[] = [];
    while (this.#peek().kind === TokenKind.FIELD) names.push(this.#next().value);
    if (names.length === 0) return operand;
    if (!/^(dot|variable|fields|pipeline|function)$/.test(operand.kind)) {
      throw new TemplateError(`unexpected . after ${operand.kind}`);
    }
    return operand.kind === 'fields'
      ? { ...operand, names: [...operand.names, ...names] }
      : { kind: 'fields', of: operand, names };
  }

  #term(): Expression {
    const token = this.#next();
    switch (token.kind) {
      case TokenKind.FIELD:
        return { kind: 'fields', of: { kind: 'dot' }, names: [token.value] };
      case TokenKind.DOT:
        return { kind: 'dot' };
      case TokenKind.VARIABLE:
        this.#checkVariable(token.value);
        return { kind: 'variable', name: token.value };
      case TokenKind.NUMBER:
        return numberLiteral(token.value);
      case TokenKind.STRING:
        return { kind: 'string', value: stringLiteral(token.value) };
      case TokenKind.CHARACTER:
        return { kind: 'integer', value: characterLiteral(token.value) };
      case TokenKind.WORD:
        return word(token.value);
      default:
        if (token.value === '(') return this.#pipeline('parenthesized pipeline', TokenKind.SIGN);
        throw new TemplateError(`unexpected ${token.value || 'EOF'} in operand`);
    }
  }

  #checkSeparated(): void {
    const { kind, value } = this.#peek();
    if (kind === TokenKind.SPACE || kind === TokenKind.CLOSE) return;
    if (value === ')' || value === '|') return;
    throw new TemplateError(`unexpected ${JSON.stringify(value)} after operand`);
  }

  #checkVariable(name: string): void {
    if (!this.#variables.includes(name)) throw new TemplateError(`undefined variable "${name}"`);
  }

  #close(): void {
    this.#skipSpace();
    const token = this.#next();
    if (token.kind !== TokenKind.CLOSE) throw new TemplateError(`unexpected "${token.value}"`);
  }

  #skipSpace(): void {
    while (this.#peek().kind === TokenKind.SPACE) this.#at += 1;
  }

  #peek(): Token {
    return this.#tokens[this.#at]!;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== TokenKind.END) this.#at += 1;
    return token;
  }
}

function word(name: string): Expression {
  if (name === 'true' || name === 'false') return { kind: 'boolean', value: name === 'true' };
  if (name === 'nil') return { kind: 'nil' };
  if (!FUNCTION_NAMES.has(name)) throw new TemplateError(`function "${name}" not defined`);
  return { kind: 'function', name };
}

function isCallable(expression: Expression): boolean {
  return expression.kind === 'function' || expression.kind === 'fields';
}
