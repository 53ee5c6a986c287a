// How many CPUs the container may use, from its cgroup (QP-16): more request threads than that only
// take turns. Reads version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`, `cpu.cfs_period_us`).
// Runs once, and only when more than one thread is asked for.

/** Contents of a file; null when it cannot be read. */
export type ReadText = (path: string) => string | null;

const V2_FILE = '/sys/fs/cgroup/cpu.max';
const V1_FOLDERS = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct'];

/** CPUs as a fraction, Infinity when nothing limits them. */
export function cpuQuota(read: ReadText): number {
  const v2 = read(V2_FILE);
  // Version 2 writes `max 100000` for no limit, which is no number and so no quota.
  if (v2 !== null) return quotient(...(v2.trim().split(/\s+/) as [string, string?]));
  for (const folder of V1_FOLDERS) {
    const quota = read(`${folder}/cpu.cfs_quota_us`);
    if (quota !== null) return quotient(quota, read(`${folder}/cpu.cfs_period_us`) ?? '');
  }
  return Number.POSITIVE_INFINITY;
}

/** Threads to run when `wanted` are asked for: a started CPU counts as one. */
export function threadsWithin(quota: number, wanted: number): number {
  return Math.max(1, Math.min(wanted, Math.ceil(quota)));
}

function quotient(quota: string, period = ''): number {
  const cpus = Number(quota) / Number(period || Number.NaN);
  return cpus > 0 && Number.isFinite(cpus) ? cpus : Number.POSITIVE_INFINITY;
}
