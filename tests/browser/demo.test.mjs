/**
 * The demo page, used as a person uses it.
 *
 *     SCREENSHOTS=FOLDER  also writes pictures of it there, for people to look at
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { launch } from '../../xtask/browser/launch.mjs';
import { serve } from '../../xtask/browser/serve.mjs';
import { BROWSER } from './stage.mjs';

const { SCREENSHOTS, SITE } = process.env;
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
/** @type {import('puppeteer-core').Browser} */
let browser;
/** @type {import('puppeteer-core').Page} */
let page;
/** @type {string[]} */
const complaints = [];

/** A worker of a browser without vector instructions. @type {string} */
let lame;

before(async () => {
  lame = mkdtempSync(join(tmpdir(), 'specter-web-'));
  writeFileSync(join(lame, 'validate.js'), 'WebAssembly.validate = () => false;');
  writeFileSync(join(lame, 'worker.js'), "import './validate.js'; import '/worker.js';");
  server = await serve({ root: SITE, folders: [['/lame/', lame]] });
  browser = await launch(/** @type {never} */ (BROWSER));
  page = await openDemo();
});
after(async () => {
  await browser?.close();
  await server?.close();
  rmSync(lame, { recursive: true });
});

/** @param {() => void} [prepare]  runs in the page before its own scripts */
async function openDemo(prepare = () => {}) {
  const opened = await browser.newPage();
  await opened.evaluateOnNewDocument(prepare);
  opened.on('pageerror', (error) => complaints.push(String(error)));
  opened.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await opened.setViewport(DESKTOP);
  await opened.goto(new URL('demo/', server.url).href);
  return opened;
}

/** @param {string} name */
async function picture(name) {
  if (!SCREENSHOTS) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: /** @type {`${string}.png`} */ (join(SCREENSHOTS, `${BROWSER}-${name}.png`)), fullPage: true });
}

/** @param {string} state */
const reach = (state) =>
  page.waitForFunction((state) => document.documentElement.dataset.state === state, { timeout: 120_000 }, state);

const textOf = (/** @type {string} */ selector) => page.$eval(selector, (element) => element.textContent?.trim() ?? '');

/** How far anything reaches beyond the page's width. */
const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

describe(`the demo page, in ${BROWSER}`, () => {
  test('opens, with a heading, a promise and no model loaded', async () => {
    assert.match(await textOf('h1'), /close/);
    assert.match(await textOf('.promise'), /never leaves this machine/);
    assert.equal(await page.$eval('html', (html) => html.dataset.state), 'idle');
    await picture('1-start');
  });

  test('loads the model and compares the example papers with each other', async () => {
    await page.click('#load');
    await reach('ready');
    assert.match(await textOf('#status'), /Embedded 6 papers/);
    assert.equal((await page.$$('#matrix tbody tr')).length, 6);
    assert.equal(await textOf('#load'), 'Loaded');
    assert.match(await textOf('#machine'), /CPU, 1 thread.*is software, slower than the CPU by itself.*WebAssembly/s);
    assert.ok((await page.$$('#kernel-rows tr')).length > 0);
    // A CPU is fast enough to compare while somebody types; the tests say when.
    assert.equal(await page.$eval('#live', (box) => /** @type {HTMLInputElement} */ (box).checked), true);
    await page.click('#live');
  });

  test('embeds a paper from the form by keyboard alone, and ranks the related papers first', async () => {
    await page.focus('#title');
    await page.keyboard.type('Finding related research papers with document embeddings');
    await page.keyboard.press('Tab');
    await page.keyboard.type('We train a language model on citations.');
    await page.focus('#title');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#ranking li');
    await reach('ready');
    const ranked = await page.$$eval('#ranking .title', (titles) => titles.map(({ textContent }) => textContent));
    assert.equal(ranked.length, 6);
    assert.deepEqual(
      ranked.slice(0, 2).map((title) => /cite each other|Who should review/.test(title ?? '')),
      [true, true],
      ranked.join('\n'),
    );
    assert.equal((await page.$$('#matrix tbody tr')).length, 7);
  });

  test('draws the vector as a strip with a text alternative that can be walked by keyboard', async () => {
    const colours = await page.$eval('#strip', (canvas) => {
      const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
      const { data } = /** @type {HTMLCanvasElement} */ (canvas).getContext('2d').getImageData(0, 0, width, height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
    assert.ok(colours > 50, `${colours} colours`);
    assert.match((await page.$eval('#strip', (canvas) => canvas.getAttribute('aria-label'))) ?? '', /384 components/);
    await page.focus('#strip');
    await page.keyboard.press('Home');
    assert.match(await textOf('#component'), /^Component 1: −?0\.\d{4}$/);
    await page.keyboard.press('ArrowRight');
    assert.match(await textOf('#component'), /^Component 2: /);
    await picture('2-compared');
  });

  test('keeps a paper that is added, and forgets one that is removed', async () => {
    await page.click('#add');
    await page.waitForFunction(() => document.querySelectorAll('#papers li').length === 7);
    await reach('ready');
    assert.equal((await page.$$('#matrix tbody tr')).length, 7);
    assert.equal(await page.$eval('#title', (title) => /** @type {HTMLInputElement} */ (title).value), '');
    await page.click('#papers .mine button');
    await page.waitForFunction(() => document.querySelectorAll('#matrix tbody tr').length === 6);
    assert.equal((await page.$$('#papers li')).length, 6);
  });

  test('offers the adapters of a model that has some', async () => {
    assert.equal(await page.$eval('#adapter', (select) => /** @type {HTMLSelectElement} */ (select).disabled), true);
    await page.select('#model', 'specter2');
    const names = await page.$$eval('#adapter option', (options) => options.map(({ textContent }) => textContent));
    assert.deepEqual(names, ['Proximity', 'Ad-hoc query', 'Classification', 'Regression', 'None']);
    assert.equal(await page.$eval('#adapter', (select) => /** @type {HTMLSelectElement} */ (select).disabled), false);
    await page.select('#model', 'minilm');
  });

  test('fits a phone 360 pixels wide', async () => {
    await page.click('#suggest');
    await page.click('#compare');
    await page.waitForSelector('#ranking li');
    await reach('ready');
    await page.setViewport(PHONE);
    assert.ok((await overflow()) <= 0, `${await overflow()} pixels too wide`);
    await picture('3-phone');
    await page.setViewport(DESKTOP);
  });

  test('names what is wrong with a model, and offers to try again', async () => {
    await page.select('#model', 'folder');
    const chooser = await page.$('#folder');
    assert.ok(chooser);
    await page.evaluate(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(['{"model_type": "gpt2"}'], 'config.json'));
      /** @type {HTMLInputElement} */ (document.getElementById('folder')).files = transfer.files;
    });
    await page.click('#load');
    await reach('failed');
    assert.equal(await textOf('#failure-code'), 'unsupported-model');
    assert.ok((await textOf('#failure-message')).length > 20);
    assert.ok(await page.$eval('#retry', (button) => button.checkVisibility()));
    await picture('4-failed');
  });

  test('says what it has stored of models, and deletes it', async () => {
    assert.match(await textOf('#stored-size'), /^2\d\.\d MB of models are stored/);
    await page.click('#forget');
    await page.waitForSelector('#stored', { hidden: true });
    assert.match(await textOf('#status'), /^Deleted 2\d\.\d MB/);
    assert.equal(await page.evaluate(async () => (await (await caches.open('specter-web')).keys()).length), 0);
  });

  test('computes on the CPU where there is no WebGPU', async () => {
    await page.close();
    page = await openDemo(() => Object.defineProperty(navigator, 'gpu', { value: undefined }));
    await page.click('#load');
    await reach('ready');
    assert.equal((await page.$$('#matrix tbody tr')).length, 6);
  });

  test('has said nothing on the console that is an error', () => {
    assert.deepEqual(complaints, []);
  });

  test('says clearly where nothing can compute', async () => {
    await page.close();
    page = await openDemo(() => {
      const Plain = Worker;
      globalThis.Worker = class extends Plain {
        constructor(/** @type {URL} */ address, /** @type {WorkerOptions} */ options) {
          super(new URL('/lame/worker.js', address), options);
        }
      };
    });
    await page.click('#load');
    await reach('unable');
    assert.match(await textOf('#unable'), /cannot run a model.*no vector instructions.*Use a current/s);
    assert.equal(await page.$eval('#load', (button) => /** @type {HTMLButtonElement} */ (button).disabled), true);
    await picture('5-unable');
  });

  test('is at ease in the dark', async () => {
    if (!SCREENSHOTS || BROWSER !== 'chromium') return;
    await page.close();
    page = await openDemo();
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    await page.click('#suggest');
    await page.click('#compare');
    await page.waitForSelector('#ranking li');
    await reach('ready');
    await picture('6-dark');
  });
});
