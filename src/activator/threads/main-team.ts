// The main thread's side of a revision shared by threads (decision 0018). Its throttler decides; this
// passes each decision on and keeps the one order that matters: capacity shrinks before the other
// threads learn of it and grows only after all of them have. So in every thread the slots of the
// pods it knows add up to at least the capacity, and an admitted request finds a pod there.
// Invariant: the gate's limit is never above what the pod list of any thread can take. Not hot.

import { Gate } from '../../proxy/gate.ts';
import type { GateSeat } from '../../proxy/gate-team.ts';
import type { PodTracker, PodTrackerOptions } from '../pod-tracker.ts';
import type { RevisionSettings } from '../revision-settings.ts';
import { createPodSlots, SharedPodTracker } from './shared-pod-tracker.ts';
import type { ToThread } from './thread-messages.ts';
import type { PodState, ThrottlerTeam } from './throttler-team.ts';

export interface MainTeamOptions {
  readonly id: number;
  readonly queueLimit: number;
  readonly seat: GateSeat;
  /** Threads beside this one. */
  readonly others: number;
  /** To every other thread. */
  broadcast(message: ToThread): void;
  onForgotten(team: MainTeam): void;
}

export class MainTeam implements ThrottlerTeam {
  readonly id: number;
  readonly gate: Gate;
  readonly #options: MainTeamOptions;
  /** Of pods that were listed last. */
  #slots = new Map<string, SharedArrayBuffer>();
  #version = 0;
  /** Threads that have not confirmed the newest version. */
  #missing = 0;
  #capacity = 0;

  constructor(options: MainTeamOptions) {
    this.id = options.id;
    this.#options = options;
    this.gate = Gate.create(0, options.queueLimit, options.seat);
  }

  /** Nobody waits and nobody runs. */
  get isIdle(): boolean {
    return this.gate.inFlight === 0 && this.gate.waiting === 0;
  }

  createTracker(options: PodTrackerOptions): PodTracker {
    const slots = createPodSlots();
    this.#slots.set(options.dest, slots);
    return new SharedPodTracker(options, slots);
  }

  publish(state: PodState, capacity: number): void {
    this.#capacity = capacity;
    if (capacity < this.gate.limit) this.gate.resize(capacity);
    if (state.kind === 'pods') this.#prune([...state.dests, ...state.unproven]);
    if (state.kind === 'clusterIp') this.#slots.clear();
    this.#version += 1;
    this.#missing = this.#options.others;
    const { id } = this;
    const slots = [...this.#slots];
    this.#options.broadcast({ kind: 'pods', id, version: this.#version, state, slots });
  }

  /** A thread uses that version. */
  onPublished(version: number): void {
    if (version !== this.#version) return;
    this.#missing -= 1;
    if (this.#missing === 0) this.gate.resize(this.#capacity);
  }

  settingsChanged(settings: RevisionSettings): void {
    this.#options.broadcast({ kind: 'settings', id: this.id, settings });
  }

  forget(): void {
    this.#options.broadcast({ kind: 'forget', id: this.id });
    this.#options.onForgotten(this);
  }

  #prune(dests: readonly string[]): void {
    const kept = new Map<string, SharedArrayBuffer>();
    for (const dest of dests) {
      const slots = this.#slots.get(dest);
      if (slots !== undefined) kept.set(dest, slots);
    }
    this.#slots = kept;
  }
}
