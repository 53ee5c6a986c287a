// Which pods count as usable, as a timeline of Endpoints and probe answers (ACT-82 to ACT-101).

import { describe, expect, it } from 'vitest';
import { readActivatorAddresses, readDestinations } from './destinations.ts';
import { ProbeOutcome } from './pod-probes.ts';
import { watch } from './testing/fake-prober.ts';

const [A, B] = ['127.0.0.1:1', '127.0.0.2:1'] as const;
const FAR = '10.0.0.1:1';

describe('pod watcher', () => {
  it('ACT-81, ACT-82: asks every listed pod at once, ready or not', () => {
    const { prober, update } = watch();
    update([A], [B]);
    expect(prober.asked).toEqual([A, B]);
  });

  it('ACT-98: a pod that answers is used, before Kubernetes calls it ready', () => {
    const { prober, emitted, update } = watch();
    update([], [A]);
    prober.answer(A, ProbeOutcome.READY);
    expect(emitted).toEqual([A]);
  });

  it('ACT-94: without the optimisation only ready pods are used', () => {
    const { prober, emitted, update } = watch({ earlyReady: false });
    update([], [A]);
    expect(prober.asked).toEqual([]);
    update([A], []);
    prober.answer(A, ProbeOutcome.READY);
    expect(emitted).toEqual([A]);
  });

  it('ACT-97: one slow pod hides nobody', () => {
    const { prober, emitted, update } = watch();
    update([A, B]);
    prober.answer(B, ProbeOutcome.READY);
    expect(emitted).toEqual([B]);
    prober.answer(A, ProbeOutcome.READY);
    expect(emitted).toEqual([B, `${A} ${B}`]);
  });

  it('asks again within milliseconds toward loopback, then ever more slowly', () => {
    const { clock, prober, update } = watch();
    update([A]);
    const delays: number[] = [];
    for (let attempt = 0; attempt < 10; attempt++) {
      prober.answer(A, ProbeOutcome.UNREACHABLE);
      const from = clock.monotonicMs();
      while (!prober.open.has(A)) clock.advance(0.5);
      delays.push(Math.round(clock.monotonicMs() - from));
    }
    expect(delays).toEqual([2, 3, 5, 7, 11, 16, 23, 35, 50, 50]);
  });

  it('ACT-5: asks every 200 ms toward other machines, and for pods long in the list', () => {
    for (const [dest, ageMs] of [
      [FAR, 0],
      [A, 6_000],
    ] as const) {
      const { clock, prober, update } = watch();
      update([dest]);
      clock.advance(ageMs);
      prober.answer(dest, ProbeOutcome.NOT_READY);
      clock.advance(199);
      expect(prober.asked.length).toBe(1);
      clock.advance(1);
      expect(prober.asked.length).toBe(2);
    }
  });

  it('QP-104: a probe that timed out is asked again at once', () => {
    const { prober, update } = watch();
    update([A]);
    prober.answer(A, ProbeOutcome.TIMED_OUT);
    expect(prober.asked).toEqual([A, A]);
  });

  it('an Endpoints event does not wait for the next retry', () => {
    const { clock, prober, update } = watch();
    update([], [FAR]);
    prober.answer(FAR, ProbeOutcome.UNREACHABLE);
    clock.advance(10);
    update([FAR]);
    expect(prober.asked).toEqual([FAR, FAR]);
  });

  it('ACT-83: a healthy pod is not asked again', () => {
    const { clock, prober, update } = watch();
    update([A]);
    prober.answer(A, ProbeOutcome.READY);
    update([A, B]);
    prober.answer(B, ProbeOutcome.READY);
    clock.advance(10_000);
    expect(prober.asked).toEqual([A, B]);
  });

  it('ACT-84, ACT-101: a pod that leaves the list stops counting at once, the last one too', () => {
    const { prober, emitted, update } = watch();
    update([A, B]);
    prober.answer(A, ProbeOutcome.READY);
    prober.answer(B, ProbeOutcome.READY);
    update([B]);
    update([]);
    expect(emitted).toEqual([A, `${A} ${B}`, B, '']);
  });

  it('ACT-85, ACT-92: a pod that became unready has to answer again, once', () => {
    const { prober, emitted, update } = watch();
    update([A]);
    prober.answer(A, ProbeOutcome.READY);
    update([], [A]);
    expect(emitted).toEqual([A, '']);
    prober.answer(A, ProbeOutcome.READY);
    expect(emitted).toEqual([A, '', A]);
  });

  it('ACT-98: a second pod that fails changes nothing', () => {
    const { prober, emitted, update } = watch();
    update([A]);
    prober.answer(A, ProbeOutcome.READY);
    update([A, B]);
    prober.answer(B, ProbeOutcome.NOT_READY);
    expect(emitted).toEqual([A]);
  });

  it('a suspect pod is out until it answers', () => {
    const { prober, emitted, watcher, update } = watch();
    update([A]);
    prober.answer(A, ProbeOutcome.READY);
    watcher.suspect(A);
    watcher.suspect(A);
    expect(emitted).toEqual([A, '']);
    expect(prober.asked).toEqual([A, A]);
    prober.answer(A, ProbeOutcome.READY);
    expect(emitted).toEqual([A, '', A]);
  });

  it('a probe of a pod that left is cancelled', () => {
    const { clock, prober, emitted, update } = watch();
    update([A]);
    update([]);
    expect(prober.open.size).toBe(0);
    expect(prober.forgotten).toEqual([A]);
    expect(emitted).toEqual([]);
    expect(clock.pendingCount).toBe(0);
  });

  it('ACT-98, ACT-103: a stopped watcher is silent', () => {
    const { prober, emitted, watcher, update } = watch();
    update([A]);
    watcher.stop();
    prober.answer(A, ProbeOutcome.READY);
    update([B]);
    expect([emitted, prober.asked]).toEqual([[], [A]]);
  });
});

describe('addresses in Endpoints', () => {
  const endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'hello-private' },
    subsets: [
      {
        addresses: [{ ip: '128.0.0.1' }, { ip: '128.0.0.2' }],
        notReadyAddresses: [{ ip: '128.0.0.3' }, { ip: 'fd00::1' }],
        ports: [
          { name: 'http-istio', port: 9 },
          { name: 'http', port: 1234 },
        ],
      },
      { addresses: [{ ip: '128.0.0.9' }], ports: [{ name: 'other-protocol', port: 1 }] },
    ],
  };

  it('ACT-78: the port is found by name, other subsets are ignored', () => {
    const { ready, notReady } = readDestinations(endpoints, 'http');
    expect([...ready]).toEqual(['128.0.0.1:1234', '128.0.0.2:1234']);
    expect([...notReady]).toEqual(['128.0.0.3:1234', '[fd00::1]:1234']);
  });

  it('ACT-70: not-ready activators do not count', () => {
    expect(readActivatorAddresses(endpoints, 'http')).toEqual(['128.0.0.1', '128.0.0.2']);
    expect(readActivatorAddresses(endpoints, 'http2')).toEqual([]);
  });
});
