// The certificate and key on disk (QP-160, QP-162): whether they are there is asked once, at start;
// afterwards they are read every minute, because secret mounts swap links and file events miss
// that. A pair that cannot be read or used is logged and the one in use stays. Not hot.

import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { CertificatePem } from '../proxy/tls-server.ts';
import type { Logger } from '../telemetry/logger.ts';

const CERTIFICATE_FILE = 'tls.crt';
const KEY_FILE = 'tls.key';
const REREAD_PERIOD_MS = 60_000;

export class CertificateFiles {
  readonly #certificatePath: string;
  readonly #keyPath: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Of the pair in use, '' before one. */
  #digest = '';
  #ticker: TimerHandle | null = null;
  #isReading = false;

  constructor(directory: string, deps: { clock: Clock; logger: Logger }) {
    this.#certificatePath = join(directory, CERTIFICATE_FILE);
    this.#keyPath = join(directory, KEY_FILE);
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  /** Both files are there. Rejects when that cannot be told. */
  async arePresent(): Promise<boolean> {
    return (await exists(this.#certificatePath)) && (await exists(this.#keyPath));
  }

  /** Hands the pair to `use`, now and at every change. Rejects when the first one is no good. */
  async watch(use: (pem: CertificatePem) => Promise<void>): Promise<void> {
    await this.#read(use);
    this.#ticker = this.#clock.setTicker(REREAD_PERIOD_MS, () => void this.#reread(use), {
      background: true,
    });
  }

  stop(): void {
    this.#ticker?.cancel();
    this.#ticker = null;
  }

  async #reread(use: (pem: CertificatePem) => Promise<void>): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      await this.#read(use);
    } catch (error) {
      this.#logger.error({ error }, 'Failed to reload certificate and/or key from disk.');
    }
    this.#isReading = false;
  }

  async #read(use: (pem: CertificatePem) => Promise<void>): Promise<void> {
    const [cert, key] = await Promise.all([
      readFile(this.#certificatePath, 'utf8'),
      readFile(this.#keyPath, 'utf8'),
    ]);
    const digest = `${await sha256(cert)} ${await sha256(key)}`;
    if (digest === this.#digest) return;
    await use({ cert, key });
    this.#digest = digest;
    this.#logger.info({}, 'Certificate and/or key have changed on disk and were reloaded.');
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Loads node:crypto when there is something to digest: most sidecars have no certificate. */
async function sha256(text: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  return createHash('sha256').update(text).digest('hex');
}
