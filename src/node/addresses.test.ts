// Address and port allocation, with a table in place of the machine's sockets.

import { describe, expect, it } from 'vitest';
import { AddressAllocator, formatPortMap, type PortProbe, parsePortMap } from './addresses.ts';

function fakePorts(taken: (host: string, port: number) => boolean): PortProbe {
  let free = 40_000;
  return {
    canBind: async (host, port) => !taken(host, port),
    freePort: async () => {
      free += 1;
      return free;
    },
  };
}

/** Cycles through fixed values, so that addresses are known and still differ. */
function sequence(): () => number {
  let step = 0;
  return () => {
    step += 1;
    return (step * 0.137) % 1;
  };
}

const request = { standardPorts: [8012, 9090, 8022], userPort: 8080 };

describe('AddressAllocator', () => {
  it('gives each pod its own loopback address with the standard ports', async () => {
    const allocator = new AddressAllocator({
      ownAddresses: true,
      probe: fakePorts(() => false),
      random: sequence(),
    });
    const first = await allocator.allocate(request);
    const second = await allocator.allocate(request);
    expect(first.ip).toMatch(/^127\.\d+\.\d+\.\d+$/);
    expect(first.ip).not.toBe('127.0.0.1');
    expect(first.ip).not.toBe(second.ip);
    expect(first.ports[8012]).toBe(8012);
    expect(first.ports[9090]).toBe(9090);
    expect(first.ports[8080]).not.toBe(second.ports[8080]);
  });

  it('gives pods that start together different addresses and ports', async () => {
    const allocator = new AddressAllocator({
      ownAddresses: true,
      probe: fakePorts(() => false),
      random: sequence(),
    });
    const addresses = await Promise.all([1, 2, 3, 4].map(() => allocator.allocate(request)));
    expect(new Set(addresses.map(({ ip }) => ip)).size).toBe(4);
    expect(new Set(addresses.map(({ ports }) => ports[8080])).size).toBe(4);
  });

  it('takes the user port from below the ephemeral range and skips taken ones', async () => {
    const busy = new Set<number>();
    const allocator = new AddressAllocator({
      ownAddresses: true,
      probe: fakePorts((host, port) => host === '0.0.0.0' && busy.has(port)),
      random: () => 0,
    });
    busy.add(20_000);
    busy.add(20_001);
    const { ports } = await allocator.allocate(request);
    expect(ports[8080]).toBe(20_002);
  });

  it('falls back to 127.0.0.1 with free ports when a wildcard listener holds a standard one', async () => {
    const allocator = new AddressAllocator({
      ownAddresses: true,
      probe: fakePorts((_host, port) => port === 9090),
      random: sequence(),
    });
    const address = await allocator.allocate(request);
    expect(address.ip).toBe('127.0.0.1');
    expect(address.ports[9090]).toBeGreaterThan(40_000);
    expect(new Set(Object.values(address.ports)).size).toBe(4);
  });

  it('never uses own addresses where the system has only 127.0.0.1', async () => {
    const allocator = new AddressAllocator({
      ownAddresses: false,
      probe: fakePorts(() => false),
      random: sequence(),
    });
    expect((await allocator.allocate(request)).ip).toBe('127.0.0.1');
  });

  it('keeps adopted addresses apart and reuses released ones', async () => {
    const allocator = new AddressAllocator({
      ownAddresses: false,
      probe: fakePorts(() => false),
      random: () => 0,
    });
    const adopted = { ip: '127.0.0.1', ports: { 8080: 20_000 } };
    allocator.adopt(adopted);
    const next = await allocator.allocate({ standardPorts: [], userPort: 8080 });
    expect(next.ports[8080]).toBe(20_001);
    allocator.release(next);
    const again = await allocator.allocate({ standardPorts: [], userPort: 8080 });
    expect(again.ports[8080]).toBe(20_002);
  });
});

describe('port map annotation', () => {
  it('survives the way through the API', () => {
    const address = { ip: '127.20.0.1', ports: { 8012: 8012, 8080: 20_001 } };
    expect(parsePortMap(address.ip, formatPortMap(address))).toEqual(address);
  });

  it.each([
    ['no address yet', undefined, '{}'],
    ['no annotation', '127.0.0.1', undefined],
    ['damaged annotation', '127.0.0.1', '{"80'],
  ])('is nothing when there is %s', (_name, ip, annotation) => {
    expect(parsePortMap(ip, annotation)).toBeUndefined();
  });
});
