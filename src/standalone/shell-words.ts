// Words as a POSIX shell reads them back unchanged. Pure.

/** Any text without NUL, as one word. */
export function quoteWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
