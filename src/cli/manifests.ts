// Reads YAML files and folders into objects, and finds the line a complaint is about: an object
// remembers the document it came from, so an error that names a field can be shown with file and
// line, whether it was found here or by the server.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { type Document, isCollection, isNode, LineCounter, parseAllDocuments } from 'yaml';
import type { KubeObject } from '../api/objects.ts';
import { ManifestError } from './errors.ts';

export interface Manifest {
  object: KubeObject;
  /** As given, for messages. */
  file: string;
  /** Absolute folder of the file. */
  folder: string;
  /**
   * The line on which `field` (`spec.template.spec.containers[0].image`), or its parent, stands.
   */
  lineOf(field: string): number;
}

/** Files of one folder; more is a problem that names the folder. */
const MAX_FILES = 1_000;
/** Size of one file; a larger one is a problem that names it. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const YAML_FILE = /\.(ya?ml|json)$/;

/** Files in the order given, a folder's files by name. Throws ManifestError. */
export function loadManifests(paths: readonly string[]): Manifest[] {
  const problems: string[] = [];
  const manifests: Manifest[] = [];
  for (const file of paths.flatMap((path) => listFiles(path, problems))) {
    manifests.push(...parseManifests(readFileSync(file, 'utf8'), display(file), problems, file));
  }
  if (problems.length > 0) throw new ManifestError(problems);
  return manifests;
}

function display(file: string): string {
  const short = relative(process.cwd(), file);
  return short.startsWith('..') ? file : short;
}

function listFiles(path: string, problems: string[]): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    problems.push(`${path}: no such file or folder`);
    return [];
  }
  if (!stat.isDirectory()) {
    if (stat.size <= MAX_FILE_BYTES) return [resolve(path)];
    problems.push(`${path}: larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`);
    return [];
  }
  const names = readdirSync(path)
    .filter((name) => YAML_FILE.test(name))
    .sort();
  if (names.length === 0) problems.push(`${path}: no .yaml, .yml or .json file in this folder`);
  if (names.length > MAX_FILES) problems.push(`${path}: more than ${MAX_FILES} files`);
  return names.slice(0, MAX_FILES).map((name) => resolve(join(path, name)));
}

/** The objects of one text; what is wrong is added to `problems`. */
export function parseManifests(
  text: string,
  file: string,
  problems: string[],
  path = file,
): Manifest[] {
  const lines = new LineCounter();
  const manifests: Manifest[] = [];
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  for (const document of Array.isArray(documents) ? documents : []) {
    // The first error only: the ones after it are mostly its consequences.
    const [error] = document.errors;
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0]);
      problems.push(`${file}:${line}:${col}: ${error.message}`);
    }
    if (error !== undefined || document.contents === null) continue;
    const lineOf = (field: string) => findLine(document, lines, field);
    const object: unknown = document.toJS();
    for (const item of expandList(object)) {
      const complaint = complaintAbout(item);
      if (complaint === null) {
        manifests.push({
          object: item as KubeObject,
          file,
          folder: dirname(resolve(path)),
          lineOf,
        });
      } else {
        problems.push(`${file}:${lineOf(complaint.field)}: ${complaint.message}`);
      }
    }
  }
  return manifests;
}

/** `kind: List` is the objects in it. */
function expandList(object: unknown): unknown[] {
  const { kind, items } = (object ?? {}) as { kind?: unknown; items?: unknown };
  return kind === 'List' && Array.isArray(items) ? items : [object];
}

function complaintAbout(object: unknown): { field: string; message: string } | null {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    return { field: '', message: 'not an object with apiVersion, kind and metadata' };
  }
  const { apiVersion, kind, metadata } = object as Record<string, unknown>;
  for (const [field, value] of Object.entries({ apiVersion, kind })) {
    if (typeof value !== 'string' || value === '') {
      return { field, message: `${field}: missing or not text` };
    }
  }
  if (typeof metadata !== 'object' || metadata === null) {
    return { field: 'metadata', message: 'metadata: missing' };
  }
  const { name, generateName } = metadata as Record<string, unknown>;
  const named = [name, generateName].some((text) => typeof text === 'string' && text !== '');
  return named ? null : { field: 'metadata.name', message: 'metadata.name: missing or not text' };
}

/** Goes down as far as the document goes along `field`; an absent field is its parent's line. */
function findLine(document: Document.Parsed, lines: LineCounter, field: string): number {
  let offset = document.contents?.range?.[0] ?? 0;
  let node: unknown = document.contents;
  for (const key of pathOf(field)) {
    if (!isCollection(node)) break;
    const pair = node.items.find((item) => isPairWithKey(item, key)) as
      | { key: unknown }
      | undefined;
    const child: unknown = node.get(key, true);
    if (pair !== undefined && isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
    else if (isNode(child)) offset = child.range?.[0] ?? offset;
    if (child === undefined) break;
    node = child;
  }
  return lines.linePos(offset).line;
}

function isPairWithKey(item: unknown, key: string | number): boolean {
  const { key: node } = item as { key?: { value?: unknown } };
  return node?.value === key;
}

/** `spec.containers[0].env[name]` -> `spec`, `containers`, 0, `env`, `name`. */
export function pathOf(field: string): (string | number)[] {
  const parts = field.match(/[^.[\]]+/g) ?? [];
  return parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** The fields a server's message talks about, in order, each once. */
export function fieldsIn(message: string): string[] {
  const found = message.match(/\b(?:spec|metadata|data|status)(?:\.[A-Za-z0-9_-]+|\[[^\]\s]*\])*/g);
  return [...new Set(found ?? [])];
}
