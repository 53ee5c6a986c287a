// Cuts the text of a Go template (text/template) into literal text and the tokens of its actions
// (QP-129). Trim markers and comments are settled here, so the parser never sees them. Cold: runs
// once, when the sidecar starts.

export const TokenKind = {
  /** Literal text between actions. */
  TEXT: 0,
  OPEN: 1,
  CLOSE: 2,
  /** `.Name`; the value is the name. */
  FIELD: 3,
  DOT: 4,
  /** `$name` or `$`; the value keeps the dollar. */
  VARIABLE: 5,
  /** A function, a keyword, true, false or nil. */
  WORD: 6,
  NUMBER: 7,
  STRING: 8,
  CHARACTER: 9,
  /** `( ) | , := =`; the value is the sign. */
  SIGN: 10,
  SPACE: 11,
  END: 12,
} as const;
export type TokenKind = (typeof TokenKind)[keyof typeof TokenKind];

export interface Token {
  readonly kind: TokenKind;
  readonly value: string;
}

/** The template is not valid; `message` says where it stopped making sense. */
export class TemplateError extends Error {}

const OPEN = '{{';
const CLOSE = '}}';
const RULES: readonly (readonly [TokenKind, RegExp])[] = [
  [TokenKind.SPACE, /[ \t\r\n]+/y],
  [TokenKind.NUMBER, /[+-]?(?:0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y],
  [TokenKind.FIELD, /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
  [TokenKind.DOT, /\./y],
  [TokenKind.VARIABLE, /\$[\p{L}\p{Nd}_]*/uy],
  [TokenKind.WORD, /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  [TokenKind.STRING, /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y],
  [TokenKind.CHARACTER, /'(?:[^'\\\n]|\\[^\n])+'/y],
  [TokenKind.SIGN, /:=|[()|,=]/y],
];

/** Throws TemplateError. */
export function lex(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf(OPEN, at);
    let text = source.slice(at, open < 0 ? source.length : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    const trimsLeft = open >= 0 && /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4));
    if (trimsLeft) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: TokenKind.TEXT, value: text });
    if (open < 0) break;
    const start = open + OPEN.length + (trimsLeft ? 2 : 0);
    [at, trimNext] = source.startsWith('/*', start)
      ? endOfComment(source, start)
      : lexAction(source, start, tokens);
  }
  tokens.push({ kind: TokenKind.END, value: '' });
  return tokens;
}

/** Returns where the text goes on, and whether the white space there is dropped. */
function endOfComment(source: string, start: number): [number, boolean] {
  const end = source.indexOf('*/', start + 2);
  if (end < 0) throw new TemplateError('unclosed comment');
  const close = closeAt(source, end + 2);
  if (close === null) throw new TemplateError('comment ends before closing delimiter');
  return close;
}

function lexAction(source: string, start: number, tokens: Token[]): [number, boolean] {
  tokens.push({ kind: TokenKind.OPEN, value: OPEN });
  let at = start;
  for (;;) {
    const close = closeAt(source, at);
    if (close !== null) {
      tokens.push({ kind: TokenKind.CLOSE, value: CLOSE });
      return close;
    }
    if (at >= source.length) throw new TemplateError('unclosed action');
    at = lexToken(source, at, tokens);
  }
}

/** Where the text goes on if the action ends at `at`, else null. */
function closeAt(source: string, at: number): [number, boolean] | null {
  if (source.startsWith(CLOSE, at)) return [at + CLOSE.length, false];
  const marker = /[ \t\r\n]-\}\}/y;
  marker.lastIndex = at;
  return marker.test(source) ? [marker.lastIndex, true] : null;
}

function lexToken(source: string, at: number, tokens: Token[]): number {
  for (const [kind, pattern] of RULES) {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found === null) continue;
    // A sign is a number's only at the beginning of an operand; `.5` after an operand is no field.
    const value = found[0];
    if (kind !== TokenKind.SPACE) {
      tokens.push({ kind, value: kind === TokenKind.FIELD ? value.slice(1) : value });
      return at + value.length;
    }
    // A space before the closing trim marker belongs to the marker.
    const end = at + value.length;
    const isMarker = source.startsWith('-}}', end);
    if (!isMarker || value.length > 1) tokens.push({ kind, value });
    return isMarker ? end - 1 : end;
  }
  throw new TemplateError(`unexpected ${JSON.stringify(source[at])} in action`);
}
