// A request port as every data-plane role opens it: the chosen engine in front, HTTP/1.x and
// prior-knowledge HTTP/2 told apart by their first bytes (QP-3, ACT-2, ING-85). One handler gets
// the requests of both. Not hot.

import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Http2Server } from './h2-server.ts';
import { createHttpServer, type HttpEngine } from './http-engine.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits } from './types.ts';

export interface RequestPortDeps {
  readonly limits: HttpServerLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function createRequestPort(
  engine: HttpEngine,
  handler: ExchangeHandler,
  { limits, clock, logger }: RequestPortDeps,
): HttpServer {
  const { headTimeoutMs } = limits;
  const http2 = new Http2Server(handler, { clock, logger, headTimeoutMs });
  return createHttpServer(engine, handler, { limits, clock, logger, http2 });
}
