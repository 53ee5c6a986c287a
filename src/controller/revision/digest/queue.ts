// Looks up digests in the background (CP-163, CP-165), so that a slow registry holds up no other
// Revision: a pass asks and gets an answer, a failure, or "not yet", and is woken when there is one.
// Invariants: a failed image is asked again only after its back-off; nothing is kept of a Revision
// that is gone; at most MAX_PARALLEL questions are open.

import type { DeploymentConfig } from '../../../api/config/deployment.ts';
import type { Container } from '../../../api/core.ts';
import type { Revision, RevisionContainerStatus } from '../../../api/serving.ts';
import type { Clock, TimerHandle } from '../../../clock/clock.ts';
import { messageOf } from '../../../kube/status-pass.ts';
import type { KubeClient } from '../../../kube/types.ts';
import { readCredentials } from './credentials.ts';
import { type ImageReference, parseImageReference } from './reference.ts';
import type { RegistryClient } from './registry-client.ts';

/** Questions open at once (CP-165); further ones wait in line. */
export const MAX_PARALLEL_DIGESTS = 100;
/** Images waiting or open at once; a Revision that would exceed it is asked to come again. */
export const MAX_WAITING_DIGESTS = 50_000;
const FIRST_BACK_OFF_MS = 1_000;
const MAX_BACK_OFF_MS = 1_000_000;

/** CP-166: the text of the condition. */
export class DigestError extends Error {
  constructor(image: string, cause: string) {
    super(`Unable to fetch image "${image}": failed to resolve image to digest: ${cause}`);
  }
}

export interface DigestStatuses {
  readonly containerStatuses: RevisionContainerStatus[];
  readonly initContainerStatuses: RevisionContainerStatus[];
}

/** What a Revision's pass asks. */
export interface DigestResolver {
  /** null = not known yet, `wake` will be called. Throws DigestError; the next call asks anew. */
  resolve(key: string, revision: Revision, config: DeploymentConfig): DigestStatuses | null;
  /** The Revision is gone. */
  forget(key: string): void;
  /** Called with the key of a Revision whose digests are there, or not to be had. */
  onSettled(wake: (key: string) => void): void;
  stop(): void;
}

interface Lookup {
  readonly image: string;
  digest: string | null;
  error: string | null;
  failures: number;
  isOpen: boolean;
  timer: TimerHandle | null;
}

interface Entry {
  readonly lookups: Map<string, Lookup>;
  revision: Revision;
  config: DeploymentConfig;
}

export interface DigestQueueDeps {
  readonly kube: KubeClient;
  readonly registry: Pick<RegistryClient, 'resolve'>;
  readonly clock: Clock;
}

export class DigestQueue implements DigestResolver {
  readonly #deps: DigestQueueDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: (() => void)[] = [];
  #open = 0;
  #wake: (key: string) => void = () => undefined;

  constructor(deps: DigestQueueDeps) {
    this.#deps = deps;
  }

  onSettled(wake: (key: string) => void): void {
    this.#wake = wake;
  }

  resolve(key: string, revision: Revision, config: DeploymentConfig): DigestStatuses | null {
    const entry = this.#entryOf(key, revision, config);
    const lookups = [...entry.lookups.values()];
    const failed = lookups.find(({ error }) => error !== null);
    if (failed !== undefined) {
      const error = new DigestError(failed.image, failed.error ?? '');
      failed.error = null;
      throw error;
    }
    for (const lookup of lookups) this.#begin(key, entry, lookup);
    if (lookups.some(({ digest, isOpen }) => digest === null && !isOpen)) {
      throw new Error('too many images wait for their digest');
    }
    if (lookups.some(({ digest }) => digest === null)) return null;
    const statusOf = ({ name, image = '' }: Container): RevisionContainerStatus => {
      const imageDigest = entry.lookups.get(image)?.digest ?? '';
      return { name, ...(imageDigest === '' ? {} : { imageDigest }) };
    };
    return {
      containerStatuses: revision.spec.containers.map(statusOf),
      initContainerStatuses: (revision.spec.initContainers ?? []).map(statusOf),
    };
  }

  forget(key: string): void {
    for (const lookup of this.#entries.get(key)?.lookups.values() ?? []) lookup.timer?.cancel();
    this.#entries.delete(key);
  }

  stop(): void {
    for (const key of [...this.#entries.keys()]) this.forget(key);
    this.#waiting.length = 0;
  }

  #entryOf(key: string, revision: Revision, config: DeploymentConfig): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined && known.revision.metadata.uid === revision.metadata.uid) {
      return Object.assign(known, { revision, config });
    }
    this.forget(key);
    const containers = [...revision.spec.containers, ...(revision.spec.initContainers ?? [])];
    const images = new Set(containers.map(({ image = '' }) => image));
    const lookups = new Map([...images].map((image) => [image, newLookup(image, config)]));
    const entry = { lookups, revision, config };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Asks unless the answer is there or on its way. */
  #begin(key: string, entry: Entry, lookup: Lookup): void {
    if (lookup.digest !== null || lookup.isOpen || this.#waiting.length >= MAX_WAITING_DIGESTS) {
      return;
    }
    lookup.isOpen = true;
    const ask = (): void => {
      lookup.timer = null;
      this.#whenFree(() => void this.#ask(key, entry, lookup));
    };
    if (lookup.failures === 0) {
      ask();
      return;
    }
    const delayMs = Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (lookup.failures - 1));
    lookup.timer = this.#deps.clock.setTimer(delayMs, ask, { background: true });
  }

  #whenFree(run: () => void): void {
    if (this.#open >= MAX_PARALLEL_DIGESTS) this.#waiting.push(run);
    else run();
  }

  async #ask(key: string, entry: Entry, lookup: Lookup): Promise<void> {
    if (this.#entries.get(key) !== entry) {
      queueMicrotask(() => this.#waiting.shift()?.());
      return;
    }
    this.#open += 1;
    try {
      lookup.digest = await this.#lookUp(entry, lookup.image);
      lookup.failures = 0;
    } catch (error) {
      lookup.error = messageOf(error);
      lookup.failures += 1;
    } finally {
      lookup.isOpen = false;
      this.#open -= 1;
      this.#waiting.shift()?.();
    }
    if (this.#entries.get(key) !== entry) return;
    const isSettled = [...entry.lookups.values()].every(({ isOpen }) => !isOpen);
    if (isSettled || lookup.error !== null) this.#wake(key);
  }

  async #lookUp({ revision, config }: Entry, image: string): Promise<string> {
    const reference: ImageReference = parseImageReference(image);
    const credentials = await readCredentials(this.#deps.kube, revision, reference);
    const { digestResolutionTimeoutMs } = config;
    return this.#deps.registry.resolve(reference, credentials, digestResolutionTimeoutMs);
  }
}

/** CP-164: known at once when it names a digest, or its registry is not to be asked. */
function newLookup(image: string, { registriesSkippingTagResolving }: DeploymentConfig): Lookup {
  const made: Lookup = {
    image,
    digest: null,
    error: null,
    failures: 0,
    isOpen: false,
    timer: null,
  };
  try {
    const { digest, registry } = parseImageReference(image);
    if (digest !== null) made.digest = image;
    else if (registriesSkippingTagResolving.has(registry)) made.digest = '';
  } catch {
    // Not a reference: asking says so, as any other failure is said.
  }
  return made;
}
