// Makes the sidecar start fast: everything the queueproxy role needs becomes one file, with V8's
// compiled code beside it, and `main` runs that. Resolving, reading and compiling two hundred small
// modules costs more than running them (docs/decisions/0014-sidecar-bundle.md).
// Alone it prints what is inside: `node scripts/bundle.js [folder]`, default dist/.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { BUNDLE, CODE_CACHE } from './sidecar-loader.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * pino, protobuf and built-ins that cost a millisecond or more are loaded when something of theirs is
 * used for the first time, packages only the uws engine needs when the module that imports them runs. A plain
 * external import would be hoisted to the top of the file: loaded at every start, whoever needs it.
 */
const ONLY_UWS = /^(uWebSockets\.js|ws)$/;
const BUILT_INS =
  /^(node:)?(async_hooks|child_process|crypto|dns|fs\/promises|http|http2|https|inspector|os|tls|v8|worker_threads|zlib)(\/promises)?$/;
const ONLY_LATER = /^(pino|@bufbuild\/protobuf\/wire)$/;
const LAZY = new RegExp(`${ONLY_UWS.source}|${BUILT_INS.source}|${ONLY_LATER.source}`);

/**
 * Parts of pino a sidecar has no use for: transports in a thread of their own; the question whether
 * this is the main thread, asked to know if a buffered destination is to be flushed at exit; and an
 * assertion library for one assertion.
 */
const REPLACED = {
  'thread-stream': 'module.exports = class { constructor() { throw new Error("not bundled"); } };',
  worker_threads: 'module.exports = { isMainThread: true };',
  assert: 'module.exports = (value, text) => { if (!value) throw new Error(text); };',
};
const IN_PINO = /node_modules\/(pino|sonic-boom)\//;

const lazily = {
  name: 'load built-ins when first needed',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(assert|thread-stream|worker_threads)$/ }, ({ path, importer }) =>
      IN_PINO.test(importer) ? { path, namespace: 'replaced' } : undefined,
    );
    onResolve({ filter: LAZY }, ({ path, kind, namespace }) => {
      if (namespace === 'lazy' && ONLY_LATER.test(path)) return undefined;
      const isLateAnyway = namespace === 'lazy' || kind !== 'import-statement';
      if (isLateAnyway) return { path, external: true };
      return { path, namespace: 'lazy' };
    });
    onLoad({ filter: /.*/, namespace: 'lazy' }, ({ path }) => ({
      contents: lazyModule(path),
      resolveDir: root,
    }));
    onLoad({ filter: /.*/, namespace: 'replaced' }, ({ path }) => ({ contents: REPLACED[path] }));
  },
};

/** A module with every name of another, each loading it when read. */
function lazyModule(path) {
  const name = JSON.stringify(path);
  if (ONLY_UWS.test(path)) return `module.exports = require(${name});`;
  const keys = Object.keys(createRequire(import.meta.url)(path));
  const getters = keys.map((key) => `get ${JSON.stringify(key)}() { return load().${key}; }`);
  return `const load = () => require(${name}); module.exports = {${getters.join(', ')}};`;
}

/** What main.ts loads stays outside of it, except for the few lines that run the sidecar's file. */
const rolesOutside = {
  name: 'roles stay outside',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/queueproxy\/start\.ts$/ }, () => ({
      path: join(root, 'scripts', 'sidecar-loader.js'),
    }));
    onResolve(
      { filter: /^\.\/(activator|autoscaler|cli|controller|gateway|standalone|webhook)\// },
      ({ path }) => ({
        path: path.replace(/\.ts$/, '.js'),
        external: true,
      }),
    );
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
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

/**
 * CommonJS, because V8 keeps compiled code of scripts only. It requires what it would import later (a
 * script that comes from the cache cannot import), and knows its address as modules do.
 */
const asScript = {
  format: 'cjs',
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
};
/** CommonJS inside an ES module looks for `require`. */
const asModule = {
  format: 'esm',
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
};

/** Source, output, how. Worker threads load theirs by URL, so it keeps the name tsc gave it. */
const OUTPUTS = [
  ['main', 'main.js', { format: 'esm', plugins: [rolesOutside] }],
  ['main', 'main.cjs', { ...asScript, supported: {}, plugins: [rolesOutside] }],
  ['queueproxy/start', `queueproxy/${BUNDLE}`, { ...asScript, plugins: [lazily] }],
  ['queueproxy/thread-main', 'queueproxy/thread-main.js', { ...asModule, plugins: [lazily] }],
];

/**
 * Writes main.js and the sidecar's files into a folder that holds the output of tsc. Returns
 * esbuild's metafile of each, by source.
 */
export async function bundleSidecar(folder) {
  const sidecar = join(folder, 'queueproxy');
  // V8 recognises a cache by the length of its source only: never leave one beside another source.
  rmSync(join(sidecar, CODE_CACHE), { force: true });
  const metafiles = {};
  for (const [source, output, options] of OUTPUTS) {
    const entry = `src/${source}.ts`;
    if (!existsSync(join(root, entry))) continue;
    const outfile = join(folder, output);
    const { metafile } = await build({ ...common, ...options, entryPoints: [entry], outfile });
    metafiles[output] = metafile;
  }
  const script = join(root, 'scripts', 'code-cache.js');
  const { status } = spawnSync(process.execPath, [script, sidecar], { stdio: 'inherit' });
  if (status !== 0) throw new Error('the bundled sidecar does not start');
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
