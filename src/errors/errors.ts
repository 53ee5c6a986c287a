// Every failure the data plane answers a client with: stable code, status, who caused it, whether
// trying again can help, and the text. One place, so replies, logs, metrics and docs/errors.md
// cannot disagree; a test compares this table with the document. Retired codes are never used
// again. A role with failures of its own adds rows to the table here. Overload is not an exception:
// rows are constants, so refusing a request creates nothing.

/** How the text becomes a body. */
export type ErrorBody =
  /** Message plus one newline, with `nosniff`: what Knative's components send. */
  | 'plain'
  /** Exactly the message, without `nosniff` (QP-49). */
  | 'bare'
  /** No body and no content type. */
  | 'empty';

export interface ErrorRow {
  /** Stable identifier, for logs, metrics and docs. */
  readonly code: string;
  readonly status: number;
  /** Who caused it. */
  readonly source: 'upstream' | 'downstream' | 'internal';
  /** True when the same request may succeed if sent again. */
  readonly retryable: boolean;
  /** Fixed text, or the beginning of one that is completed with a detail. */
  readonly message: string;
  readonly body: ErrorBody;
}

const row = (
  code: string,
  status: number,
  source: ErrorRow['source'],
  retryable: boolean,
  message: string,
  body: ErrorBody = 'plain',
): ErrorRow => Object.freeze({ code, status, source, retryable, message, body });

export const ERRORS = {
  QUEUE_FULL: row('KN_QUEUE_FULL', 503, 'internal', true, 'pending request queue full'),
  BODIES_FULL: row('KN_BODIES_FULL', 503, 'internal', true, 'too many request bodies are held'),
  REQUEST_TIMEOUT: row('KN_REQUEST_TIMEOUT', 504, 'upstream', false, 'request timeout', 'bare'),
  SHUTTING_DOWN: row('KN_SHUTTING_DOWN', 503, 'internal', true, 'shutting down'),
  NOT_READY: row('KN_NOT_READY', 503, 'upstream', true, '', 'empty'),
  PROBE_HEADER_UNEXPECTED: row(
    'KN_PROBE_HEADER_UNEXPECTED',
    400,
    'downstream',
    false,
    'unexpected probe header value: ',
  ),
  PROBE_HASH_MISSING: row(
    'KN_PROBE_HASH_MISSING',
    400,
    'downstream',
    false,
    'a probe request must contain a non-empty "K-Network-Hash" header',
  ),
  PATH_NOT_FOUND: row('KN_PATH_NOT_FOUND', 404, 'downstream', false, '404 page not found'),
  METHOD_NOT_ALLOWED: row('KN_METHOD_NOT_ALLOWED', 405, 'downstream', false, 'method not allowed'),
  UPSTREAM_REFUSED: row('KN_UPSTREAM_REFUSED', 502, 'upstream', true, 'connection refused'),
  UPSTREAM_DIAL_TIMEOUT: row(
    'KN_UPSTREAM_DIAL_TIMEOUT',
    502,
    'upstream',
    true,
    'timed out dialing',
  ),
  UPSTREAM_DIAL_FAILED: row('KN_UPSTREAM_DIAL_FAILED', 502, 'upstream', true, 'dial failed'),
  UPSTREAM_CLOSED: row('KN_UPSTREAM_CLOSED', 502, 'upstream', false, 'EOF'),
  UPSTREAM_RESET: row('KN_UPSTREAM_RESET', 502, 'upstream', false, 'connection reset by peer'),
  UPSTREAM_MALFORMED: row(
    'KN_UPSTREAM_MALFORMED',
    502,
    'upstream',
    false,
    'malformed HTTP response',
  ),
  UPGRADE_MISMATCH: row(
    'KN_UPGRADE_MISMATCH',
    502,
    'upstream',
    false,
    'backend tried to switch protocol',
  ),
  HTTP2_FLOOD: row(
    'KN_HTTP2_FLOOD',
    400,
    'downstream',
    false,
    'HTTP/2 connection closed: its client floods',
    'empty',
  ),
  /** Printed at start, never answered. */
  ENGINE_UNAVAILABLE: row(
    'KN_ENGINE_UNAVAILABLE',
    500,
    'internal',
    false,
    'the uws engine cannot be loaded here, use net: ',
    'empty',
  ),
  PROFILE_UNAVAILABLE: row(
    'KN_PROFILE_UNAVAILABLE',
    501,
    'internal',
    false,
    'this runtime has no execution trace, use profile or heap',
  ),
  PROFILE_REFUSED: row(
    'KN_PROFILE_REFUSED',
    400,
    'downstream',
    true,
    'another profile is being taken',
  ),
  // Activator.
  ACTIVATOR_UNHEALTHY: row('KN_ACTIVATOR_UNHEALTHY', 500, 'internal', true, 'unhealthy'),
  ACTIVATOR_TIMEOUT: row(
    'KN_ACTIVATOR_TIMEOUT',
    504,
    'upstream',
    false,
    'activator request timeout',
    'bare',
  ),
  REVISION_NOT_FOUND: row(
    'KN_REVISION_NOT_FOUND',
    404,
    'downstream',
    false,
    'Error getting active endpoint: ',
  ),
  REVISION_FAILED: row('KN_REVISION_FAILED', 503, 'upstream', false, 'revision cannot start: '),
  // Gateway.
  ROUTE_NOT_FOUND: row(
    'KN_ROUTE_NOT_FOUND',
    404,
    'downstream',
    false,
    'no route for this host and path',
  ),
  NO_READY_BACKEND: row('KN_NO_READY_BACKEND', 503, 'upstream', true, 'no ready backend'),
  // Webhook (WH-2, WH-191).
  WEBHOOK_CONTENT_TYPE: row(
    'KN_WEBHOOK_CONTENT_TYPE',
    415,
    'downstream',
    false,
    'invalid Content-Type, want `application/json`',
  ),
  WEBHOOK_PATH: row('KN_WEBHOOK_PATH', 400, 'downstream', false, 'no controller registered for: '),
  WEBHOOK_BODY: row('KN_WEBHOOK_BODY', 400, 'downstream', false, 'could not decode body:'),
  WEBHOOK_BUSY: row('KN_WEBHOOK_BUSY', 503, 'internal', true, 'too many reviews at once'),
  WEBHOOK_FAILED: row('KN_WEBHOOK_FAILED', 500, 'internal', true, 'admission failed: '),
} as const satisfies Record<string, ErrorRow>;
