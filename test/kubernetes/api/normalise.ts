// Makes the answers of two servers comparable: what is made anew by each (uids, times, versions, random
// name endings, continue tokens) becomes a word. A version that an earlier step saved becomes that
// step's variable, so that "nothing changed" stays visible. Pure.

const UID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const AGE = /^(\d+[smhd])+$/;
/** The server's own version in a text. */
const SHOWN_VERSION = /(current: |in record \()\d+/g;
const GENERATED = /\bgen-[a-z0-9]{5}\b/g;

type Variables = ReadonlyMap<string, string>;

export function normalise(value: unknown, variables: Variables, field = ''): unknown {
  if (typeof value === 'string') return word(value, variables, field);
  if (Array.isArray(value)) {
    const items = value.map((item) => normalise(item, variables, ''));
    return field === 'managedFields' ? items.sort(byManager) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name.replace(UID, '<uid>'),
      normalise(member, variables, name),
    ]),
  );
}

/** Entries are kept by time: their order depends on where a second ended. */
function byManager(a: unknown, b: unknown): number {
  const text = (entry: unknown): string => {
    const { operation, manager, subresource } = entry as Record<string, unknown>;
    return [operation, manager, subresource].join();
  };
  return text(a) < text(b) ? -1 : 1;
}

function word(text: string, variables: Variables, field: string): string {
  if (field === 'resourceVersion') return version(text, variables);
  if (field === 'continue' && text !== '') return '<continue>';
  if (TIME.test(text)) return text.includes('.') ? '<precise time>' : '<time>';
  if (field === '' && AGE.test(text)) return '<age>';
  return text
    .replaceAll(variables.get('ns') ?? '\u0000', '<namespace>')
    .replace(UID, '<uid>')
    .replace(GENERATED, 'gen-<random>')
    .replace(SHOWN_VERSION, '$1<version>');
}

function version(text: string, variables: Variables): string {
  if (text === '' || text === '0') return text;
  for (const [name, value] of variables) {
    if (name !== 'ns' && value === text) return `<version ${name}>`;
  }
  return '<version>';
}
