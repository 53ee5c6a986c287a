// Where our API server answers otherwise than kube-apiserver, and why. The test fails for a difference
// that no row explains, and for a row that no longer explains any. Rows are tried in order.

export interface KnownDifference {
  /** Titles of steps; each that is named must differ. */
  readonly steps: RegExp | readonly string[];
  /** Paths in the answer, as compare.ts writes them. */
  readonly path: RegExp;
  readonly reason: string;
}

const ANY = /^/;
const titles = (...names: string[]): readonly string[] => names;

/** What holds for every answer. */
const EVERYWHERE: readonly KnownDifference[] = [
  {
    steps: ANY,
    path: /metadata\.generation$/,
    reason: 'KN-170: every object of ours counts its generations, theirs only those with a spec',
  },
  {
    steps: ANY,
    path: /items\[\d+\]\.(kind|apiVersion)$/,
    reason: 'items of built-in lists name their kind: they are sent as they are stored',
  },
  {
    steps: ANY,
    path: /columnDefinitions\[\d+\]\.(description|type)$/,
    reason: 'columns have no texts for people, and say integer or date where they hold one',
  },
  {
    steps: /^custom:|^field: of a custom resource/,
    path: /^body\.metadata\.continue$/,
    reason: 'an empty continue is left out, as for built-in kinds',
  },
  {
    steps: /^(apply|table: (custom|deployments)|custom: |an update of an applied list)/,
    path: /managedFields\[\d+\]\.time$/,
    reason: 'theirs drops the time of an entry whose fields shrink through others; ours keeps it',
  },
];

const DEFAULTS =
  /(terminationMessage|dnsPolicy|schedulerName|imagePullPolicy|ecurityContext|enableServiceLinks|qosClass|\.priority|preemption|tolerations|restartPolicy|revisionHistory|progressDeadl|strategy|terminationGrace|\.resources$|podIPs|f:resources$|protocol$|f:spec$|targetPort|clusterIPs|ipFamil|TrafficPolicy|minReplicas|metrics$|conditions$|^body\.status$)/;

/** Built-in kinds are decoded by schemas, but neither validated nor filled with defaults. */
const BUILT_IN: readonly KnownDifference[] = [
  {
    steps:
      /^(strategic|merge: lists|json: into|pod|deployment|apply deployment|grace|table: (pods|dep)|an update|service|endpoints|autoscaler|slice)/,
    path: DEFAULTS,
    reason: 'defaults of built-in kinds are not filled in',
  },
  {
    steps: titles(
      'a data key that is none',
      'one key in data and binaryData',
      'binary data that is not base64',
      'replace by what is not valid',
      'replace immutable data',
      'make mutable again',
      'dry run: what is not valid',
      'merge: what is not valid',
      'merge: a value of another type',
      'merge: a field nobody knows',
      'merge: a field nobody knows, strictly',
      'strategic: a change a pod refuses',
      'strategic: an immutable selector',
      'apply: what is not valid',
      'deployment: without a selector',
      'deployment: a selector of others',
      'deployment: without containers',
      'deployment: negative replicas',
      'pod: without containers',
      'pod: a container without a name',
      'pod: two containers of a name',
      'pod: a restart policy nobody knows',
      'pod: image',
      'secret: not base64',
      'secret: TLS without a key',
      'secret: another type',
      'service: no ports',
      'service: a bad port',
      'service: ports without names',
      'endpoints: a bad address',
      'lease: a duration of 0',
    ),
    path: ANY,
    reason: 'contents of built-in kinds are not validated',
  },
  {
    steps: titles('apply deployment: a number as text', 'apply deployment: a field nobody knows'),
    path: ANY,
    reason: 'contents of built-in kinds are not validated; theirs answers 500',
  },
  {
    steps: /^(namespace: read|table: namespaces)$/,
    path: /managedFields\[0\]\.fieldsV1\.f:spec$/,
    reason: 'the finalizer of a namespace is filled in by the server and belongs to nobody there',
  },
  {
    steps: /^table: deployments$/,
    path: /cells\[\d\]$/,
    reason: 'shows the selector that only ours let be changed before',
  },
  {
    steps: /^replace with null fields$/,
    path: /^body\.data$/,
    reason: 'a null in a built-in kind is stored as null',
  },
  {
    steps: /^event: create$/,
    path: /Timestamp$|eventTime$|reporting/,
    reason: 'Go writes empty fields of events; a reader sees no difference',
  },
  {
    steps: /^(table: endpoints|endpoints: .*)$/,
    path: /^warnings\.length$/,
    reason: 'Endpoints are deprecated on Kubernetes; here they are what carries addresses',
  },
  {
    steps: /^service: a bad name$/,
    path: ANY,
    reason: 'since 1.35 names of Services may start with a digit; ours hold for older clusters too',
  },
  {
    steps: /^deployment: (status|no status through the object|what it came to)$/,
    path: /managedFields/,
    reason: 'an entry of the scale subresource is kept apart where theirs has lost it',
  },
];

/** Another status code, deliberately. */
const CODES: readonly KnownDifference[] = [
  {
    steps: titles(
      'read at a bad version',
      'create with a version',
      'replace at a version that is none',
      'watch: a version that is none',
      'strategic: a directive nobody knows',
      'apply deployment: the same key twice',
      'apply service: a field nobody knows',
    ),
    path: ANY,
    reason: 'theirs answers 500 to a mistake of the client; here 500 means a fault of the server',
  },
  {
    steps: titles('create without a kind', 'create without kind and version'),
    path: ANY,
    reason: 'theirs takes the kind from the path; ours refuses, as both do for custom kinds',
  },
  {
    steps: titles(
      'a label that is a number',
      'list at a version that is none',
      'merge: another kind',
      'merge: another uid',
      'custom: another kind',
      'json: an operation nobody knows',
      'schema: an unknown field in a patch, strictly',
      'apply: a uid of what is not there',
      'scale: text',
    ),
    path: ANY,
    reason: 'refused by both, with another 4xx code',
  },
  {
    steps: /^a finalizer without a domain$/,
    path: ANY,
    reason: 'accepted for clients of old; theirs asks for a domain',
  },
  {
    steps: /^json: replace what is not there$/,
    path: ANY,
    reason: 'RFC 6902 section 4.3: the target must exist; theirs adds it',
  },
  {
    steps: /^apply: a version of what is not there$/,
    path: ANY,
    reason: 'who names a version means an object that exists; theirs creates one',
  },
  {
    steps: /^schema: a null$/,
    path: ANY,
    reason: 'a null for a typed field is refused; theirs drops it',
  },
  {
    steps: /^list at version 1$/,
    path: ANY,
    reason: 'KN-157: a version before the start of the history is 410; theirs still has it',
  },
];

const NO_STATUS = 'KN-101: a path that serves nothing is answered in plain text';

/** The same meaning in another form. */
const FORMS: readonly KnownDifference[] = [
  {
    steps: /nobody knows$|does not have$|^scale: none here$/,
    path: /^(body|contentType)$/,
    reason: NO_STATUS,
  },
  {
    steps: /^an answer in YAML$/,
    path: /^body$/,
    reason: 'YAML is compared as text: order of fields, times and versions differ',
  },
  {
    steps: /^strategic: /,
    path: /finalizers\[\d\]|containers\[\d\]/,
    reason: 'new items of a list go to its end; theirs puts them in front. kubectl sends the order',
  },
  {
    steps: /^watch: one by path$/,
    path: ANY,
    reason: 'a watch on the path of one object is served; theirs ignores the parameter',
  },
  {
    steps: /^watch: as tables$/,
    path: /columnDefinitions$/,
    reason: 'no columns after the first event: an empty list here, null there',
  },
  {
    steps: /^scale: patch$/,
    path: /^body\.spec\.replicas$/,
    reason: 'Go leaves out a 0; a reader sees no difference',
  },
  {
    steps: /^(table: custom|custom: list|custom: delete the collection)$/,
    path: ANY,
    reason: 'lists what one of the two refused before',
  },
  {
    steps: /^discovery: /,
    path: /apiVersion|verbs|items\[|responseKind|storageVersionHash|resources\[/,
    reason: 'other verbs, order and hashes; clients look up by name',
  },
  {
    steps: /^version$/,
    path: ANY,
    reason: 'KN-240: says which Kubernetes it behaves like',
  },
  {
    steps: /^review: /,
    path: ANY,
    reason: 'one user who may do everything; reviews are not objects here',
  },
];

/** Steps whose refusal is the same but worded otherwise. */
const WORDS = /^body\.(message|details)/;

/** Refused alike, in words that only their code could say, or that say less than ours. */
const TEXTS: readonly KnownDifference[] = [
  {
    steps: titles(
      'create from broken JSON',
      'create from an array',
      'create from nothing',
      'merge: an array',
      'merge: broken JSON',
      'json: an object',
      'apply: broken YAML',
      'a page after nonsense',
      'custom: broken JSON',
    ),
    path: WORDS,
    reason: 'says what the parser stopped at: theirs is that of Go, with its types',
  },
  {
    steps: titles(
      'create another kind than the path',
      'create another version than the path',
      'delete: a body of another kind',
    ),
    path: WORDS,
    reason: 'theirs names types and a source line of its own',
  },
  {
    steps: titles('replace another uid'),
    path: WORDS,
    reason: 'theirs shows the error of its storage, with the key in etcd',
  },
  {
    steps: titles('json: a test that fails', 'json: remove what is not there'),
    path: WORDS,
    reason: 'ours says which operation could not be done',
  },
  {
    steps: titles('a patch of a type nobody knows', 'a patch of no type'),
    path: WORDS,
    reason: 'KN-173: ours says which types are taken',
  },
  {
    steps: titles('an answer of a type nobody can make'),
    path: WORDS,
    reason: 'names the types there are; theirs can also write protobuf',
  },
  {
    steps: titles(
      'select tier in (a',
      'select =a',
      'select tier=not good',
      'watch: a selector that is none',
    ),
    path: WORDS,
    reason: 'theirs names the token its scanner stopped at, ours the selector',
  },
  {
    steps: titles('custom: without kind'),
    path: WORDS,
    reason: 'of two missing fields ours names apiVersion, theirs kind, with the body twice',
  },
  {
    steps: titles('schema: a fraction for an integer', 'schema: several problems'),
    path: WORDS,
    reason: 'theirs names types of Go (int64, float64), and a fraction a second time from CEL',
  },
  {
    steps: titles('status: not valid'),
    path: WORDS,
    reason: 'theirs leaves the first part of the path out when only the status is checked',
  },
  {
    steps: titles('finalizer: no new one'),
    path: WORDS,
    reason: 'theirs says the same twice, as two checks find it',
  },
];

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  ...EVERYWHERE,
  ...BUILT_IN,
  ...CODES,
  ...FORMS,
  ...TEXTS,
];
