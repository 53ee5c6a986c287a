// W3C trace context (QP-70, QP-152): reading `traceparent`, making identifiers, deciding which
// requests are traced (QP-159). Identifiers are lower-case hexadecimal strings throughout, because
// headers carry them so; only the exporter turns those of sampled spans into bytes.
// Hot when tracing is on: one traceparent is read and one written per request.

/** The client's side of a trace. */
export interface ParentContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

const TRACEPARENT =
  /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const SAMPLED = 1;

/** Null when the header is absent or not valid: then the trace begins here. */
export function parseTraceparent(header: string): ParentContext | null {
  if (header === '') return null;
  const found = TRACEPARENT.exec(header);
  if (found === null) return null;
  const [, version, traceId, spanId, flags, rest] = found;
  if (version === '00' && rest !== undefined) return null;
  const isSampled = (Number.parseInt(flags!, 16) & SAMPLED) !== 0;
  return { traceId: traceId!, spanId: spanId!, isSampled };
}

export function formatTraceparent(traceId: string, spanId: string, isSampled: boolean): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** `random` gives 0 <= value < 1. */
export function newTraceId(random: () => number): string {
  return newSpanId(random) + hex32(random) + hex32(random);
}

export function newSpanId(random: () => number): string {
  const id = hex32(random) + hex32(random);
  return id === '0000000000000000' ? '0000000000000001' : id;
}

/** Two digits per byte; a number's own `toString(16)` takes several times as long. */
const HEX: readonly string[] = Array.from({ length: 256 }, (_unused, byte) =>
  byte.toString(16).padStart(2, '0'),
);

function hex32(random: () => number): string {
  const bits = (random() * 0x1_0000_0000) | 0;
  return (
    HEX[bits >>> 24]! + HEX[(bits >>> 16) & 0xff]! + HEX[(bits >>> 8) & 0xff]! + HEX[bits & 0xff]!
  );
}

export interface Sampler {
  isSampled(traceId: string, parent: ParentContext | null): boolean;
}

const ALWAYS: Sampler = { isSampled: () => true };
const NEVER: Sampler = { isSampled: () => false };

/** Decides by the identifier, so that every component decides alike. */
function ratio(rate: number): Sampler {
  if (rate >= 1) return ALWAYS;
  if (rate <= 0) return NEVER;
  return { isSampled: (traceId) => fraction(traceId) < rate };
}

/** The lower 64 bits as 0 <= value < 1, to 52 bits. */
function fraction(traceId: string): number {
  return Number.parseInt(traceId.slice(16, 29), 16) / 2 ** 52;
}

function parentBased(root: Sampler): Sampler {
  return {
    isSampled: (traceId, parent) =>
      parent === null ? root.isSampled(traceId, parent) : parent.isSampled,
  };
}

export interface SamplerSettings {
  /** Configured rate. */
  readonly rate: number;
  /** Every trace, whatever the rate: the stdout exporter. */
  readonly isAlways: boolean;
  /** OTEL_TRACES_SAMPLER and its ARG; '' when not set. */
  readonly name: string;
  readonly argument: string;
}

/** QP-159, with the argument honoured between 0 and 1 as well. */
export function createSampler({ rate, isAlways, name, argument }: SamplerSettings): Sampler {
  const given = argument.trim() === '' ? Number.NaN : Number(argument);
  if (name !== '') return samplerNamed(name, given >= 0 && given <= 1 ? given : 1);
  if (isAlways) return ALWAYS;
  const effective = Number.isNaN(given) ? rate : given;
  if (effective >= 1) return ALWAYS;
  return effective > 0 ? parentBased(ratio(effective)) : NEVER;
}

/** As the OpenTelemetry SDKs name them; an unknown name is their default. */
function samplerNamed(name: string, rate: number): Sampler {
  switch (name.trim().toLowerCase()) {
    case 'always_on':
      return ALWAYS;
    case 'always_off':
      return NEVER;
    case 'traceidratio':
      return ratio(rate);
    case 'parentbased_always_off':
      return parentBased(NEVER);
    case 'parentbased_traceidratio':
      return parentBased(ratio(rate));
    default:
      return parentBased(ALWAYS);
  }
}
