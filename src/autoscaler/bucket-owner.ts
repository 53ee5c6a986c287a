// Which leader bucket a revision belongs to (AS-168, AS-169): consistent selection on a ring of
// 2048 points, so that every process agrees without talking. Pure; computed when ownership is asked
// for, not per request.

const RING_POINTS = 2048n;
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;
const MASK_64 = 0xffffffffffffffffn;
const ANGLE_SALT = 'start-angle-salt';

/** AS-168: `autoscaler-bucket-00-of-01`, … */
export function bucketNames(count: number): string[] {
  const total = String(count).padStart(2, '0');
  return Array.from(
    { length: count },
    (_, index) => `autoscaler-bucket-${String(index).padStart(2, '0')}-of-${total}`,
  );
}

/** `key` is `namespace/name`; `buckets` must not be empty. */
export function ownerOf(buckets: readonly string[], key: string): string {
  const sorted = [...buckets].sort();
  if (sorted.length === 1) return sorted[0]!;
  const angle = fnv1a64(key + ANGLE_SALT) % RING_POINTS;
  const points = placeBuckets(sorted, key);
  const ordered = [...points.keys()].sort((a, b) => (a < b ? -1 : 1));
  const next = ordered.find((point) => point >= angle) ?? ordered[0]!;
  return points.get(next)!;
}

function placeBuckets(sorted: readonly string[], key: string): Map<bigint, string> {
  const points = new Map<bigint, string>();
  for (const bucket of sorted) {
    let text = bucket + key;
    let hash = fnv1a64(text);
    while (points.has(hash % RING_POINTS)) {
      text += hash.toString(16);
      hash = fnv1a64(text);
    }
    points.set(hash % RING_POINTS, bucket);
  }
  return points;
}

function fnv1a64(text: string): bigint {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash = ((hash ^ BigInt(byte)) * FNV_PRIME) & MASK_64;
  }
  return hash;
}
