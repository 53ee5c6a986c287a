// The conformance tables of test/conformance/serving: large enough, each row a sentence of its own
// that cites numbers there are, and docs/conformance.md lists them all (`npx vitest run
// test/house/conformance-table.test.ts --update=all` writes it).

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TABLES } from '../conformance/serving/tables.ts';
import { numbersOf } from './numbers.ts';

const DOC = join(import.meta.dirname, '..', '..', 'docs', 'conformance.md');
/** Fewer rows would leave an area untested. */
const MIN_ROWS = 150;
const CITES = /^[A-Z]+-\d+(, [A-Z]+-\d+)*$/;

const rows = TABLES.flatMap((table) => table.rows);

it('has rows enough, and no sentence twice', () => {
  expect(rows.length).toBeGreaterThanOrEqual(MIN_ROWS);
  const sentences = rows.map((row) => row.says);
  expect(sentences.filter((says, index) => sentences.indexOf(says) !== index)).toEqual([]);
});

it('cites only numbers there are', () => {
  const wrong = rows.filter(
    ({ cites }) => !CITES.test(cites) || !cites.split(', ').every(isNumber),
  );
  expect(wrong.map(({ cites, says }) => `${cites}: ${says}`)).toEqual([]);
});

it('is listed in docs/conformance.md', async () => {
  await expect(page()).toMatchFileSnapshot(DOC);
});

function isNumber(cited: string): boolean {
  const [prefix = '', number] = cited.split('-');
  return numbersOf(prefix).includes(Number(number));
}

function page(): string {
  const head = [
    '# Conformance',
    '',
    "Knative's documented behaviour, row by row, as `npm test` checks it on `pilotlight up` through the API",
    'and the gateways. The numbers are those of our specification of Knative: CP control plane, WH webhook,',
    'RC runtime contract, ING ingress, KN clients, AS autoscaler, ACT activator, QP queue-proxy. How the rows',
    'are made: [decision 0026](decisions/0026-conformance-table.md).',
    '',
    `${rows.length} rows. Written by \`npx vitest run test/house/conformance-table.test.ts --update=all\`.`,
  ];
  const tables = TABLES.flatMap(({ area, rows: lines }) => [
    '',
    `## ${area}`,
    '',
    '| numbers | |',
    '| --- | --- |',
    ...lines.map(({ cites, says }) => `| ${cites} | ${says.replaceAll('|', '\\|')} |`),
  ]);
  return `${[...head, ...tables].join('\n')}\n`;
}
