// Where our API server answers otherwise than kube-apiserver, and why. The test fails for a difference
// that no row explains, and for a row that no longer explains any. Rows are tried in order.

export interface KnownDifference {
  /** Titles of steps. */
  readonly steps: RegExp;
  /** Paths in the answer, as compare.ts writes them. */
  readonly path: RegExp;
  readonly reason: string;
}

const ANY = /^/;
/** Steps whose refusal is the same but worded otherwise. */
const TEXT = /^body\.(message|details)/;

const titles = (...names: string[]): RegExp =>
  new RegExp(`^(${names.map((name) => name.replace(/[()[\]=!]/g, '\\$&')).join('|')})$`);

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

/** Built-in kinds have no schema here: objects are stored as they come (src/api/schema.ts). */
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
      'a data value that is a number',
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
      'deployment: replicas as text',
      'deployment: an unknown field, strictly',
      'deployment: an unknown field, warned',
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
    steps: /^table: (autoscalers|endpoint slices)$/,
    path: /columnDefinitions/,
    reason: 'columns for what these kinds are used for here',
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
  {
    steps: ANY,
    path: TEXT,
    reason: 'refused alike; the text names what is wrong in our words, not those of Go',
  },
];

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  ...EVERYWHERE,
  ...BUILT_IN,
  ...CODES,
  ...FORMS,
];
