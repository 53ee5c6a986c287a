// Which row of the error table a failed forward is (QP-82). Shared by every role that forwards.

import { ERRORS, type ErrorRow } from '../errors/errors.ts';
import { FailureCode } from './types.ts';

export function upstreamError(code: FailureCode): ErrorRow {
  switch (code) {
    case FailureCode.CONNECT_REFUSED:
      return ERRORS.UPSTREAM_REFUSED;
    case FailureCode.CONNECT_TIMEOUT:
      return ERRORS.UPSTREAM_DIAL_TIMEOUT;
    case FailureCode.CONNECT_ERROR:
      return ERRORS.UPSTREAM_DIAL_FAILED;
    case FailureCode.CLOSED:
      return ERRORS.UPSTREAM_CLOSED;
    case FailureCode.RESET:
      return ERRORS.UPSTREAM_RESET;
    case FailureCode.MALFORMED_RESPONSE:
      return ERRORS.UPSTREAM_MALFORMED;
    case FailureCode.UPGRADE_MISMATCH:
      return ERRORS.UPGRADE_MISMATCH;
  }
}
