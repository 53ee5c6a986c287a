// The writers of the store scenario. Each lane writes objects of its own, one request at a time, so that
// at a kill at most one write per lane is in doubt; for everything else it knows what must be there.

import { ConfigMap } from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/objects.ts';
import { ApiError, type KubeClient } from '../../src/kube/types.ts';

export type Marked = KubeObject & { data?: Record<string, string> };

export const NAMESPACE = 'default';
export const LABEL = 'torture';
/** Objects a lane keeps; above it deletes more than it creates. */
const KEPT_OBJECTS = 60;
/** Most bodies are small; a large one makes the database compact soon. */
const SMALL_CHARS = 2_000;
const LARGE_CHARS = 120_000;
const LARGE_SHARE = 0.05;

/** What a write would leave: the sequence number in the object, null = deleted. */
interface Doubt {
  readonly name: string;
  readonly sequence: number | null;
}

export interface LaneCounts {
  acknowledged: number;
  /** Answers no write should get. */
  refused: number;
  /** Versions that did not rise from one acknowledged write to the next. */
  versionsBack: number;
  /** Of writes in doubt at a kill: those that were there after it. */
  doubtsKept: number;
  doubtsLost: number;
  /** Acknowledged writes that were not there, or not as acknowledged. */
  lost: number;
}

export class Lane {
  readonly #prefix: string;
  readonly #random: () => number;
  readonly #counts: LaneCounts;
  readonly #known = new Map<string, number>();
  #doubt: Doubt | null = null;
  #sequence = 0;
  #highest = 0;

  constructor(index: number, random: () => number, counts: LaneCounts) {
    this.#prefix = `l${index}-`;
    this.#random = random;
    this.#counts = counts;
  }

  get highest(): number {
    return this.#highest;
  }

  /** Until the connection breaks; `onAcknowledged` is called after each write. */
  async write(client: KubeClient, onAcknowledged: () => void): Promise<void> {
    for (;;) {
      try {
        await this.#writeOne(client);
      } catch (error) {
        if (!(error instanceof ApiError)) return; // killed: #doubt stands
        this.#counts.refused += 1;
        return;
      }
      this.#doubt = null;
      this.#counts.acknowledged += 1;
      onAcknowledged();
    }
  }

  async #writeOne(client: KubeClient): Promise<void> {
    const names = [...this.#known.keys()];
    const draw = this.#random();
    const name = names[Math.floor(this.#random() * names.length)];
    this.#sequence += 1;
    const sequence = this.#sequence;
    if (name === undefined || (draw < 0.5 && names.length < KEPT_OBJECTS)) {
      const fresh = `${this.#prefix}${sequence}`;
      this.#doubt = { name: fresh, sequence };
      this.#settle(fresh, await client.create<Marked>(ConfigMap, this.#object(fresh, sequence)));
    } else if (draw < 0.8) {
      this.#doubt = { name, sequence };
      const body = { data: this.#data(sequence) };
      const patch = { type: 'merge' as const, body };
      const key = { namespace: NAMESPACE, name };
      this.#settle(name, await client.patch<Marked>(ConfigMap, key, patch));
    } else {
      this.#doubt = { name, sequence: null };
      await client.delete(ConfigMap, { namespace: NAMESPACE, name });
      this.#known.delete(name);
    }
  }

  #settle(name: string, written: Marked): void {
    this.#known.set(name, this.#sequence);
    const version = Number(written.metadata.resourceVersion);
    if (version <= this.#highest) this.#counts.versionsBack += 1;
    this.#highest = Math.max(this.#highest, version);
  }

  #object(name: string, sequence: number): Marked {
    const metadata = { name, namespace: NAMESPACE, labels: { [LABEL]: 'yes' } };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: this.#data(sequence) };
  }

  #data(sequence: number): Record<string, string> {
    const chars = this.#random() < LARGE_SHARE ? LARGE_CHARS : SMALL_CHARS;
    return { sequence: String(sequence), filling: 'x'.repeat(this.#random() * chars) };
  }

  /** Compares with what the server holds after a restart; what was in doubt becomes known. */
  check(found: ReadonlyMap<string, number>): void {
    const doubt = this.#doubt;
    this.#doubt = null;
    if (doubt !== null) this.#resolve(doubt, found.get(doubt.name) ?? null);
    for (const [name, sequence] of this.#known) {
      if (found.get(name) !== sequence) this.#counts.lost += 1;
    }
    for (const name of found.keys()) {
      if (name.startsWith(this.#prefix) && !this.#known.has(name)) this.#counts.lost += 1;
    }
  }

  /** A write without an answer may have happened or not, but nothing else. */
  #resolve({ name, sequence }: Doubt, found: number | null): void {
    if (found !== sequence) {
      this.#counts.doubtsLost += 1; // then the state before must be there: checked by the caller
      return;
    }
    this.#counts.doubtsKept += 1;
    if (sequence === null) this.#known.delete(name);
    else this.#known.set(name, sequence);
  }
}
