// Where the gateway sends requests: a Backend per Service port in use, with the ready addresses
// behind it (ING-72, ING-73, ING-86). A change of Endpoints replaces one array; routes and requests
// under way are not touched, which is what makes the switch between activator and pods seamless
// (ING-71). Addresses are shared between backends, so the load of one activator is seen whole.
// Invariant: an address exists exactly while a backend lists it. `pick` is hot, allocates nothing.

import type { CoreService, Endpoints, ServicePort } from '../api/core.ts';
import { joinKey } from '../api/objects.ts';
import type { Informer } from '../kube/types.ts';
import { HTTP1_ONLY, HTTP2_ONLY } from '../proxy/fixed-protocol-pools.ts';
import type { Upstream } from '../proxy/types.ts';
import type { PoolKind } from '../proxy/upstream-pools.ts';

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

export class Backend {
  readonly namespace: string;
  readonly serviceName: string;
  readonly servicePort: number | string;
  /** Replaced as a whole, never changed in place. */
  addresses: readonly Address[] = [];
  /** Configurations that use it; belongs to BackendRegistry. */
  references = 0;

  constructor(namespace: string, serviceName: string, servicePort: number | string) {
    this.namespace = namespace;
    this.serviceName = serviceName;
    this.servicePort = servicePort;
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
}

/** A pool apart from the one of an HTTP/1.1 Service that has the same address. */
const UPGRADES_BESIDE_HTTP2: PoolKind = { ...HTTP1_ONLY, key: 'upgrades' };
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
  /** A backend that had no address has one now. */
  onReady(backend: Backend): void;
}

export class BackendRegistry {
  readonly #deps: BackendRegistryDeps;
  /** `namespace/service`, then port as text: all backends in use. */
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

  /** The backend of a Service port; every call is to be paired with one `release`. */
  acquire(namespace: string, serviceName: string, servicePort: number | string): Backend {
    const key = joinKey(namespace, serviceName);
    let ports = this.#byService.get(key);
    if (ports === undefined) {
      ports = new Map();
      this.#byService.set(key, ports);
    }
    let backend = ports.get(String(servicePort));
    if (backend === undefined) {
      backend = new Backend(namespace, serviceName, servicePort);
      ports.set(String(servicePort), backend);
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
    ports?.delete(String(backend.servicePort));
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

  #addressAt({ host, port, isHttp2 }: Dest): Address {
    const { upstreams } = this.#deps;
    const kind = isHttp2 ? HTTP2_ONLY : HTTP1_ONLY;
    const key = `${host} ${port} ${kind.key}`;
    let address = this.#addresses.get(key);
    if (address === undefined) {
      const upstream = upstreams.at(host, port, kind);
      const forUpgrades = isHttp2 ? upstreams.at(host, port, UPGRADES_BESIDE_HTTP2) : upstream;
      address = new Address(key, upstream, forUpgrades);
      this.#addresses.set(key, address);
    }
    return address;
  }

  #destsOf(backend: Backend): Dest[] {
    const { namespace, serviceName } = backend;
    const service = this.#deps.services.lister.get(namespace, serviceName);
    if (service === undefined) return [];
    const port = findServicePort(service, backend.servicePort);
    if (service.spec.type === 'ExternalName') {
      const number = port?.port ?? Number(backend.servicePort);
      const host = service.spec.externalName ?? '';
      const isHttp2 = speaksHttp2(port);
      return host === '' || !Number.isInteger(number) ? [] : [{ host, port: number, isHttp2 }];
    }
    if (port === undefined) return [];
    return readyAddresses(this.#deps.endpoints.lister.get(namespace, serviceName), port);
  }
}

function findServicePort(service: CoreService, wanted: number | string): ServicePort | undefined {
  return service.spec.ports?.find((port) => port.port === wanted || port.name === wanted);
}

/** Ports are matched by name: the number behind it may differ from pod to pod (CP-518). */
function readyAddresses(endpoints: Endpoints | undefined, servicePort: ServicePort): Dest[] {
  const isHttp2 = speaksHttp2(servicePort);
  const found = new Map<string, Dest>();
  for (const subset of endpoints?.subsets ?? []) {
    const port = subset.ports?.find((each) => (each.name ?? '') === (servicePort.name ?? ''));
    if (port === undefined) continue;
    for (const { ip } of subset.addresses ?? []) {
      found.set(`${ip} ${port.port}`, { host: ip, port: port.port, isHttp2 });
    }
  }
  return [...found.values()];
}
