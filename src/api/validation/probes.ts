// Probes of a container (WH-90 to WH-92). Pure; paths are relative to the probe.

import type { Container, Probe } from '../core.ts';
import {
  disallowedFields,
  type FieldError,
  fieldError,
  invalidValue,
  missingOneOf,
  multipleOneOf,
  outOfBounds,
  underPath,
} from '../field-errors.ts';
import { MAX_INT32 } from '../go-values.ts';

const HANDLERS = ['exec', 'grpc', 'httpGet', 'tcpSocket'] as const;
const TIMING = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const;
export const PROBE_FIELDS = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
export type ProbeField = (typeof PROBE_FIELDS)[number];

/** All probes of the serving container, or of a sidecar where those may be probed. */
export function validateProbes(container: Container, isServing: boolean): FieldError[] {
  return PROBE_FIELDS.flatMap((field) => {
    const probe = container[field];
    if (probe === undefined) return [];
    const errors = [...validateHandler(probe), ...validatePort(probe, container, isServing)];
    if (field === 'readinessProbe') errors.push(...validateTiming(probe));
    return underPath(field, errors);
  });
}

/** WH-91, last sentence: without the feature a sidecar has no probes at all. */
export function disallowedProbes(container: Container): FieldError[] {
  const paths = PROBE_FIELDS.flatMap((field) => {
    const probe = container[field];
    if (probe === undefined) return [];
    const timing = TIMING.filter((name) => (probe[name] ?? 0) !== 0);
    return [field, ...timing.map((name) => `${field}.${name}`)];
  });
  return paths.length === 0 ? [] : [disallowedFields(...paths)];
}

/** WH-90. */
function validateHandler(probe: Probe): FieldError[] {
  const set = HANDLERS.filter((name) => probe[name] !== undefined);
  if (set.length === 1) return [];
  if (set.length === 0) return [missingOneOf(...HANDLERS)];
  return [multipleOneOf(...set.map((name) => (name === 'grpc' ? 'gRPC' : name)))];
}

/** WH-91. */
function validatePort(probe: Probe, container: Container, isServing: boolean): FieldError[] {
  for (const handler of ['httpGet', 'tcpSocket'] as const) {
    const given = probe[handler];
    if (given === undefined) continue;
    const path = `${handler}.port`;
    const { port } = given;
    if (typeof port === 'string') {
      const expected = container.ports?.[0]?.name || 'http';
      if (isServing && port !== '' && port !== expected) {
        return [invalidValue(port, path, 'Probe port must match container port')];
      }
    }
    if (!isServing && (port === undefined || port === 0 || port === '')) {
      return [invalidValue(0, path, 'Probe port must be specified')];
    }
  }
  return [];
}

/** WH-92. */
function validateTiming(probe: Probe): FieldError[] {
  const errors: FieldError[] = [];
  const atLeast = (name: (typeof TIMING)[number], low: number): void => {
    const value = probe[name] ?? 0;
    if (value < low) errors.push(outOfBounds(value, low, MAX_INT32, name));
  };
  atLeast('periodSeconds', 0);
  atLeast('initialDelaySeconds', 0);
  atLeast('successThreshold', 1);
  if ((probe.periodSeconds ?? 0) === 0) {
    for (const name of ['failureThreshold', 'timeoutSeconds'] as const) {
      if ((probe[name] ?? 0) === 0) continue;
      errors.push(fieldError(`${name} is disallowed when periodSeconds is zero`, name));
    }
  } else {
    atLeast('timeoutSeconds', 1);
    atLeast('failureThreshold', 1);
  }
  return errors;
}
