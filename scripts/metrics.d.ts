// Types of scripts/metrics.js, for the house test that calls it.

export function metricsDocument(): Promise<string>;
