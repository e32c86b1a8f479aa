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
import { fileURLToPath } from 'node:url';

import { launch } from '../../xtask/browser/launch.mjs';
import { serve } from '../../xtask/browser/serve.mjs';
import { BROWSER, SITE, watchRequests } from './stage.mjs';

const { SCREENSHOTS } = process.env;
const AXE = fileURLToPath(new URL('../../node_modules/axe-core', import.meta.url));
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 320, height: 740 };
const TABS = ['embed', 'classify', 'deposit'];

/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
/** @type {import('puppeteer-core').Browser} */
let browser;
/** @type {import('puppeteer-core').Page} */
let page;
/** @type {string[]} */
const complaints = [];

/** A worker of a browser without vector instructions, and a folder without a model. @type {string} */
let lame;

before(async () => {
  lame = mkdtempSync(join(tmpdir(), 'specter-web-'));
  writeFileSync(join(lame, 'validate.js'), 'WebAssembly.validate = () => false;');
  writeFileSync(join(lame, 'worker.js'), "import './validate.js'; import '/worker.js';");
  server = await serve({ root: SITE, folders: [['/lame/', lame], ['/axe/', AXE]] });
  browser = await launch(/** @type {never} */ (BROWSER));
});
after(async () => {
  await browser?.close();
  await server?.close();
  rmSync(lame, { recursive: true });
});

/**
 * @param {object} [options]
 * @param {string} [options.at]  the part of the address after the folder
 * @param {string} [options.url]  of another server
 * @param {() => void} [options.prepare]  runs in the page before its own scripts
 */
async function openDemo({ at = '', url = server.url, prepare = () => {} } = {}) {
  await page?.close();
  page = await browser.newPage();
  await page.evaluateOnNewDocument(prepare);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.setViewport(DESKTOP);
  await page.goto(new URL(`demo/${at}`, url).href);
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

async function load() {
  await page.click('#load');
  await reach('ready');
}

const textOf = (/** @type {string} */ selector) => page.$eval(selector, (element) => element.textContent?.trim() ?? '');
const textsOf = (/** @type {string} */ selector) => page.$$eval(selector, (all) => all.map(({ textContent }) => textContent?.trim() ?? ''));
const isSeen = (/** @type {string} */ selector) => page.$eval(selector, (element) => element.checkVisibility());

/**
 * @param {string} selector
 * @param {string} text
 */
async function write(selector, text) {
  await page.$eval(selector, (field) => (/** @type {HTMLInputElement} */ (field).value = ''));
  await page.type(selector, text);
}

/** @param {string} name */
const openTab = (name) => page.click(`#${name}-tab`);

/** How far anything reaches beyond the page's width. */
const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** What the classification of a title says: labels, the best first. @param {string} title */
async function classify(title) {
  await write('#classify-title', title);
  await page.$eval('#result', (list) => list.replaceChildren());
  await page.click('#classify');
  await page.waitForSelector('#result li');
  return textsOf('#result .label');
}

describe(`the demo page, in ${BROWSER}`, () => {
  before(() => openDemo());

  test('opens, with a heading, a promise and no model loaded', async () => {
    assert.match(await textOf('h1'), /read papers/);
    assert.match(await textOf('.promise'), /never leaves this machine/);
    assert.equal(await page.$eval('html', (html) => html.dataset.state), 'idle');
    assert.match(await textOf('#vector-empty'), /^No model is loaded yet/);
    await picture('embed-1-empty');
  });

  test('loads the model and compares the example papers with each other', async () => {
    await load();
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
    const ranked = await textsOf('#ranking .title');
    assert.equal(ranked.length, 6);
    assert.deepEqual(
      ranked.slice(0, 2).map((title) => /cite each other|Who should review/.test(title)),
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
    await picture('embed-2-compared');
  });

  test('compares for the task that is chosen', async () => {
    const first = () => textOf('#ranking .similarity');
    const without = await first();
    await page.select('#task', 'paper-field');
    await page.waitForFunction((without) => document.querySelector('#ranking .similarity')?.textContent !== without, {}, without);
    await page.select('#task', '');
    await page.waitForFunction((without) => document.querySelector('#ranking .similarity')?.textContent === without, {}, without);
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

  test('offers the tasks of each model', async () => {
    const task = () => page.$eval('#task', (select) => /** @type {HTMLSelectElement} */ (select).value);
    assert.deepEqual(await textsOf('#task option'), ['Paper Field', 'None']);
    assert.equal(await task(), '');
    await page.select('#model', 'specter2');
    assert.deepEqual(await textsOf('#task option'), ['Proximity', 'Ad-hoc query', 'Classification', 'Regression', 'None']);
    assert.equal(await task(), 'proximity');
    // With experts, nothing goes without one.
    await page.select('#model', 'scimult');
    assert.deepEqual(await textsOf('#task option'), ['Search', 'Link prediction', 'Classification']);
    assert.equal(await task(), 'link-prediction');
    assert.match(await textOf('#model-note'), /740 MB/);
    await page.select('#model', 'semcse');
    assert.equal(await page.$eval('#task', (select) => /** @type {HTMLSelectElement} */ (select).disabled), true);
    assert.equal(await textOf('#task-note'), 'This model has no tasks.');
    await page.select('#model', 'minilm');
  });

  test('compares vectors as they are meant to be compared', async () => {
    const shown = await page.evaluate(async () => {
      const inHere = (/** @type {string} */ path) => import(new URL(path, location.href).href);
      const { measureOf, showRanking } = await inHere('similarity.js');
      const placed = (/** @type {string} */ title, /** @type {number[]} */ vector) => ({ label: title, title, field: '', mine: false, vector: Float32Array.from(vector) });
      const others = [placed('far, in the same direction', [8, 0]), placed('near', [1, 1])];
      const shown = [];
      for (const similarity of ['euclidean', 'cosine', 'dot', null]) {
        const list = document.createElement('ol');
        const measure = measureOf({ similarity, tasks: [{ name: 'angles', similarity: 'cosine' }] }, null);
        showRanking(list, measure, placed('this', [2, 0]), others);
        const texts = (/** @type {string} */ selector) => Array.from(list.querySelectorAll(selector), ({ textContent }) => textContent);
        shown.push([measure.name, ...texts('.title'), ...texts('.similarity')]);
      }
      const ofTask = measureOf({ similarity: 'euclidean', tasks: [{ name: 'angles', similarity: 'cosine' }] }, 'angles').name;
      return { shown, ofTask };
    });
    const [far, near] = ['far, in the same direction', 'near'];
    assert.deepEqual(shown, {
      shown: [
        ['Euclidean distance', near, far, '1.41', '6.00'],
        ['Cosine similarity', far, near, '1.00', '0.71'],
        ['Dot product', far, near, '16.0', '2.00'],
        ['Cosine similarity', far, near, '1.00', '0.71'],
      ],
      ofTask: 'Cosine similarity',
    });
  });

  test('offers the tasks that a chosen folder turns out to have', async () => {
    await page.select('#model', 'folder');
    assert.deepEqual(await textsOf('#task option'), ['None']);
    await page.evaluate(async () => {
      const { default: init, Engine } = await import(new URL('/wasm/specter_web.js', location.href).href);
      await init();
      const read = async (/** @type {string} */ name) => {
        if (!['config.json', 'tokenizer_config.json', 'vocab.txt', 'scimult_moe.ckpt'].includes(name)) return null;
        const response = await fetch(`/fixtures/scimult/${name.endsWith('.ckpt') ? 'published' : 'base'}/${name}`);
        const bytes = new Uint8Array(await response.arrayBuffer());
        return { size: bytes.length, read: async (/** @type {number} */ start, /** @type {number} */ end) => bytes.slice(start, end) };
      };
      /** @type {Map<string, Uint8Array[]>} */
      const written = new Map();
      let current = '';
      const sink = {
        begin: async (/** @type {string} */ name) => void written.set((current = name), []),
        write: async (/** @type {Uint8Array} */ bytes) => void written.get(current)?.push(bytes.slice()),
      };
      await Engine.convert({ name: 'experts', open: read }, sink, { weights: 'scimult_moe.ckpt' });
      const transfer = new DataTransfer();
      for (const [name, parts] of written) if (!name.includes('/')) transfer.items.add(new File(/** @type {any} */ (parts), name));
      /** @type {HTMLInputElement} */ (document.getElementById('folder')).files = transfer.files;
    });
    await page.click('#load');
    await page.waitForFunction(() => document.querySelectorAll('#task option').length === 3);
    assert.deepEqual(await textsOf('#task option'), ['classification', 'link-prediction', 'search']);
    await page.waitForFunction(() => document.getElementById('status')?.textContent?.startsWith('Embedded 6 papers'));
    // Another model and back: they are still its tasks.
    await page.select('#model', 'specter2');
    await page.select('#model', 'folder');
    assert.deepEqual(await textsOf('#task option'), ['classification', 'link-prediction', 'search']);
    await page.select('#model', 'minilm');
    await load();
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
    assert.ok(await isSeen('#retry'));
  });

  test('says what it has stored of models, and deletes it', async () => {
    assert.match(await textOf('#stored-size'), /^2\d\.\d MB of models are stored/);
    await page.click('#forget');
    await page.waitForSelector('#stored', { hidden: true });
    assert.match(await textOf('#status'), /^Deleted 2\d\.\d MB/);
    assert.equal(await page.evaluate(async () => (await (await caches.open('specter-web')).keys()).length), 0);
  });

  test('computes on the CPU where there is no WebGPU', async () => {
    await openDemo({ prepare: () => Object.defineProperty(navigator, 'gpu', { value: undefined }) });
    await load();
    assert.equal((await page.$$('#matrix tbody tr')).length, 6);
  });
});

describe(`the tabs, in ${BROWSER}`, () => {
  const selected = () => textsOf('[role=tab][aria-selected=true]');
  const panels = () => page.$$eval('[role=tabpanel]', (all) => all.filter((panel) => panel.checkVisibility()).map(({ id }) => id));

  test('are walked with the arrow keys, Home and End, as one stop of the Tab key', async () => {
    await openDemo();
    await page.focus('#embed-tab');
    const steps = [['ArrowRight', 'Classify'], ['ArrowRight', 'Deposit'], ['ArrowRight', 'Embed'], ['ArrowLeft', 'Deposit'], ['Home', 'Embed'], ['End', 'Deposit']];
    for (const [key, name] of steps) {
      await page.keyboard.press(/** @type {import('puppeteer-core').KeyInput} */ (key));
      assert.deepEqual(await selected(), [name]);
      assert.equal(await page.evaluate(() => document.activeElement?.textContent), name);
      assert.deepEqual(await panels(), [`${name?.toLowerCase()}-panel`]);
      assert.equal(await page.evaluate(() => location.hash), `#${name?.toLowerCase()}`);
    }
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'model');
    assert.equal(await page.$$eval('[role=tab][tabindex="0"]', (all) => all.length), 1);
  });

  test('are where an address with their name leads', async () => {
    for (const name of TABS) {
      await openDemo({ at: `#${name}` });
      assert.deepEqual(await panels(), [`${name}-panel`]);
    }
    await page.evaluate(() => (location.hash = '#classify'));
    await page.waitForFunction(() => document.getElementById('classify-panel')?.checkVisibility());
    // The link that skips to the content is no reason to leave the tab.
    await page.evaluate(() => (location.hash = '#content'));
    assert.deepEqual(await panels(), ['classify-panel']);
  });

  test('share one paper', async () => {
    await openDemo();
    await write('#title', 'Glaciers');
    await openTab('classify');
    assert.equal(await page.$eval('#classify-title', (field) => /** @type {HTMLInputElement} */ (field).value), 'Glaciers');
  });
});

describe(`while a model loads, in ${BROWSER}`, () => {
  test('whoever asks for a result waits for that load, and none begins anew', async () => {
    await openDemo({
      prepare: () => {
        globalThis.workers = 0;
        const Plain = Worker;
        globalThis.Worker = class extends Plain {
          constructor(/** @type {URL} */ address, /** @type {WorkerOptions} */ options) {
            super(address, options);
            if (++globalThis.workers > 1) return;
            setTimeout(() => {
              for (const id of ['compare', 'classify']) document.getElementById(id)?.click();
            });
          }
        };
      },
    });
    await page.type('#title', 'Finding related research papers with document embeddings');
    await load();
    await page.waitForSelector('#ranking li');
    assert.equal(await page.evaluate(() => globalThis.workers), 1);
  });
});

describe(`classifying, in ${BROWSER}`, () => {
  before(async () => {
    await openDemo({ at: '#classify' });
    assert.match(await textOf('#result-empty'), /^No model is loaded yet/);
    await picture('classify-1-empty');
    await page.type('#classify-title', 'A title');
    await page.click('#classify');
    await page.waitForSelector('#result li');
    await page.click('#classify-live'); // the tests say when
  });

  test('Paper Field tells the field of three titles', async () => {
    for (const [title, field] of [
      ['Recurrence after laparoscopic repair of inguinal hernia: a ten-year follow-up', 'medicine'],
      ['Foreign policy and the left: party platforms in two elections', 'politics'],
      ['Working memory and reading speed in children with dyslexia', 'psychology'],
    ]) {
      const labels = await classify(/** @type {string} */ (title));
      assert.equal(labels.length, 7);
      assert.equal(labels[0], field, `${title}: ${labels}`);
    }
    const shares = (await textsOf('#result .score')).map((text) => Number.parseInt(text.replace('< 1', '0'), 10));
    assert.deepEqual(shares, shares.toSorted((a, b) => b - a));
    const sum = shares.reduce((a, b) => a + b);
    assert.ok(Math.abs(sum - 100) <= 4, `rounded shares of 1: ${shares}`);
    assert.match(await textOf('#status'), /^psychology, \d+ %/);
    await picture('classify-2-paper-field');
  });

  test('panels of the ERC are ranked by what they mean', async () => {
    await page.click('[value=meaning]');
    for (const [title, panel] of [
      ['Meltwater below a valley glacier and the speed of its ice', 'PE10 Earth System Science'],
      ['Songbirds in noisy cities: mating, broods and natural selection', 'LS8 Environmental Biology, Ecology and Evolution'],
      ['Synapses and memory in the hippocampus of ageing mice', 'LS5 Neuroscience and Disorders of the Nervous System'],
    ]) {
      const labels = await classify(/** @type {string} */ (title));
      assert.ok(labels.slice(0, 3).includes(/** @type {string} */ (panel)), `${title}: ${labels}`);
    }
    await picture('classify-3-meaning');
  });

  test('the published classifier is chosen without being downloaded, and says how large it is', async () => {
    const served = watchRequests();
    await page.click('[value=published]');
    assert.match(await textOf('.choice:has([value=published]) .cost'), /440 MB from huggingface\.co/);
    assert.match(await textOf('#model-note'), /440 MB/);
    assert.equal(await page.$eval('#model', (select) => /** @type {HTMLSelectElement} */ (select).value), 'erc');
    assert.equal(await textOf('#load'), 'Load the model');
    assert.deepEqual(served.paths, []);
    served.end();
    await page.click('[value=paper-field]');
    assert.equal(await textOf('#load'), 'Loaded');
  });

  test('it can be taught classes from examples, and knows titles that it has not seen', async () => {
    await page.click('[value=teach]');
    assert.match(await textOf('#result-empty'), /^Teach it first/);
    await page.click('#teach-start');
    assert.equal(await textOf('#teach-wrong'), 'Class 1 has no name.');
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-invalid')), 'true');
    await page.click('#teach-example');
    await page.click('#teach-start');
    await page.waitForFunction(() => document.getElementById('taught')?.textContent?.startsWith('Learned'));
    const [, score] = /Learned 3 classes from 30 titles in .*\. Cross-validated F1: ([\d.]+)\.$/.exec(await textOf('#taught')) ?? [];
    assert.ok(Number(score) > 0.8, await textOf('#taught'));
    await assertTaught();
    await picture('classify-4-taught');
  });

  async function assertTaught() {
    for (const [title, name] of [
      ['Copper in vineyard soils after a century of spraying', 'Soils and water'],
      ['Plural endings in the speech of toddlers', 'Language and speech'],
      ['Tenants from abroad in shrinking towns', 'Migration and cities'],
    ]) {
      const labels = await classify(/** @type {string} */ (title));
      assert.equal(labels[0], name, `${title}: ${labels}`);
    }
  }

  test('what was taught is saved as a file, and read again', async () => {
    // What a browser would be asked to keep: neither driver shows downloads.
    const { name, saved } = await page.evaluate(
      () =>
        new Promise((resolve) => {
          /** @type {Blob} */
          let blob;
          URL.createObjectURL = (/** @type {Blob} */ made) => ((blob = made), '#');
          HTMLAnchorElement.prototype.click = async function () {
            resolve({ name: this.download, saved: await blob.text() });
          };
          document.getElementById('teach-save')?.click();
        }),
    );
    assert.equal(name, 'classifier.json');
    assert.deepEqual(JSON.parse(saved).labels.toSorted(), ['Language and speech', 'Migration and cities', 'Soils and water']);

    await openDemo({ at: '#classify' });
    await page.click('[value=teach]');
    await readClassifier('mine.json', '{"labels": []}');
    await reach('failed');
    assert.equal(await textOf('#failure-code'), 'unsupported-head');
    assert.match(await textOf('#result-empty'), /told beside the model/);
    await readClassifier('mine.json', 'a text');
    assert.match(await textOf('#teach-wrong'), /^mine\.json is not a classifier/);
    await readClassifier('mine.json', saved);
    await page.waitForFunction(() => document.getElementById('taught')?.textContent?.startsWith('Loaded mine.json'));
    await assertTaught();
  });

  /**
   * @param {string} name
   * @param {string} text
   */
  const readClassifier = (name, text) =>
    page.evaluate(
      (name, text) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], name));
        const input = /** @type {HTMLInputElement} */ (document.getElementById('teach-file'));
        input.files = transfer.files;
        input.dispatchEvent(new Event('change'));
      },
      name,
      text,
    );
});

describe(`the deposit form, in ${BROWSER}`, () => {
  const suggest = (/** @type {string} */ state) =>
    page.waitForFunction((state) => /** @type {any} */ (document.querySelector('specter-suggest')).state === state, { timeout: 60_000 }, state);
  const press = (/** @type {string} */ part) =>
    page.$eval('specter-suggest', (element, part) => /** @type {HTMLElement} */ (element.shadowRoot?.querySelector(`[part~="${part}"]`)).click(), part);
  const valueOf = (/** @type {string} */ selector) => page.$eval(selector, (field) => /** @type {HTMLInputElement} */ (field).value);

  test('fills in the subjects that are accepted, and shows what would be sent', async () => {
    await openDemo({ at: '#deposit' });
    await page.click('#deposit');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'deposit-title');
    assert.ok(await isSeen('#deposit-title-wrong'));
    await page.click('#deposit-example');
    assert.ok(!(await isSeen('#deposit-title-wrong')));
    // Nothing is loaded before somebody agrees.
    await suggest('asking');
    await picture('deposit-1-asking');
    await press('agree');
    await suggest('results');
    await press('accept');
    assert.equal(await valueOf('#deposit-subjects'), 'SH7 Human Mobility, Environment, and Space');
    await picture('deposit-2-accepted');

    const served = watchRequests();
    await page.click('#deposit');
    await page.waitForSelector('#sent[open]');
    const { metadata } = JSON.parse(await textOf('#sent-record'));
    assert.deepEqual(metadata.subjects, ['SH7 Human Mobility, Environment, and Space']);
    assert.deepEqual(metadata.creators.map((/** @type {any} */ { family_name: name }) => name), ['Brunner', 'Okafor']);
    assert.deepEqual(served.paths, []);
    served.end();
    await picture('deposit-3-sent');
    await page.keyboard.press('Escape');
    assert.ok(!(await isSeen('#sent')));
  });

  test('shares the model that the page has loaded', async () => {
    await openDemo();
    await load();
    await openTab('deposit');
    const served = watchRequests();
    await page.click('#deposit-example');
    await suggest('results');
    assert.deepEqual(served.paths, []);
    served.end();
    assert.match(await textOf('#deposit-model'), /^all-MiniLM-L6-v2.* shares it/);
  });
});

describe(`after a load, in ${BROWSER}`, () => {
  test('typing, classifying and depositing asks no server for anything', async () => {
    await openDemo();
    const served = watchRequests();
    await load();
    assert.ok(served.paths.some((path) => path.endsWith('.wasm')), 'the watch sees what is fetched');
    served.paths.length = 0;

    // Live: a pause is all it takes.
    await page.type('#title', 'Learning algorithms for document databases');
    await page.waitForSelector('#ranking li');
    await openTab('classify');
    await page.waitForSelector('#result li');
    await page.click('[value=meaning]');
    await page.waitForFunction(() => document.querySelectorAll('#result li').length === 8);
    await page.type('#classify-abstract', 'Neural networks and software that read scientific articles.');
    await page.waitForFunction(() => document.querySelector('#result .label')?.textContent?.startsWith('PE6'));
    await openTab('deposit');
    await page.type('#deposit-title', 'Learning algorithms for databases of scientific articles');
    await page.waitForFunction(() => /** @type {any} */ (document.querySelector('specter-suggest')).state === 'results');
    assert.deepEqual(served.paths, []);
    served.end();
  });

  test('going offline makes no difference', async () => {
    await page.evaluate(() => {
      Object.defineProperty(navigator, 'onLine', { value: false, configurable: true });
      dispatchEvent(new Event('offline'));
    });
    // Firefox's driver cannot cut the connection.
    if (BROWSER === 'chromium') await page.setOfflineMode(true);
    assert.match(await textOf('#offline'), /makes no difference here/);
    await openTab('classify');
    await write('#classify-abstract', '');
    await write('#classify-title', 'Meltwater below a valley glacier and the speed of its ice');
    await page.waitForFunction(() => document.querySelector('#result .label')?.textContent?.startsWith('PE10'));
    await picture('classify-offline-loaded');
    if (BROWSER === 'chromium') await page.setOfflineMode(false);
  });

  test('the page has said nothing on the console that is an error, here or before', () => {
    assert.deepEqual(complaints, []);
  });
});

describe(`where something is missing, in ${BROWSER}`, () => {
  test('a model that is not there is an error on every tab, and can be tried again', async () => {
    const bare = await serve({ root: SITE, folders: [['/models/', lame]] });
    for (const name of TABS) {
      await openDemo({ at: `#${name}`, url: bare.url });
      await page.click('#load');
      await reach('failed');
      assert.equal(await textOf('#failure-code'), 'model-not-found');
      assert.ok(await isSeen('#retry'));
      const excuse = { embed: '#ranking-empty', classify: '#result-empty' }[name];
      if (excuse) assert.match(await textOf(excuse), /^That did not work/);
      if (name === 'deposit') {
        await page.click('#deposit-example');
        await page.waitForFunction(() => /** @type {any} */ (document.querySelector('specter-suggest')).state === 'asking');
        await page.$eval('specter-suggest', (element) => /** @type {HTMLElement} */ (element.shadowRoot?.querySelector('[part~=agree]')).click());
        await page.waitForFunction(() => /** @type {any} */ (document.querySelector('specter-suggest')).state === 'failed');
      }
      await picture(`${name}-failed`);
    }
    await bare.close();
  });

  test('offline, the page says that a model cannot be downloaded, until the connection is back', async () => {
    await openDemo({ prepare: () => Object.defineProperty(navigator, 'onLine', { get: () => globalThis.isOnline ?? false }) });
    for (const name of TABS) {
      await openTab(name);
      assert.match(await textOf('#offline'), /^You are offline\. A model cannot be downloaded/);
      assert.ok(await isSeen('#offline'));
      await picture(`${name}-offline`);
    }
    await page.evaluate(() => {
      globalThis.isOnline = true;
      dispatchEvent(new Event('online'));
    });
    assert.ok(!(await isSeen('#offline')));
  });

  test('a browser that can compute nothing is told so', async () => {
    await openDemo({
      prepare: () => {
        const Plain = Worker;
        globalThis.Worker = class extends Plain {
          constructor(/** @type {URL} */ address, /** @type {WorkerOptions} */ options) {
            super(new URL('/lame/worker.js', address), options);
          }
        };
      },
    });
    await page.click('#load');
    await reach('unable');
    assert.match(await textOf('#unable'), /cannot run a model.*no vector instructions.*Use a current/s);
    for (const button of ['#load', '#compare', '#classify', '#teach-start']) {
      assert.equal(await page.$eval(button, (button) => /** @type {HTMLButtonElement} */ (button).disabled), true, button);
    }
    await picture('unable');
  });
});

describe(`what is seen, in ${BROWSER}`, () => {
  /** Every tab with something in it. @type {[name: string, how: () => Promise<void>][]} */
  const VIEWS = [
    ['empty-embed', async () => {}],
    ['empty-classify', () => openTab('classify')],
    ['empty-deposit', () => openTab('deposit')],
    ['embed', async () => {
      await openTab('embed');
      await load();
      await page.click('#suggest');
      await page.waitForSelector('#ranking li');
    }],
    ['classify', async () => {
      await openTab('classify');
      await page.click('#classify-example');
      await page.waitForSelector('#result li');
    }],
    ['teach', async () => {
      await page.click('[value=teach]');
      await page.click('#teach-example');
      await page.click('#teach-start');
      await page.waitForFunction(() => document.getElementById('taught')?.textContent?.startsWith('Learned'));
      await page.waitForSelector('#result li');
    }],
    ['deposit', async () => {
      await openTab('deposit');
      await page.click('#deposit-example');
      await page.waitForFunction(() => /** @type {any} */ (document.querySelector('specter-suggest')).state === 'results');
    }],
    ['sent', async () => {
      await page.click('#deposit');
      await page.waitForSelector('#sent[open]');
    }],
  ];

  // Firefox's driver cannot say which colours a person prefers.
  for (const scheme of BROWSER === 'chromium' ? ['light', 'dark'] : ['light']) {
    test(`passes axe and fits 320, 390, 768 and 1280 pixels on every tab, in the ${scheme}`, async () => {
      await openDemo();
      if (BROWSER === 'chromium') await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
      await page.addScriptTag({ url: '/axe/axe.min.js' });
      for (const [name, how] of VIEWS) {
        await how();
        await reach(name.startsWith('empty') ? 'idle' : 'ready');
        const findings = await page.evaluate(async () => {
          // Colours that are on their way are nobody's.
          await Promise.all(document.getAnimations().filter((one) => one instanceof CSSTransition).map(({ finished }) => finished));
          const found = await globalThis.axe.run(document);
          return found.violations.map((/** @type {any} */ { id, impact, nodes }) =>
            `${impact} ${id}: ${nodes.map((/** @type {any} */ { html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`);
        });
        assert.deepEqual(findings, [], name);
        for (const width of [PHONE.width, 390, 768, DESKTOP.width]) {
          await page.setViewport({ ...PHONE, width });
          assert.ok((await overflow()) <= 0, `${name} at ${width}: ${await overflow()} pixels too wide`);
          await picture(`${scheme}-${name}-${width}`);
        }
        await page.setViewport(DESKTOP);
      }
    });
  }
});
