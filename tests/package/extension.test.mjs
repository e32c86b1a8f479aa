/** The package inside a browser extension of Manifest V3. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import puppeteer from 'puppeteer-core';

import { findBrowser } from '../../xtask/browser/find.mjs';
import { copyPackage, documented, embed, failure, host, install, withPage } from './stage.mjs';

/** As the documentation has it. */
const MANIFEST = JSON.parse(documented('json', /^\{\s*"manifest_version"[^]*/)[0]);

/** @type {ReturnType<typeof install>} */
let extension;
/** @type {import('./stage.mjs').Server} */
let models;
/** @type {string} */
let source;
before(async () => {
  extension = install('extension');
  copyPackage(extension.folder);
  // What is in its folder is in the extension.
  for (const name of ['node_modules', 'package.json']) rmSync(join(extension.folder, name), { recursive: true });
  models = await host(extension.folder, { 'Access-Control-Allow-Origin': '*' });
  source = `${models.url}models/all-MiniLM-L6-v2-q8/`;
});
after(async () => {
  await models?.close();
  extension?.remove();
});

/**
 * @param {Record<string, unknown>} manifest
 * @param {(browser: import('puppeteer-core').Browser, address: string) => Promise<void>} use
 */
async function withExtension(manifest, use) {
  writeFileSync(join(extension.folder, 'manifest.json'), JSON.stringify(manifest));
  const browser = await puppeteer.launch({
    browser: 'chrome',
    executablePath: findBrowser('chromium') ?? assert.fail('Found no chromium on this machine.'),
    headless: true,
    // As in launch.mjs.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
    enableExtensions: true,
    pipe: true,
  });
  try {
    const id = await browser.installExtension(extension.folder);
    await use(browser, `chrome-extension://${id}/page.html`);
  } finally {
    await browser.close();
  }
}

describe('a page of an extension', () => {
  test('loads from another origin and embeds, with threads', () =>
    withExtension(MANIFEST, (browser, address) =>
      withPage(browser, address, models, async (page) => {
        const threads = Math.min(cpus().length, 8);
        for (const worker of [true, false]) {
          const { adapter } = await embed(page, { worker }, source);
          assert.equal(adapter, `CPU, ${threads} thread${threads > 1 ? 's' : ''}`);
        }
      }),
    ));

  test('does so without threads, where the manifest does not isolate it', () => {
    const { cross_origin_embedder_policy, cross_origin_opener_policy, ...manifest } = MANIFEST;
    return withExtension(manifest, (browser, address) =>
      withPage(browser, address, models, async (page) => {
        for (const worker of [true, false]) assert.equal((await embed(page, { worker }, source)).adapter, 'CPU, 1 thread');
      }),
    );
  });

  test('is told what the manifest lacks, where that allows no WebAssembly', () => {
    const { content_security_policy, ...manifest } = MANIFEST;
    return withExtension(manifest, (browser, address) =>
      withPage(browser, address, models, async (page) => {
        for (const worker of [true, false]) assert.match(await failure(page, { worker }, source), /script-src needs 'wasm-unsafe-eval'/);
      }),
    );
  });
});
