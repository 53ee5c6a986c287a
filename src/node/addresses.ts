// Gives every pod an address and its ports. On Linux that is an address of its own in 127.0.0.0/8
// on which the standard ports are free; where a wildcard listener holds one of them, and on systems
// that answer only on 127.0.0.1, it is 127.0.0.1 with whatever ports are free. Nobody downstream
// may care: Endpoints carry the real ports. User ports come from below the ephemeral range, so that
// an outgoing connection never takes the port an app is about to listen on. One verified address is
// kept ready, because a pod that wakes should not wait for seven test binds.

/** What can be known about sockets; real binds in production, a table in tests. */
export interface PortProbe {
  canBind(host: string, port: number): Promise<boolean>;
  freePort(host: string): Promise<number>;
}

export interface PodAddress {
  ip: string;
  /** Container port -> port on `ip`, for every port the pod needs. */
  ports: Readonly<Record<number, number>>;
}

export interface AddressRequest {
  /** Ports the sidecar listens on; empty for a pod without one. */
  standardPorts: readonly number[];
  /** The app's container port. */
  userPort: number;
}

/** Everything a queue-proxy may listen on (RC-100), verified together. */
export const SIDECAR_PORTS = [8012, 8013, 8022, 8112, 9090, 9091] as const;
export const LOOPBACK = '127.0.0.1';
const USER_PORT_FIRST = 20_000;
const USER_PORT_LAST = 31_999;
/** Own addresses tried for a pod; then it shares 127.0.0.1 on free ports. */
const MAX_ADDRESS_ATTEMPTS = 8;
const MAX_PORT_ATTEMPTS = 2_000;

export class AddressAllocator {
  readonly #ownAddresses: boolean;
  readonly #probe: PortProbe;
  readonly #random: () => number;
  readonly #usedIps = new Set<string>();
  readonly #usedPorts = new Set<number>();
  #nextUserPort: number;
  #spare: Promise<string | null> | null = null;

  /** `ownAddresses`: whether the system answers on all of 127.0.0.0/8 (Linux does). */
  constructor(options: { ownAddresses: boolean; probe: PortProbe; random: () => number }) {
    this.#ownAddresses = options.ownAddresses;
    this.#probe = options.probe;
    this.#random = options.random;
    const span = USER_PORT_LAST - USER_PORT_FIRST + 1;
    this.#nextUserPort = USER_PORT_FIRST + Math.floor(options.random() * span);
  }

  /** Verifies one address in advance. */
  prepare(): void {
    if (this.#ownAddresses) this.#spare ??= this.#findOwnAddress();
  }

  /** Rejects when no user port is free. */
  async allocate(request: AddressRequest): Promise<PodAddress> {
    // Taken before anything is awaited: two pods that start together must not both get it.
    this.prepare();
    const spare = this.#spare;
    this.#spare = null;
    this.prepare();
    const ip = await spare;
    const userPort = await this.#findUserPort();
    const ports: Record<number, number> = { [request.userPort]: userPort };
    for (const port of request.standardPorts) {
      ports[port] = ip === null ? await this.#findFreePort() : port;
    }
    return { ip: ip ?? LOOPBACK, ports };
  }

  /** Marks the address of a pod found after a restart as taken. */
  adopt(address: PodAddress): void {
    if (address.ip !== LOOPBACK) this.#usedIps.add(address.ip);
    for (const port of Object.values(address.ports)) this.#usedPorts.add(port);
  }

  release(address: PodAddress): void {
    this.#usedIps.delete(address.ip);
    for (const port of Object.values(address.ports)) this.#usedPorts.delete(port);
  }

  /** Null: some standard port is held by a wildcard listener, so no address would do. */
  async #findOwnAddress(): Promise<string | null> {
    for (let attempt = 0; attempt < MAX_ADDRESS_ATTEMPTS; attempt++) {
      const ip = this.#randomAddress();
      if (this.#usedIps.has(ip)) continue;
      this.#usedIps.add(ip);
      const free = await Promise.all(SIDECAR_PORTS.map((port) => this.#probe.canBind(ip, port)));
      if (free.every(Boolean)) return ip;
      this.#usedIps.delete(ip);
    }
    return null;
  }

  /** 127.16.0.1 to 127.239.255.254: away from the addresses people give to things themselves. */
  #randomAddress(): string {
    const byte = (low: number, high: number) => low + Math.floor(this.#random() * (high - low + 1));
    return `127.${byte(16, 239)}.${byte(0, 255)}.${byte(1, 254)}`;
  }

  async #findUserPort(): Promise<number> {
    for (let attempt = 0; attempt < MAX_PORT_ATTEMPTS; attempt++) {
      const port = this.#nextUserPort;
      this.#nextUserPort = port === USER_PORT_LAST ? USER_PORT_FIRST : port + 1;
      if (this.#usedPorts.has(port)) continue;
      this.#usedPorts.add(port);
      if (await this.#probe.canBind('0.0.0.0', port)) return port;
      this.#usedPorts.delete(port);
    }
    throw new Error(`no free port between ${USER_PORT_FIRST} and ${USER_PORT_LAST} for the app`);
  }

  async #findFreePort(): Promise<number> {
    for (let attempt = 0; attempt < MAX_PORT_ATTEMPTS; attempt++) {
      const port = await this.#probe.freePort(LOOPBACK);
      if (this.#usedPorts.has(port)) continue;
      this.#usedPorts.add(port);
      return port;
    }
    throw new Error('no free port on 127.0.0.1 for the sidecar');
  }
}

export function formatPortMap(address: PodAddress): string {
  return JSON.stringify(address.ports);
}

/** Undefined when the pod has no address of ours. */
export function parsePortMap(
  ip: string | undefined,
  annotation: string | undefined,
): PodAddress | undefined {
  if (ip === undefined || ip === '' || annotation === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(annotation);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const ports: Record<number, number> = {};
  for (const [key, value] of Object.entries(parsed)) {
    if (typeof value === 'number') ports[Number(key)] = value;
  }
  return { ip, ports };
}
