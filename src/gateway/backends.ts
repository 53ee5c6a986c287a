// Where the gateway sends requests: a Backend per Service port in use, with the ready addresses
// behind it (ING-72, ING-73, ING-86). A change of Endpoints replaces one array; routes and requests
// under way are not touched, which is what makes the switch between activator and pods seamless
// (ING-71). Addresses are shared between backends, so the load of one activator is seen whole.
// Invariant: an address exists exactly while a backend lists it. `pick` is hot, allocates nothing.

import type { CoreService, Endpoints, ServicePort } from '../api/core.ts';
import { joinKey } from '../api/objects.ts';
import type { Informer } from '../kube/types.ts';
import type { Upstream } from '../proxy/types.ts';
import type { PoolKind } from '../proxy/upstream-pools.ts';
import { PLAIN_TRANSPORT, type Transport } from './transports.ts';

/** The part of UpstreamPools backends need. */
export interface UpstreamSource {
  at(host: string, port: number, kind: PoolKind): Upstream;
  forget(upstream: Upstream): void;
}

export class Address {
  readonly upstream: Upstream;
  /** For protocol upgrades, which HTTP/2 does not have; `upstream` itself on HTTP/1.1. */
  readonly upgradeUpstream: Upstream;
  readonly key: string;
  /** Requests this gateway has there now. */
  inFlight = 0;
  /** Backends that list it. */
  references = 0;

  constructor(key: string, upstream: Upstream, upgradeUpstream: Upstream) {
    this.key = key;
    this.upstream = upstream;
    this.upgradeUpstream = upgradeUpstream;
  }
}

/** Whether a route names a Service of the system, or rewrites the host for whoever is there. */
export type Hop = 'internal' | 'rewritten';

export class Backend {
  readonly namespace: string;
  readonly serviceName: string;
  readonly servicePort: number | string;
  readonly hop: Hop;
  /** Spoken to over TLS (ING-34). */
  isSecure = false;
  /** Replaced as a whole, never changed in place. */
  addresses: readonly Address[] = [];
  /** Configurations that use it; belongs to BackendRegistry. */
  references = 0;

  constructor(namespace: string, serviceName: string, servicePort: number | string, hop: Hop) {
    this.namespace = namespace;
    this.serviceName = serviceName;
    this.servicePort = servicePort;
    this.hop = hop;
  }

  get isReady(): boolean {
    return this.addresses.length > 0;
  }

  /** The less busy of two addresses drawn at random, `except` left out if possible; null = none. */
  pick(random: () => number, except: Address | null): Address | null {
    const { addresses } = this;
    const count = addresses.length;
    if (count === 0) return null;
    if (count === 1) return addresses[0] as Address;
    const first = Math.floor(random() * count);
    const second = (first + 1 + Math.floor(random() * (count - 1))) % count;
    const a = addresses[first] as Address;
    const b = addresses[second] as Address;
    if (a === except) return b;
    if (b === except) return a;
    return b.inFlight < a.inFlight ? b : a;
  }
}

/** Where one request may go. */
interface Dest {
  readonly host: string;
  readonly port: number;
  readonly isHttp2: boolean;
  readonly transport: Transport;
}

/** The Service port of TLS inside the system, in front of 8112 (ING-34). */
const TLS_SERVICE_PORT = 443;
const HTTP2_PORT_NAMES: ReadonlySet<string> = new Set(['http2', 'h2c']);
const HTTP2_APP_PROTOCOL = 'kubernetes.io/h2c';

/** ING-16. */
function speaksHttp2(port: ServicePort | undefined): boolean {
  return HTTP2_PORT_NAMES.has(port?.name ?? '') || port?.appProtocol === HTTP2_APP_PROTOCOL;
}

export interface BackendRegistryDeps {
  services: Informer<CoreService>;
  endpoints: Informer<Endpoints>;
  upstreams: UpstreamSource;
  /** TLS inside the system, for Services of a namespace; null, or absent = it is off. */
  secureTransport?: (namespace: string) => Transport | null;
  /** A backend that had no address has one now. */
  onReady(backend: Backend): void;
}

export class BackendRegistry {
  readonly #deps: BackendRegistryDeps;
  /** `namespace/service`, then port and hop: all backends in use. */
  readonly #byService = new Map<string, Map<string, Backend>>();
  readonly #addresses = new Map<string, Address>();
  readonly #removeHandlers: (() => void)[] = [];

  constructor(deps: BackendRegistryDeps) {
    this.#deps = deps;
  }

  start(): void {
    const changed = (object: CoreService | Endpoints | null): void => {
      if (object === null) return;
      const { namespace, name } = object.metadata;
      for (const backend of this.#byService.get(joinKey(namespace, name))?.values() ?? []) {
        this.#refresh(backend);
      }
    };
    const { services, endpoints } = this.#deps;
    this.#removeHandlers.push(
      services.onChange((current, previous) => changed(current ?? previous)),
      endpoints.onChange((current, previous) => changed(current ?? previous)),
    );
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  get addressCount(): number {
    return this.#addresses.size;
  }

  /** TLS inside the system was switched on or off. */
  refreshAll(): void {
    for (const ports of this.#byService.values()) {
      for (const backend of ports.values()) this.#refresh(backend);
    }
  }

  /** The backend of a Service port; every call is to be paired with one `release`. */
  acquire(namespace: string, serviceName: string, servicePort: number | string, hop: Hop): Backend {
    const key = joinKey(namespace, serviceName);
    let ports = this.#byService.get(key);
    if (ports === undefined) {
      ports = new Map();
      this.#byService.set(key, ports);
    }
    const portKey = `${servicePort} ${hop}`;
    let backend = ports.get(portKey);
    if (backend === undefined) {
      backend = new Backend(namespace, serviceName, servicePort, hop);
      ports.set(portKey, backend);
      this.#resolve(backend);
    }
    backend.references += 1;
    return backend;
  }

  release(backend: Backend): void {
    backend.references -= 1;
    if (backend.references > 0) return;
    const key = joinKey(backend.namespace, backend.serviceName);
    const ports = this.#byService.get(key);
    ports?.delete(`${backend.servicePort} ${backend.hop}`);
    if (ports?.size === 0) this.#byService.delete(key);
    this.#setAddresses(backend, []);
  }

  #refresh(backend: Backend): void {
    const wasReady = backend.isReady;
    this.#resolve(backend);
    if (!wasReady && backend.isReady) this.#deps.onReady(backend);
  }

  #resolve(backend: Backend): void {
    const dests = this.#destsOf(backend);
    this.#setAddresses(
      backend,
      dests.map((dest) => this.#addressAt(dest)),
    );
  }

  /** New addresses are retained before old ones are released: what stays is never forgotten. */
  #setAddresses(backend: Backend, next: readonly Address[]): void {
    const previous = backend.addresses;
    for (const address of next) address.references += 1;
    backend.addresses = next;
    for (const address of previous) {
      address.references -= 1;
      if (address.references > 0) continue;
      this.#addresses.delete(address.key);
      this.#deps.upstreams.forget(address.upstream);
      if (address.upgradeUpstream === address.upstream) continue;
      this.#deps.upstreams.forget(address.upgradeUpstream);
    }
  }

  #addressAt({ host, port, isHttp2, transport }: Dest): Address {
    const { upstreams } = this.#deps;
    const kind = isHttp2 ? transport.http2 : transport.http1;
    const key = `${host} ${port} ${kind.key}`;
    let address = this.#addresses.get(key);
    if (address === undefined) {
      const upstream = upstreams.at(host, port, kind);
      const forUpgrades = isHttp2 ? upstreams.at(host, port, transport.upgrades) : upstream;
      address = new Address(key, upstream, forUpgrades);
      this.#addresses.set(key, address);
    }
    return address;
  }

  #destsOf(backend: Backend): Dest[] {
    const { namespace, serviceName, servicePort } = backend;
    const service = this.#deps.services.lister.get(namespace, serviceName);
    const port = service === undefined ? undefined : findServicePort(service, servicePort);
    const secure = this.#secureTransport(backend, service, port);
    backend.isSecure = secure !== null;
    if (service === undefined) return [];
    if (service.spec.type === 'ExternalName') return externalDests(service, port, servicePort);
    if (port === undefined) return [];
    const endpoints = this.#deps.endpoints.lister.get(namespace, serviceName);
    if (secure === null) {
      return readyAddresses(endpoints, port, speaksHttp2(port), PLAIN_TRANSPORT);
    }
    // The protocol is that of the application; the port for TLS is the same for both.
    const isHttp2 = service.spec.ports?.some(speaksHttp2) === true;
    return readyAddresses(endpoints, port, isHttp2, secure);
  }

  /** ING-34. Null = this Service port is spoken to in plain text. */
  #secureTransport(
    { namespace, hop }: Backend,
    service: CoreService | undefined,
    port: ServicePort | undefined,
  ): Transport | null {
    if (hop === 'rewritten' || port?.port !== TLS_SERVICE_PORT) return null;
    if (service?.spec.type === 'ExternalName') return null;
    return this.#deps.secureTransport?.(namespace) ?? null;
  }
}

function findServicePort(service: CoreService, wanted: number | string): ServicePort | undefined {
  return service.spec.ports?.find((port) => port.port === wanted || port.name === wanted);
}

function externalDests(
  service: CoreService,
  port: ServicePort | undefined,
  wanted: number | string,
): Dest[] {
  const number = port?.port ?? Number(wanted);
  const host = service.spec.externalName ?? '';
  if (host === '' || !Number.isInteger(number)) return [];
  return [{ host, port: number, isHttp2: speaksHttp2(port), transport: PLAIN_TRANSPORT }];
}

/** Ports are matched by name: the number behind it may differ from pod to pod (CP-518). */
function readyAddresses(
  endpoints: Endpoints | undefined,
  servicePort: ServicePort,
  isHttp2: boolean,
  transport: Transport,
): Dest[] {
  const found = new Map<string, Dest>();
  for (const subset of endpoints?.subsets ?? []) {
    const port = subset.ports?.find((each) => (each.name ?? '') === (servicePort.name ?? ''));
    if (port === undefined) continue;
    for (const { ip } of subset.addresses ?? []) {
      found.set(`${ip} ${port.port}`, { host: ip, port: port.port, isHttp2, transport });
    }
  }
  return [...found.values()];
}
