// What the autoscaler tells people about its decisions, as JSON on its port: written by the
// autoscaler, read by `pilotlight why` and `pilotlight top` through the API server. Pure types.

export interface DecisionEntry {
  /** RFC 3339. */
  firstAt: string;
  lastAt: string;
  /** How often the same decision followed. */
  repeats: number;
  /** The rule that bound the decision, in words. */
  reason: string;
  /** Averages of the scaling metric over the two windows. */
  stable: number;
  panic: number;
  readyPods: number;
  /** -1 = unknown. */
  recommendation: number;
  excessBurstCapacity: number;
  panicking: boolean;
}

/** `/decisions/<namespace>/<revision>`. */
export interface DecisionsDocument {
  /** `namespace/name`. */
  revision: string;
  /** -1 = unknown yet. */
  recommendation: number;
  excessBurstCapacity: number;
  metric: 'concurrency' | 'rps';
  /** Aimed for per pod. */
  target: number;
  capacity: number;
  targetBurstCapacity: number;
  stableWindowSeconds: number;
  maxScaleUpRate: number;
  maxScaleDownRate: number;
  /** 0 = off. */
  activationScale: number;
  scaleDownDelaySeconds: number;
  pods: { ready: number; notReady: number; pending: number; terminating: number };
  panic: {
    /** Load of the panic window over what the ready pods aim for that starts a panic. */
    threshold: number;
    /** RFC 3339; null = not panicking. */
    since: string | null;
    /** RFC 3339 of the last time the load was over the threshold. */
    lastOverloadAt: string | null;
    /** No recommendation below this while it lasts (AS-111). */
    floor: number;
  };
  /** What became of the recommendation (AS-127 to AS-138); null = not reconciled yet. */
  applied: {
    /** -1 = left as it was. */
    wanted: number;
    bound: 'min-scale' | 'max-scale' | 'initial-scale' | null;
    minScale: number;
    /** 0 = no limit. */
    maxScale: number;
    mode: 'Serve' | 'Proxy';
  } | null;
  /** Newest first; equal decisions in a row are one entry. */
  decisions: DecisionEntry[];
}

/** One row of `/decisions`. */
export interface RevisionSummary {
  revision: string;
  concurrency: number;
  requestsPerSecond: number;
  /** -1 = unknown. */
  wanted: number;
  ready: number;
  notReady: number;
  mode: 'Serve' | 'Proxy' | null;
  panicking: boolean;
}

/** `/decisions`; `total` counts revisions beyond the rows shown. */
export interface DecisionsOverview {
  total: number;
  revisions: RevisionSummary[];
}
