// Routes of one host, compiled: what a request must look like, and where each share of it goes.
// Built once per version of an Ingress, then only read. Hot: `matchRoute` and `chooseSplit` run
// once per request and allocate nothing.

import { createHeaderEdits } from '../proxy/header-edits.ts';
import type { HeaderEdits } from '../proxy/types.ts';
import {
  DEFAULT_ROUTE_KEY,
  NETWORK_HASH_HEADER,
  SERVING_NAMESPACE_KEY,
  SERVING_REVISION_KEY,
} from '../wire/probe-headers.ts';
import type { Backend } from './backends.ts';

/** ING-84: a client does not choose its revision. */
const STRIPPED = [SERVING_REVISION_KEY, SERVING_NAMESPACE_KEY, DEFAULT_ROUTE_KEY];
/** ING-70. */
const FORWARDED_PROTO = { 'X-Forwarded-Proto': 'http' };
const SECURE_FORWARDED_PROTO = { 'X-Forwarded-Proto': 'https' };

/** Headers to set, by lower-case name; later ones replace earlier ones of that name (ING-14). */
export class HeaderSet {
  readonly #lines = new Map<string, { name: string; value: string }>();

  static of(...maps: (Record<string, string> | undefined)[]): HeaderSet {
    const set = new HeaderSet();
    for (const map of [FORWARDED_PROTO, ...maps]) {
      for (const [name, value] of Object.entries(map ?? {})) {
        set.#lines.set(name.toLowerCase(), { name, value });
      }
    }
    return set;
  }

  /** This set, overridden by `other`. */
  with(other: HeaderSet): HeaderSet {
    const merged = new HeaderSet();
    for (const source of [this, other]) {
      for (const [key, line] of source.#lines) merged.#lines.set(key, line);
    }
    return merged;
  }

  /** Throws when a name is no token or a value has control characters. */
  compile(host: string | null): HeaderEdits {
    const set: Record<string, string> = {};
    for (const { name, value } of this.#lines.values()) set[name] = value;
    return createHeaderEdits({ drop: STRIPPED, set, host, forwardedFor: true });
  }
}

/**
 * Header changes of one split: for ordinary requests, and for probes of this version (ING-51); each
 * for the plain and for the TLS listener.
 */
export interface SplitEdits {
  readonly plain: HeaderEdits;
  readonly probe: HeaderEdits;
  readonly securePlain: HeaderEdits;
  readonly secureProbe: HeaderEdits;
}

export class Split {
  readonly backend: Backend;
  /** Draws below this and not below the previous split's are this split's share. */
  readonly upTo: number;
  readonly edits: SplitEdits;
  readonly #headers: HeaderSet;
  /** Changes of both hops, by the split of the second one (ING-83). */
  readonly #combined = new WeakMap<Split, SplitEdits>();

  constructor(options: {
    backend: Backend;
    upTo: number;
    headers: HeaderSet;
    rewriteHost: string | null;
    hash: string;
  }) {
    this.backend = options.backend;
    this.upTo = options.upTo;
    this.#headers = options.headers;
    this.edits = compileEdits(options.headers, options.rewriteHost, options.hash);
  }

  /** ING-83: this split's headers, then the second hop's over them. */
  through(second: Split, rewriteHost: string, hash: string): SplitEdits {
    let edits = this.#combined.get(second);
    if (edits === undefined) {
      edits = compileEdits(this.#headers.with(second.#headers), rewriteHost, hash);
      this.#combined.set(second, edits);
    }
    return edits;
  }
}

function compileEdits(headers: HeaderSet, host: string | null, hash: string): SplitEdits {
  const probe = headers.with(HeaderSet.of({ [NETWORK_HASH_HEADER]: hash }));
  const secure = HeaderSet.of(SECURE_FORWARDED_PROTO);
  return {
    plain: headers.compile(host),
    probe: probe.compile(host),
    securePlain: headers.with(secure).compile(host),
    secureProbe: probe.with(secure).compile(host),
  };
}

export interface Route {
  /** String prefix of the path; '' = every path. */
  readonly prefix: string;
  /** Lower-case names and exact values, in step; all must match. */
  readonly headerNames: readonly string[];
  readonly headerValues: readonly string[];
  /** Null = keep the client's host; otherwise looked up a second time (ING-15). */
  readonly rewriteHost: string | null;
  /** Answer with a redirect to https instead of forwarding (ING-32). */
  readonly redirects: boolean;
  readonly splits: readonly Split[];
  /** Sum of the percentages, 100 for a valid Ingress. */
  readonly totalPercent: number;
  /** Version of the Ingress (ING-50). */
  readonly hash: string;
}

/** The part of an exchange matching needs. */
export interface Matchable {
  readonly target: string;
  header(name: string): string;
}

/** ING-11: the first of the sorted routes whose prefix and headers all match; null = none. */
export function matchRoute(routes: readonly Route[], request: Matchable): Route | null {
  for (let index = 0; index < routes.length; index++) {
    const route = routes[index] as Route;
    if (request.target.startsWith(route.prefix) && headersMatch(route, request)) return route;
  }
  return null;
}

function headersMatch(route: Route, request: Matchable): boolean {
  const { headerNames, headerValues } = route;
  for (let index = 0; index < headerNames.length; index++) {
    if (request.header(headerNames[index] as string) !== headerValues[index]) return false;
  }
  return true;
}

/** ING-81: a uniform draw against cumulative percentages; 0 % is not even in the list. */
export function chooseSplit(route: Route, random: () => number): Split | null {
  const { splits } = route;
  if (splits.length <= 1) return splits[0] ?? null;
  const draw = Math.floor(random() * route.totalPercent);
  for (let index = 0; index < splits.length; index++) {
    const split = splits[index] as Split;
    if (draw < split.upTo) return split;
  }
  return splits[splits.length - 1] as Split;
}

/** ING-11: longer prefixes first, then those with header conditions, then as listed. */
export function sortRoutes(routes: readonly Route[]): Route[] {
  const conditioned = (route: Route): number => (route.headerNames.length > 0 ? 0 : 1);
  return [...routes].sort(
    (a, b) => b.prefix.length - a.prefix.length || conditioned(a) - conditioned(b),
  );
}
