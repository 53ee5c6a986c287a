// `npm run vectors -- FILE`: runs a file of worked cases and prints what fails, then the totals
// alone on a line. Exit code 0 = all passed, 1 = some failed, 2 = the file cannot be read.

import { readFileSync } from 'node:fs';
import { parseVectorFile, runVectors, type VectorFile } from './vectors.ts';

function main(path: string | undefined): number {
  if (path === undefined) {
    process.stderr.write('usage: npm run vectors -- FILE\n');
    return 2;
  }
  let file: VectorFile;
  try {
    file = parseVectorFile(readFileSync(path, 'utf8'));
  } catch (error) {
    process.stderr.write(`${path}: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  const outcome = runVectors(file);
  for (const failure of outcome.failures) process.stdout.write(`FAILED ${failure}\n`);
  process.stdout.write(`${outcome.passed} passed, ${outcome.failures.length} failed\n`);
  return outcome.failures.length === 0 ? 0 : 1;
}

process.exitCode = main(process.argv[2]);
