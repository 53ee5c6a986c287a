// `--image name=command`: which local command stands for an image. Used by the command line, to
// refuse bad ones at once, and by the node agent, to resolve containers. Pure.

/** Image name (last path segment, no tag, no digest) -> executable and arguments. */
export type ImageMap = Readonly<Record<string, readonly string[]>>;

/** `registry:5000/team/hello:v1@sha256:…` -> `hello`. */
export function imageBaseName(image: string): string {
  const last = image.slice(image.lastIndexOf('/') + 1);
  return last.split('@')[0]?.split(':')[0] ?? last;
}

/** Parses `name=executable args`; quotes keep blanks together. Throws what it must be. */
export function parseImage(text: string): { name: string; argv: string[] } {
  const equals = text.indexOf('=');
  const name = equals < 0 ? '' : imageBaseName(text.slice(0, equals).trim());
  const argv = equals < 0 ? [] : splitWords(text.slice(equals + 1));
  if (name === '' || argv.length === 0) {
    throw new Error('name=command, for example hello="node server.js"');
  }
  return { name, argv };
}

/** The last mapping of a name wins. */
export function buildImageMap(texts: readonly string[]): ImageMap {
  return Object.fromEntries(
    texts.map((text) => {
      const { name, argv } = parseImage(text);
      return [name, argv];
    }),
  );
}

/**
 * Splits as a shell would without expanding anything: blanks separate, '…' and "…" keep together.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  const pattern = /\s*((?:"[^"]*"|'[^']*'|[^\s"'])+)/g;
  for (const match of text.matchAll(pattern)) {
    words.push((match[1] ?? '').replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
  }
  return words;
}
