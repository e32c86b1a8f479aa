/** The package in a page that is served as it is, without a bundler. */
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { launch } from '../../xtask/browser/launch.mjs';
import { checkComponent, embed, failure, host, install, pageWithoutBundle, withPage } from './stage.mjs';

/** @type {ReturnType<typeof install>} */
let page;
before(() => void (page = install('page')));
after(() => page?.remove());

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
  describe(`a page without a bundle, in ${name}`, () => {
    /** @type {import('puppeteer-core').Browser} */
    let browser;
    before(async () => void (browser = await launch(name)));
    after(() => browser?.close());

    test('finds the package by an import map, and embeds', async () => {
      const server = await host(pageWithoutBundle(page.folder));
      try {
        await withPage(browser, server.url, server, async (opened) => {
          assert.deepEqual(await opened.evaluate(() => [ercPanels.length, 'specter2' in presets]), [28, true]);
          await checkComponent(opened);
          const inWorker = await embed(opened);
          assert.deepEqual(await embed(opened, { worker: false }), inWorker);
        });
      } finally {
        await server.close();
      }
    });

    for (const worker of [true, false]) {
      test(`is told what is not served, where the server has a page for everything, with worker: ${worker}`, async () => {
        for (const [missing, says] of /** @type {[string, RegExp][]} */ ([
          // The page itself fetches no worker where it has `worker: false`.
          ...(worker ? [['worker.js', /^network: The worker could not be started.*Serve worker\.js/]] : []),
          ['wasm/specter_web_bg.wasm', /^network: .*the server sent a page.*Serve the folder wasm/],
        ])) {
          const folder = pageWithoutBundle(page.folder);
          renameSync(join(folder, 'specter-web', missing), join(folder, 'elsewhere'));
          const server = await host(folder, {}, { hasPageForAll: true });
          try {
            const opened = await browser.newPage();
            await opened.goto(server.url);
            assert.match(await failure(opened, { worker }), says);
            await opened.close();
          } finally {
            await server.close();
          }
        }
      });
    }
  });
}
