// Answers to AdmissionReviews (WH-15 to WH-191): the body of a request in, the body of the answer
// out. Three paths, one per webhook configuration. Everything that is wrong with an object is a
// denial inside the answer; only a body that is no review at all is an error of HTTP.

import type { AdmissionRequest } from '../api/admission.ts';
import type { ConfigMap } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { configMapProblem } from './config-maps.ts';
import { decodeObject } from './decode.ts';
import { jsonPatch, type PatchOperation } from './json-patch.ts';
import { type AdmittedKind, admittedKind } from './kinds.ts';
import { mutate, type ReviewContext, textOf, type Verdict, validate } from './review.ts';

export const DEFAULTING_PATH = '/defaulting';
export const VALIDATION_PATH = '/resource-validation';
export const CONFIG_PATH = '/config-validation';

const BAD_REQUEST = 400;

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** `admission.k8s.io/v1` and `v1beta1` have the same shape. */
interface ReviewRequest {
  readonly uid: string;
  readonly kind: GroupVersionKind;
  readonly subResource?: string;
  readonly operation: string;
  readonly userInfo?: { readonly username?: string };
  readonly object?: unknown;
  readonly oldObject?: unknown;
  readonly dryRun?: boolean;
}

export interface Review {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly request: ReviewRequest;
}

type Answer = Omit<Verdict, 'warnings'> & {
  readonly warnings?: readonly string[];
  readonly patch?: readonly PatchOperation[];
};
type Handler = (request: ReviewRequest, context: ReviewContext) => Answer | Promise<Answer>;

const ALLOWED: Answer = { message: '' };

export const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  [DEFAULTING_PATH, answerDefaulting],
  [VALIDATION_PATH, answerValidation],
  [CONFIG_PATH, answerConfigMap],
]);

/** Throws an Error where the text is no AdmissionReview with a request. */
export function parseReview(text: string): Review {
  if (text.trim() === '') throw new Error('EOF');
  const review = JSON.parse(text) as Partial<Review> | null;
  const request = review?.request;
  if (typeof request !== 'object' || request === null) throw new Error('the review has no request');
  if (typeof request.uid !== 'string') throw new Error('request.uid is not a string');
  const { group, version, kind } = request.kind ?? {};
  const isNamed = [group, version, kind].every((part) => typeof part === 'string');
  if (!isNamed) throw new Error('request.kind is not a group, version and kind');
  return review as Review;
}

/** WH-191. */
export async function answerReview(
  handler: Handler,
  { apiVersion, kind, request }: Review,
  context: ReviewContext,
): Promise<object> {
  const { message, warnings = [], patch } = await handler(request, context);
  const status = { status: 'Failure', code: BAD_REQUEST, reason: 'BadRequest', message };
  const encoded = patch && Buffer.from(JSON.stringify(patch)).toString('base64');
  return {
    apiVersion,
    kind,
    response: {
      uid: request.uid,
      allowed: message === '',
      ...(message === '' ? {} : { status }),
      ...(encoded === undefined ? {} : { patchType: 'JSONPatch', patch: encoded }),
      ...(warnings.length === 0 ? {} : { warnings }),
    },
  };
}

/** WH-15. */
function answerDefaulting(request: ReviewRequest, context: ReviewContext): Answer {
  if (!isWrite(request)) return ALLOWED;
  try {
    const { admitted, asked } = decodeRequest(request);
    mutate(asked, admitted.rules, context);
    return { message: '', patch: jsonPatch(request.object, asked.object) };
  } catch (error) {
    return { message: `mutation failed: ${textOf(error)}` };
  }
}

/** WH-17. */
function answerValidation(
  request: ReviewRequest,
  context: ReviewContext,
): Answer | Promise<Answer> {
  if (!isWrite(request)) return ALLOWED;
  try {
    const { admitted, asked } = decodeRequest(request);
    return validate(asked, admitted.rules, context);
  } catch (error) {
    const prefix = error instanceof MissingObject ? 'validation' : 'decoding request';
    return { message: `${prefix} failed: ${textOf(error)}` };
  }
}

/** WH-170: by name; the object selector of the configuration has looked at the labels. */
function answerConfigMap(request: ReviewRequest, { clusterDomain }: ReviewContext): Answer {
  if (!isWrite(request)) return ALLOWED;
  const { group, version, kind } = request.kind;
  let problem: string | null;
  if (group !== '' || version !== 'v1' || kind !== 'ConfigMap') problem = unhandled(request.kind);
  else {
    try {
      const map = decodeNew(kinds.ConfigMap, request.object);
      problem = configMapProblem(map as ConfigMap, clusterDomain);
    } catch (error) {
      problem = textOf(error);
    }
  }
  return problem === null ? ALLOWED : { message: `validation failed: ${problem}` };
}

function isWrite({ operation }: ReviewRequest): boolean {
  return operation === 'CREATE' || operation === 'UPDATE';
}

class MissingObject extends Error {
  constructor() {
    super('the new object may not be nil');
  }
}

/** Throws an Error with the text of WH-16. */
function decodeRequest(request: ReviewRequest): {
  admitted: AdmittedKind;
  asked: AdmissionRequest;
} {
  const { group, version, kind } = request.kind;
  const admitted = admittedKind(`${group}/${version}`, kind);
  if (admitted === undefined) throw new Error(unhandled(request.kind));
  const object = decodeNew(admitted.kind, request.object);
  const { subResource = '', operation, userInfo, dryRun = false } = request;
  return {
    admitted,
    asked: {
      operation: operation === 'CREATE' ? 'CREATE' : 'UPDATE',
      subresource: subResource,
      dryRun,
      userName: userInfo?.username ?? '',
      object,
      oldObject: decodeOld(admitted.kind, request.oldObject),
    },
  };
}

function decodeNew(kind: kinds.Kind, object: unknown): KubeObject {
  if (object === undefined || object === null) throw new MissingObject();
  return decoded('new', kind, object);
}

function decodeOld(kind: kinds.Kind, object: unknown): KubeObject | null {
  return object === undefined || object === null ? null : decoded('old', kind, object);
}

function decoded(which: 'new' | 'old', kind: kinds.Kind, object: unknown): KubeObject {
  try {
    return decodeObject(kind, object);
  } catch (error) {
    const reason = `cannot decode incoming ${which} object: ${textOf(error)}`;
    throw new Error(reason, { cause: error });
  }
}

function unhandled({ group, version, kind }: GroupVersionKind): string {
  return `unhandled kind: ${group}/${version}, Kind=${kind}`;
}
