// Sends the steps of the script to one server, as they are: no client library between, so that status
// codes, headers and bodies are the server's own.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { KubeConnection } from '../../../src/kube/connection.ts';
import type { Step } from './step.ts';

/** What controllers do behind a request is waited for this long. */
const UNTIL_LIMIT_MS = 20_000;
const UNTIL_PERIOD_MS = 50;

export interface Answer {
  readonly code: number;
  readonly contentType: string;
  /** Values of Warning headers. */
  readonly warnings: readonly string[];
  /** Parsed when it is JSON; the events of a watch as an array. */
  readonly body: unknown;
}

export class Caller {
  readonly variables: Map<string, string>;
  readonly #connection: KubeConnection;
  readonly #agent: Agent;

  constructor(connection: KubeConnection, namespace: string) {
    this.#connection = connection;
    this.variables = new Map([['ns', namespace]]);
    this.#agent = new Agent({
      keepAlive: true,
      ca: connection.caPem,
      cert: connection.clientCertPem,
      key: connection.clientKeyPem,
      rejectUnauthorized: connection.insecureSkipTlsVerify !== true,
    });
  }

  async run(step: Step): Promise<Answer> {
    const deadlineMs = performance.now() + UNTIL_LIMIT_MS;
    for (;;) {
      const answer = step.watch === undefined ? await this.#once(step) : await this.#watch(step);
      const isCode = step.until === undefined || answer.code === step.until;
      const { untilField } = step;
      const isThere = untilField === undefined || valueAt(answer.body, untilField) !== undefined;
      if (isCode && isThere) return answer;
      if (performance.now() > deadlineMs) return answer;
      await new Promise((resolve) => setTimeout(resolve, UNTIL_PERIOD_MS));
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #once(step: Step): Promise<Answer> {
    const response = await this.#open(step);
    const answer = answerOf(response, await textOf(response));
    for (const [name, path] of Object.entries(step.save ?? {})) {
      this.variables.set(name, String(valueAt(answer.body, path) ?? ''));
    }
    return answer;
  }

  async #watch(step: Step): Promise<Answer> {
    const response = await this.#open(step);
    if (response.statusCode !== 200) return answerOf(response, await textOf(response));
    for (const each of step.watch!.during) await this.#once(each);
    const events: unknown[] = [];
    for await (const line of linesOf(response)) {
      events.push(JSON.parse(line));
      if (events.length >= step.watch!.events) break;
    }
    response.destroy();
    return { ...answerOf(response, ''), body: events };
  }

  async #open(step: Step): Promise<IncomingMessage> {
    const { server, token, headers } = this.#connection;
    const payload = this.#payload(step);
    const asked = request(`${server}${this.#fill(step.path)}`, {
      method: step.method,
      agent: this.#agent,
      headers: {
        'user-agent': 'script/1',
        accept: step.accept ?? 'application/json',
        ...headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(payload === null
          ? {}
          : {
              'content-type': step.type ?? 'application/json',
              'content-length': payload.byteLength,
            }),
      },
    });
    asked.end(payload ?? undefined);
    asked.on('error', () => undefined); // `once` rejects while it matters
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.setEncoding('utf8');
    return response;
  }

  #payload({ body }: Step): Buffer | null {
    if (body === undefined) return null;
    return Buffer.from(this.#fill(typeof body === 'string' ? body : JSON.stringify(body)));
  }

  /** Words that are no variable stay: `$patch` is one of strategic merges. */
  #fill(text: string): string {
    return text.replace(/\$([a-z]+)/gi, (whole, name: string) => this.variables.get(name) ?? whole);
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of response) {
    rest += chunk;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      yield rest.slice(0, end);
      rest = rest.slice(end + 1);
    }
  }
}

function answerOf(response: IncomingMessage, text: string): Answer {
  const contentType = response.headers['content-type'] ?? '';
  const warning = response.headers['warning'];
  return {
    code: response.statusCode ?? 0,
    contentType,
    warnings: warning === undefined ? [] : warning.split(/, (?=\d{3} )/).sort(),
    body: contentType.startsWith('application/json') && text !== '' ? JSON.parse(text) : text,
  };
}

function valueAt(body: unknown, path: string): unknown {
  let at: unknown = body;
  for (const name of path.split('.')) at = (at as Record<string, unknown> | undefined)?.[name];
  return at;
}
