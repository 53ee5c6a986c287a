// Asks a registry which digest a tag has (CP-164): HEAD of the manifest, with a token or a password
// when the registry wants one, GET where HEAD tells no digest. Stateless: every question starts
// anew, because questions are rare and credentials change.

import { createHash } from 'node:crypto';
import type { Clock } from '../../../clock/clock.ts';
import type { RegistryCredentials } from './credentials.ts';
import type { RegistryAnswer, RegistryRequest, SendRegistryRequest } from './http.ts';
import { type ImageReference, mayBePlain } from './reference.ts';

/** Lists before single manifests: a digest must stand for every platform. */
const MANIFEST_TYPES = [
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/vnd.docker.distribution.manifest.v1+json',
].join(',');
const DIGEST = /^sha256:[0-9a-f]{64}$/;

export interface RegistryClientDeps {
  readonly send: SendRegistryRequest;
  readonly clock: Clock;
  /** CP-165: `knative/<commit> (serving)`. */
  readonly userAgent: string;
}

interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly parameters: ReadonlyMap<string, string>;
}

export class RegistryClient {
  readonly #deps: RegistryClientDeps;

  constructor(deps: RegistryClientDeps) {
    this.#deps = deps;
  }

  /** `registry/repository@sha256:…`; rejects with an Error that says what was asked. */
  async resolve(
    reference: ImageReference,
    credentials: RegistryCredentials | null,
    timeoutMs: number,
  ): Promise<string> {
    const deadlineMs = this.#deps.clock.monotonicMs() + timeoutMs;
    const { registry, repository, tag } = reference;
    const path = `${registry}/v2/${repository}/manifests/${tag}`;
    const answer = await this.#either(registry, path, async (url) => {
      const head = await this.#authorized('HEAD', url, { reference, credentials, deadlineMs });
      if (head.status !== 405 && (head.status !== 200 || digestOf(head) !== null)) return head;
      return this.#authorized('GET', url, { reference, credentials, deadlineMs });
    });
    return `${registry}/${repository}@${digestOf(answer) ?? hashOf(answer)}`;
  }

  /** https, and http where that is common and https found nobody. */
  async #either(
    registry: string,
    path: string,
    ask: (url: string) => Promise<RegistryAnswer>,
  ): Promise<RegistryAnswer> {
    try {
      return await ask(`https://${path}`);
    } catch (error) {
      const isUnreached = error instanceof Error && error.cause instanceof Error;
      if (!isUnreached || !mayBePlain(registry)) throw error;
      return ask(`http://${path}`);
    }
  }

  async #authorized(
    method: 'HEAD' | 'GET',
    url: string,
    given: {
      reference: ImageReference;
      credentials: RegistryCredentials | null;
      deadlineMs: number;
    },
  ): Promise<RegistryAnswer> {
    const { send, userAgent } = this.#deps;
    const headers = { accept: MANIFEST_TYPES, 'user-agent': userAgent };
    let answer = await send({ method, url, headers }, given.deadlineMs);
    const challenge = answer.status === 401 ? parseChallenge(answer) : null;
    if (challenge !== null) {
      const authorization = await this.#authorization(challenge, given);
      if (authorization !== null) {
        const request = { method, url, headers: { ...headers, authorization } };
        answer = await send(request, given.deadlineMs);
      }
    }
    // What lacks only the digest, or does not know HEAD, is the caller's to judge.
    if (answer.status === 200 || (method === 'HEAD' && answer.status === 405)) return answer;
    throw new Error(`${method} ${url}: ${describe(method, answer)}`);
  }

  async #authorization(
    { scheme, parameters }: Challenge,
    given: {
      reference: ImageReference;
      credentials: RegistryCredentials | null;
      deadlineMs: number;
    },
  ): Promise<string | null> {
    const { credentials, reference, deadlineMs } = given;
    if (scheme === 'basic') return credentials === null ? null : basic(credentials);
    const request = tokenRequest(parameters, reference, credentials);
    const headers = { ...request.headers, 'user-agent': this.#deps.userAgent };
    const answer = await this.#deps.send({ ...request, headers }, deadlineMs);
    if (answer.status !== 200) {
      throw new Error(`${request.method} ${request.url}: ${describe(request.method, answer)}`);
    }
    const parsed = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
    const token = parsed['token'] ?? parsed['access_token'];
    if (typeof token === 'string' && token !== '') return `Bearer ${token}`;
    throw new Error(`no token in bearer response of ${request.url}`);
  }
}

function tokenRequest(
  parameters: ReadonlyMap<string, string>,
  { repository }: ImageReference,
  credentials: RegistryCredentials | null,
): RegistryRequest {
  const realm = parameters.get('realm') ?? '';
  if (!URL.canParse(realm)) throw new Error(`malformed www-authenticate, realm is "${realm}"`);
  const scope = `repository:${repository}:pull`;
  const service = parameters.get('service') ?? '';
  if (credentials !== null && credentials.identityToken !== '') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.identityToken,
      client_id: 'pilotlight',
      service,
      scope,
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url: realm, headers, body: form.toString() };
  }
  const url = new URL(realm);
  url.searchParams.set('scope', scope);
  if (service !== '') url.searchParams.set('service', service);
  const headers = credentials === null ? {} : { authorization: basic(credentials) };
  return { method: 'GET', url: url.href, headers };
}

/** `Bearer realm="…",service="…"`; null = nothing we can answer. */
function parseChallenge({ headers }: RegistryAnswer): Challenge | null {
  const text = headers['www-authenticate'] ?? '';
  const scheme = /^\s*(basic|bearer)\b/i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== 'basic' && scheme !== 'bearer') return null;
  const parameters = new Map<string, string>();
  for (const [, name = '', quoted, plain] of text.matchAll(/([a-z_]+)=(?:"([^"]*)"|([^\s,]+))/gi)) {
    parameters.set(name.toLowerCase(), quoted ?? plain ?? '');
  }
  return { scheme, parameters };
}

function basic({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function digestOf({ headers }: RegistryAnswer): string | null {
  const digest = headers['docker-content-digest'];
  return typeof digest === 'string' && DIGEST.test(digest) ? digest : null;
}

function hashOf({ body }: RegistryAnswer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

/** What registries put into a body is the best explanation there is. */
function describe(method: string, { status, statusText, body }: RegistryAnswer): string {
  const code = `unexpected status code ${status} ${statusText}`.trimEnd();
  if (method === 'HEAD') return `${code} (HEAD responses have no body, use GET for details)`;
  const text = body.toString('utf8').trim().slice(0, 256);
  return text === '' ? code : `${code}: ${text}`;
}
