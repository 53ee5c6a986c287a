// The drain under fake time, QP-113 to QP-116.

import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { Drainer } from './drainer.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp() {
  const clock = new FakeClock();
  const drainer = new Drainer(clock, 30_000);
  const ended: string[] = [];
  const drain = (name: string) => void drainer.drain().then(() => ended.push(name));
  const advance = async (ms: number) => {
    clock.advance(ms);
    await turn();
  };
  return { clock, drainer, ended, drain, advance };
}

describe('drainer', () => {
  it('QP-113: a quiet drain ends after the quiet period, not before', async () => {
    const { drainer, ended, drain, advance } = setUp();
    drain('first');
    expect(drainer.draining).toBe(true);
    await advance(29_999);
    expect(ended).toEqual([]);
    await advance(1);
    expect(ended).toEqual(['first']);
  });

  it('QP-113: each arrival starts the quiet period anew', async () => {
    const { clock, drainer, ended, drain, advance } = setUp();
    drain('first');
    for (let arrival = 0; arrival < 5; arrival += 1) {
      await advance(20_000);
      drainer.onArrival(clock.monotonicMs());
    }
    await advance(29_999);
    expect(ended).toEqual([]);
    await advance(1);
    expect(ended).toEqual(['first']);
  });

  it('QP-113: once drained it stays draining and further calls return at once', async () => {
    const { drainer, ended, drain, advance } = setUp();
    drain('first');
    await advance(30_000);
    expect(drainer.draining).toBe(true);
    drain('second');
    await turn();
    expect(ended).toEqual(['first', 'second']);
  });

  it('QP-115: all callers wait for the same event', async () => {
    const { ended, drain, advance } = setUp();
    drain('first');
    await advance(20_000);
    drain('second');
    await advance(9_999);
    expect(ended).toEqual([]);
    await advance(1);
    expect(ended).toEqual(['first', 'second']);
  });

  it('QP-115: reset releases everyone, is idempotent, and the next drain waits in full', async () => {
    const { clock, drainer, ended, drain, advance } = setUp();
    drain('first');
    await advance(29_000);
    drainer.reset();
    drainer.reset();
    await turn();
    expect(ended).toEqual(['first']);
    expect(drainer.draining).toBe(false);
    expect(clock.pendingCount).toBe(0);
    drain('second');
    await advance(29_999);
    expect(ended).toEqual(['first']);
    await advance(1);
    expect(ended).toEqual(['first', 'second']);
  });
});
