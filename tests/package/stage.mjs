/**
 * The package as somebody installs it: out of its tarball, into a folder of its own, for a page that is built, served and
 * used there.
 *
 *     PACKAGE=FILE  the tarball, which `cargo xtask test package` makes and names
 */
import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import sirv from 'sirv';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const DOCUMENTATION = fileURLToPath(new URL('../../docs/integration.md', import.meta.url));
const MODELS = fileURLToPath(new URL('../../models', import.meta.url));

/** Where every server here has the default model. */
export const MODEL = '/models/all-MiniLM-L6-v2-q8/';

/** Two on the same subject, and one on another. */
export const PAPERS = [
  { title: 'Dense representations of scientific articles', abstract: 'An encoder is trained so that papers which cite each other receive nearby vectors.' },
  { title: 'Citation-informed embeddings for literature search', abstract: 'A language model learns from the citation graph to retrieve related publications.' },
  { title: 'Nitrogen uptake of winter wheat under delayed sowing', abstract: 'Late sowing reduced root depth and grain yield in field trials over four seasons.' },
];

/** `SharedArrayBuffer`, and so threads, exist only in a page that is served with these. */
export const ISOLATED = Object.fromEntries(documented('http', /^Cross-Origin-[^]*/)[0].trim().split('\n').map((line) => line.split(': ')));

/**
 * @param {string} pages  a folder of `pages/`
 * @returns {{ folder: string, remove: () => void }} a copy of it in which the package is installed
 */
export function install(pages) {
  const { PACKAGE } = process.env;
  assert.ok(PACKAGE, 'PACKAGE names no tarball. Run `cargo xtask test package`, which makes one.');
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'specter-web-')));
  cpSync(join(HERE, 'pages', pages), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  // It depends on nothing, so there is nothing that a registry could be asked for.
  run(`npm install --offline --ignore-scripts --no-package-lock --no-audit --no-fund "${PACKAGE}"`, folder);
  return { folder, remove: () => rmSync(folder, { recursive: true, maxRetries: 5 }) };
}

/**
 * Puts the package beside a page, for one that is served as it is.
 *
 * @param {string} installed  where the package is installed
 * @param {string} folder     of the page
 */
export function copyPackage(installed, folder = installed) {
  cpSync(join(installed, 'node_modules/specter-web'), join(folder, 'specter-web'), { recursive: true });
}

/**
 * A page that finds the package by an import map, which is the one of the documentation.
 *
 * @param {string} installed  where the package and the page are
 * @returns {string} its folder
 */
export function pageWithoutBundle(installed) {
  const folder = mkdtempSync(join(installed, 'unbundled-'));
  copyPackage(installed, folder);
  cpSync(join(installed, 'app.js'), join(folder, 'app.js'));
  const [map] = documented('html', /<script type="importmap">[^]*?<\/script>/);
  writeFileSync(join(folder, 'index.html'), readFileSync(join(installed, 'index.html'), 'utf8').replace('<script', () => `${map}\n<script`));
  return folder;
}

/**
 * What the documentation says to write, so that nothing else is tested.
 *
 * @param {string} language  of a block of code
 * @param {RegExp} pattern   that one such block has
 * @returns {RegExpMatchArray}
 */
export function documented(language, pattern) {
  for (const [, name, text] of readFileSync(DOCUMENTATION, 'utf8').matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    const match = name === language && text.match(pattern);
    if (match) return match;
  }
  return assert.fail(`${DOCUMENTATION} has no ${language} like ${pattern}`);
}

/**
 * Runs a command as one types it, with the programs of the packages that are installed here.
 *
 * @param {string} command
 * @param {string} folder  where it runs
 * @returns {string} what it prints
 */
export function run(command, folder) {
  const PATH = [join(HERE, 'node_modules/.bin'), process.env.PATH].join(delimiter);
  try {
    return execSync(command, { cwd: folder, env: { ...process.env, PATH, NODE_ENV: 'production', NO_COLOR: '1' }, stdio: 'pipe', encoding: 'utf8' });
  } catch (error) {
    const { stdout, stderr } = /** @type {{ stdout: string, stderr: string }} */ (error);
    throw new Error(`${command}\n${stdout}${stderr}`);
  }
}

/**
 * @typedef {object} Server
 * @property {string} url  its address, with a slash at the end
 * @property {string[]} requests  paths that were asked for, and what they were answered with: `200 /page.js`
 * @property {() => Promise<void>} close
 */

/**
 * A page, and the models beside it.
 *
 * @param {string} folder
 * @param {Record<string, string>} [headers]
 * @param {{ hasPageForAll?: boolean }} [how]  whether it sends `index.html` where it has nothing
 * @returns {Promise<Server>}
 */
export async function host(folder, headers = {}, { hasPageForAll = false } = {}) {
  const files = sirv(folder, { dev: true, etag: true, single: hasPageForAll, ignores: false });
  const models = sirv(MODELS, { dev: true, etag: true });
  /** @type {string[]} */
  const requests = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    response.on('finish', () => requests.push(`${response.statusCode} ${path}`));
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const missing = () => response.writeHead(404).end();
    if (path.startsWith('/models/')) {
      request.url = path.slice('/models'.length);
      models(request, response, missing);
    } else {
      files(request, response, missing);
    }
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', () => listening(undefined)));
  return {
    url: `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/`,
    requests,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

/**
 * Opens a page whose script leaves `Specter` where tests find it, and has nobody complain meanwhile: not the page, not a
 * worker, not the server.
 *
 * @template T
 * @param {import('puppeteer-core').Browser} browser
 * @param {string | URL} address
 * @param {Server | null} server
 * @param {(page: import('puppeteer-core').Page) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withPage(browser, address, server, use) {
  const page = await browser.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (['error', 'warn', 'assert'].includes(message.type()) && !isOfModel(message.location().url ?? '')) complaints.push(`${message.type()}: ${message.text()}`);
  });
  const before = server?.requests.length;
  try {
    await page.goto(String(address));
    assert.equal(await page.evaluate(() => typeof Specter), 'function', `the page's script has not run: ${complaints.join('; ')}`);
    const outcome = await use(page);
    const refused = server?.requests.slice(before).filter((request) => !/^[23]/.test(request) && !isOfModel(request)) ?? [];
    assert.deepEqual([...complaints, ...refused], []);
    return outcome;
  } finally {
    await page.close();
  }
}

/** Whether a file of the model was asked for, of which some need not exist. @param {string} request */
const isOfModel = (request) => request.includes('/models/');

/**
 * Runs in the page.
 *
 * @param {string} source
 * @param {unknown[]} papers
 * @param {object} options
 */
async function embedInPage(source, papers, options) {
  try {
    const specter = await Specter.load(source, options);
    const { data, dims: [count, width] } = await specter.embed(papers);
    const { adapter } = specter.info().device;
    await specter.dispose();
    const rows = Array.from({ length: count }, (_, row) => Array.from(data.subarray(row * width, (row + 1) * width)));
    return { rows, adapter };
  } catch (error) {
    return { failure: `${error.code ?? error.name}: ${error.message}` };
  }
}

/**
 * Vectors of `PAPERS`, which have to be such that related papers lie close together.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {object} [options]  of `Specter.load`
 * @param {string} [source]
 * @returns {Promise<{ rows: number[][], adapter: string }>}
 */
export async function embed(page, options = {}, source = MODEL) {
  const { rows, adapter, failure } = await page.evaluate(embedInPage, source, PAPERS, options);
  assert.equal(failure, undefined);
  const cosine = (/** @type {number} */ a, /** @type {number} */ b) => {
    const dot = (/** @type {number[]} */ x, /** @type {number[]} */ y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
    return dot(rows[a], rows[b]) / Math.sqrt(dot(rows[a], rows[a]) * dot(rows[b], rows[b]));
  };
  assert.ok(cosine(0, 1) > Math.max(cosine(0, 2), cosine(1, 2)) + 0.2, 'related papers are not closer to each other than to an unrelated one');
  return { rows, adapter };
}

/**
 * What loading rejects with.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {object} [options]  of `Specter.load`
 * @param {string} [source]
 */
export async function failure(page, options = {}, source = MODEL) {
  const { failure } = await page.evaluate(embedInPage, source, PAPERS, options);
  return failure ?? 'It did not fail.';
}

/**
 * A head is learned, which takes a module that nothing else does.
 *
 * @param {import('puppeteer-core').Page} page
 */
export async function checkLearning(page) {
  const labels = await page.evaluate(
    async (source, papers) => {
      const specter = await Specter.load(source);
      const subjects = ['articles', 'articles', 'plants'];
      const examples = papers.map((paper, i) => ({ paper, label: subjects[i] }));
      const head = await specter.fit(examples, { strength: 100 });
      const results = await head.score(papers, { topK: 1 });
      await specter.dispose();
      return results.map(([best]) => best?.label);
    },
    MODEL,
    PAPERS,
  );
  assert.deepEqual(labels, ['articles', 'articles', 'plants']);
}

/**
 * The component of `specter-web/suggest` is there, and its style.
 *
 * @param {import('puppeteer-core').Page} page
 */
export async function checkComponent(page) {
  const isStyled = await page.evaluate(async () => {
    const component = document.createElement('specter-suggest');
    document.body.append(component);
    const unseen = component.shadowRoot?.querySelector('[role="status"]');
    const isHidden = () => Boolean(unseen) && getComputedStyle(/** @type {Element} */ (unseen)).position === 'absolute';
    for (let wait = 0; wait < 100 && !isHidden(); wait++) await new Promise((resolve) => setTimeout(resolve, 50));
    const outcome = isHidden();
    component.remove();
    return outcome;
  });
  assert.ok(isStyled, 'the component has no style');
}
