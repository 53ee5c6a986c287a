// The gateway's request path: host, route, split, address, forward (ING-10 to ING-18, ING-83,
// ING-87). It adds no timeout, no retry of anything that was sent and no buffering (ING-17). One
// handler per listener: they differ only in which table of the snapshot they read.
// Invariant: an address counts a request from the moment it is chosen until the request ends or
// goes elsewhere. Hot: one object per request, no closure unless a connection failed.

import type { Clock } from '../clock/clock.ts';
import { answerError, answerErrorText } from '../errors/answer.ts';
import { ERRORS } from '../errors/errors.ts';
import { upstreamError } from '../proxy/failure-errors.ts';
import type {
  Exchange,
  ExchangeHandler,
  HeaderEdits,
  Outcome,
  UpstreamFailure,
} from '../proxy/types.ts';
import {
  KUBELET_USER_AGENT_PREFIX,
  NETWORK_HASH_KEY,
  NETWORK_HASH_OVERRIDE,
} from '../wire/probe-headers.ts';
import type { Address } from './backends.ts';
import { GatewayRequest } from './gateway-request.ts';
import { normalizeHost } from './hosts.ts';
import type { HostTable, RouteTable, Snapshot } from './route-table.ts';
import { chooseSplit, matchRoute, type Route, type Split, type SplitEdits } from './routes.ts';

/** Addresses tried for one request of which nothing was sent. */
const MAX_ATTEMPTS = 6;
/**
 * Pauses before asking again when every address refused: a pod that died is still listed for the
 * moment it takes its Endpoints to change, and nothing has been sent yet.
 */
const RETRY_PAUSES_MS = [5, 20, 75, 200, 500] as const;

export type Visibility = 'external' | 'local';

export interface GatewayHandlerDeps {
  table: RouteTable;
  visibility: Visibility;
  random: () => number;
  clock: Clock;
  /** False from the moment the gateway is asked to end (ING-74). */
  isHealthy: () => boolean;
  /** The listener speaks TLS. */
  isSecure?: boolean;
}

export class GatewayHandler implements ExchangeHandler {
  readonly #table: RouteTable;
  readonly #visibility: Visibility;
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #isHealthy: () => boolean;
  readonly #isSecure: boolean;

  constructor(deps: GatewayHandlerDeps) {
    this.#table = deps.table;
    this.#visibility = deps.visibility;
    this.#random = deps.random;
    this.#clock = deps.clock;
    this.#isHealthy = deps.isHealthy;
    this.#isSecure = deps.isSecure === true;
  }

  onRequest(exchange: Exchange): void {
    const { snapshot } = this.#table;
    const route = findRoute(snapshot[this.#visibility], exchange.host, exchange);
    if (route === null) {
      this.#answerUnknown(exchange);
      return;
    }
    if (route.redirects && !this.#isSecure) {
      const location = `https://${normalizeHost(exchange.host)}${exchange.target}`;
      exchange.respond(301, `Location: ${location}\r\n`, '');
      return;
    }
    const first = chooseSplit(route, this.#random);
    if (first === null) {
      answerError(exchange, ERRORS.NO_READY_BACKEND);
      return;
    }
    const request =
      route.rewriteHost === null
        ? new GatewayRequest(first.backend, this.#editsFor(first.edits, exchange))
        : this.#rewrite(exchange, snapshot, route, first);
    exchange.context = request;
    this.#forward(exchange, request, null);
  }

  onResponseHead(): void {
    // Relayed as it is.
  }

  onResponseBytes(): void {
    // Not counted here.
  }

  onUpstreamFailure(exchange: Exchange, failure: UpstreamFailure): void {
    const request = exchange.context as GatewayRequest;
    const failed = request.address;
    request.leaveAddress();
    if (failure.sent || request.attempts >= MAX_ATTEMPTS) {
      answerErrorText(exchange, upstreamError(failure.code), failure.message);
      return;
    }
    if (request.backend.addresses.some((address) => address !== failed)) {
      this.#forward(exchange, request, failed);
      return;
    }
    this.#forwardLater(exchange, request, failure);
  }

  onEnd(exchange: Exchange, _outcome: Outcome): void {
    const request = exchange.context as GatewayRequest | null;
    if (request === null) return;
    request.retryTimer?.cancel();
    request.leaveAddress();
  }

  #forward(exchange: Exchange, request: GatewayRequest, except: Address | null): void {
    const address = request.backend.pick(this.#random, except);
    if (address === null) {
      answerError(exchange, ERRORS.NO_READY_BACKEND);
      return;
    }
    request.address = address;
    request.attempts += 1;
    address.inFlight += 1;
    const upstream = exchange.isUpgrade ? address.upgradeUpstream : address.upstream;
    exchange.forward(upstream, request.edits);
  }

  #forwardLater(exchange: Exchange, request: GatewayRequest, failure: UpstreamFailure): void {
    const delayMs = RETRY_PAUSES_MS[request.pauses];
    if (delayMs === undefined) {
      answerErrorText(exchange, upstreamError(failure.code), failure.message);
      return;
    }
    request.pauses += 1;
    request.retryTimer = this.#clock.setTimer(delayMs, () => {
      request.retryTimer = null;
      if (!exchange.ended) this.#forward(exchange, request, null);
    });
  }

  /**
   * ING-15, ING-83: the rewritten host is looked up as if the request had come in again on the
   * internal listener. A host nobody serves here is reached through the split's own Service.
   */
  #rewrite(exchange: Exchange, snapshot: Snapshot, route: Route, first: Split): GatewayRequest {
    const rewriteHost = route.rewriteHost as string;
    const target = findRoute(snapshot.local, rewriteHost, exchange);
    const second =
      target === null || target.rewriteHost !== null ? null : chooseSplit(target, this.#random);
    return second === null
      ? new GatewayRequest(first.backend, this.#editsFor(first.edits, exchange))
      : new GatewayRequest(
          second.backend,
          this.#editsFor(first.through(second, rewriteHost, route.hash), exchange),
        );
  }

  /** ING-51: a prober asks for the version by this header. */
  #editsFor(edits: SplitEdits, exchange: Exchange): HeaderEdits {
    const isProbe = exchange.header(NETWORK_HASH_KEY) === NETWORK_HASH_OVERRIDE;
    if (this.#isSecure) return isProbe ? edits.secureProbe : edits.securePlain;
    return isProbe ? edits.probe : edits.plain;
  }

  /** ING-18. A kubelet asks by address, so its probes always end up here. */
  #answerUnknown(exchange: Exchange): void {
    if (!exchange.header('user-agent').startsWith(KUBELET_USER_AGENT_PREFIX)) {
      answerError(exchange, ERRORS.ROUTE_NOT_FOUND);
    } else if (this.#isHealthy()) {
      exchange.respond(200, '', '');
    } else {
      answerError(exchange, ERRORS.SHUTTING_DOWN);
    }
  }
}

function findRoute(table: HostTable, host: string, exchange: Exchange): Route | null {
  const routes = table.find(host);
  return routes === null ? null : matchRoute(routes, exchange);
}
