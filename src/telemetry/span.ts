// A finished span as the exporters take it (QP-153). Plain data: threads may post it to each other.

import type { Labels } from './metric-series.ts';

/** Numbers of OTLP's SpanKind. */
export const SpanKind = { INTERNAL: 1, SERVER: 2, CLIENT: 3 } as const;
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind];

export interface Span {
  readonly name: string;
  readonly kind: SpanKind;
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** '' for the first span of a trace. */
  readonly parentId: string;
  readonly traceState: string;
  /** Unix milliseconds with fraction. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Labels;
  readonly isError: boolean;
}
