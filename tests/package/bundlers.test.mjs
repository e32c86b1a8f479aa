/** The package in a bundle: what each bundler makes of it, and that it computes the same there as without one. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { createServer } from 'vite';

import { launch } from '../../xtask/browser/launch.mjs';
import { checkComponent, checkLearning, documented, embed, host, install, ISOLATED, pageWithoutBundle, run, withPage } from './stage.mjs';

/** @type {ReturnType<typeof install>} */
let page;
/** @type {import('puppeteer-core').Browser} */
let browser;
/** What the page computes without a bundler. @type {number[][]} */
let expected;

before(async () => {
  page = install('page');
  browser = await launch('chromium');
  const server = await host(pageWithoutBundle(page.folder));
  try {
    expected = await withPage(browser, server.url, server, async (plain) => (await embed(plain)).rows);
  } finally {
    await server.close();
  }
});
after(async () => {
  await browser?.close();
  page?.remove();
});

/**
 * What there has to be once, is there once: neither twice, nor inside of a script.
 *
 * @param {string} folder
 */
function checkFiles(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map(({ name, parentPath }) => ({ name, bytes: readFileSync(join(parentPath, name)) }));
  const modules = files.filter(({ name }) => name.endsWith('.wasm'));
  const published = readdirSync(join(page.folder, 'node_modules/specter-web/wasm')).filter((name) => name.endsWith('.wasm'));
  assert.equal(modules.length, published.length, `modules: ${modules.map(({ name }) => name)}`);
  const contents = new Set(modules.map(({ bytes }) => createHash('sha256').update(bytes).digest('hex')));
  assert.equal(contents.size, modules.length, 'a module is there twice');
  const scripts = files.filter(({ name }) => name.endsWith('.js')).map(({ name, bytes }) => ({ name, text: bytes.toString('utf8') }));
  const having = (/** @type {RegExp} */ what) => scripts.filter(({ text }) => what.test(text)).map(({ name }) => name);
  assert.deepEqual(having(/AGFzbQ|data:(text|application)\/(javascript|wasm|css)/), [], 'something is inside of a script');
  assert.equal(having(/__stack_pointer\.value/).length, 1, 'scripts of a thread');
  // The worker runs one, and a page with `worker: false` the other, where a bundler does not let them share it.
  assert.ok([1, 2].includes(having(/The engine crashed on this page/).length), 'scripts of the engine');
  assert.deepEqual(having(/file:\/\//), [], "paths of the builder's machine");
}

/**
 * @param {string} folder
 * @param {Record<string, string>[]} [headers]  that it is served with, one after the other
 */
async function checkPage(folder, headers = [{}, ISOLATED]) {
  for (const set of headers) {
    const server = await host(folder, set);
    try {
      await withPage(browser, server.url, server, async (built) => {
        assert.deepEqual(await built.evaluate(() => [ercPanels.length, 'specter2' in presets]), [28, true]);
        await checkComponent(built);
        await checkLearning(built);
        for (const worker of [true, false]) {
          const { rows, adapter } = await embed(built, { worker });
          assert.deepEqual(rows, expected, `with worker: ${worker}`);
          const threads = set === ISOLATED ? Math.min(cpus().length, 8) : 1;
          assert.equal(adapter, `CPU, ${threads} thread${threads > 1 ? 's' : ''}`);
        }
      });
    } finally {
      await server.close();
    }
  }
}

describe('a bundle of Vite', () => {
  test('has each part once, and computes the same', async () => {
    run('vite build --outDir vite', page.folder);
    checkFiles(join(page.folder, 'vite'));
    await checkPage(join(page.folder, 'vite'));
  });

  test('may have workers that are modules', async () => {
    writeFileSync(join(page.folder, 'modules.config.js'), "export default { worker: { format: 'es' } };\n");
    run('vite build --outDir modules --config modules.config.js', page.folder);
    checkFiles(join(page.folder, 'modules'));
    await checkPage(join(page.folder, 'modules'), [ISOLATED]);
  });

  test('may lie on another origin than its page', async () => {
    const [assetsFolder, site] = ['assets', 'site'].map((name) => join(page.folder, name));
    for (const folder of [assetsFolder, site]) mkdirSync(folder);
    const assets = await host(assetsFolder, { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' });
    try {
      run(`vite build --outDir assets --base ${assets.url}`, page.folder);
      renameSync(join(assetsFolder, 'index.html'), join(site, 'index.html'));
      await checkPage(site, [ISOLATED]);
      for (const part of [/worker.*\.js$/, /thread.*\.js$/, /cpu.*\.wasm$/]) {
        assert.ok(assets.requests.some((request) => part.test(request)), `${part} comes from there`);
      }
      assert.deepEqual(assets.requests.filter((request) => !/^[23]/.test(request)), []);
    } finally {
      await assets.close();
    }
  });

  test('is not needed while one works on the page', async () => {
    const models = await host(page.folder, { 'Access-Control-Allow-Origin': '*' });
    const vite = await createServer({ root: page.folder, logLevel: 'error', server: { port: 0, host: '127.0.0.1' } });
    try {
      await vite.listen();
      await withPage(browser, vite.resolvedUrls.local[0], null, async (served) => {
        await checkComponent(served);
        for (const worker of [true, false]) {
          assert.deepEqual((await embed(served, { worker }, `${models.url}models/all-MiniLM-L6-v2-q8/`)).rows, expected);
        }
      });
    } finally {
      await vite.close();
      await models.close();
    }
  });
});

describe('a bundle of webpack', () => {
  test('has each part once, and computes the same', async () => {
    run('webpack --mode production --entry ./app.js --output-path webpack', page.folder);
    const folder = join(page.folder, 'webpack');
    writeFileSync(join(folder, 'index.html'), readFileSync(join(page.folder, 'index.html'), 'utf8').replace('./app.js', './main.js'));
    checkFiles(folder);
    await checkPage(folder);
  });
});

describe('a bundle of esbuild', () => {
  test('leaves the package beside it, as the documentation says, and computes the same', async () => {
    const folder = pageWithoutBundle(page.folder);
    const [line] = documented('sh', /^esbuild .* --outdir=site$/m);
    run(line.replace('site', folder), page.folder);
    assert.match(readFileSync(join(folder, 'app.js'), 'utf8'), /from ?"specter-web\/presets\.js"/);
    await checkPage(folder);
  });
});
