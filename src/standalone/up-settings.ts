// What `pilotlight up` was asked for and what becomes of it once folders and ports are chosen.

import { join } from 'node:path';
import type { UpSettings } from './messages.ts';
import { nextFreePort, requirePort } from './ports.ts';

/** What `up` was asked for, before ports and folders are chosen. */
export interface UpRequest {
  name: string;
  dataDir: string;
  isEphemeral: boolean;
  durability: 'kernel' | 'disk';
  files: readonly string[];
  /** Null means 8080, and an error when that is taken; 0 is any free one. */
  port: number | null;
  /** Null: 6443 or the next free one. */
  apiPort: number | null;
  domain: string | null;
  images: readonly string[];
  sidecar: 'hosted' | 'process';
  /** Engine of the queue-proxies (docs/engines.md). */
  httpEngine: 'net' | 'uws';
  startDir: string;
  baseEnv: Readonly<Record<string, string>>;
  /** The program itself: `node dist/main.js`. */
  programArgv: readonly string[];
  /** The environment of the role processes. */
  env: Readonly<Record<string, string | undefined>>;
}

const DEFAULT_GATEWAY_PORT = 8080;
const DEFAULT_API_PORT = 6443;
const LOCAL_GATEWAY_OFFSET = 1;
/** Throws PortTakenError. */
export async function chooseSettings(request: UpRequest, dataDir: string): Promise<UpSettings> {
  const { port, apiPort } = request;
  const gatewayPort = await requirePort('gateway', port ?? DEFAULT_GATEWAY_PORT, '--port');
  const localStart = Math.min(gatewayPort + LOCAL_GATEWAY_OFFSET, 65_000);
  const { name, isEphemeral, durability, files, domain, images } = request;
  const { sidecar, startDir, baseEnv } = request;
  return {
    name,
    dataDir,
    isEphemeral,
    durability,
    files,
    domain,
    images,
    sidecar,
    startDir,
    baseEnv,
    gatewayPort,
    localGatewayPort: await nextFreePort('cluster-local gateway', localStart, '--port'),
    apiPort:
      apiPort === null
        ? await nextFreePort('API server', DEFAULT_API_PORT, '--api-port')
        : await requirePort('API server', apiPort, '--api-port'),
    sidecarEnv: { PILOTLIGHT_HTTP_ENGINE: request.httpEngine },
    sidecarArgv: [...request.programArgv, '--role', 'queueproxy'],
    logRoot: join(dataDir, 'logs'),
  };
}
