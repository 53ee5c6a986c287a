// What `apply` changes: members that are new or differ are set; members that the last apply had
// written and this one leaves out are removed; everything else on the live object is left alone.
// The answer is a JSON merge patch, so lists are replaced whole. Pure.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

/** The patch that turns `live` into what is wanted; null when nothing would change. */
export function threeWayPatch(
  lastApplied: JsonObject | null,
  wanted: JsonObject,
  live: JsonObject,
): JsonObject | null {
  const patch: JsonObject = {};
  for (const key of Object.keys(lastApplied ?? {})) {
    if (!(key in wanted) && key in live) patch[key] = null;
  }
  for (const [key, value] of Object.entries(wanted)) {
    const now = live[key];
    const before = lastApplied?.[key];
    if (isObject(value) && isObject(now)) {
      const inner = threeWayPatch(isObject(before) ? before : null, value, now);
      if (inner !== null) patch[key] = inner;
    } else if (now === undefined || !sameJson(now, value)) {
      // An empty object that the server does not store is no difference.
      if (value !== null || now !== undefined) patch[key] = value;
    }
  }
  return Object.keys(patch).length === 0 ? null : patch;
}

export function sameJson(a: Json, b: Json): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index] ?? null));
  }
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return (
      keys.length === Object.keys(b).length &&
      keys.every((key) => key in b && sameJson(a[key] ?? null, b[key] ?? null))
    );
  }
  return a === b;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
