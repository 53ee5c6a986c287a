// Stands in for queueproxy/start.ts inside the bundled main: runs the sidecar's one file with the
// code V8 compiled when it was built, which saves a third of the time to listening. The cache is
// good for the Node and the flags it was made with; V8 refuses it otherwise and compiles as usual.
// Built-ins are taken from the process, because importing one by name reads all of its exports.

const { readFileSync } = process.getBuiltinModule('node:fs');
const { createRequire } = process.getBuiltinModule('node:module');
const { fileURLToPath } = process.getBuiltinModule('node:url');
const { Script } = process.getBuiltinModule('node:vm');

export const BUNDLE = 'start.cjs';
export const CODE_CACHE = 'start.cache';

/** What the file would be called with by `require`; on its first line, so that no line moves. */
const BEFORE = '(function (exports, require, module, __filename, __dirname) {';
const AFTER = '\n})';

/** `import.meta.url` is that of main, one folder above the bundle. */
export function startQueueProxy(options) {
  const folder = new URL('./queueproxy/', import.meta.url);
  // Only modules loaded the usual way have their source maps read.
  if (process.sourceMapsEnabled)
    return createRequire(folder)(`./${BUNDLE}`).startQueueProxy(options);
  return runBundle(folder, readCache(folder)).exports.startQueueProxy(options);
}

/** `codeCache` undefined = compile. */
export function runBundle(folder, codeCache) {
  const filename = fileURLToPath(new URL(BUNDLE, folder));
  // The bundle is ASCII, which is read and kept as single bytes.
  const script = new Script(BEFORE + readFileSync(filename, 'latin1') + AFTER, {
    filename,
    cachedData: codeCache,
  });
  const module = { exports: {} };
  const require = createRequire(filename);
  script.runInThisContext()(module.exports, require, module, filename, fileURLToPath(folder));
  return { script, exports: module.exports };
}

function readCache(folder) {
  try {
    return readFileSync(new URL(CODE_CACHE, folder));
  } catch {
    return undefined; // built without one, or for another Node
  }
}
