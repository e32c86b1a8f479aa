/** A page without a network: it comes from its service worker, the model from where the package stores it. */
import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { launch } from '../../xtask/browser/launch.mjs';
import { copyPackage, documented, embed, host, install, ISOLATED, withPage } from './stage.mjs';

/** As the documentation has them. */
const WORKER = documented('js', /^\/\/ sw\.js\n[^]*/)[0];
const LIST = documented('sh', /^node -p .* > files\.json$/m)[0];

/** @type {ReturnType<typeof install>} */
let site;
before(() => {
  site = install('offline');
  copyPackage(site.folder);
  rmSync(join(site.folder, 'node_modules'), { recursive: true });
  writeFileSync(join(site.folder, 'sw.js'), WORKER);
  execSync(LIST, { cwd: site.folder });
});
after(() => site?.remove());

/**
 * Has nothing any more, and notes what it is asked for.
 *
 * @param {string} address  that another server had
 */
async function takeOver(address) {
  /** @type {string[]} */
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(String(request.url));
    response.writeHead(503).end();
  });
  server.listen(Number(new URL(address).port), '127.0.0.1');
  await once(server, 'listening');
  return { asked, close: () => void (server.close(), server.closeAllConnections()) };
}

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
  describe(`offline, in ${name}`, () => {
    /** @type {import('puppeteer-core').Browser} */
    let browser;
    before(async () => void (browser = await launch(name)));
    after(() => browser?.close());

    test('a page that was visited once embeds, with threads', async () => {
      const server = await host(site.folder, ISOLATED);
      /** @type {Record<string, number[][]>} */
      const visits = {};
      const visit = async (/** @type {string} */ when, /** @type {import('./stage.mjs').Server | null} */ from, /** @type {boolean} */ worker) => {
        // Firefox under a driver has trouble with workers of workers: tests/browser/cpu.test.mjs.
        const threads = cpus().length > 1 && !(worker && name === 'firefox') ? 2 : 1;
        visits[when] = await withPage(browser, server.url, from, async (page) => {
          const { rows, adapter } = await embed(page, { worker, threads });
          assert.equal(adapter, `CPU, ${threads} thread${threads > 1 ? 's' : ''}`, when);
          await page.evaluate(async () => void (await navigator.serviceWorker.ready));
          return rows;
        });
      };
      try {
        await visit('with a network', server, true);
      } finally {
        await server.close();
      }
      const nothing = await takeOver(server.url);
      try {
        await visit('without one, in a worker', null, true);
        await visit('without one, in the page', null, false);
      } finally {
        nothing.close();
      }
      // For another version of the service worker, browsers ask by themselves.
      assert.deepEqual(nothing.asked.filter((path) => path !== '/sw.js'), []);
      for (const rows of Object.values(visits)) assert.deepEqual(rows, visits['with a network']);
    });

    test('a new version takes over when the old one is left, and keeps the models', async () => {
      const server = await host(site.folder);
      const cachesIn = (/** @type {import('puppeteer-core').Page} */ page) => page.evaluate(() => caches.keys());
      try {
        await withPage(browser, server.url, server, async (page) => {
          await embed(page);
          await page.evaluate(async () => void (await navigator.serviceWorker.ready));
          assert.deepEqual((await cachesIn(page)).sort(), ['papers 1', 'specter-web']);
          writeFileSync(join(site.folder, 'sw.js'), WORKER.replace('VERSION = 1;', 'VERSION = 2;'));
          await page.evaluate(async () => {
            const registration = await navigator.serviceWorker.ready;
            await registration.update();
            while (!registration.waiting) await new Promise((resolve) => setTimeout(resolve, 50));
          });
          assert.deepEqual((await cachesIn(page)).sort(), ['papers 1', 'papers 2', 'specter-web']);
        });
        const before = server.requests.length;
        await withPage(browser, server.url, server, async (page) => {
          await embed(page);
          for (let wait = 0; wait < 100 && (await cachesIn(page)).length > 2; wait++) await new Promise((resolve) => setTimeout(resolve, 50));
          assert.deepEqual((await cachesIn(page)).sort(), ['papers 2', 'specter-web']);
        });
        assert.deepEqual(server.requests.slice(before).filter((request) => request.includes('/models/')), []);
      } finally {
        await server.close();
        writeFileSync(join(site.folder, 'sw.js'), WORKER);
      }
    });
  });
}
