// QP-16 with the files of both cgroup versions as they are found in containers.

import { describe, expect, it } from 'vitest';
import { cpuQuota, threadsWithin } from './cpu-quota.ts';

describe('CPU quota', () => {
  it.each<{ name: string; files: Record<string, string>; quota: number }>([
    { name: 'no cgroup', files: {}, quota: Number.POSITIVE_INFINITY },
    { name: 'v2, 1.5 CPUs', files: { 'cpu.max': '150000 100000\n' }, quota: 1.5 },
    {
      name: 'v2, unlimited',
      files: { 'cpu.max': 'max 100000\n' },
      quota: Number.POSITIVE_INFINITY,
    },
    { name: 'v2, nonsense', files: { 'cpu.max': '\n' }, quota: Number.POSITIVE_INFINITY },
    {
      name: 'v1, 4 CPUs',
      files: { 'cpu/cpu.cfs_quota_us': '400000\n', 'cpu/cpu.cfs_period_us': '100000\n' },
      quota: 4,
    },
    {
      name: 'v1, unlimited',
      files: { 'cpu/cpu.cfs_quota_us': '-1\n', 'cpu/cpu.cfs_period_us': '100000\n' },
      quota: Number.POSITIVE_INFINITY,
    },
    {
      name: 'v1 under its other name',
      files: {
        'cpu,cpuacct/cpu.cfs_quota_us': '25000',
        'cpu,cpuacct/cpu.cfs_period_us': '100000',
      },
      quota: 0.25,
    },
  ])('QP-16: $name', ({ files, quota }) => {
    expect(cpuQuota((path) => files[path.replace('/sys/fs/cgroup/', '')] ?? null)).toBe(quota);
  });

  it.each([
    [0.025, 4, 1],
    [1, 4, 1],
    [1.5, 4, 2],
    [8, 4, 4],
    [Number.POSITIVE_INFINITY, 3, 3],
  ])('QP-16: a quota of %d caps %d threads at %d', (quota, wanted, expected) => {
    expect(threadsWithin(quota, wanted)).toBe(expected);
  });
});
