// Makes the sidecar start fast: `main.js` and everything the queueproxy role needs become one file
// each, in the places tsc put the unbundled ones, so nothing else notices. Resolving and reading a
// hundred small modules costs more than running them (docs/decisions/0014-sidecar-bundle.md).
// Alone it prints what is inside: `node scripts/bundle.js [folder]`, default dist/.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Built-ins that cost a millisecond or more, and native addons, are loaded when the module that
 * imports them runs for the first time. A plain external import would be hoisted to the top of the
 * file and loaded at every start, whoever needs it.
 */
const LAZY =
  /^(node:)?(async_hooks|child_process|crypto|dns|http|http2|https|inspector|os|tls|v8|worker_threads|zlib)(\/promises)?$|^uWebSockets\.js$/;

/**
 * Parts of pino a sidecar has no use for, which would load `worker_threads`: transports in a thread
 * of their own, and the question whether this is the main thread, asked to know if a buffered
 * destination is to be flushed at exit.
 */
const REPLACED = {
  'thread-stream': 'module.exports = class { constructor() { throw new Error("not bundled"); } };',
  worker_threads: 'module.exports = { isMainThread: true };',
};
const IN_PINO = /node_modules\/pino\//;

const lazily = {
  name: 'load built-ins when first needed',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(thread-stream|worker_threads)$/ }, ({ path, importer }) =>
      IN_PINO.test(importer) ? { path, namespace: 'replaced' } : undefined,
    );
    onResolve({ filter: LAZY }, ({ path, kind, namespace }) => {
      if (namespace === 'lazy' || kind === 'dynamic-import') return { path, external: true };
      return { path, namespace: 'lazy' };
    });
    onLoad({ filter: /.*/, namespace: 'lazy' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
      resolveDir: root,
    }));
    onLoad({ filter: /.*/, namespace: 'replaced' }, ({ path }) => ({ contents: REPLACED[path] }));
  },
};

/** What main.ts loads stays outside of it: a role is loaded when it was chosen. */
const rolesOutside = {
  name: 'roles stay outside',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/(cli|queueproxy|standalone)\// }, ({ path }) => ({
      path: path.replace(/\.ts$/, '.js'),
      external: true,
    }));
  },
};

/** CommonJS inside an ES module looks for `require`. */
const REQUIRE =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

const common = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Constants become literals; names stay, so stack traces can be read. Without it the hot loops
  // would read their constants from variables: bundling turns top-level `const` into `var`.
  minifySyntax: true,
  minifyWhitespace: true,
  // Linked, so that --enable-source-maps finds it; not read otherwise.
  sourcemap: 'linked',
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
};

/** Entry points of the sidecar: the role, and what its worker threads run. */
const SIDECAR_ENTRIES = ['queueproxy/start', 'queueproxy/thread-main'].filter((entry) =>
  existsSync(join(root, 'src', `${entry}.ts`)),
);

/**
 * Writes main.js and the sidecar's files into a folder that holds the output of tsc. Returns
 * esbuild's metafile of each, by entry.
 */
export async function bundleSidecar(folder, { write = true } = {}) {
  const metafiles = {};
  const one = async (entry, options) => {
    const result = await build({
      ...common,
      ...options,
      entryPoints: [`src/${entry}.ts`],
      outfile: join(folder, `${entry}.js`),
      write,
    });
    metafiles[entry] = result.metafile;
  };
  await one('main', { plugins: [rolesOutside] });
  for (const entry of SIDECAR_ENTRIES) {
    await one(entry, { plugins: [lazily], banner: { js: REQUIRE } });
  }
  return metafiles;
}

/** Kilobytes and files per source folder or package, largest first. */
export function sizesByOrigin(metafile) {
  const [output] = Object.values(metafile.outputs).filter(({ entryPoint }) => entryPoint);
  const groups = new Map();
  for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
    const origin = originOf(path);
    const group = groups.get(origin) ?? { origin, files: 0, bytes: 0 };
    groups.set(origin, { origin, files: group.files + 1, bytes: group.bytes + bytesInOutput });
  }
  const rows = [...groups.values()].sort((a, b) => b.bytes - a.bytes);
  return [
    ...rows,
    { origin: 'all', files: Object.keys(output.inputs).length, bytes: output.bytes },
  ];
}

function originOf(path) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)|^(src\/[^/]+)\//.exec(path);
  return found?.[1] ?? found?.[2] ?? path.split(':')[0];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const metafiles = await bundleSidecar(resolve(process.argv[2] ?? join(root, 'dist')));
  for (const [entry, metafile] of Object.entries(metafiles)) {
    console.log(`\n${entry}.js\n\n| from | files | KB |\n| --- | --- | --- |`);
    for (const { origin, files, bytes } of sizesByOrigin(metafile)) {
      console.log(`| ${origin} | ${files} | ${(bytes / 1024).toFixed(1)} |`);
    }
  }
}
