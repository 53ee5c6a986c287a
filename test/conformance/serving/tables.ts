// All tables of the folder, for the test files that run them and for docs/conformance.md.

import { apiRows } from './api-rows.ts';
import { deploymentRows } from './deployment-rows.ts';
import { domainRows, mappingRows } from './domain-rows.ts';
import { failureRows } from './failure-rows.ts';
import { revisionRows } from './revision-rows.ts';
import { collectionRows, rolloutRows } from './rollout-rows.ts';
import { routeRows } from './route-rows.ts';
import { routingRows } from './routing-rows.ts';
import type { ServingTable } from './row.ts';
import { answerRows } from './runtime/answer-rows.ts';
import { configMapRows } from './runtime/config-map-rows.ts';
import { constraintRows } from './runtime/constraint-rows.ts';
import { environmentRows } from './runtime/environment-rows.ts';
import { endRows, probeRows } from './runtime/life-rows.ts';
import { concurrencyRows, timeoutRows } from './runtime/limit-rows.ts';
import { requestRows } from './runtime/request-rows.ts';
import { scaleRows } from './runtime/scale-rows.ts';
import { scalingRows } from './scaling-rows.ts';
import { serviceRows } from './service-rows.ts';
import { validationRows } from './validation-rows.ts';

/** Run by objects.test.ts. */
export const OBJECT_TABLES: readonly ServingTable[] = [
  { area: 'Services', rows: serviceRows },
  { area: 'Configurations and Revisions', rows: revisionRows },
  { area: 'Deployments and pods', rows: deploymentRows },
  { area: 'Scaling objects', rows: scalingRows },
  { area: 'Failures', rows: failureRows },
  { area: 'Routes: traffic', rows: routeRows },
  { area: 'Routes: names and ways', rows: routingRows },
  { area: 'Rollouts', rows: rolloutRows },
  { area: 'Garbage collection', rows: collectionRows },
  { area: 'Domain mapping', rows: mappingRows },
  { area: 'Domains and configuration', rows: domainRows },
  { area: 'Validation', rows: validationRows },
  { area: 'API', rows: apiRows },
];

/** Run by runtime-contract.test.ts. */
export const RUNTIME_TABLES: readonly ServingTable[] = [
  { area: 'Scale', rows: scaleRows },
  { area: 'Timeouts', rows: timeoutRows },
  { area: 'Concurrency', rows: concurrencyRows },
  { area: 'Probes', rows: probeRows },
  { area: 'Crashes and ends', rows: endRows },
  { area: 'What a container is started with', rows: environmentRows },
  { area: 'Requests as a container sees them', rows: requestRows },
  { area: 'Answers as a client gets them', rows: answerRows },
  { area: 'What a template may not ask for', rows: constraintRows },
  { area: 'Config maps that change', rows: configMapRows },
];

export const TABLES: readonly ServingTable[] = [...OBJECT_TABLES, ...RUNTIME_TABLES];
