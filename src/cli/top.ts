// `pilotlight top`: all revisions with their load, pods and mode. On a terminal the table is drawn
// anew until Ctrl-C; elsewhere it is printed once.

import type { DecisionsOverview, RevisionSummary } from '../api/decisions.ts';
import { systemClock } from '../clock/clock.ts';
import type { KubeClient } from '../kube/types.ts';
import { connect } from './api-connection.ts';
import { readOverview } from './autoscaler-view.ts';
import { CommandError, EXIT_USAGE } from './errors.ts';
import type { CommandContext } from './program.ts';
import type { RunOptions } from './run-folder.ts';
import { align } from './table.ts';

export interface TopOptions extends RunOptions {
  namespace?: string;
  once?: boolean;
  json?: boolean;
  interval: string;
}

const CLEAR = '\u001b[H\u001b[2J';
const HEADINGS = ['REVISION', 'CONCURRENCY', 'RPS', 'WANTED', 'READY', 'MODE', 'PATH'];

export async function top(options: TopOptions, context: CommandContext): Promise<void> {
  const seconds = Number(options.interval);
  if (!(seconds >= 0.1 && seconds <= 3600)) {
    const text = `--interval must be a number from 0.1 to 3600, not "${options.interval}"`;
    throw new CommandError(text, EXIT_USAGE);
  }
  const client = await connect(options, context.env);
  try {
    if (options.json === true) await printJson(client, options, context);
    else if (options.once === true || context.isTerminal !== true) {
      for (const line of await table(client, options)) context.print(line);
    } else await redraw(client, options, seconds, context);
  } finally {
    client.close();
  }
}

async function printJson(
  client: KubeClient,
  options: TopOptions,
  context: CommandContext,
): Promise<void> {
  const overview = await readOverview(client);
  context.print(JSON.stringify({ ...overview, revisions: select(overview, options) }, null, 2));
}

/** Until the process is interrupted. */
async function redraw(
  client: KubeClient,
  options: TopOptions,
  seconds: number,
  context: CommandContext,
): Promise<never> {
  for (;;) {
    context.print(CLEAR + (await table(client, options)).join('\n'));
    await systemClock.sleep(seconds * 1000);
  }
}

async function table(client: KubeClient, options: TopOptions): Promise<string[]> {
  const overview = await readOverview(client);
  return renderTop(select(overview, options), overview.total);
}

function select(overview: DecisionsOverview, { namespace }: TopOptions): RevisionSummary[] {
  const chosen = overview.revisions.filter(
    ({ revision }) => namespace === undefined || revision.startsWith(`${namespace}/`),
  );
  return chosen.sort((a, b) => b.concurrency - a.concurrency || compare(a.revision, b.revision));
}

/** Busiest first. `total` counts revisions the autoscaler did not list. */
export function renderTop(revisions: readonly RevisionSummary[], total: number): string[] {
  if (revisions.length === 0) return ['no revisions'];
  const rows = revisions.map((row) => [
    row.revision,
    row.concurrency.toFixed(2),
    row.requestsPerSecond.toFixed(2),
    row.wanted < 0 ? '?' : String(row.wanted),
    row.notReady > 0 ? `${row.ready} (+${row.notReady})` : String(row.ready),
    row.panicking ? 'panic' : 'stable',
    pathText(row.mode),
  ]);
  const lines = align([HEADINGS, ...rows]);
  return total > revisions.length ? [...lines, `(${total} revisions in all)`] : lines;
}

function pathText(mode: RevisionSummary['mode']): string {
  if (mode === null) return '?';
  return mode === 'Serve' ? 'direct' : 'activator';
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
