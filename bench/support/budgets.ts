// What a queue-proxy may cost (decision 0009), judged on the rows of one run. Only a run on a quiet
// machine means anything; a row that was not measured is not judged.

import type { QueueProxyRow } from '../queueproxy.ts';
import type { StartRow } from './start-time.ts';

export interface Verdict {
  readonly budget: string;
  readonly row: string;
  readonly limit: number;
  readonly measured: number;
  readonly verdict: 'met' | 'NOT met';
}

const KIB = 1024;
const SMALL = KIB;
const LARGE = 100 * KIB;
/** 1 KiB through us against any peer called like Knative's. */
const KNATIVE = /^knative/;

export function judge(rows: readonly (QueueProxyRow | StartRow)[]): Verdict[] {
  const proxies = rows.filter((row): row is QueueProxyRow => 'bodyBytes' in row);
  const verdicts: Verdict[] = [];
  const add = (budget: string, row: string, limit: number, measured: number | null): void => {
    if (measured === null || Number.isNaN(measured)) return;
    verdicts.push({ budget, row, limit, measured, verdict: measured <= limit ? 'met' : 'NOT met' });
  };
  const knative = proxies.find(({ name, bodyBytes }) => KNATIVE.test(name) && bodyBytes === SMALL);
  for (const row of proxies.filter(({ name }) => name.startsWith('ours-'))) {
    const isPlain = !row.name.endsWith('log-trace');
    // Read beside the others; the budget is for the load everybody measures.
    if (row.name.endsWith('-varied')) continue;
    if (row.bodyBytes === SMALL) {
      add('CPU x nginx, 1 KiB', row.name, isPlain ? 1.35 : 2, row.ratioToNginx);
      add('RSS MB after 100,000 requests', row.name, 64, row.rssMb);
      add('Private_Dirty MB after 100,000 requests', row.name, 20, row.privateDirtyMb);
      if (isPlain) add('CPU x Knative, 1 KiB', row.name, 0.33, quotient(row, knative));
    } else if (row.bodyBytes === LARGE && isPlain) {
      add('CPU x nginx, 100 KiB', row.name, 0.9, row.ratioToNginx);
    }
  }
  for (const row of rows) {
    if ('listeningMs' in row) add('start x bare node', row.name, 1.3, row.ratioToBareNode);
  }
  return verdicts;
}

function quotient(own: QueueProxyRow, other: QueueProxyRow | undefined): number | null {
  const [ours, theirs] = [own.cpuUsPerRequest, other?.cpuUsPerRequest ?? null];
  return ours === null || theirs === null ? null : Math.round((ours / theirs) * 100) / 100;
}
