// The choice of engine: who is loaded when, and what happens where an engine cannot be.

import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createHttpServer, isHttpEngine } from './http-engine.ts';
import { ForwardingHandler, LIMITS, ProxyHarness } from './testing/harness.ts';
import { addressText } from './uws-address.ts';
import { EngineUnavailable, load } from './uws-module.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function isAddonLoaded(): boolean {
  const report = process.report.getReport() as unknown as { sharedObjects: string[] };
  return report.sharedObjects.some((path) => /uws_.*\.node$/.test(path));
}

describe('the engines', () => {
  it('net never loads the addon, uws does with listen', async () => {
    const net = new ProxyHarness();
    closers.push(() => net.stop());
    await net.start(1);
    expect(isAddonLoaded()).toBe(false);
    const deps = { limits: LIMITS, clock: systemClock, logger: silentLogger };
    const uws = createHttpServer('uws', new ForwardingHandler(), deps);
    closers.push(() => uws.close());
    expect([uws.connectionCount, uws.rejectedCount, isAddonLoaded()]).toEqual([0, 0, false]);
    await uws.listen({ host: '127.0.0.1', port: 0 });
    expect(isAddonLoaded()).toBe(true);
  });

  it('a server that never listened drains and closes', async () => {
    const deps = { limits: LIMITS, clock: systemClock, logger: silentLogger };
    const uws = createHttpServer('uws', new ForwardingHandler(), deps);
    await uws.drain();
    await uws.close();
  });

  it('are called net and uws', () => {
    expect(['net', 'uws', 'h2o', ''].map(isHttpEngine)).toEqual([true, true, false, false]);
  });

  it('threads of one process may share a port, strangers may not', async () => {
    const first = new ProxyHarness({ engine: 'uws' });
    const second = new ProxyHarness({ engine: 'uws' });
    closers.push(
      () => first.stop(),
      () => second.stop(),
    );
    await first.start(1);
    const where = { host: '127.0.0.1', port: first.port };
    await expect(second.server.listen(where)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(second.server.listen({ ...where, shared: true })).resolves.toEqual({
      port: first.port,
    });
  });

  it('an addon that cannot be loaded is one line with its code', async () => {
    const failing = () => Promise.reject(new Error('no binary\n\nfor this system'));
    const error: unknown = await load(1, failing).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EngineUnavailable);
    expect((error as EngineUnavailable).code).toBe('KN_ENGINE_UNAVAILABLE');
    expect((error as EngineUnavailable).message).toBe(
      'the uws engine cannot be loaded here, use net: no binary for this system',
    );
  });
});

describe('addresses', () => {
  const v6 = (...groups: number[]) =>
    new Uint8Array(groups.flatMap((group) => [group >> 8, group & 255])).buffer;
  it.each([
    ['IPv4', new Uint8Array([127, 0, 0, 1]).buffer, '127.0.0.1'],
    ['IPv4 in IPv6', v6(0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0102), '10.0.1.2'],
    ['loopback', v6(0, 0, 0, 0, 0, 0, 0, 1), '::1'],
    ['nothing to shorten', v6(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6), '2001:db8:1:2:3:4:5:6'],
    ['one zero stays', v6(0x2001, 0xdb8, 0, 1, 1, 1, 1, 1), '2001:db8:0:1:1:1:1:1'],
    ['the longest run goes', v6(0x2001, 0, 0, 1, 0, 0, 0, 1), '2001:0:0:1::1'],
    ['all zeros', v6(0, 0, 0, 0, 0, 0, 0, 0), '::'],
    ['nothing', new ArrayBuffer(0), ''],
  ])('%s', (_name, bytes, text) => {
    expect(addressText(bytes)).toBe(text);
  });
});
