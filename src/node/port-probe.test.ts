// Whether a port is free, asked of the real system.

import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { systemPorts, tryBind } from './port-probe.ts';

async function listening(host: string): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

it.each(['127.0.0.1', '0.0.0.0'])('a port somebody listens on at %s is taken', async (host) => {
  const { port, close } = await listening(host);
  expect(await tryBind('127.0.0.1', port)).toBe('EADDRINUSE');
  expect(await tryBind('0.0.0.0', port)).toBe('EADDRINUSE');
  expect(await systemPorts.canBind('127.0.0.1', port)).toBe(false);
  await close();
  expect(await tryBind('127.0.0.1', port)).toBe(port);
});

it('an address that is not ours says so', async () => {
  expect(await tryBind('192.0.2.1', 0)).toBe('EADDRNOTAVAIL');
});

it('host names and IPv6 are asked the long way', async () => {
  const { port, close } = await listening('127.0.0.1');
  expect(await tryBind('localhost', port)).toBe('EADDRINUSE');
  await close();
});

it('any free port is one nobody holds, and it can be had', async () => {
  const port = await systemPorts.freePort('127.0.0.1');
  expect(await systemPorts.canBind('127.0.0.1', port)).toBe(true);
});
