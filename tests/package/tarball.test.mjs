/** What is in the tarball: all that can be asked for, nothing else, and types for it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { posix, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

import { install, run } from './stage.mjs';

/** @type {ReturnType<typeof install>} */
let page;
/** Where the package is installed. @type {string} */
let root;
/** Paths of its files. @type {string[]} */
let files;
/** Its `package.json`. @type {Record<string, any>} */
let manifest;

before(() => {
  page = install('types');
  root = join(page.folder, 'node_modules/specter-web');
  files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(root, posix.join(entry.parentPath, entry.name)));
  manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
});
after(() => page?.remove());

/** What can be imported of it, by the condition under which. @param {string} condition @returns {string[]} */
const exported = (condition) =>
  Object.values(manifest.exports).flatMap((target) => {
    const path = typeof target === 'string' ? (condition === 'default' ? target : null) : target[condition];
    if (!path) return [];
    const [start, end = null] = path.slice('./'.length).split('*');
    return end === null ? [start] : files.filter((file) => file.startsWith(start) && file.endsWith(end));
  });

/**
 * The files that a file names: modules that it imports, and what it makes an address of.
 *
 * @param {string} file
 */
function named(file) {
  if (!/\.(js|ts)$/.test(file)) return [];
  const text = readFileSync(join(root, file), 'utf8');
  // In a declaration, comments say nothing; in a script, only types are named there.
  const code = text.replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*/gm, '');
  const relative = [...code.matchAll(/(?:\bfrom|\bimport|\bimport\(|\bnew URL\()\s*['"](\.{0,2}[\w./-]+\.\w+)['"]/g)].map(([, path]) => path);
  return relative.map((path) => {
    const target = posix.join(posix.dirname(file), path);
    return file.endsWith('.d.ts') ? target.replace(/\.js$/, '.d.ts') : target;
  });
}

/** All that is reached from some files, be it there or not. @param {string[]} from */
function reached(from) {
  const found = new Set(from);
  for (const file of found) {
    if (files.includes(file)) for (const next of named(file)) found.add(next);
  }
  return found;
}

describe('the tarball', () => {
  test('has every file that can be asked for, and no other', () => {
    const always = ['LICENSE', 'README.md', 'package.json'];
    const needed = reached([...always, ...exported('default'), ...exported('types')]);
    assert.ok(needed.has('cpu/thread.js') && needed.has('wasm/cpu_relaxed_threads.wasm'), 'what is named is found');
    assert.deepEqual([...needed].filter((file) => !files.includes(file)), [], 'missing from `files` in www/package.json');
    assert.deepEqual(files.filter((file) => !needed.has(file)), [], 'superfluous in `files` in www/package.json');
  });

  test('marks the modules as having side effects that do something when they are imported', () => {
    const acting = ['worker.js', 'cpu/thread.js', 'suggest/specter-suggest.js', 'suggest/specter-suggest.css'];
    const patterns = manifest.sideEffects.map((/** @type {string} */ pattern) => new RegExp(`^${pattern.slice('./'.length).replaceAll('.', '\\.').replaceAll('*', '.*')}$`));
    const marked = files.filter((file) => patterns.some((/** @type {RegExp} */ pattern) => pattern.test(file)));
    for (const file of acting) assert.ok(marked.includes(file), file);
    for (const file of ['specter.js', 'engine.js', 'presets.js']) assert.ok(!marked.includes(file), file);
  });

  test('finds favour with publint', async () => {
    const { messages } = await publint({ pkgDir: root, pack: false, strict: true });
    assert.deepEqual(messages.map((message) => formatMessage(message, manifest)), []);
  });

  test('has modules that a server may import before it sends a page', () => {
    const script = `
      const { Specter, SpecterError } = await import('specter-web');
      await Promise.all(['specter-web/presets.js', 'specter-web/labels/erc-panels'].map((name) => import(name)));
      const { code, message } = await Specter.load('minilm').catch((error) => error);
      console.log(code + ': ' + message);
    `;
    writeFileSync(join(page.folder, 'server.mjs'), script);
    assert.match(run('node server.mjs', page.folder), /^invalid-option: .*browser/);
  });

  const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
  for (const [module, moduleResolution] of [['esnext', 'bundler'], ['nodenext', 'nodenext']]) {
    test(`has types that are found with moduleResolution ${moduleResolution}`, () => {
      const compilerOptions = { module, moduleResolution, target: 'es2022', lib: ['es2022', 'dom'], types: [], strict: true, skipLibCheck: false, noEmit: true };
      writeFileSync(join(page.folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['usage.ts'] }));
      run(`node "${tsc}"`, page.folder);
    });
  }
});
