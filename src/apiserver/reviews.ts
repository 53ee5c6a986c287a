// Review endpoints (KN-241): questions that are answered, not stored. There are no roles here: who
// holds the token may do everything, and that is what the answers say.

import type { ListedResource } from './discovery.ts';
import type { JsonObject } from './patch/json-value.ts';

const review = (kind: string, namespaced = false): ListedResource => ({
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  kind,
  namespaced,
  verbs: ['create'],
  shortNames: [],
  categories: [],
  subresources: [],
});

/** By group and version. */
export const REVIEW_RESOURCES: Readonly<Record<string, readonly ListedResource[]>> = {
  'authentication.k8s.io/v1': [review('TokenReview'), review('SelfSubjectReview')],
  'authorization.k8s.io/v1': [
    review('SelfSubjectAccessReview'),
    review('SelfSubjectRulesReview'),
    review('SubjectAccessReview'),
    review('LocalSubjectAccessReview', true),
  ],
};

const REVIEW_PATH = /^\/apis\/([a-z.]+\.k8s\.io\/v1)\/(?:namespaces\/[^/]+\/)?([a-z]+)$/;

/** The kind a path asks for, or undefined. */
export function findReview(path: string): { apiVersion: string; kind: string } | undefined {
  const match = REVIEW_PATH.exec(path);
  if (match === null) return undefined;
  const [, apiVersion = '', plural] = match;
  const found = REVIEW_RESOURCES[apiVersion]?.find((resource) => resource.plural === plural);
  return found === undefined ? undefined : { apiVersion, kind: found.kind };
}

const EVERYTHING = ['*'];

function userInfo(userName: string): JsonObject {
  return { username: userName, groups: ['system:masters', 'system:authenticated'] };
}

/** `isToken` tells whether a text is the token of this server. */
export function answerReview(
  kind: string,
  body: JsonObject,
  context: { userName: string; isToken: (text: string) => boolean },
): JsonObject {
  const { userName } = context;
  switch (kind) {
    case 'SelfSubjectReview':
      return { userInfo: userInfo(userName) };
    case 'TokenReview': {
      const token = (body['spec'] as { token?: unknown } | undefined)?.token;
      const authenticated = typeof token === 'string' && context.isToken(token);
      return authenticated ? { authenticated, user: userInfo(userName) } : { authenticated };
    }
    case 'SelfSubjectRulesReview':
      return {
        resourceRules: [{ verbs: EVERYTHING, apiGroups: EVERYTHING, resources: EVERYTHING }],
        nonResourceRules: [{ verbs: EVERYTHING, nonResourceURLs: EVERYTHING }],
        incomplete: false,
      };
    default:
      return { allowed: true, reason: 'this server has no roles' };
  }
}
