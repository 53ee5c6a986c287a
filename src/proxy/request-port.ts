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
  /** Draining waits for streams of HTTP/2, too. Default false: QP-121. */
  readonly awaitsStreams?: boolean;
}

export function createRequestPort(
  engine: HttpEngine,
  handler: ExchangeHandler,
  { limits, clock, logger, awaitsStreams = false }: RequestPortDeps,
): HttpServer {
  const { headTimeoutMs, held } = limits;
  const http2 = new Http2Server(handler, { clock, logger, headTimeoutMs, held });
  return createHttpServer(engine, handler, { limits, clock, logger, http2, awaitsStreams });
}
