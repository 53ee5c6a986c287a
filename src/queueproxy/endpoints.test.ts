// The stats, metrics and admin servers without sockets: QP-41 to QP-43, QP-117, QP-145.

import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { metricsEndpoint } from '../proxy/endpoint.ts';
import { RequestAccounting } from '../proxy/request-accounting.ts';
import { ScriptedExchange } from '../proxy/testing/scripted-exchange.ts';
import type { ExchangeHandler } from '../proxy/types.ts';
import { decodeStat, emptyStat } from '../wire/stat.ts';
import { Drainer } from './drainer.ts';
import { drainEndpoint, statsEndpoint } from './endpoints.ts';
import { StatReporter } from './stat-reporter.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const get = (handler: ExchangeHandler, target: string, method = 'GET') =>
  new ScriptedExchange(handler, { target, method }).arrive();

describe('stats endpoint', () => {
  function setUp(periodMs?: number) {
    const clock = new FakeClock();
    const accounting = new RequestAccounting(0);
    const endpoint = statsEndpoint(new StatReporter('pod-1', accounting, clock, periodMs));
    const scrape = () => decodeStat(get(endpoint, '/metrics').answerBody as Uint8Array);
    return { clock, accounting, endpoint, scrape };
  }

  it('QP-43: before the first report there is only the pod name', () => {
    expect(setUp().scrape()).toEqual(emptyStat('pod-1'));
  });

  it('QP-41: the content type has no parameters, and other paths are 404', () => {
    const { endpoint } = setUp();
    const good = get(endpoint, '/metrics?x=1', 'POST');
    expect([good.responseStatus, good.answerHeaders]).toEqual([
      200,
      'Content-Type: application/protobuf\r\n',
    ]);
    const bad = get(endpoint, '/metrics/');
    expect([bad.responseStatus, bad.answerBody]).toEqual([404, '404 page not found\n']);
  });

  it('QP-39: reports run every second and reading resets nothing', () => {
    const { clock, accounting, scrape } = setUp();
    accounting.arrive(0, false);
    accounting.depart(500, false);
    clock.advance(1000);
    const first = scrape();
    expect(first).toEqual({
      ...emptyStat('pod-1'),
      averageConcurrentRequests: 0.5,
      requestCount: 1,
      processUptime: 1,
    });
    clock.advance(999);
    expect(scrape()).toEqual(first);
    clock.advance(1);
    expect(scrape()).toEqual({ ...emptyStat('pod-1'), processUptime: 2 });
  });

  it('QP-39: counts are per second of the period', () => {
    const { clock, accounting, scrape } = setUp(10_000);
    for (let arrival = 0; arrival < 39; arrival += 1) accounting.arrive(0, arrival < 15);
    clock.advance(10_000);
    expect(scrape()).toMatchObject({ requestCount: 3.9, proxiedRequestCount: 1.5 });
  });
});

describe('drain endpoint', () => {
  function setUp(terminating: boolean) {
    const clock = new FakeClock();
    const drainer = new Drainer(clock, 30_000);
    const endpoint = drainEndpoint(drainer, clock, () => terminating);
    return { clock, drainer, endpoint };
  }

  it('QP-117: without a signal the call returns after a second and readiness recovers', async () => {
    const { clock, drainer, endpoint } = setUp(false);
    const call = get(endpoint, '/wait-for-drain');
    clock.advance(999);
    await turn();
    expect([call.ended, drainer.draining]).toEqual([false, true]);
    clock.advance(1);
    await turn();
    expect([call.responseStatus, call.answerBody, drainer.draining]).toEqual([200, '', false]);
  });

  it('QP-117: while terminating the call returns when the drain ends', async () => {
    const { clock, drainer, endpoint } = setUp(true);
    const call = get(endpoint, '/wait-for-drain');
    clock.advance(29_999);
    await turn();
    expect(call.ended).toBe(false);
    clock.advance(1);
    await turn();
    expect([call.responseStatus, drainer.draining]).toEqual([200, true]);
    const late = get(endpoint, '/wait-for-drain');
    await turn();
    expect(late.responseStatus).toBe(200);
  });

  it('QP-117: every other path is 404', () => {
    const call = get(setUp(true).endpoint, '/');
    expect([call.responseStatus, call.answerBody]).toEqual([404, '404 page not found\n']);
  });
});

describe('metrics endpoint', () => {
  it('QP-145: only GET and HEAD of /metrics', async () => {
    const endpoint = metricsEndpoint({ render: async () => 'text' });
    const scraped = get(endpoint, '/metrics');
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect([scraped.answerBody, scraped.answerHeaders]).toEqual([
      'text',
      'Content-Type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n',
    ]);
    const post = get(endpoint, '/metrics', 'POST');
    expect(post.responseStatus).toBe(405);
    expect(post.answerHeaders).toContain('Allow: GET, HEAD\r\n');
    expect(get(endpoint, '/').responseStatus).toBe(404);
  });
});
