// Syntax of names with the texts Kubernetes prints for them, and of image references. Pure.

const DNS_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const DNS_1123_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DNS_1123_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED_NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const MAX_LABEL_LENGTH = 63;
const MAX_SUBDOMAIN_LENGTH = 253;
const MAX_REPOSITORY_LENGTH = 255;
const MIN_REPOSITORY_LENGTH = 2;

const DNS_1035_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
  "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', " +
  "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for " +
  "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const TWO_SEGMENTS_TEXT = 'should be a domain with at least two segments separated by dots';
const QUALIFIED_TEXT =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with " +
  "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for " +
  "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/** Reasons in Go's list form without brackets; empty = valid. */
export function dns1035Problems(name: string): string {
  const problems: string[] = [];
  if (name.length > MAX_LABEL_LENGTH) problems.push('must be no more than 63 characters');
  if (!DNS_1035.test(name)) problems.push(DNS_1035_TEXT);
  return problems.join(' ');
}

/** Of a `generateName`: a trailing dash is fine, since characters follow; nor does it count. */
export function dns1035PrefixProblems(prefix: string): string {
  const isDashed = prefix.length > 1 && prefix.endsWith('-');
  return dns1035Problems(isDashed ? `${prefix.slice(0, -2)}a` : prefix);
}

export function isDns1123Label(name: string): boolean {
  return name.length <= MAX_LABEL_LENGTH && DNS_1123_LABEL.test(name);
}

/** Empty = valid. */
export function subdomainProblems(name: string): string[] {
  const problems: string[] = [];
  if (name.length > MAX_SUBDOMAIN_LENGTH) problems.push('must be no more than 253 characters');
  if (!DNS_1123_SUBDOMAIN.test(name)) problems.push(SUBDOMAIN_TEXT);
  return problems;
}

/** What keeps `name` from being a host name of two or more labels; null = nothing. */
export function domainNameProblem(name: string): { value: string; text: string } | null {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  const problems = subdomainProblems(bare);
  if (problems.length > 0) return { value: bare, text: problems.join(',') };
  const labels = bare.split('.');
  if (labels.length < 2) return { value: bare, text: TWO_SEGMENTS_TEXT };
  const long = labels.find((label) => label.length > MAX_LABEL_LENGTH);
  return long === undefined ? null : { value: long, text: 'must be no more than 63 characters' };
}

export function qualifiedNameProblems(name: string): string {
  const problems: string[] = [];
  if (name.length > MAX_LABEL_LENGTH) {
    problems.push('name part must be no more than 63 characters');
  }
  if (!QUALIFIED_NAME.test(name)) problems.push(QUALIFIED_TEXT);
  return problems.join(', ');
}

/** WH-84: weakly, with registry and tag optional. */
export function isImageReference(text: string): boolean {
  let rest = text;
  const at = rest.indexOf('@');
  if (at >= 0) {
    if (!/^sha256:[0-9a-f]{64}$/.test(rest.slice(at + 1))) return false;
    rest = rest.slice(0, at);
  }
  const colon = rest.lastIndexOf(':');
  if (colon > rest.lastIndexOf('/')) {
    if (!/^[\w.-]{0,128}$/.test(rest.slice(colon + 1))) return false;
    rest = rest.slice(0, colon);
  }
  const slash = rest.indexOf('/');
  const first = rest.slice(0, Math.max(0, slash));
  const hasRegistry = first === 'localhost' || first.includes('.') || first.includes(':');
  if (hasRegistry && !/^[A-Za-z0-9.-]+(:\d+)?$/.test(first)) return false;
  const repository = hasRegistry ? rest.slice(slash + 1) : rest;
  return (
    repository.length >= MIN_REPOSITORY_LENGTH &&
    repository.length <= MAX_REPOSITORY_LENGTH &&
    /^[a-z0-9_./-]+$/.test(repository)
  );
}
