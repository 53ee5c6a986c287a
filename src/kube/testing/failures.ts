// ApiErrors as a server would answer them (KN-210, KN-211), for fakes and for tests that inject
// them.

import { type Kind, resourceName } from '../../api/kinds.ts';
import { ApiError } from '../types.ts';

export function failure(code: number, reason: string, message: string): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    code,
  });
}

export const notFound = (kind: Kind, name: string): ApiError =>
  failure(404, 'NotFound', `${resourceName(kind)} "${name}" not found`);

export const conflict = (kind: Kind, name: string): ApiError =>
  failure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resourceName(kind)} "${name}": the object has been modified; ` +
      'please apply your changes to the latest version and try again',
  );
