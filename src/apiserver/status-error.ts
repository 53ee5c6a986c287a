// Every way a request can fail, as the Status body clients understand (KN-210, KN-211). Handlers
// throw these; one place turns them into an HTTP answer. Texts are what kubectl and kn print, so
// they follow Kubernetes word for word.

import { type Kind, resourceName } from '../api/kinds.ts';
import type { ApiStatus } from '../api/objects.ts';

type Details = NonNullable<ApiStatus['details']>;

export class StatusError extends Error {
  readonly status: ApiStatus;
  readonly code: number;

  constructor(code: number, reason: string, message: string, details?: Details) {
    super(message);
    this.name = 'StatusError';
    this.code = code;
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(reason === '' ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

const CAUSES = {
  Invalid: 'FieldValueInvalid',
  Required: 'FieldValueRequired',
  NotSupported: 'FieldValueNotSupported',
  Forbidden: 'FieldValueForbidden',
  Duplicate: 'FieldValueDuplicate',
  TypeInvalid: 'FieldValueTypeInvalid',
  TooLong: 'FieldValueTooLong',
  TooMany: 'FieldValueTooMany',
} as const;

/** One reason why an object is refused with 422. */
export interface Violation {
  type: keyof typeof CAUSES;
  field: string;
  /** The offending value, where the text shows it. */
  value?: unknown;
  detail: string;
}

function violationText({ type, value, detail }: Violation): string {
  const shown = JSON.stringify(value) ?? 'null';
  switch (type) {
    case 'Required':
      return `Required value${detail === '' ? '' : `: ${detail}`}`;
    case 'Forbidden':
      return `Forbidden: ${detail}`;
    case 'TooLong':
      return `Too long: ${detail}`;
    case 'TooMany':
      return `Too many: ${shown}: ${detail}`;
    case 'Duplicate':
      return `Duplicate value: ${shown}`;
    case 'NotSupported':
      return `Unsupported value: ${shown}${detail === '' ? '' : `: ${detail}`}`;
    default:
      return `Invalid value: ${shown}${detail === '' ? '' : `: ${detail}`}`;
  }
}

const about = (kind: Kind, name: string): Details => ({
  ...(name === '' ? {} : { name }),
  ...(kind.group === '' ? {} : { group: kind.group }),
  kind: kind.plural,
});

export const badRequest = (message: string): StatusError =>
  new StatusError(400, 'BadRequest', message);

export const unauthorized = (): StatusError => new StatusError(401, 'Unauthorized', 'Unauthorized');

export const forbidden = (kind: Kind, name: string, why: string): StatusError =>
  new StatusError(
    403,
    'Forbidden',
    `${resourceName(kind)} "${name}" is forbidden: ${why}`,
    about(kind, name),
  );

export const forbiddenRequest = (message: string): StatusError =>
  new StatusError(403, 'Forbidden', message);

export const notFound = (kind: Kind, name: string): StatusError =>
  new StatusError(404, 'NotFound', `${resourceName(kind)} "${name}" not found`, about(kind, name));

/** Built-in kinds and kinds of definitions are refused in different words, as on Kubernetes. */
export const methodNotAllowed = (kind: Kind, verb: string): StatusError =>
  kind.custom
    ? new StatusError(
        405,
        'MethodNotAllowed',
        `${verb} is not supported on resources of kind "${resourceName(kind)}"`,
        about(kind, ''),
      )
    : new StatusError(
        405,
        'MethodNotAllowed',
        'the server does not allow this method on the requested resource',
        {},
      );

export const notAcceptable = (accepted: readonly string[]): StatusError =>
  new StatusError(
    406,
    'NotAcceptable',
    `only the following media types are accepted: ${accepted.join(', ')}`,
  );

export const alreadyExists = (kind: Kind, name: string): StatusError =>
  new StatusError(
    409,
    'AlreadyExists',
    `${resourceName(kind)} "${name}" already exists`,
    about(kind, name),
  );

export const conflict = (kind: Kind, name: string, why: string): StatusError =>
  new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resourceName(kind)} "${name}": ${why}`,
    about(kind, name),
  );

/** KN-171. */
export const modifiedConflict = (kind: Kind, name: string): StatusError =>
  conflict(
    kind,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );

/** KN-157. */
export const expired = (message: string): StatusError => new StatusError(410, 'Expired', message);

export const tooLarge = (message: string): StatusError =>
  new StatusError(413, 'RequestEntityTooLarge', message);

/** KN-131. */
export const unsupportedMediaType = (accepted: readonly string[]): StatusError =>
  new StatusError(
    415,
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types include: ' +
      accepted.join(', '),
  );

/** 422 naming every violation; `details.kind` is the Kind here, not the plural (KN-210). */
export function invalid(kind: Kind, name: string, violations: readonly Violation[]): StatusError {
  const texts = violations.map((violation) => `${violation.field}: ${violationText(violation)}`);
  const what = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${what} "${name}" is invalid: ${list}`, {
    ...(name === '' ? {} : { name }),
    ...(kind.group === '' ? {} : { group: kind.group }),
    kind: kind.kind,
    causes: violations.map((violation) => ({
      reason: CAUSES[violation.type],
      message: violationText(violation),
      field: violation.field,
    })),
  });
}

export const tooManyRequests = (message: string): StatusError =>
  new StatusError(429, 'TooManyRequests', message, { retryAfterSeconds: 1 });

export const internalError = (why: string): StatusError =>
  new StatusError(500, 'InternalError', `Internal error occurred: ${why}`, {
    causes: [{ message: why }],
  });

/** KN-152: asked for a state that does not exist yet. */
export const revisionTooLarge = (asked: number, current: number): StatusError =>
  new StatusError(
    504,
    'Timeout',
    `Timeout: Too large resource version: ${asked}, current: ${current}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  );

/** The answer to a request that removed an object at once (KN-200). */
export function deletedStatus(kind: Kind, name: string, uid: string): ApiStatus {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { ...about(kind, name), ...(uid === '' ? {} : { uid }) },
  };
}

/** The start of every decoding error about an object of this kind. */
export const cannotBeHandled = (kind: Kind): string =>
  `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}`;
