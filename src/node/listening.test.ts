// Where an app listens, from the kernel's tables.

import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { groupOf, listeningPorts, portsOf, wrongPortMessage } from './listening.ts';

describe('listening ports', () => {
  it('reads the process group past any process name', () => {
    expect(groupOf('4711 (a) b (c) S 1 4242 4242 0 -1')).toBe(4242);
  });

  it('takes listeners only, and only those of the process', () => {
    const table = [
      '0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 1000 0 11 1',
      '1: 0100007F:1F91 0100007F:9999 01 0:0 0:0 0 1000 0 12 1',
      '2: 00000000:0050 00000000:0000 0A 0:0 0:0 0 1000 0 13 1',
    ].join('\n');
    expect(portsOf(table, new Set(['11', '12']))).toEqual([8080]);
  });

  it.runIf(process.platform === 'linux')('finds a real listener', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { readFileSync } = await import('node:fs');
    const group = groupOf(readFileSync('/proc/self/stat', 'latin1'));
    expect(listeningPorts(group)).toContain(port);
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ['nowhere yet', [], null],
    ['where it should, and elsewhere too', [9229, 20_001], null],
    ['elsewhere', [3000], 'listens on port 3000 and not on 20001'],
    ['on several others', [3000, 3001], 'listens on ports 3000, 3001'],
  ])('an app that listens %s', (_name, ports, expected) => {
    const message = wrongPortMessage(ports, 20_001);
    if (expected === null) expect(message).toBeNull();
    else expect(message).toContain(expected);
  });
});
