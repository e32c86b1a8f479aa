/**
 * A browser, a server and a page for one file of tests.
 *
 *     BROWSER=chromium|firefox  which browser (default chromium)
 *     SITE=FOLDER               test the www/, models/ and tests/fixtures/ in FOLDER, not this repository's
 *
 * Nothing here skips: on a machine without a WebGPU adapter, the tests fail.
 */
import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch } from '../../xtask/browser/launch.mjs';
import { serve } from '../../xtask/browser/serve.mjs';

export const BROWSER = process.env.BROWSER ?? 'chromium';
export const SITE = process.env.SITE ?? fileURLToPath(new URL('../..', import.meta.url));
const FIXTURES = join(SITE, 'tests/fixtures');

/** What a model runs on. `auto` is the CPU in both browsers here, as their adapters are software. */
export const DEVICES = /** @type {const} */ (['webgpu', 'wasm']);

/**
 * Sets up and tears down around the tests of the calling file.
 *
 * @param {object} [options]
 * @param {string} [options.path]  page to open; by default a plain one with nothing on it but our origin
 * @param {boolean} [options.isolate]  whether pages may share memory, with which the CPU has threads
 */
export function stage({ path = 'specter.js', isolate = false } = {}) {
  /** @type {{ server: Awaited<ReturnType<typeof serve>>, browser: import('puppeteer-core').Browser, page: import('puppeteer-core').Page }} */
  const set = /** @type {never} */ ({});
  before(async () => {
    set.server = await serve({ root: SITE, isolate });
    set.browser = await launch(/** @type {never} */ (BROWSER));
    set.page = await openPage(set.browser, new URL(path, set.server.url).href);
  });
  after(async () => {
    await set.browser?.close();
    await set.server?.close();
  });
  return set;
}

/**
 * @param {import('puppeteer-core').Browser} browser
 * @param {string} address
 * @param {string} [script]  where the package is imported from
 */
export async function openPage(browser, address, script = new URL('/specter.js', address).href) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error}`));
  await page.goto(address);
  await page.evaluate(preparePage, script);
  return page;
}

/**
 * Runs in the page: what the tests use there.
 *
 * @param {string} address
 */
async function preparePage(address) {
  const { Specter, SpecterError } = await import(address);

  /** What a promise rejects with, or a complaint that it did not. */
  const failureOf = async (promise) => {
    try {
      const value = await promise;
      await value?.dispose?.();
      return { code: 'none', message: 'It did not fail.', file: null };
    } catch (error) {
      return {
        code: error instanceof SpecterError ? error.code : `not a SpecterError: ${error}`,
        message: error.message,
        file: error.file ?? null,
      };
    }
  };

  /** Files as a person would choose them, from their contents in base 64. */
  const filesOf = (contents) =>
    Object.entries(contents).map(([name, base64]) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      return new File([bytes], name);
    });

  /** Vectors as plain arrays, one a paper, which is what leaves the page. */
  const rowsOf = ({ data, dims: [count, width] }) =>
    Array.from({ length: count }, (_, row) => Array.from(data.subarray(row * width, (row + 1) * width)));

  Object.assign(globalThis, { Specter, SpecterError, failureOf, filesOf, rowsOf });
}

/**
 * @param {string} path  inside the fixtures
 */
export function readJson(path) {
  return JSON.parse(readFileSync(join(FIXTURES, path), 'utf8'));
}

/**
 * @param {string} path  inside the fixtures
 */
export const hasFile = (path) => existsSync(join(FIXTURES, path));

/**
 * The names of the folders in a folder of the fixtures.
 *
 * @param {string} path
 */
export function foldersIn(path) {
  return readdirSync(join(FIXTURES, path)).filter((name) => statSync(join(FIXTURES, path, name)).isDirectory());
}

/**
 * A folder of the fixtures with some files changed or, where the change is `null`, left out.
 *
 * @param {string} path
 * @param {Record<string, null | ((bytes: Buffer) => Buffer | string)>} [changes]
 * @returns {Record<string, string>} contents by name, in base 64
 */
export function folderWith(path, changes = {}) {
  const folder = join(FIXTURES, path);
  const names = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile());
  for (const name of Object.keys(changes)) assert.ok(names.includes(name), `${path} has no ${name} to change`);
  /** @type {Record<string, string>} */
  const contents = {};
  for (const name of names) {
    const change = changes[name];
    if (change === null || name === 'goldens.json') continue;
    const bytes = readFileSync(join(folder, name));
    contents[name] = Buffer.from(change ? change(bytes) : bytes).toString('base64');
  }
  return contents;
}

/**
 * @param {(config: Record<string, any>) => void} change
 * @returns {(bytes: Buffer) => string}
 */
export const changedJson = (change) => (bytes) => {
  const value = JSON.parse(bytes.toString('utf8'));
  change(value);
  return JSON.stringify(value);
};

/**
 * A safetensors file with another header: 8 bytes of its length, little-endian, then JSON.
 *
 * @param {(header: Record<string, { dtype: string, shape: number[], data_offsets: [number, number] }>) => void} change
 * @returns {(bytes: Buffer) => Buffer}
 */
export const changedHeader = (change) => (bytes) => {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8'));
  change(header);
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, bytes.subarray(8 + length)]);
};

/**
 * @param {number[]} a
 * @param {number[]} b
 */
export function cosine(a, b) {
  const dot = (/** @type {number[]} */ x, /** @type {number[]} */ y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/**
 * The largest absolute difference of two lists of vectors; anything not a number is infinitely far.
 *
 * @param {number[][]} a
 * @param {number[][]} b
 */
export function distance(a, b) {
  assert.equal(a.length, b.length, 'as many vectors');
  let most = 0;
  a.forEach((row, i) => {
    assert.equal(row.length, b[i].length, 'as many components');
    row.forEach((value, j) => {
      const apart = Math.abs(value - b[i][j]);
      most = apart >= 0 ? Math.max(most, apart) : Infinity;
    });
  });
  return most;
}

/**
 * @param {number[][]} a
 * @param {number[][]} b
 */
export function meanCosine(a, b) {
  return a.reduce((sum, row, i) => sum + cosine(row, b[i]), 0) / a.length;
}

/**
 * Notes which addresses servers of this process are asked for, by whomever: pages, workers and workers of workers, of
 * which drivers do not show all.
 *
 * @returns {{ paths: string[], end: () => void }}
 */
export function watchRequests() {
  /** @type {string[]} */
  const paths = [];
  const note = (/** @type {any} */ { request }) => void paths.push(request.url);
  diagnostics.subscribe('http.server.request.start', note);
  return { paths, end: () => void diagnostics.unsubscribe('http.server.request.start', note) };
}

/**
 * Workers of a page, once those that were ended have gone.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {number} expected
 */
export async function workersOf(page, expected) {
  // Firefox takes five seconds to end a worker that was reading from a cache.
  for (let wait = 0; wait < 200 && page.workers().length !== expected; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return page.workers().length;
}

/**
 * The same as `folderWith`, as a server keeps it.
 *
 * @param {string} path
 * @param {Parameters<typeof folderWith>[1]} [changes]
 * @returns {Record<string, Buffer>}
 */
export function repositoryOf(path, changes = {}) {
  return Object.fromEntries(Object.entries(folderWith(path, changes)).map(([name, contents]) => [name, Buffer.from(contents, 'base64')]));
}
