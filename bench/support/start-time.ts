// How long a sidecar takes from exec to listening, against a Node that does nothing, in turns. Both
// get the same bare environment and the same core: a shell's variables (a CA bundle, say) can cost a
// Node tens of milliseconds, and would do so on one side only.

import { once } from 'node:events';
import { end, PROXY_CORE, spawnPinned, untilListening } from './processes.ts';
import { sidecarVariant, spawnSidecar } from './proxies.ts';
import { median, round, spread } from './stats.ts';

export interface StartRow {
  name: 'exec-to-listening';
  listeningMs: number;
  bareNodeMs: number;
  ratioToBareNode: number;
  ratioSpread: string;
}

/** The first start is dropped: it reads the files into the page cache. */
export async function measureStart(appPort: number, starts: number): Promise<StartRow> {
  const listening: number[] = [];
  const bare: number[] = [];
  for (let start = 0; start < starts; start += 1) {
    const bareMs = await bareNodeMs();
    const { child, port } = await spawnSidecar(appPort, sidecarVariant('net', 0));
    const listeningMs = await untilListening(port);
    await end(child);
    if (start === 0) continue;
    bare.push(bareMs);
    listening.push(listeningMs);
  }
  const ratios = listening.map((ms, index) => ms / bare[index]!);
  return {
    name: 'exec-to-listening',
    listeningMs: round(median(listening)),
    bareNodeMs: round(median(bare)),
    ratioToBareNode: round(median(ratios)),
    ratioSpread: spread(ratios),
  };
}

async function bareNodeMs(): Promise<number> {
  const startMs = performance.now();
  await once(spawnPinned(process.execPath, ['-e', '0'], { core: PROXY_CORE }), 'exit');
  return performance.now() - startMs;
}
