// What the scenario `services` drives: one `pilotlight up` with an open inspector, its Knative Services
// as an informer of ours sees them, and the steps done to each of them.

import { ConfigMap } from '../../src/api/kinds.ts';
import type { Lister } from '../../src/kube/types.ts';
import {
  type AnyObject,
  condition,
  exampleService,
  type Pilotlight,
  startPilotlight,
  until,
} from '../../test/support/pilotlight.ts';
import { INSPECTOR_OPTION } from './heap-probe.ts';
import type { TortureOptions, TortureRow } from './scenario.ts';
import { readServerPage } from './server-page.ts';

export const NAMESPACE = 'default';
export const PHASE_LIMIT_MS = 900_000;
/** Between two looks at the server, so that looking costs it little. */
export const LOOK_PERIOD_MS = 250;
/** Requests of ours under way at once. */
const CONCURRENCY = 16;
/** Without a write for so long, all controllers are at rest. */
const REST_MS = 3_000;
const BRIEF_REST_MS = 500;

export interface World {
  readonly pilotlight: Pilotlight;
  readonly names: readonly string[];
  readonly lister: Lister<AnyObject>;
  readonly options: TortureOptions;
  readonly rows: TortureRow[];
}

/** Its processes can be asked for their heap. */
export async function startInspectable(): Promise<Pilotlight> {
  const before = process.env['NODE_OPTIONS'];
  process.env['NODE_OPTIONS'] = `${before ?? ''} ${INSPECTOR_OPTION}`;
  try {
    return await startPilotlight();
  } finally {
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
  }
}

export async function allowZero({ client }: Pilotlight): Promise<void> {
  const body = { data: { 'allow-zero-initial-scale': 'true' } };
  const key = { namespace: 'knative-serving', name: 'config-autoscaler' };
  await client.patch(ConfigMap, key, { type: 'merge', body });
}

export function zeroService(name: string): AnyObject {
  const annotations = { 'autoscaling.knative.dev/initial-scale': '0' };
  return exampleService(name, 'hello', { annotations, env: { ROUND: '1' } });
}

export const UPDATE = {
  type: 'json',
  body: [{ op: 'replace', path: '/spec/template/spec/containers/0/env/0/value', value: '2' }],
} as const;

export function isReadyAt(service: AnyObject | undefined, generation: number): boolean {
  if (service?.status?.observedGeneration !== generation) return false;
  const revision = `${service.metadata.name}-0000${generation}`;
  return (
    condition(service, 'Ready').status === 'True' &&
    service.status['latestReadyRevisionName'] === revision
  );
}

export async function forAll(
  names: readonly string[],
  send: (name: string) => Promise<unknown>,
): Promise<void> {
  const left = [...names].reverse();
  const sender = async (): Promise<void> => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) await send(name);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, sender));
}

export async function untilAll(
  { pilotlight, names }: World,
  what: string,
  isDone: (name: string) => boolean,
): Promise<void> {
  const open = new Set(names);
  await until(
    `all services to be ${what}`,
    () => {
      for (const name of open) if (isDone(name)) open.delete(name);
      return open.size === 0;
    },
    PHASE_LIMIT_MS,
    () => `${open.size} are not, ${[...open].slice(0, 5).join(', ')}\n${pilotlight.tail()}`,
  );
}

export async function untilRest({ client }: Pilotlight, { brief }: TortureOptions): Promise<void> {
  const restMs = brief ? BRIEF_REST_MS : REST_MS;
  let revision = -1;
  let sinceMs = performance.now();
  await until(
    'the controllers to rest',
    async () => {
      await pause(LOOK_PERIOD_MS);
      const page = await readServerPage(client);
      if (page.revision !== revision) sinceMs = performance.now();
      revision = page.revision;
      return performance.now() - sinceMs >= restMs;
    },
    PHASE_LIMIT_MS,
  );
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
