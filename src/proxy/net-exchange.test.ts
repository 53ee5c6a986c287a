// Exchange objects keep one shape whatever happens to them: a second hidden class would slow every
// request down.

import { setFlagsFromString } from 'node:v8';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { answering, head, ProxyHarness, RawApp, until } from './testing/harness.ts';

setFlagsFromString('--allow-natives-syntax');
const haveSameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (
  a: object,
  b: object,
) => boolean;

let harness: ProxyHarness;
let app: RawApp;

beforeEach(async () => {
  app = new RawApp(answering(`${head('HTTP/1.1 200 OK', 'Content-Length: 2')}ok`));
  harness = new ProxyHarness();
  await harness.start(await app.listen());
});

afterEach(async () => {
  await harness.stop();
  app.close();
});

it('all exchanges have one shape: fresh, forwarded, answered, failed, aborted, with and without body', async () => {
  const { handler } = harness;
  const requests = [
    head('GET / HTTP/1.1', 'Host: h'),
    `${head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 3', 'Expect: 100-continue')}abc`,
    `${head('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    'GET / HTTP/1.0\r\n\r\n',
    head('GET / HTTP/1.1', 'Host: h', 'Connection: upgrade', 'Upgrade: x'),
  ];
  for (const request of requests) await harness.send(request);
  await until(() => handler.outcomes.length === requests.length);
  handler.onRequestHook = (exchange) => {
    exchange.context = { slot: 1 };
    exchange.addResponseHeaders('A: b\r\n');
    exchange.respond(200, '', 'local');
  };
  await harness.send(requests[0]!);
  await until(() => handler.outcomes.length === requests.length + 1);
  handler.onRequestHook = (exchange) => exchange.abort();
  await harness.send(requests[0]!);
  await until(() => handler.outcomes.length === requests.length + 2);
  handler.onRequestHook = (exchange) =>
    exchange.forward(harness.pools.at('127.0.0.1', 1), handler.edits);
  await harness.send(requests[0]!);
  await until(() => handler.failures.length === 1);
  let fresh: object = {};
  handler.onRequestHook = (exchange) => {
    fresh = exchange;
  };
  await harness.send(requests[0]!);
  await until(() => handler.exchanges.length === requests.length + 4);
  for (const exchange of handler.exchanges) {
    expect(haveSameMap(exchange, fresh), `${exchange.method} ${exchange.responseStatus}`).toBe(
      true,
    );
  }
});
