// Starts the embedded Kubernetes-style API server: identity, database, store, one generic path for
// all kinds, HTTPS on loopback. Wiring only.

import { randomInt } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdmissionPlugin } from '../api/admission.ts';
import { ALL_KINDS, apiVersionOf, type Kind, Namespace, resourceName } from '../api/kinds.ts';
import { schemaOf as stockSchemaOf } from '../api/schema.ts';
import type { Clock } from '../clock/clock.ts';
import type { LocalServer } from '../kube/local-server.ts';
import { loadServerIdentity, type ServerIdentity } from '../pki/identity.ts';
import type { Logger } from '../telemetry/logger.ts';
import { CustomKinds } from './custom/custom-kinds.ts';
import { ObjectDeleter } from './deleter.ts';
import { Discovery } from './discovery.ts';
import { Guard } from './guard.ts';
import { Housekeeping } from './housekeeping.ts';
import { startHttpServer, type UpgradeHandler } from './http-server.ts';
import { KindRegistry } from './kind-registry.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { createLocalServer } from './local-server.ts';
import { OpenApi } from './openapi.ts';
import type { PodLogSource } from './pod-logs.ts';
import { noPodStreams, type PodStreams } from './pod-streams.ts';
import { ResourceHandler } from './resource-handler.ts';
import { createRouter } from './router.ts';
import { ServerMetrics } from './server-metrics.ts';
import { createServiceProxy, type ResolveServicePort, resolveFromStore } from './service-proxy.ts';
import { type Durability, openLevelStore } from './store/level-backend.ts';
import { ObjectStore, type StoreBackend } from './store/object-store.ts';
import { storeKey } from './store/stored.ts';
import type { StreamDependencies } from './streams/upgrade.ts';
import type { StructuralSchema } from './structural-schema.ts';
import { WatchHub } from './watch-hub.ts';
import { internalRequest } from './write-request.ts';
import { ObjectWriter } from './writer.ts';

/** Namespaces that always exist (KN-205). */
const FIXED_NAMESPACES = ['default', 'kube-system'];

export interface ApiServerOptions {
  /** Holds `pki/` and `store/`; null = nothing is kept. */
  dataDir: string | null;
  /**
   * When a write is acknowledged: in the kernel (survives kill -9), or on disk (survives power
   * loss).
   */
  durability: Durability;
  /** Address to listen on, normally 127.0.0.1. */
  host: string;
  /** 0 = any free one. Rejects with EADDRINUSE when taken. */
  port: number;
  userName: string;
  admission: AdmissionPlugin;
  podLogs: PodLogSource;
  /** exec and port-forward; without it they are refused. */
  podStreams?: PodStreams;
  clock: Clock;
  logger: Logger;
  /** More host names clients may use. */
  hostNames?: readonly string[];
  kinds?: readonly Kind[];
  schemaOf?: (kind: Kind) => StructuralSchema | undefined;
  /** Where `services/<name>:<port>/proxy` leads; by default to the Service's Endpoints. */
  serviceProxy?: ResolveServicePort;
  /** In [0, 1). */
  random?: () => number;
  /** Changes kept per resource for watches to resume from. */
  maxHistory?: number;
}

export interface ApiServer {
  url: string;
  port: number;
  /** YAML, holds the token: write it 0600. */
  kubeconfig: string;
  caPem: string;
  token: string;
  /** For clients in this process. */
  local: LocalServer;
  /** Ends watches in order, waits for writes under way, closes the database. */
  stop(): Promise<void>;
}

/** Different dropped fields that are logged; a client could invent any number. */
const MAX_LOGGED_FIELDS = 200;

/** Logs each dropped field once: it is a typo, or a schema that lacks what a controller writes. */
function unknownFieldLog(logger: Logger): (kind: Kind, path: string) => void {
  const seen = new Set<string>();
  return (kind, path) => {
    const field = `${resourceName(kind)} ${path.replace(/\[\d+\]/g, '[]')}`;
    if (seen.has(field) || seen.size >= MAX_LOGGED_FIELDS) return;
    seen.add(field);
    logger.warn({ resource: resourceName(kind), field: path }, 'unknown field dropped');
  };
}

const RANDOM_STEPS = 2 ** 32;
const cryptoRandom = (): number => randomInt(RANDOM_STEPS) / RANDOM_STEPS;

/** Rejects with DataDirectoryError when the directory is in use or damaged. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { clock, logger, host, dataDir } = options;
  const hosts = [...new Set([host, '127.0.0.1', '::1', 'localhost', ...(options.hostNames ?? [])])];
  if (dataDir !== null) await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const store = await openStore(options);
  try {
    const pkiDirectory = dataDir === null ? null : join(dataDir, 'pki');
    const identity = await loadServerIdentity(pkiDirectory, { hosts, nowMs: clock.nowMs() });
    return await serve(options, store, identity, hosts);
  } catch (error) {
    await store.close();
    logger.error({ error }, 'api server failed to start');
    throw error;
  }
}

async function openStore(options: ApiServerOptions): Promise<ObjectStore> {
  const { dataDir, durability, clock, logger, kinds = ALL_KINDS } = options;
  const onWriteFailure = (error: unknown): void =>
    logger.error({ error }, 'the database refused a write');
  const limits = options.maxHistory === undefined ? {} : { maxHistory: options.maxHistory };
  if (dataDir === null) {
    // Starts beyond any revision an earlier ephemeral run gave out, so that its clients start over.
    const loaded = { revision: clock.nowMs(), objects: new Map() };
    return new ObjectStore({ kinds, loaded, backend: null, onWriteFailure, ...limits });
  }
  const opened = await openLevelStore({
    directory: join(dataDir, 'store'),
    durability,
    clock,
    onFlushFailure: (error) => logger.error({ error }, 'flushing the database failed'),
  });
  const backend: StoreBackend = opened.backend;
  return new ObjectStore({ kinds, loaded: opened.loaded, backend, onWriteFailure, ...limits });
}

async function serve(
  options: ApiServerOptions,
  store: ObjectStore,
  identity: ServerIdentity,
  hosts: readonly string[],
): Promise<ApiServer> {
  const { clock, logger, host, userName, random = cryptoRandom } = options;
  const registry = new KindRegistry(options.kinds ?? ALL_KINDS);
  const builtInSchemas = options.schemaOf ?? stockSchemaOf;
  const custom = new CustomKinds({ registry, store, clock, logger, schemaOf: builtInSchemas });
  const schemaOf = (kind: Kind) => custom.schemaOf(kind);
  if (store.unservedObjects > 0) {
    logger.warn({ objects: store.unservedObjects }, 'the database holds objects of unknown kinds');
  }
  const { admission } = options;
  const onUnknownField = unknownFieldLog(logger);
  const writer = new ObjectWriter({
    store,
    admission,
    schemaOf,
    clock,
    random,
    onUnknownField,
  });
  const checkDelete = custom.checkDelete.bind(custom);
  const collects = (kind: Kind) => !custom.isServed(kind);
  const deleter = new ObjectDeleter({ store, writer, clock, checkDelete, collects });
  const watches = new WatchHub({ store, clock, random });
  const housekeeping = new Housekeeping({ store, writer, deleter, clock, logger });
  await ensureNamespaces(store, writer);
  await custom.start({ writer, deleter });
  const guard = new Guard(identity.token, hosts);
  const handler = createRouter({
    registry,
    discovery: new Discovery(registry),
    openApi: new OpenApi(registry, schemaOf, () => clock.nowMs()),
    guard,
    resources: new ResourceHandler({ store, writer, deleter, schemaOf, clock }),
    watches,
    podLogs: { store, source: options.podLogs, clock },
    serviceProxy: createServiceProxy(options.serviceProxy ?? resolveFromStore(store)),
    metrics: new ServerMetrics(store),
    userName,
  });
  const http = await startHttpServer({
    host,
    port: options.port,
    certificatePem: identity.certificatePem,
    privateKeyPem: identity.privateKeyPem,
    guard,
    clock,
    logger,
    handler,
    upgrade: streamServer({ registry, store, podLogs: options.podLogs, clock, logger }, options),
  });
  housekeeping.start();
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${http.port}`;
  const { caPem, token } = identity;
  return {
    url,
    port: http.port,
    kubeconfig: kubeconfigText({ url, caPem, token, userName }),
    caPem,
    token,
    local: createLocalServer(handler, logger),
    async stop() {
      housekeeping.stop();
      custom.stop();
      watches.stop();
      await http.stop();
      await store.close();
    },
  };
}

/** Loaded with the first stream: few runs ever see one. */
function streamServer(
  deps: Omit<StreamDependencies, 'pods'>,
  { podStreams = noPodStreams }: ApiServerOptions,
): UpgradeHandler {
  return async (request, socket, head) => {
    const { serveStreams } = await import('./streams/upgrade.ts');
    serveStreams({ ...deps, pods: podStreams }, request, socket, head);
  };
}

async function ensureNamespaces(store: ObjectStore, writer: ObjectWriter): Promise<void> {
  for (const name of FIXED_NAMESPACES) {
    if (store.of(Namespace).get(storeKey('', name)) !== undefined) continue;
    await writer.create(internalRequest(Namespace, '', ''), {
      apiVersion: apiVersionOf(Namespace),
      kind: Namespace.kind,
      metadata: { name },
    });
  }
}
