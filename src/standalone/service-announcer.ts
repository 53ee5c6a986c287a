// Says at the terminal which Services are ready, with lines to copy, and which are not, with the
// reason. Ready ones are kept until the gateway serves, because only then they can be called, and
// only then it is known where. Not hot.

import type { ServiceReport } from './messages.ts';
import { describeService } from './ready-text.ts';
import type { Terminal } from './terminal.ts';

export class ServiceAnnouncer {
  readonly #terminal: Terminal;
  readonly #gatewayPort: number;
  /** By name, as the next one. */
  readonly #services = new Map<string, ServiceReport>();
  /** Ready, and not said yet. */
  readonly #kept = new Map<string, ServiceReport>();
  /** Null = the gateway does not serve. */
  #httpsPort: number | null = null;

  constructor(terminal: Terminal, gatewayPort: number) {
    this.#terminal = terminal;
    this.#gatewayPort = gatewayPort;
  }

  /** Names and reasons of Services that are neither ready nor failed. */
  get undecided(): string[] {
    return [...this.#services.values()]
      .filter((report) => report.isReady === null)
      .map((report) => `${report.service} ${report.reason}`.trim());
  }

  handle(report: ServiceReport): void {
    const { service, isReady, message, url } = report;
    const before = this.#services.get(service);
    this.#services.set(service, report);
    if (before?.isReady === isReady && before.message === message && before.url === url) return;
    this.#kept.delete(service);
    if (isReady === true) this.#announceReady(report);
    else if (isReady === false) this.#announceFailed(report);
  }

  onGatewayUp(httpsPort: number): void {
    this.#httpsPort = httpsPort;
    const kept = [...this.#kept.values()];
    this.#kept.clear();
    for (const report of kept) this.#announceReady(report);
  }

  onGatewayDown(): void {
    this.#httpsPort = null;
  }

  #announceReady(report: ServiceReport): void {
    const { service, url } = report;
    if (this.#httpsPort === null) {
      this.#kept.set(service, report);
      return;
    }
    const ports = { gatewayPort: this.#gatewayPort, httpsPort: this.#httpsPort };
    const text = `service ${service} is ready at ${url ?? '(no address)'}`;
    this.#terminal.say('INFO', 'service ready', { service, url }, text);
    this.#terminal.block(describeService(report, ports));
  }

  #announceFailed({ service, reason, message }: ServiceReport): void {
    const text = `service ${service} is not ready: ${reason}: ${message}`;
    this.#terminal.say('WARN', 'service not ready', { service, reason, detail: message }, text);
  }
}
