// Label and field selectors (KN-154): parsed once per request into a predicate over objects. Label
// selectors know the whole grammar; field selectors only the fields each kind offers, because a
// client must hear about a field that would silently match nothing. Pure.

import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { badRequest } from './status-error.ts';

export type Predicate = (object: KubeObject) => boolean;

/** Requirements in one selector; more are refused. */
export const MAX_REQUIREMENTS = 100;

interface Requirement {
  key: string;
  operator: '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | '>' | '<';
  values: readonly string[];
}

const KEY =
  /^([a-z0-9A-Z]([-a-z0-9A-Z.]*[a-z0-9A-Z])?\/)?[a-z0-9A-Z]([-a-z0-9A-Z_.]*[a-z0-9A-Z])?$/;
const VALUE = /^([a-z0-9A-Z]([-a-z0-9A-Z_.]*[a-z0-9A-Z])?)?$/;
const SET = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/;
const COMPARED = /^([^=!<>\s]+)\s*(==|=|!=|<|>)\s*([^=!<>\s]*)$/;

/** Splits at commas outside parentheses. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index <= text.length; index += 1) {
    const char = text[index];
    if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    else if (index === text.length || (char === ',' && depth === 0)) {
      terms.push(text.slice(start, index).trim());
      start = index + 1;
    }
  }
  if (terms.length > MAX_REQUIREMENTS) {
    throw badRequest(`a selector may have at most ${MAX_REQUIREMENTS} requirements`);
  }
  return terms;
}

function parseRequirement(term: string): Requirement {
  const set = SET.exec(term);
  if (set !== null) {
    const values = set[3]!.split(',').map((value) => value.trim());
    return { key: set[1]!, operator: set[2] as 'in' | 'notin', values };
  }
  const compared = COMPARED.exec(term);
  if (compared !== null) {
    const operator = compared[2] === '==' ? '=' : (compared[2] as Requirement['operator']);
    return { key: compared[1]!, operator, values: [compared[3]!] };
  }
  if (term.startsWith('!')) return { key: term.slice(1).trim(), operator: '!', values: [] };
  return { key: term, operator: 'exists', values: [] };
}

function checkRequirement(requirement: Requirement, selector: string): void {
  const { key, operator, values } = requirement;
  const isNumeric = operator === '<' || operator === '>';
  const isGood = KEY.test(key) && values.every((value) => VALUE.test(value));
  if (isGood && isNumeric && !/^-?\d+$/.test(values[0] ?? '')) {
    throw badRequest(
      `unable to parse requirement: values[0]: Invalid value: ${JSON.stringify(values[0])}: ` +
        "for 'Gt', 'Lt' operators, the value must be an integer",
    );
  }
  if (!isGood) {
    throw badRequest(
      `unable to parse requirement: ${JSON.stringify(selector)} is not a valid label selector`,
    );
  }
}

function meets(labels: Readonly<Record<string, string>>, requirement: Requirement): boolean {
  const { key, operator, values } = requirement;
  const has = Object.hasOwn(labels, key);
  const value = labels[key] ?? '';
  switch (operator) {
    case '=':
      return has && value === values[0];
    case '!=':
      return !has || value !== values[0];
    case 'in':
      return has && values.includes(value);
    case 'notin':
      return !has || !values.includes(value);
    case 'exists':
      return has;
    case '!':
      return !has;
    case '>':
      return /^-?\d+$/.test(value) && Number(value) > Number(values[0]);
    case '<':
      return /^-?\d+$/.test(value) && Number(value) < Number(values[0]);
  }
}

const NO_LABELS: Readonly<Record<string, string>> = {};

/** null = selects everything. Throws 400 for what is not a selector. */
export function parseLabelSelector(text: string): Predicate | null {
  if (text.trim() === '') return null;
  const requirements = splitTerms(text).map(parseRequirement);
  for (const requirement of requirements) checkRequirement(requirement, text);
  return (object) => {
    const labels = object.metadata.labels ?? NO_LABELS;
    return requirements.every((requirement) => meets(labels, requirement));
  };
}

/** Selectable fields beyond metadata.name and metadata.namespace, by `group/kind`. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  '/Event': [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  '/Pod': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  '/Secret': ['type'],
  '/Namespace': ['status.phase'],
  '/Service': ['spec.clusterIP', 'spec.type'],
  '/Node': ['spec.unschedulable'],
};

function fieldValue(object: KubeObject, path: string): string {
  if (path === 'source') return fieldValue(object, 'source.component');
  let at: unknown = object;
  for (const part of path.split('.')) {
    if (typeof at !== 'object' || at === null) return '';
    at = (at as Record<string, unknown>)[part];
  }
  return at === undefined || at === null ? '' : String(at);
}

/** A parsed field selector; `name` is set when it pins one object, so that a list need not scan. */
export interface FieldSelector {
  matches: Predicate;
  name: string | null;
}

/** null = selects everything. Throws 400 for unknown fields and broken text. */
export function parseFieldSelector(kind: Kind, text: string): FieldSelector | null {
  if (text.trim() === '') return null;
  const named = kind.selectableFields ?? FIELDS[`${kind.group}/${kind.kind}`];
  const known = named ?? [];
  let name: string | null = null;
  const tests = splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^([^=!]+?)(==|=|!=)(.*)$/.exec(term);
      if (match === null)
        throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
      const [, path, operator, value] = match as unknown as [string, string, string, string];
      if (path !== 'metadata.name' && path !== 'metadata.namespace' && !known.includes(path)) {
        throw badRequest(
          named === undefined && !kind.custom
            ? `${JSON.stringify(path)} is not a known field selector: only "metadata.name", "metadata.namespace"`
            : `field label not supported: ${path}`,
        );
      }
      const isEqual = operator !== '!=';
      if (path === 'metadata.name' && isEqual) name = value;
      return (object: KubeObject) => (fieldValue(object, path) === value) === isEqual;
    });
  return { matches: (object) => tests.every((test) => test(object)), name };
}

/** Both selectors of a request; null = everything matches. */
export interface Selection {
  matches: Predicate | null;
  name: string | null;
}

export function parseSelection(kind: Kind, query: URLSearchParams): Selection {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(kind, query.get('fieldSelector') ?? '');
  if (fields === null) return { matches: labels, name: null };
  if (labels === null) return { matches: fields.matches, name: fields.name };
  return {
    matches: (object) => fields.matches(object) && labels(object),
    name: fields.name,
  };
}
