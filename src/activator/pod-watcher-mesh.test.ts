// What the pod watcher does where a mesh may stand between the activator and the pods: ACT-85 to
// ACT-91 and the rows of ACT-97 to ACT-100, as timelines of Endpoints and answers.

import { describe, expect, it } from 'vitest';
import { DEFAULT_DISCOVERY } from './discovery-settings.ts';
import { ProbeOutcome } from './pod-probes.ts';
import { watch } from './testing/fake-prober.ts';

const { READY, NOT_READY, UNREACHABLE, TIMED_OUT, NOT_MESH } = ProbeOutcome;
const [P, Q] = ['10.0.0.1:8012', '10.0.0.2:8012'] as const;
const C = '10.96.0.5:80';
const period = DEFAULT_DISCOVERY.probePeriodMs;
const service = () => ({ dest: C as string | null });

describe('mesh mode auto (ACT-98)', () => {
  it('a pod that answers 503 for ever behind a ClusterIP that answers: the ClusterIP', () => {
    const { prober, emitted, update } = watch({ service: service() });
    update([P]);
    expect(prober.asked).toEqual([P]);
    prober.answer(P, NOT_READY);
    prober.answer(C, READY);
    expect(emitted).toEqual([`${C} <- ${P}`]);
  });

  it('ACT-90: the ClusterIP is asked again until it answers', () => {
    const { clock, prober, emitted, update } = watch({ service: service() });
    update([P]);
    prober.answer(P, UNREACHABLE);
    prober.answer(C, UNREACHABLE);
    clock.advance(period);
    prober.answer(P, TIMED_OUT);
    prober.answer(C, READY);
    expect(emitted).toEqual([`${C} <- ${P}`]);
    clock.advance(10 * period);
    expect([prober.open.size, clock.pendingCount]).toEqual([0, 0]);
  });

  it('only pods Kubernetes calls ready are behind it', () => {
    const { prober, emitted, update } = watch({ service: service() });
    update([P], [Q]);
    prober.answer(P, NOT_READY);
    expect(prober.open.has(C)).toBe(false);
    prober.answer(Q, NOT_READY);
    prober.answer(C, READY);
    expect(emitted).toEqual([`${C} <- ${P}`]);
  });

  it('ACT-93: any other answer of a pod forbids the ClusterIP', () => {
    const { clock, prober, emitted, update } = watch({ service: service() });
    update([P, Q]);
    prober.answer(P, NOT_MESH);
    prober.answer(Q, NOT_READY);
    clock.advance(period);
    prober.answer(Q, NOT_READY);
    expect(prober.asked).not.toContain(C);
    prober.answer(P, READY);
    expect(emitted).toEqual([P]);
  });

  it('a pod that answers while the ClusterIP is asked wins', () => {
    const { clock, prober, emitted, update } = watch({ service: service() });
    update([P]);
    prober.answer(P, NOT_READY);
    expect(prober.open.has(C)).toBe(true);
    clock.advance(period);
    prober.answer(P, READY);
    expect(prober.open.has(C)).toBe(false);
    expect(emitted).toEqual([P]);
  });

  it('nothing answers: nothing is said', () => {
    const { clock, prober, emitted, update } = watch({ service: service() });
    update([P]);
    for (let round = 0; round < 5; round++) {
      prober.answer(P, round % 2 === 0 ? NOT_READY : UNREACHABLE);
      prober.answer(C, NOT_READY);
      clock.advance(period);
    }
    expect(emitted).toEqual([]);
  });

  it('an event in the list starts the verdict over', () => {
    const { prober, update } = watch({ service: service() });
    update([], [P]);
    prober.answer(P, NOT_READY);
    expect(prober.open.has(C)).toBe(true);
    update([P]);
    expect(prober.open.has(C)).toBe(false);
    expect(prober.open.has(P)).toBe(true);
  });
});

describe('the ClusterIP', () => {
  function chosen() {
    const address = service();
    const watched = watch({ service: address });
    watched.update([P]);
    watched.prober.answer(P, NOT_READY);
    watched.prober.answer(C, READY);
    watched.emitted.length = 0;
    watched.prober.asked.length = 0;
    return { address, ...watched };
  }

  it('ACT-89: once it answered, changes in the list are passed on unasked', () => {
    const { prober, emitted, update } = chosen();
    update([P, Q]);
    update([Q], [P]);
    expect(emitted).toEqual([`${C} <- ${P} ${Q}`, `${C} <- ${Q}`]);
    expect(prober.asked).toEqual([]);
  });

  it('ACT-91: is kept across zero, but has to answer again', () => {
    const { prober, emitted, update } = chosen();
    update([]);
    expect(emitted).toEqual(['']);
    update([P]);
    expect(prober.asked).toEqual([C]);
    prober.answer(C, READY);
    expect(emitted).toEqual(['', `${C} <- ${P}`]);
  });

  it('ACT-88: is looked up anew when the Service is recreated', () => {
    const { address, emitted, watcher, update } = chosen();
    address.dest = '10.96.0.77:80';
    watcher.serviceChanged();
    address.dest = null;
    update([P, Q]);
    expect(emitted).toEqual([`10.96.0.77:80 <- ${P}`]);
  });

  it('a Service that appears late is asked when it does, and not before', () => {
    const address: { dest: string | null } = { dest: null };
    const { clock, prober, watcher, update } = watch({ service: address });
    update([P]);
    prober.answer(P, NOT_READY);
    clock.advance(period);
    prober.answer(P, NOT_READY);
    address.dest = C;
    watcher.serviceChanged();
    expect(prober.asked).toEqual([P, P, C]);
  });

  it('a stopped watcher lets go of everything', () => {
    const { clock, prober, emitted, watcher, update } = watch({ service: service() });
    update([P]);
    prober.answer(P, NOT_READY);
    watcher.stop();
    watcher.serviceChanged();
    expect([emitted, clock.pendingCount, prober.open.size]).toEqual([[], 0, 0]);
    expect(prober.forgotten).toEqual([P, C]);
  });
});

describe('mesh mode enabled (ACT-99)', () => {
  it('pods are never asked', () => {
    const { prober, emitted, update } = watch({ meshMode: 'enabled', service: service() });
    update([P], [Q]);
    expect(prober.asked).toEqual([C]);
    prober.answer(C, READY);
    expect(emitted).toEqual([`${C} <- ${P}`]);
  });

  it('ACT-100: with pod addressability nothing is ever used', () => {
    const options = { meshMode: 'enabled', podAddressability: true, service: service() } as const;
    const { clock, prober, emitted, update } = watch(options);
    update([P]);
    clock.advance(10 * period);
    expect([prober.asked, emitted]).toEqual([[], []]);
  });
});

describe('mesh mode disabled (ACT-97, ACT-99)', () => {
  it('ready pods are used unasked, others once they answer; never the ClusterIP', () => {
    const { prober, emitted, update } = watch({ meshMode: 'disabled', service: service() });
    update([P], [Q]);
    expect(emitted).toEqual([P]);
    expect(prober.asked).toEqual([Q]);
    prober.answer(Q, READY);
    expect(emitted).toEqual([P, `${P} ${Q}`]);
  });

  it('ACT-87: a pod that is not ready and fails is no reason for the ClusterIP', () => {
    const { clock, prober, emitted, update } = watch({ meshMode: 'disabled', service: service() });
    update([], [P]);
    prober.answer(P, NOT_READY);
    clock.advance(period);
    prober.answer(P, READY);
    expect([prober.asked, emitted]).toEqual([[P, P], [P]]);
  });

  it('row 7: an addition that no probe brought is a change', () => {
    const { prober, emitted, update } = watch({ meshMode: 'disabled', earlyReady: false });
    update([P]);
    update([P, Q], ['10.0.0.3:8012']);
    expect([emitted, prober.asked]).toEqual([[P, `${P} ${Q}`], []]);
  });

  it('row 8: so is a removal', () => {
    const { emitted, update } = watch({ meshMode: 'disabled' });
    update([P, Q]);
    update([P]);
    expect(emitted).toEqual([`${P} ${Q}`, P]);
  });

  it('a pod that turns ready while it is asked is used at once', () => {
    const { prober, emitted, update } = watch({ meshMode: 'disabled' });
    update([], [P]);
    update([P]);
    expect(emitted).toEqual([P]);
    expect(prober.open.size).toBe(0);
  });
});

describe('pod addressability (ACT-95, ACT-86)', () => {
  it('asks in the name of the private Service and never falls back', () => {
    const { clock, prober, emitted, update } = watch({
      podAddressability: true,
      passthroughHost: 'hello-private.default',
      service: service(),
    });
    update([P]);
    prober.answer(P, NOT_READY);
    clock.advance(period);
    prober.answer(P, READY);
    expect(prober.asked).toEqual([P, P]);
    expect(new Set(prober.hosts)).toEqual(new Set(['hello-private.default']));
    expect(emitted).toEqual([P]);
  });
});
