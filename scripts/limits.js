// Collects the named limits (`const MAX_…`, `const …_LIMIT`) of the product with the comment that says
// what happens at them. `node scripts/limits.js` rewrites the table in docs/config.md; a house test
// calls `limitsTable` to see that it is up to date. Bounds of a grammar (largest port, longest DNS
// label) carry no comment and are not listed.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const BEGIN = '<!-- limits: written by scripts/limits.js -->';
const END = '<!-- /limits -->';
const DECLARATION =
  /^(?:export )?const (MAX_[A-Z0-9_]+|[A-Z0-9_]+_LIMIT)\b(?:: [^=]+)? =\s*([^;]+);/;

/** `{ name, value, file, meaning }` of every limit in src that a comment explains. */
export function collectLimits() {
  const limits = [];
  const names = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).sort();
  for (const name of names) {
    if (!name.endsWith('.ts') || name.endsWith('.test.ts') || name.includes('testing/')) continue;
    const lines = readFileSync(join(root, 'src', name), 'utf8').split('\n');
    lines.forEach((line, index) => {
      const found = DECLARATION.exec(line);
      if (found === null) return;
      const meaning = above(lines, index);
      if (meaning !== '')
        limits.push({ name: found[1], value: found[2], file: `src/${name}`, meaning });
    });
  }
  return limits;
}

/** The comment that ends on the line above, as one line. */
function above(lines, index) {
  const text = [];
  for (let at = index - 1; at >= 0; at -= 1) {
    const line = lines[at].trim();
    const isComment = line.startsWith('/**') || line.startsWith('*') || line.startsWith('//');
    if (!isComment) break;
    text.unshift(line.replace(/^\/\*\*\s?|^\*\/|^\*\s?|^\/\/\s?/, '').replace(/\s*\*\/$/, ''));
    if (line.startsWith('/**')) break;
  }
  return text.join(' ').trim();
}

/** The Markdown table, without the markers. */
export function limitsTable() {
  const rows = collectLimits().map(
    ({ name, value, file, meaning }) =>
      `| \`${name}\` | \`${value}\` | \`${file}\` | ${meaning.replaceAll('|', '\\|')} |`,
  );
  return [
    '| limit | value | where | meaning, and what happens at it |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** The part of docs/config.md between the markers. */
export function writtenTable() {
  const text = readFileSync(join(root, 'docs', 'config.md'), 'utf8');
  return text.slice(text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)).trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(root, 'docs', 'config.md');
  const text = readFileSync(path, 'utf8');
  const before = text.slice(0, text.indexOf(BEGIN) + BEGIN.length);
  writeFileSync(path, `${before}\n${limitsTable()}\n${text.slice(text.indexOf(END))}`);
}
