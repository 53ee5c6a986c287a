// Vector cases about decisions: one Decider, created in a given situation, then one decision per
// step.

import { WINDOW_HEAD } from '../shm/metric-columns.ts';
import { ringCapacity } from './bucket-window.ts';
import {
  DELAY_SLOT_MS,
  delayedMaximum,
  delaySlots,
  initDelayWindow,
  recordDelayed,
} from './delay-window.ts';
import { decideScale, initialScaleState, type ScaleSpec } from './scale-decision.ts';
import { VECTOR_EPOCH_S } from './vectors-window.ts';

interface DeciderFields {
  target_value?: number;
  total_value?: number;
  target_burst_capacity?: number;
  panic_threshold?: number;
  max_scale_up_rate?: number;
  max_scale_down_rate?: number;
  stable_window_s?: number;
  scale_down_delay_s?: number;
  activation_scale?: number;
  reachable?: boolean;
}

export interface ScaleInput {
  decider: DeciderFields;
  create?: { t?: number; ready_pods?: number; ready_error?: unknown };
  preset?: { panic_since_t?: number; max_panic_pods?: number };
  steps: {
    t?: number;
    ready_pods?: number;
    stable?: number;
    panic?: number;
    update?: DeciderFields;
    error?: 'no_data' | 'pod_count' | 'pods_not_found';
  }[];
}

const atMs = (t: number | undefined): number => (VECTOR_EPOCH_S + (t ?? 0)) * 1000;

export function runScaleCase(input: ScaleInput): { steps: unknown[] } {
  const createPods = input.create?.ready_error ? 0 : (input.create?.ready_pods ?? 0);
  let state = initialScaleState(createPods, 0, atMs(input.create?.t));
  if (input.preset !== undefined) {
    const { panic_since_t: sinceT, max_panic_pods: floor } = input.preset;
    if (sinceT !== undefined) state = { ...state, panicSinceMs: atMs(sinceT) };
    if (floor !== undefined) state = { ...state, panicFloor: floor };
  }
  let fields = input.decider;
  const delay = createDelay((fields.scale_down_delay_s ?? 0) * 1000);
  const steps = input.steps.map((step) => {
    fields = { ...fields, ...step.update };
    const nowMs = atMs(step.t);
    const slot = Math.floor(nowMs / DELAY_SLOT_MS);
    const seen = {
      stable: step.stable ?? 0,
      panic: step.panic ?? 0,
      hasData: step.error !== 'no_data',
      readyPods: readyPodsOf(step.error, step.ready_pods ?? 0),
      delayedMaximum: delay === null ? -1 : delayedMaximum(delay, 0, slot),
    };
    const decision = decideScale(state, seen, toSpec(fields), nowMs);
    state = decision.state;
    if (delay !== null && decision.recordDelayed >= 0) {
      recordDelayed(delay, 0, slot, decision.recordDelayed);
    }
    return {
      valid: decision.valid,
      desired: state.recommendation,
      excess_burst_capacity: state.excessBurstCapacity,
      panicking: !Number.isNaN(state.panicSinceMs),
      max_panic_pods: state.panicFloor,
    };
  });
  return { steps };
}

function readyPodsOf(error: string | undefined, readyPods: number): number {
  if (error === 'pod_count') return -1;
  return error === 'pods_not_found' ? 0 : readyPods;
}

function createDelay(delayMs: number): Float64Array | null {
  if (delayMs <= 0) return null;
  const slots = delaySlots(delayMs);
  const cells = new Float64Array(WINDOW_HEAD + ringCapacity(slots));
  initDelayWindow(cells, 0, slots, ringCapacity(slots));
  return cells;
}

function toSpec(fields: DeciderFields): ScaleSpec {
  return {
    target: fields.target_value ?? 0,
    capacity: fields.total_value ?? 0,
    targetBurstCapacity: fields.target_burst_capacity ?? 0,
    panicThreshold: fields.panic_threshold ?? 0,
    stableWindowMs: (fields.stable_window_s ?? 0) * 1000,
    maxScaleUpRate: fields.max_scale_up_rate ?? 0,
    maxScaleDownRate: fields.max_scale_down_rate ?? 0,
    activationScale: fields.activation_scale ?? 0,
    reachable: fields.reachable ?? false,
  };
}
