/** The package under a Content-Security-Policy that allows nothing but what it needs. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { launch } from '../../xtask/browser/launch.mjs';
import { checkComponent, copyPackage, documented, embed, failure, host, install, ISOLATED, withPage } from './stage.mjs';

/** Of the documentation, where models come from the hub. */
const POLICY = documented('http', /^Content-Security-Policy: (.*)/)[1];
/** The page of this test has an icon, besides. */
const ICON = "img-src 'self'";

/** Where a browser reports what it has blocked, be it in the page or in a worker. */
const REPORTS = '/blocked';
const isReport = (/** @type {string} */ request) => request.endsWith(` ${REPORTS}`);

/** @type {ReturnType<typeof install>} */
let page;
/** Where the models are, and a CDN would have the package: of another origin than the page. @type {import('./stage.mjs').Server} */
let models;
/** @type {string} */
let source;
before(async () => {
  page = install('policy');
  copyPackage(page.folder);
  models = await host(page.folder, { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' });
  for (const [path, change] of /** @type {const} */ ([['index.html', ['./page.js', './cdn.js']], ['page.js', ['./specter-web/', `${models.url}specter-web/`]]])) {
    const text = readFileSync(join(page.folder, path), 'utf8');
    writeFileSync(join(page.folder, path.replace(/index|page/, 'cdn')), text.replaceAll(...change));
  }
  source = `${models.url}models/all-MiniLM-L6-v2-q8/`;
});
after(async () => {
  await models?.close();
  page?.remove();
});

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
  describe(`a strict policy, in ${name}`, () => {
    /** @type {import('puppeteer-core').Browser} */
    let browser;
    before(async () => void (browser = await launch(name)));
    after(() => browser?.close());

    /**
     * @param {(policy: string) => string} change
     * @param {(server: import('./stage.mjs').Server) => Promise<unknown>} use
     * @returns {Promise<string[]>} reports of what was blocked
     */
    async function under(change, use) {
      const policy = change(`${POLICY.replace(/https:.*?(?=;)/, models.url)}; ${ICON}; report-uri ${REPORTS}`);
      // It also comes with the scripts of workers, whose policy is that of their own response.
      const server = await host(page.folder, { ...ISOLATED, 'Content-Security-Policy': policy });
      try {
        await use(server);
        return server.requests.filter(isReport);
      } finally {
        await server.close();
      }
    }

    /**
     * @param {import('./stage.mjs').Server} server
     * @param {boolean} worker
     * @param {string} [path]
     */
    const use = (server, worker, path = '') =>
      withPage(browser, server.url + path, server, async (opened) => {
        // Firefox under a driver has trouble with workers of workers: tests/browser/cpu.test.mjs.
        const threads = cpus().length > 1 && !(worker && name === 'firefox') ? 2 : 1;
        const { adapter } = await embed(opened, { worker, threads }, source);
        assert.equal(adapter, `CPU, ${threads} thread${threads > 1 ? 's' : ''}`);
        await checkComponent(opened);
      });

    for (const worker of [true, false]) {
      test(`is enough to load from another origin and embed, with worker: ${worker}`, async () => {
        const before = models.requests.length;
        assert.deepEqual(await under((policy) => policy, (server) => use(server, worker)), []);
        assert.ok(models.requests.slice(before).some((request) => request.endsWith('/model.safetensors')), 'the model comes from there');
      });
    }

    test('is enough for a package from a CDN, which it names', async () => {
      const change = (/** @type {string} */ policy) =>
        policy.replace("script-src 'self'", `script-src 'self' ${models.url}`).replace("worker-src 'self'", `worker-src blob: ${models.url}`)
          .replace("style-src 'self'", `style-src ${models.url}`);
      assert.deepEqual(await under(change, (server) => use(server, true, 'cdn.html')), []);
    });

    for (const [part, change, worker, says] of /** @type {[string, (policy: string) => string, boolean, RegExp][]} */ ([
      ["'wasm-unsafe-eval'", (policy) => policy.replace(" 'wasm-unsafe-eval'", ''), true, /script-src needs 'wasm-unsafe-eval'/],
      ["'wasm-unsafe-eval'", (policy) => policy.replace(" 'wasm-unsafe-eval'", ''), false, /script-src needs 'wasm-unsafe-eval'/],
      ['its worker', (policy) => policy.replace("worker-src 'self'", "worker-src 'none'"), true, /worker-src/],
      ['where the models are', (policy) => policy.replace(models.url, ''), true, /connect-src/],
    ])) {
      test(`without ${part} blocks it, with worker: ${worker}, which is told`, async () => {
        /** @type {string} */
        let told = '';
        const blocked = await under(change, async (server) => {
          const opened = await browser.newPage();
          await opened.goto(server.url);
          told = await failure(opened, { worker }, source);
          for (let wait = 0; wait < 100 && !server.requests.some(isReport); wait++) await new Promise((resolve) => setTimeout(resolve, 50));
          await opened.close();
        });
        assert.match(told, says);
        assert.ok(blocked.length > 0, 'browsers report what they block');
      });
    }
  });
}
