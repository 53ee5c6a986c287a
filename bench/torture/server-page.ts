// What the API server says of itself on `/metrics`: requests so far by what they asked for, objects
// by kind, watches by program and kind. Scenarios read it before and after and compare.

import type { KubeClient } from '../../src/kube/types.ts';

export interface ServerPage {
  /** Number of the last write: one counter for all objects. */
  readonly revision: number;
  /** Written as `VERB resource/subresource`, `/subresource` only where there is one. */
  readonly requests: ReadonlyMap<string, number>;
  /** By resource name; kinds without objects are there with 0. */
  readonly objects: ReadonlyMap<string, number>;
  readonly watches: readonly { client: string; resource: string; count: number }[];
}

export interface RequestSums {
  /** Creates, updates, patches, applies, deletes. */
  readonly writes: number;
  /** Gets and lists; watches are opened once and counted nowhere. */
  readonly reads: number;
  /** Answers that refused something: conflicts, not found. */
  readonly refused: number;
}

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="([^"]*)"/g;
const READS = new Set(['GET', 'LIST', 'HEAD']);

export async function readServerPage(client: KubeClient): Promise<ServerPage> {
  const { body } = await client.request('GET', '/metrics');
  let text = '';
  for await (const chunk of body) text += String(chunk);
  return parse(text);
}

function parse(text: string): ServerPage {
  const requests = new Map<string, number>();
  const objects = new Map<string, number>();
  const watches: { client: string; resource: string; count: number }[] = [];
  let revision = 0;
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
    const found = new Map([...labels.matchAll(LABEL)].map(([, key = '', of = '']) => [key, of]));
    const label = (key: string): string => found.get(key) ?? '';
    const count = Number(value);
    if (name === 'apiserver_request_total') requests.set(requestName(label), count);
    else if (name === 'apiserver_storage_objects') objects.set(label('resource'), count);
    else if (name === 'pilotlight_apiserver_revision') revision = count;
    else if (name === 'pilotlight_apiserver_watches') {
      watches.push({ client: label('client'), resource: label('resource'), count });
    }
  }
  return { revision, requests, objects, watches };
}

function requestName(label: (key: string) => string): string {
  const resource =
    label('group') === '' ? label('resource') : `${label('resource')}.${label('group')}`;
  const part = label('subresource') === '' ? '' : `/${label('subresource')}`;
  return `${label('verb')} ${resource}${part} ${label('code')}`;
}

/** Requests answered in between, most frequent first. */
export function requestsBetween(before: ServerPage, after: ServerPage): [string, number][] {
  return [...after.requests]
    .map(([name, count]): [string, number] => [name, count - (before.requests.get(name) ?? 0)])
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
}

export function sumUp(requests: readonly (readonly [string, number])[]): RequestSums {
  const sums = { writes: 0, reads: 0, refused: 0 };
  for (const [name, count] of requests) {
    const verb = name.slice(0, name.indexOf(' '));
    if (Number(name.slice(name.lastIndexOf(' '))) >= 400) sums.refused += count;
    if (READS.has(verb)) sums.reads += count;
    else if (verb !== 'WATCH') sums.writes += count;
  }
  return sums;
}
