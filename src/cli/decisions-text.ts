// Decisions of the autoscaler in words, for `pilotlight why`. Pure: a document in, lines out. Rules
// are called by the names of their settings, so that a reader knows what to change.

import type { DecisionEntry, DecisionsDocument } from '../api/decisions.ts';

const DECISIONS_SHOWN = 8;

export function explain(document: DecisionsDocument, nowMs: number): string[] {
  return [
    headline(document),
    `  ${loadLine(document)}`,
    ...panicLines(document, nowMs),
    ...boundLines(document),
    `  ${burstLine(document)}`,
    `  limits: ${limitsText(document)}`,
    ...decisionLines(document),
  ];
}

function headline({ revision, recommendation, applied, pods }: DecisionsDocument): string {
  const wanted = applied === null || applied.wanted < 0 ? recommendation : applied.wanted;
  const wants = wanted < 0 ? 'nothing is known yet' : `wants ${count(wanted, 'pod')}`;
  const others = [
    pods.notReady > 0 ? `${pods.notReady} not ready` : '',
    pods.terminating > 0 ? `${pods.terminating} terminating` : '',
  ].filter((text) => text !== '');
  return `${revision}: ${[wants, `has ${pods.ready} ready`, ...others].join(', ')}`;
}

function loadLine(document: DecisionsDocument): string {
  const { metric, target, capacity, stableWindowSeconds, decisions } = document;
  const aim = `aims for ${figure(target)} per pod (of ${figure(capacity)} it can take)`;
  const [last] = decisions;
  if (last === undefined) return `${metric}: no decision yet; ${aim}`;
  return (
    `${metric}: ${figure(last.stable)} over ${figure(stableWindowSeconds)} s, ` +
    `${figure(last.panic)} over the panic window; ${aim}`
  );
}

function panicLines({ panic, stableWindowSeconds }: DecisionsDocument, nowMs: number): string[] {
  if (panic.since === null) {
    return [`  no panic: it starts when the load is ${figure(panic.threshold)} x what is ready`];
  }
  const sinceMs = nowMs - Date.parse(panic.since);
  return [
    `  in panic since ${panic.since} (${figure(Math.max(0, sinceMs) / 1000)} s): the load of the ` +
      `panic window was at least ${figure(panic.threshold)} x what the ready pods aim for`,
    `    last at ${panic.lastOverloadAt}; until ${figure(stableWindowSeconds)} s pass without, ` +
      `it stays at ${count(panic.floor, 'pod')} or more`,
  ];
}

function boundLines({ applied, recommendation }: DecisionsDocument): string[] {
  if (applied === null || applied.bound === null) return [];
  const values = { 'min-scale': applied.minScale, 'max-scale': applied.maxScale };
  const value = applied.bound === 'initial-scale' ? '' : ` of ${values[applied.bound]}`;
  return [`  ${applied.bound}${value} overrides the recommendation of ${recommendation}`];
}

function burstLine(document: DecisionsDocument): string {
  const { excessBurstCapacity, targetBurstCapacity, applied } = document;
  const spare = `spare for bursts: ${figure(excessBurstCapacity)}`;
  if (targetBurstCapacity === -1) return 'target-burst-capacity -1: always through the activator';
  if (applied === null) return spare;
  const way = applied.mode === 'Serve' ? 'straight to the pods' : 'through the activator';
  const burst = `(target-burst-capacity ${figure(targetBurstCapacity)})`;
  return `${spare} ${burst}: requests go ${way}`;
}

function limitsText(document: DecisionsDocument): string {
  const { applied, maxScaleUpRate, maxScaleDownRate } = document;
  const limits = [
    `max-scale-up-rate ${figure(maxScaleUpRate)}`,
    `max-scale-down-rate ${figure(maxScaleDownRate)}`,
  ];
  if (applied !== null) {
    limits.unshift(
      `min-scale ${applied.minScale}`,
      `max-scale ${applied.maxScale === 0 ? 'none' : applied.maxScale}`,
    );
  }
  if (document.activationScale > 0) limits.push(`activation-scale ${document.activationScale}`);
  if (document.scaleDownDelaySeconds > 0) {
    limits.push(`scale-down-delay ${figure(document.scaleDownDelaySeconds)} s`);
  }
  return limits.join(', ');
}

function decisionLines({ decisions, metric }: DecisionsDocument): string[] {
  if (decisions.length === 0) return [];
  const shown = decisions.slice(0, DECISIONS_SHOWN);
  return ['  decisions, newest first:', ...shown.map((entry) => `    ${entryText(entry, metric)}`)];
}

function entryText(entry: DecisionEntry, metric: string): string {
  const times = entry.repeats === 0 ? '' : ` to ${entry.lastAt} (${entry.repeats + 1} times)`;
  const pods = entry.recommendation < 0 ? 'no change' : count(entry.recommendation, 'pod');
  const inputs =
    `${metric} ${figure(entry.stable)} stable, ${figure(entry.panic)} panic, ` +
    `${entry.readyPods} ready, spare ${figure(entry.excessBurstCapacity)}`;
  return `${entry.firstAt}${times}: ${pods}, by ${entry.reason} [${inputs}]`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

/** At most two decimals, none without need. */
function figure(value: number): string {
  return String(Math.round(value * 100) / 100);
}
