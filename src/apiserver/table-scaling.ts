// The customary columns of HorizontalPodAutoscalers and EndpointSlices (KN-144). Pure.

import type { KubeObject } from '../api/objects.ts';
import type { TableShape } from './table.ts';
import { columns, MAX_SHOWN_ENDPOINTS, NONE, shape } from './table-shape.ts';

/** Targets named in one cell; the rest is counted. */
const MAX_SHOWN_TARGETS = 2;
const UNKNOWN = '<unknown>';

interface MetricValue {
  averageUtilization?: number;
  averageValue?: string;
  value?: string;
}

interface Metric {
  type: string;
  resource?: { name: string; target?: MetricValue; current?: MetricValue };
  pods?: { metric?: { name: string }; target?: MetricValue; current?: MetricValue };
}

interface Autoscaler extends KubeObject {
  spec?: {
    scaleTargetRef?: { kind: string; name: string };
    minReplicas?: number;
    maxReplicas?: number;
    metrics?: Metric[];
  };
  status?: { currentReplicas?: number; currentMetrics?: Metric[] };
}

function shown(value: MetricValue | undefined): string {
  if (value?.averageUtilization !== undefined) return `${value.averageUtilization}%`;
  return value?.averageValue ?? value?.value ?? UNKNOWN;
}

/** `cpu: 10%/80%` for a resource, `10/100` for anything counted per pod. */
function targetText(metric: Metric, now: Metric | undefined): string {
  const { resource, pods } = metric;
  if (resource !== undefined) {
    const current = now?.resource?.name === resource.name ? now.resource.current : undefined;
    return `${resource.name}: ${shown(current)}/${shown(resource.target)}`;
  }
  return `${shown(now?.pods?.current)}/${shown(pods?.target)}`;
}

export const horizontalPodAutoscalers: TableShape = shape<Autoscaler>(
  columns('Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas#', 'Age'),
  ({ metadata, spec, status }, age) => {
    const all = (spec?.metrics ?? []).map((metric, index) =>
      targetText(metric, status?.currentMetrics?.[index]),
    );
    const more = all.length - MAX_SHOWN_TARGETS;
    const targets = all.slice(0, MAX_SHOWN_TARGETS).join(', ');
    const reference = spec?.scaleTargetRef;
    return [
      metadata.name,
      reference === undefined ? NONE : `${reference.kind}/${reference.name}`,
      all.length === 0 ? NONE : more > 0 ? `${targets} + ${more} more...` : targets,
      String(spec?.minReplicas ?? '<unset>'),
      String(spec?.maxReplicas ?? 0),
      status?.currentReplicas ?? 0,
      age,
    ];
  },
);

interface Slice extends KubeObject {
  addressType?: string;
  ports?: { port?: number }[] | null;
  endpoints?: { addresses?: string[] }[] | null;
}

/** The first few, then how many more there are. */
function joined(items: readonly string[], none: string): string {
  if (items.length === 0) return none;
  const text = items.slice(0, MAX_SHOWN_ENDPOINTS).join(',');
  const more = items.length - MAX_SHOWN_ENDPOINTS;
  return more > 0 ? `${text} + ${more} more...` : text;
}

export const endpointSlices: TableShape = shape<Slice>(
  columns('Name', 'AddressType', 'Ports', 'Endpoints', 'Age'),
  ({ metadata, addressType, ports, endpoints }, age) => [
    metadata.name,
    addressType ?? '',
    joined(
      (ports ?? []).map(({ port }) => (port === undefined ? '*' : String(port))),
      '<unset>',
    ),
    joined(
      (endpoints ?? []).flatMap(({ addresses = [] }) => addresses),
      '<unset>',
    ),
    age,
  ],
);
