// Runs worked examples of the autoscaler's arithmetic (the schema of spec/autoscaler-vectors.json)
// against the policy functions. One function per kind of case turns its input into a result; what
// is compared, and how closely, is in one place: integers and booleans exactly, floats within 1e-9.

import { parseAutoscalerConfig } from '../api/config/autoscaler.ts';
import { emptyStat, type Stat } from '../wire/stat.ts';
import { activatorCount } from './activator-path.ts';
import { ownerOf } from './bucket-owner.ts';
import { panicWindowMs, resolveTarget } from './effective-settings.ts';
import { directConcurrency, directRate, extrapolate, sampleSize } from './sampling.ts';
import { initialExcessBurstCapacity } from './scale-decision.ts';
import { boundScale } from './scale-plan.ts';
import { runScaleCase, type ScaleInput } from './vectors-scale.ts';
import {
  type DelayInput,
  runDelayCase,
  runWindowCase,
  type WindowInput,
} from './vectors-window.ts';

export interface VectorCase {
  id: string;
  kind: string;
  input: unknown;
  expected: unknown;
}

export interface VectorFile {
  cases: VectorCase[];
}

export interface VectorOutcome {
  passed: number;
  /** One line per failing case. */
  failures: string[];
}

interface WireStatFields {
  average_concurrent_requests?: number;
  average_proxied_concurrent_requests?: number;
  request_count?: number;
  proxied_request_count?: number;
}

const TOLERANCE = 1e-9;

const RUNNERS: Readonly<Record<string, (input: never) => unknown>> = {
  sample_size: (input: { populations: number[] }) => ({
    sample_sizes: input.populations.map(sampleSize),
  }),
  extrapolate: runExtrapolate,
  linear_window: (input: WindowInput) => runWindowCase(input, false),
  weighted_window: (input: WindowInput) => runWindowCase(input, true),
  scale: (input: ScaleInput) => runScaleCase(input),
  resolve_target: runResolveTarget,
  panic_window: (input: { stable_window_s: number; panic_window_percentage: number }) => ({
    panic_window_s:
      panicWindowMs(input.stable_window_s * 1000, input.panic_window_percentage) / 1e3,
  }),
  initial_ebc: runInitialEbc,
  num_activators: runActivatorCount,
  delay_window: (input: DelayInput) => runDelayCase(input),
  bounds: runBounds,
  bucket_owner: (input: { buckets: string[]; key: string }) => ({
    owner: ownerOf(input.buckets, input.key),
  }),
};

/** Throws on a file that does not have the schema. */
export function parseVectorFile(text: string): VectorFile {
  const parsed = JSON.parse(text) as Partial<VectorFile> | null;
  if (!Array.isArray(parsed?.cases)) throw new Error('no "cases" array: not a vector file');
  return { cases: parsed.cases };
}

export function runVectors(file: VectorFile): VectorOutcome {
  const failures: string[] = [];
  for (const vector of file.cases) {
    const problem = runCase(vector);
    if (problem !== null) failures.push(`${vector.id} (${vector.kind}): ${problem}`);
  }
  return { passed: file.cases.length - failures.length, failures };
}

function runCase(vector: VectorCase): string | null {
  const runner = RUNNERS[vector.kind];
  if (runner === undefined) return 'unknown kind of case';
  try {
    return difference(runner(vector.input as never), vector.expected, '');
  } catch (error) {
    return `threw ${String(error)}`;
  }
}

/** The first place where `actual` lacks or contradicts something in `expected`; null = none. */
function difference(actual: unknown, expected: unknown, path: string): string | null {
  if (typeof expected === 'number' && typeof actual === 'number') {
    const gap = Math.abs(actual - expected);
    const isClose = gap <= TOLERANCE || gap <= TOLERANCE * Math.abs(expected);
    return isClose ? null : `${path || 'result'} is ${actual}, expected ${expected}`;
  }
  if (typeof expected !== 'object' || expected === null) {
    return Object.is(actual, expected)
      ? null
      : `${path || 'result'} is ${String(actual)}, expected ${String(expected)}`;
  }
  const given = (actual ?? {}) as Record<string, unknown>;
  for (const [key, value] of Object.entries(expected)) {
    const found = difference(given[key], value, path === '' ? key : `${path}.${key}`);
    if (found !== null) return found;
  }
  if (Array.isArray(expected) && (actual as unknown[]).length !== expected.length) {
    return `${path} has ${(actual as unknown[]).length} entries, expected ${expected.length}`;
  }
  return null;
}

function runExtrapolate(input: {
  sampled: WireStatFields[];
  sample_size: number;
  population: number;
}): unknown {
  const sampled = input.sampled.map(toStat);
  const stat = extrapolate(sampled, input.sample_size, input.population);
  return {
    average_concurrent_requests: stat.averageConcurrentRequests,
    average_proxied_concurrent_requests: stat.averageProxiedConcurrentRequests,
    request_count: stat.requestCount,
    proxied_request_count: stat.proxiedRequestCount,
    recorded_concurrency: directConcurrency(stat),
    recorded_rps: directRate(stat),
  };
}

function toStat(fields: WireStatFields): Stat {
  return {
    ...emptyStat(''),
    averageConcurrentRequests: fields.average_concurrent_requests ?? 0,
    averageProxiedConcurrentRequests: fields.average_proxied_concurrent_requests ?? 0,
    requestCount: fields.request_count ?? 0,
    proxiedRequestCount: fields.proxied_request_count ?? 0,
  };
}

function runResolveTarget(input: {
  metric: string;
  container_concurrency?: number;
  annotations?: Record<string, string>;
  config?: Record<string, number>;
}): unknown {
  const data = Object.entries(input.config ?? {}).map(([key, value]) => [key, String(value)]);
  const config = parseAutoscalerConfig(Object.fromEntries(data));
  const resolved = resolveTarget(
    input.metric,
    input.container_concurrency ?? 0,
    input.annotations,
    config,
  );
  return { target: resolved.target, total: resolved.capacity };
}

function runInitialEbc(input: {
  initial_scale?: number;
  total_value?: number;
  target_burst_capacity?: number;
}): unknown {
  return {
    desired: -1,
    excess_burst_capacity: initialExcessBurstCapacity(
      input.initial_scale ?? 0,
      input.total_value ?? 0,
      input.target_burst_capacity ?? 0,
    ),
  };
}

function runActivatorCount(input: {
  ready_pods?: number;
  total_value?: number;
  target_burst_capacity?: number;
  activator_capacity: number;
}): unknown {
  return {
    num_activators: activatorCount(
      input.ready_pods ?? 0,
      input.total_value ?? 0,
      input.target_burst_capacity ?? 0,
      input.activator_capacity,
    ),
  };
}

function runBounds(input: {
  desired?: number;
  min_scale?: number;
  max_scale?: number;
  initial_scale?: number;
  scale_target_initialized?: boolean;
  reachability?: string;
}): unknown {
  const isReachable = input.reachability !== 'Unreachable';
  const settings = {
    minScale: isReachable ? (input.min_scale ?? 0) : 0,
    maxScale: input.max_scale ?? 0,
    initialScale: input.initial_scale ?? 0,
    isReachable,
  };
  const wasInitialized = input.scale_target_initialized ?? false;
  return { bounded: boundScale(input.desired ?? 0, settings, wasInitialized) };
}
