// OpenAPI (KN-120 to KN-124), v3 and from it v2: an index and one document per group version,
// generated from the kinds' schemas. kubectl reads two things from it: fields, for `explain`, and
// whether the patch operation takes `fieldValidation`, which moves validation to the server. Made
// on first use.

import { createHash } from 'node:crypto';
import { type Kind, resourcePath } from '../api/kinds.ts';
import { type GroupVersion, groupVersionName, type KindRegistry } from './kind-registry.ts';
import { EMPTY_V2_PROTOBUF, toSwagger } from './openapi-v2.ts';
import type { StructuralSchema } from './structural-schema.ts';

const INDEX_PATH = '/openapi/v3';
const V2_PATH = '/openapi/v2';
const V2_PROTOBUF_TYPE = 'application/com.github.proto-openapi.spec.v2';
/** Asked for with an `@`, which no media type may hold: clients refuse to parse it in an answer. */
const V2_PROTOBUF = `${V2_PROTOBUF_TYPE}.v1.0+protobuf`;
const META_NAME = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const META_REF = { $ref: `#/components/schemas/${META_NAME}` };

export interface OpenApiAnswer {
  code: 200 | 301;
  /** JSON unless given. */
  contentType?: string;
  body: string;
  headers: Readonly<Record<string, string>>;
}

const string = (description: string): object => ({ type: 'string', description });
const stringMap = (description: string): object => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string' },
});

const OBJECT_META = {
  type: 'object',
  description: 'ObjectMeta is metadata that all persisted resources must have.',
  properties: {
    name: string('Name must be unique within a namespace. Cannot be updated.'),
    generateName: string('A prefix from which the server makes a unique name.'),
    namespace: string('The namespace the object lives in.'),
    uid: string('Unique in time and space; set by the server.'),
    resourceVersion: string('Opaque version of the object; changes with every write.'),
    generation: { type: 'integer', format: 'int64', description: 'Counts changes of the spec.' },
    creationTimestamp: { ...string('When the object was created.'), format: 'date-time' },
    deletionTimestamp: { ...string('When the object is to be gone.'), format: 'date-time' },
    deletionGracePeriodSeconds: { type: 'integer', format: 'int64' },
    labels: stringMap('Keys and values used to select objects.'),
    annotations: stringMap('Unstructured keys and values for tools and people.'),
    ownerReferences: {
      type: 'array',
      description: 'Objects this one depends on; it goes when all are gone.',
      items: {
        type: 'object',
        required: ['apiVersion', 'kind', 'name', 'uid'],
        properties: {
          apiVersion: { type: 'string' },
          kind: { type: 'string' },
          name: { type: 'string' },
          uid: { type: 'string' },
          controller: { type: 'boolean' },
          blockOwnerDeletion: { type: 'boolean' },
        },
      },
    },
    finalizers: {
      type: 'array',
      description: 'The object stays until this list is empty.',
      items: { type: 'string' },
    },
  },
};

/** What `explain` says of kinds whose schemas have no words of their own. */
const KIND_DESCRIPTIONS: Readonly<Record<string, string>> = {
  'io.k8s.api.core.v1.ConfigMap': 'Configuration for programs to read.',
  'io.k8s.api.core.v1.Endpoints': 'The addresses that implement a Service.',
  'io.k8s.api.core.v1.Event': 'Something that happened to an object.',
  'io.k8s.api.core.v1.Namespace': 'A scope for names.',
  'io.k8s.api.core.v1.Node': 'A machine that runs pods.',
  'io.k8s.api.core.v1.Pod': 'Containers that run together on one node.',
  'io.k8s.api.core.v1.Secret': 'Data not everybody may read.',
  'io.k8s.api.core.v1.Service': 'A name and ports in front of pods.',
  'io.k8s.api.core.v1.ServiceAccount': 'An identity for the processes of a pod.',
  'apps.v1.Deployment': 'Keeps a number of equal pods running and rolls changes out.',
  'autoscaling.v2.HorizontalPodAutoscaler': 'Scales a workload by what is measured on it.',
  'io.k8s.coordination.v1.Lease': 'Who leads, and until when.',
  'io.k8s.discovery.v1.EndpointSlice': 'Some of the addresses that implement a Service.',
};

function schemaName(kind: Kind): string {
  const group = kind.group === '' ? 'io.k8s.api.core' : kind.group.split('.').reverse().join('.');
  return `${group}.${kind.version}.${kind.kind}`;
}

const gvk = ({ group, version, kind }: Kind): object => ({ group, version, kind });

function objectSchema(kind: Kind, schema: StructuralSchema | undefined): object {
  return {
    type: 'object',
    description: KIND_DESCRIPTIONS[schemaName(kind)] ?? `${kind.kind} (${kind.plural}).`,
    ...schema,
    properties: {
      ...schema?.properties,
      apiVersion: string('Version of the schema this object is written in.'),
      kind: string('The kind of this object.'),
      metadata: META_REF,
    },
    ...(schema === undefined ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
    'x-kubernetes-group-version-kind': [gvk(kind)],
  };
}

const queryParameter = (name: string, description: string): object => ({
  name,
  in: 'query',
  description,
  schema: { type: 'string', uniqueItems: true },
});

const WRITE_PARAMETERS = [
  queryParameter('dryRun', 'All: nothing is stored.'),
  queryParameter('fieldManager', 'Who makes the change.'),
  queryParameter('fieldValidation', 'Ignore, Warn or Strict: what happens to unknown fields.'),
];

function operation(kind: Kind, action: string, parameters: readonly object[]): object {
  return {
    operationId: `${action}${kind.kind}`,
    parameters,
    responses: { 200: { description: 'OK' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk(kind),
  };
}

function pathsOf(kind: Kind): [string, object][] {
  const collection = resourcePath(kind, kind.namespaced ? '{namespace}' : undefined);
  return [
    [
      collection,
      {
        get: operation(kind, 'list', []),
        post: operation(kind, 'post', WRITE_PARAMETERS),
      },
    ],
    [
      `${collection}/{name}`,
      {
        get: operation(kind, 'get', []),
        put: operation(kind, 'put', WRITE_PARAMETERS),
        patch: operation(kind, 'patch', WRITE_PARAMETERS),
        delete: operation(kind, 'delete', []),
      },
    ],
  ];
}

interface OpenApiDocument {
  body: string;
  hash: string;
}

export class OpenApi {
  readonly #registry: KindRegistry;
  readonly #schemaOf: (kind: Kind) => StructuralSchema | undefined;
  readonly #expires: () => number;
  readonly #documents = new Map<string, OpenApiDocument>();
  #index: string | null = null;
  #v2: string | null = null;
  #generation = -1;

  /** `nowMs` dates the Expires header. */
  constructor(
    registry: KindRegistry,
    schemaOf: (kind: Kind) => StructuralSchema | undefined,
    nowMs: () => number,
  ) {
    this.#registry = registry;
    this.#schemaOf = schemaOf;
    this.#expires = () => nowMs() + 365 * 24 * 60 * 60 * 1000;
  }

  /** undefined = not an OpenAPI path. */
  find(path: string, query: URLSearchParams, accept = ''): OpenApiAnswer | undefined {
    if (path === V2_PATH) {
      const [first = ''] = accept.split(',');
      if (first.startsWith(V2_PROTOBUF_TYPE)) {
        return { code: 200, contentType: V2_PROTOBUF, body: EMPTY_V2_PROTOBUF, headers: {} };
      }
      this.#refresh();
      this.#v2 ??= toSwagger([...this.#all().values()].map(({ body }) => body));
      return { code: 200, body: this.#v2, headers: { Vary: 'Accept' } };
    }
    if (path === INDEX_PATH || path === `${INDEX_PATH}/`) {
      this.#refresh();
      return { code: 200, body: this.#indexText(), headers: {} };
    }
    if (!path.startsWith(`${INDEX_PATH}/`)) return undefined;
    this.#refresh();
    const document = this.#all().get(path.slice(INDEX_PATH.length + 1));
    if (document === undefined) return undefined;
    const asked = query.get('hash');
    if (asked !== null && asked !== document.hash) {
      return { code: 301, body: '', headers: { Location: `${path}?hash=${document.hash}` } };
    }
    const headers: Record<string, string> = { ETag: `"${document.hash}"`, Vary: 'Accept' };
    if (asked !== null) {
      headers['Cache-Control'] = 'public, immutable';
      headers['Expires'] = new Date(this.#expires()).toUTCString();
    }
    return { code: 200, body: document.body, headers };
  }

  #refresh(): void {
    if (this.#generation === this.#registry.generation) return;
    this.#generation = this.#registry.generation;
    this.#documents.clear();
    this.#index = null;
    this.#v2 = null;
  }

  #indexText(): string {
    this.#index ??= JSON.stringify({
      paths: Object.fromEntries(
        [...this.#all()].map(([name, { hash }]) => [
          name,
          { serverRelativeURL: `${INDEX_PATH}/${name}?hash=${hash}` },
        ]),
      ),
    });
    return this.#index;
  }

  #all(): ReadonlyMap<string, OpenApiDocument> {
    if (this.#documents.size > 0) return this.#documents;
    for (const { versions } of this.#registry.groups) {
      for (const entry of versions) {
        const prefix = entry.group === '' ? 'api' : 'apis';
        const name = `${prefix}/${groupVersionName(entry.group, entry.version)}`;
        this.#documents.set(name, this.#document(entry));
      }
    }
    return this.#documents;
  }

  #document({ group, version, kinds }: GroupVersion): OpenApiDocument {
    const schemas = kinds.map((kind) => [
      schemaName(kind),
      objectSchema(kind, this.#schemaOf(kind)),
    ]);
    const body = JSON.stringify({
      openapi: '3.0.0',
      info: { title: 'Pilotlight', version: groupVersionName(group, version) },
      paths: Object.fromEntries(kinds.flatMap(pathsOf)),
      components: { schemas: { [META_NAME]: OBJECT_META, ...Object.fromEntries(schemas) } },
    });
    const hash = createHash('sha256').update(body).digest('hex').toUpperCase();
    return { body, hash };
  }
}
