/**
 * The component `<specter-suggest>` in a deposit form, used as a person uses it. What it computes with is a stand-in of which
 * tests know the answers, and in the end the package itself.
 *
 *     SCREENSHOTS=FOLDER  also writes pictures of it there, for people to look at
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch } from '../../xtask/browser/launch.mjs';
import { serve } from '../../xtask/browser/serve.mjs';
import { BROWSER, readJson, SITE, watchRequests, workersOf } from './stage.mjs';

const { SCREENSHOTS } = process.env;
const STAND_IN = fileURLToPath(new URL('suggest', import.meta.url));
const AXE = fileURLToPath(new URL('../../node_modules/axe-core', import.meta.url));

const PHYSICS = 'The physics of light in a crystal, and what physics owes to chemistry.';
const HISTORY = 'A history of law in medieval towns, from the records of their history.';

/** What most tests want: a head, no question before the download, and a short pause. */
const USUAL = {
  model: './model/', head: 'fields', autoload: '', delay: '60', threshold: '0.1',
  'title-field': 'dc.title', 'abstract-field': '#abstract', 'output-field': 'keywords',
};
/** The same with the question. */
const ASKING = { ...USUAL, autoload: null, 'download-size': '25 MB' };

/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
/** @type {import('puppeteer-core').Browser} */
let browser;
/** @type {import('puppeteer-core').Page} */
let page;

before(async () => {
  server = await serve({
    root: SITE,
    folders: [
      ['/deposit/suggest/', 'www/suggest'],
      ['/deposit/labels/', 'www/labels'],
      ['/deposit/', STAND_IN],
      ['/axe/', AXE],
    ],
  });
  browser = await launch(/** @type {never} */ (BROWSER));
});
after(async () => {
  await browser?.close();
  await server?.close();
});
afterEach(async () => {
  if (!page || page.isClosed()) return;
  assert.deepEqual(await page.evaluate(() => violations), [], 'the policy of the page forbids nothing that happens');
  await page.close();
});

/**
 * Opens the form with a component in it.
 *
 * @param {Record<string, string | null>} attributes
 * @param {object} [options]
 * @param {string} [options.component]  where the component is imported from
 * @param {string} [options.into]  where in the form it is put
 */
async function open(attributes, { component = '/deposit/suggest/specter-suggest.js', into = '#place' } = {}) {
  page = await browser.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error}`));
  await page.evaluateOnNewDocument(() => {
    globalThis.violations = [];
    globalThis.told = [];
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      // Firefox asks for an icon of its own accord.
      if (!blockedURI.endsWith('/favicon.ico')) violations.push(`${violatedDirective} ${blockedURI}`);
    });
    for (const name of ['ready', 'suggestions', 'accept', 'dismiss', 'change', 'error']) {
      addEventListener(`specter-suggest:${name}`, (event) => {
        const { detail } = /** @type {CustomEvent} */ (event);
        told.push({ name, detail: detail instanceof Error ? { ...detail, message: detail.message } : detail });
      });
    }
  });
  await page.goto(new URL('deposit/form.html', server.url).href);
  await arrive(attributes, component, into);
}

/**
 * Puts the component into the page that is open.
 *
 * @param {Record<string, string | null>} attributes
 * @param {string} component
 * @param {string} into
 */
async function arrive(attributes, component = '/deposit/suggest/specter-suggest.js', into = '#place') {
  await page.addScriptTag({ url: component, type: 'module' });
  await page.evaluate(
    async (attributes, component, into) => {
      await customElements.whenDefined('specter-suggest');
      globalThis.suggest = document.createElement('specter-suggest');
      for (const [name, value] of Object.entries(attributes)) if (value !== null) suggest.setAttribute(name, value);
      document.querySelector(into).append(suggest);
    },
    attributes,
    component,
    into,
  );
  await page.waitForFunction(() => suggest.shadowRoot.querySelector('.panel').checkVisibility());
}

/** @param {string} state */
const reach = (state) => page.waitForFunction((state) => suggest.state === state, { timeout: 20_000 }, state);

/** @param {string} text */
async function write(text, selector = '#abstract') {
  await page.$eval(selector, (field) => (/** @type {HTMLTextAreaElement} */ (field).value = ''));
  await page.type(selector, text);
}

/** @param {string} part */
const press = (part) => page.evaluate((part) => suggest.shadowRoot.querySelector(`[part~=${part}]`).click(), part);

/** @param {string} part */
const textOf = (part) => page.evaluate((part) => suggest.shadowRoot.querySelector(`[part~=${part}]`).textContent, part);

const suggested = () => page.evaluate(() => suggest.suggestions.map(({ label }) => label));

const accepted = () => page.evaluate(() => suggest.accepted.map(({ label }) => label));

/** @param {string} call */
const calls = (call) => page.evaluate(async (call) => (await import('/deposit/specter.js')).script.calls.filter((one) => one.call === call), call);

/** @param {string} selector */
const valueOf = (selector) => page.$eval(selector, (field) => /** @type {HTMLInputElement} */ (field).value);

/** What has the focus, by the name that a screen reader says. */
const focused = () =>
  page.evaluate(() => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    return at?.getAttribute('aria-label') ?? at?.textContent?.trim() ?? null;
  });

/** What a screen reader was told last. */
const announced = () => page.evaluate(() => suggest.shadowRoot.querySelector('[role=status]').textContent);

/** @param {string} name */
const details = (name) => page.evaluate((name) => told.filter((one) => one.name === name).map(({ detail }) => detail), name);

/** How far anything reaches beyond the page's width. */
const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** @param {string} name */
async function picture(name) {
  if (!SCREENSHOTS) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: /** @type {`${string}.png`} */ (join(SCREENSHOTS, `${BROWSER}-suggest-${name}.png`)), fullPage: true });
}

describe(`suggestions while somebody writes, in ${BROWSER}`, () => {
  test('come after a pause, best first, one computation a pause', async () => {
    await open({ ...USUAL, delay: '2000' });
    await page.type('[id="dc.title"]', 'Light');
    await write(PHYSICS);
    await reach('results');
    assert.deepEqual(await suggested(), ['Physics', 'Chemistry']);
    const ranked = await calls('classify');
    assert.deepEqual(ranked.map(({ text, topK, threshold }) => ({ text, topK, threshold })), [{ text: `Light ${PHYSICS}`, topK: 5, threshold: 0.1 }]);
    const [{ suggestions, paper }] = await details('suggestions');
    assert.deepEqual(paper, { title: 'Light', abstract: PHYSICS });
    assert.deepEqual(suggestions.map(({ score }) => score), [0.75, 0.5]);
    assert.ok(await page.evaluate(() => suggest.matches(':state(results)')));
    assert.deepEqual(await page.evaluate(() => [...suggest.shadowRoot.querySelectorAll('[part~=score]')].map(({ textContent }) => textContent)), ['75%', '50%']);
  });

  test('are as many as top-k says, and those that pass the threshold', async () => {
    await open({ ...USUAL, 'top-k': '1' });
    await write(PHYSICS);
    await reach('results');
    assert.deepEqual(await suggested(), ['Physics']);
    await page.evaluate(() => Object.assign(suggest, { topK: 5, threshold: 0.01 }));
    await page.waitForFunction(() => suggest.suggestions.length === 5);
    await page.evaluate(() => (suggest.threshold = 0.9));
    await reach('nothing');
    assert.match(await textOf('note'), /No label fits/);
    await page.evaluate(() => (suggest.threshold = null));
    await reach('results');
    assert.deepEqual(await suggested(), ['Physics', 'Chemistry'], 'the head’s own threshold');
  });

  test('wait for enough text', async () => {
    await open(USUAL);
    await write('Physics');
    await reach('too-short');
    assert.match(await textOf('note'), /begin at 40 characters/);
    await write(PHYSICS);
    await reach('results');
    await write('Law');
    await reach('too-short');
    assert.deepEqual(await suggested(), []);
  });

  test('stay as they are when a field is left in which nothing was written', async () => {
    await open(USUAL);
    await write(PHYSICS);
    await reach('results');
    await page.evaluate(() => (suggest.delay = 10_000));
    await page.focus('#keywords');
    await new Promise((later) => setTimeout(later, 300));
    assert.equal(await page.evaluate(() => suggest.state), 'results');
  });

  test('are never those of a text that is no longer there', async () => {
    await open(USUAL);
    await page.evaluate(async () => {
      const { script } = await import('/deposit/specter.js');
      script.heedsAbort = false;
      script.hold = (text) => (text.includes('crystal') ? new Promise((go) => (globalThis.letGo = go)) : null);
    });
    await write(PHYSICS);
    await page.waitForFunction(async () => (await import('/deposit/specter.js')).script.calls.some(({ call }) => call === 'classify'));
    await write(HISTORY);
    await reach('results');
    assert.deepEqual(await suggested(), ['History', 'Law']);
    await page.evaluate(async () => {
      letGo();
      await new Promise((later) => setTimeout(later, 100));
    });
    assert.deepEqual(await suggested(), ['History', 'Law']);
    assert.deepEqual((await calls('classify')).map(({ outcome }) => outcome), ['aborted', 'answered']);
    assert.equal((await details('suggestions')).length, 1);
  });

  test('come for fields that a framework puts in the place of others', async () => {
    await open(USUAL);
    await page.evaluate(() => {
      const before = document.getElementById('abstract');
      const after = document.createElement('textarea');
      after.id = 'abstract';
      before.replaceWith(after);
    });
    await write(PHYSICS);
    await reach('results');
  });

  test('come for an element with contenteditable, and for an editor in a frame', async () => {
    await open({ ...USUAL, 'abstract-field': null, 'title-field': '.rich' }, { into: 'main' });
    await page.evaluate(() => {
      const rich = document.createElement('div');
      Object.assign(rich, { className: 'rich', contentEditable: 'true' });
      document.querySelector('main').prepend(rich);
    });
    await page.type('.rich', PHYSICS);
    await reach('results');
    assert.deepEqual(await suggested(), ['Physics', 'Chemistry']);

    await page.evaluate(() => {
      const frame = document.createElement('iframe');
      frame.id = 'editor';
      document.querySelector('main').prepend(frame);
      suggest.titleField = 'editor';
    });
    await reach('results');
    await page.evaluate(async (text) => {
      await new Promise((later) => setTimeout(later, 100));
      const { contentDocument } = /** @type {HTMLIFrameElement} */ (document.getElementById('editor'));
      contentDocument.open();
      contentDocument.write('<body contenteditable="true"></body>');
      contentDocument.close();
      await new Promise((later) => setTimeout(later, 100));
      contentDocument.body.textContent = text;
      contentDocument.body.dispatchEvent(new Event('input', { bubbles: true }));
    }, HISTORY);
    await page.waitForFunction(() => suggest.suggestions[0]?.label === 'History');
  });
});

describe(`labels to choose from, in ${BROWSER}`, () => {
  test('are JSON in the page, shown with their codes and a plain score', async () => {
    await open({ ...USUAL, head: null, labels: 'subjects', 'top-k': '2', threshold: '0.4' });
    await write('Medieval history, and the history of quantum physics, all in the Middle Ages.');
    await reach('results');
    assert.deepEqual(await suggested(), ['H2 Medieval history', 'P1 Quantum physics']);
    assert.deepEqual(await page.evaluate(() => [...suggest.shadowRoot.querySelectorAll('[part~=score]')].map(({ textContent }) => textContent)), ['0.88', '0.75']);
    assert.equal((await calls('encodeLabels')).length, 1);
    await write('Organic chemistry is a chemistry of carbon, and organic as its name says.');
    await page.waitForFunction(() => suggest.suggestions[0]?.label === 'C3 Organic chemistry');
    assert.equal((await calls('encodeLabels')).length, 1, 'labels are encoded once');
  });

  test('are the panels that come with the package, or a list of the page', async () => {
    await open({ ...USUAL, head: null, labels: 'erc-panels', threshold: null });
    await write(PHYSICS);
    await reach('results');
    assert.match((await suggested())[0], /^(LS|PE|SH)\d+ \w/);
    await page.evaluate(() => (suggest.labels = ['Law', 'Physics']));
    await write(HISTORY);
    await page.waitForFunction(() => suggest.suggestions[0]?.label === 'Law');
    assert.equal((await calls('dispose')).length, 1);
  });

  for (const [what, labels, says] of /** @type {const} */ ([
    ['no file', './none.json', /labels="\.\/none\.json".*server answers 404/],
    ['no JSON', './form.html', /labels="\.\/form\.html" is not JSON/],
  ])) {
    test(`that are ${what} are an error before anything large is loaded`, async () => {
      await open({ ...USUAL, head: null, labels });
      await write(PHYSICS);
      await reach('failed');
      const [{ message }] = await details('error');
      assert.match(message, says);
      assert.deepEqual(await calls('load'), []);
    });
  }
});

describe(`a head, in ${BROWSER}`, () => {
  const SAVED = { coef_: [[1, 2], [3, 4], [5, 6]], intercept_: [0, 0, 0], classes_: ['a', 'b', 'c'] };

  test('may be a file of JSON in which it was saved, and is read by the adapter that is named', async () => {
    await open({ ...USUAL, adapter: 'proximity', head: './head.json' });
    await write(PHYSICS);
    await reach('results');
    const [{ options }] = await calls('load');
    assert.deepEqual(options.adapters, { proximity: true });
    assert.deepEqual(options.heads, { 'head of ./head.json': { source: SAVED, adapter: 'proximity' } });
  });

  test('may be read by a task, of whose preset the adapter alone is loaded', async () => {
    await open({ ...USUAL, model: 'specter2', task: 'query', head: './head.json' });
    await write(PHYSICS);
    await reach('results');
    const [{ options }] = await calls('load');
    assert.deepEqual(options.adapters, { query: true });
    assert.deepEqual(options.heads, { 'head of ./head.json': { source: SAVED, task: 'query' } });
  });

  test('may be read by a task of the model itself', async () => {
    await open({ ...USUAL, task: 'search', head: './head.json' });
    await write(PHYSICS);
    await reach('results');
    const [{ options }] = await calls('load');
    assert.equal(options.adapters, undefined);
    assert.deepEqual(options.heads, { 'head of ./head.json': { source: SAVED, task: 'search' } });
  });

  test('is loaded into a Specter that the page hands in, once', async () => {
    await open({ ...USUAL, head: './head.json' });
    await page.evaluate(async () => {
      const { Specter } = await import('/deposit/specter.js');
      const specter = new Specter();
      const other = suggest.cloneNode();
      document.querySelector('main').append(other);
      for (const element of [suggest, other]) {
        element.specter = specter;
        await element.suggest();
      }
    });
    await write(PHYSICS);
    await reach('results');
    await page.waitForFunction(() => /** @type {any} */ (document.querySelector('main > specter-suggest')).state === 'results');
    assert.deepEqual((await calls('loadHead')).map(({ source }) => source), [SAVED]);
  });

  test('that the model does not bring is named', async () => {
    await open({ ...USUAL, head: 'nowhere' });
    await write(PHYSICS);
    await reach('failed');
    assert.match(await textOf('failure'), /head="nowhere" is not among the heads that are loaded: fields/);
    assert.equal((await calls('dispose')).length, 1, 'what was loaded for nothing is let go');
  });
});

describe(`the question before a download, in ${BROWSER}`, () => {
  test('comes before any request, and is remembered for the session', async () => {
    await open(ASKING);
    const served = watchRequests();
    await write(PHYSICS);
    await reach('asking');
    assert.match(await textOf('consent'), /model \(25 MB\) is downloaded from this site once.*not sent anywhere/);
    assert.match(await announced(), /need a language model/);
    await picture('asking');

    await press('decline');
    await reach('idle');
    await write(HISTORY);
    await new Promise((later) => setTimeout(later, 300));
    assert.equal(await page.evaluate(() => suggest.state), 'idle', 'who has declined is not asked again for writing on');
    await press('suggest');
    await reach('asking');
    assert.deepEqual(served.paths, [], 'nothing has been asked of the network');

    await press('agree');
    await reach('results');
    assert.ok(served.paths.includes('/deposit/specter.js'), served.paths.join());
    served.end();
    assert.deepEqual(await suggested(), ['History', 'Law']);

    await page.reload();
    await arrive(ASKING);
    await write(PHYSICS);
    await reach('results');
  });

  test('is asked again for another model, and for the same one from another host', async () => {
    await open({ ...ASKING, model: 'minilm' });
    await write(PHYSICS);
    await reach('asking');
    await press('agree');
    await reach('results');
    await page.evaluate(() => (suggest.model = 'erc'));
    await write(HISTORY);
    await reach('asking');
    assert.match(await textOf('consent'), /erc \(25 MB\)/);
    await page.evaluate(() => (suggest.model = 'minilm'));
    await write(PHYSICS);
    await reach('results');

    const states = await page.evaluate(async () => {
      const states = [];
      for (const hub of [null, 'https://hub.example/']) {
        const other = suggest.cloneNode();
        if (hub) other.hub = hub;
        document.querySelector('main').append(other);
        await other.suggest();
        states.push(other.state);
      }
      return states;
    });
    assert.deepEqual(states, ['results', 'asking']);
  });

  test('names a folder as its address does, also where that has a % that stands for itself', async () => {
    await open({ ...ASKING, model: './50%/' });
    await write(PHYSICS);
    await reach('asking');
    assert.match(await textOf('consent'), /50% \(25 MB\) is downloaded/);
    await page.evaluate(() => (suggest.model = './na%C3%AFve/'));
    await press('suggest');
    assert.match(await textOf('consent'), /naïve \(25 MB\) is downloaded/);
  });

  test('names the host that a model of somewhere else comes from', async () => {
    await open({ ...ASKING, model: 'allenai/specter2_base', 'download-size': null });
    await write(PHYSICS);
    await reach('asking');
    assert.match(await textOf('consent'), /allenai\/specter2_base is downloaded from huggingface\.co once/);
    await page.evaluate(() => (suggest.hub = 'https://hub.example/'));
    await press('suggest');
    await reach('asking');
    assert.match(await textOf('consent'), /from hub\.example once/);
  });

  test('is not asked where the page hands in a Specter, which stays the page’s', async () => {
    await open(ASKING);
    await page.evaluate(async () => {
      const { Specter } = await import('/deposit/specter.js');
      suggest.specter = new Specter();
    });
    await write(PHYSICS);
    await reach('results');
    await page.evaluate(async () => {
      suggest.remove();
      await new Promise((later) => setTimeout(later, 50));
    });
    assert.deepEqual(await calls('load'), []);
    assert.deepEqual(await calls('dispose'), []);
  });
});

describe(`a download, in ${BROWSER}`, () => {
  /** A load that is halfway, until the test says `go()`. */
  beforeEach(async () => {
    await open(USUAL);
    await page.evaluate(async () => {
      const { script } = await import('/deposit/specter.js');
      script.loading = new Promise((go) => (globalThis.go = go));
      script.progress = [
        { phase: 'download', file: 'config.json', loaded: 600, total: 600 },
        { phase: 'download', file: 'model.safetensors', loaded: 12_500_000, total: 25_000_000 },
      ];
    });
  });

  /** The download of a text's suggestions breaks off. */
  async function breakOff() {
    await page.evaluate(async () => {
      const { script, SpecterError } = await import('/deposit/specter.js');
      script.failure = new SpecterError('network', 'model.safetensors: the connection was lost.');
      go();
    });
    await write(PHYSICS);
    await reach('failed');
  }

  test('is shown with its bytes, and can be cancelled', async () => {
    await write(PHYSICS);
    await reach('downloading');
    await page.waitForFunction(() => suggest.shadowRoot.querySelector('[part~=progress] p').textContent.includes('MB'));
    assert.match(await textOf('progress'), /Downloading the model: 12\.5\sMB of 25\.0\sMB/);
    const bar = await page.evaluate(() => {
      const { value, max } = suggest.shadowRoot.querySelector('progress');
      return value / max;
    });
    assert.ok(Math.abs(bar - 0.5) < 0.01, String(bar));
    await press('cancel');
    await reach('idle');
    assert.deepEqual((await calls('load')).map(({ outcome }) => outcome), ['aborted']);
    assert.match(await textOf('note'), /off until you press/);
    await write(HISTORY);
    await new Promise((later) => setTimeout(later, 300));
    assert.equal((await calls('load')).length, 1);
  });

  test('begins with the first letter where it needs no question', async () => {
    await page.type('#abstract', 'P');
    await reach('downloading');
    await page.evaluate(() => go());
    await reach('too-short');
    assert.equal((await calls('load')).length, 1);
    assert.deepEqual(await calls('classify'), []);
  });

  test('that fails says why, and is tried again', async () => {
    await breakOff();
    assert.equal(await textOf('code'), 'network');
    assert.match(await textOf('failure'), /download broke off\. Check the connection/);
    assert.deepEqual((await details('error')).map(({ code }) => code), ['network']);
    await write('Short');
    await write(HISTORY);
    await new Promise((later) => setTimeout(later, 300));
    assert.equal((await calls('load')).length, 1, 'writing on does not try again');
    assert.equal(await page.evaluate(() => suggest.state), 'failed');
    await page.evaluate(async () => ((await import('/deposit/specter.js')).script.failure = null));
    await press('retry');
    await reach('results');
    assert.deepEqual(await suggested(), ['History', 'Law']);
  });

  for (const [what, change] of /** @type {const} */ ([
    ['the page hands in a Specter', async () => void (suggest.specter = new (await import('/deposit/specter.js')).Specter())],
    ['it is to be another one', async () => void (suggest.task = 'search')],
  ])) {
    test(`that failed is forgotten where ${what}`, async () => {
      await breakOff();
      await page.evaluate(async () => void ((await import('/deposit/specter.js')).script.failure = null));
      await page.evaluate(change);
      await reach('idle');
      await write(HISTORY);
      await reach('results');
      assert.deepEqual(await suggested(), ['History', 'Law']);
    });
  }

  test('ends when the element is taken out, and survives when it is moved', async () => {
    await write(PHYSICS);
    await reach('downloading');
    await page.evaluate(() => {
      document.querySelector('main').append(suggest);
      go();
    });
    await reach('results');
    assert.equal((await calls('load')).length, 1);
    await page.evaluate(async () => {
      suggest.remove();
      await new Promise((later) => setTimeout(later, 50));
    });
    assert.equal((await calls('dispose')).length, 1);
    await page.evaluate(() => document.querySelector('main').append(suggest));
    await write(HISTORY);
    await reach('results');
    assert.equal((await calls('load')).length, 2);
  });
});

describe(`what is accepted, in ${BROWSER}`, () => {
  test('is written into a text field beside what is there, and taken out again', async () => {
    await open(USUAL);
    await page.type('#keywords', 'optics;light');
    await write(PHYSICS);
    await reach('results');
    await press('accept');
    assert.equal(await valueOf('#keywords'), 'optics; light; Physics');
    assert.deepEqual(await accepted(), ['Physics']);
    assert.deepEqual(await suggested(), ['Chemistry']);
    await press('remove');
    assert.equal(await valueOf('#keywords'), 'optics; light');
    assert.deepEqual(await suggested(), ['Physics', 'Chemistry']);
    assert.deepEqual((await details('accept')).map(({ label, score }) => ({ label, score })), [{ label: 'Physics', score: 0.75 }]);
    assert.deepEqual((await details('change')).map(({ accepted }) => accepted.length), [1, 0]);
  });

  test('is not suggested where the field has it already, and forgotten where it is deleted there', async () => {
    await open(USUAL);
    await page.type('#keywords', 'Chemistry');
    await write(PHYSICS);
    await reach('results');
    assert.deepEqual(await suggested(), ['Physics']);
    await press('accept');
    await write('optics', '#keywords');
    assert.deepEqual(await accepted(), []);
    assert.deepEqual(await suggested(), ['Physics', 'Chemistry']);
  });

  test('or stands in the field already takes no place from others', async () => {
    await open({ ...USUAL, 'top-k': '2', threshold: '0.01' });
    await page.type('#keywords', 'Physics; Chemistry');
    await write(PHYSICS);
    await reach('results');
    assert.deepEqual(await suggested(), ['Biology', 'History']);
    await page.evaluate(() => {
      const { options } = /** @type {HTMLSelectElement} */ (document.getElementById('fields'));
      for (const option of options) option.selected = option.text !== 'History';
      suggest.outputField = '#fields';
    });
    await write(`${PHYSICS} Once more.`);
    await page.waitForFunction(() => told.filter(({ name }) => name === 'suggestions').length === 2);
    assert.deepEqual(await suggested(), ['Biology', 'History']);
  });

  test('is told to frameworks, which watch events and put properties before the element’s', async () => {
    await open(USUAL);
    await page.evaluate(() => {
      const field = /** @type {HTMLInputElement} */ (document.getElementById('keywords'));
      const { get, set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
      globalThis.heard = [];
      Object.defineProperty(field, 'value', {
        get,
        set(value) {
          heard.push('set by the property');
          set.call(this, value);
        },
      });
      for (const kind of ['input', 'change']) document.addEventListener(kind, ({ target }) => target === field && heard.push(kind));
    });
    await write(PHYSICS);
    await reach('results');
    await press('accept');
    assert.equal(await valueOf('#keywords'), 'Physics');
    assert.deepEqual(await page.evaluate(() => heard), ['input', 'change']);
  });

  test('is chosen in a list, and added to it only with create', async () => {
    await open({ ...USUAL, 'output-field': '#fields' });
    await write(`${PHYSICS} ${HISTORY}`);
    await reach('results');
    const chosen = () => page.$eval('#fields', (list) => Array.from(/** @type {HTMLSelectElement} */ (list).selectedOptions, ({ value }) => value));
    await page.evaluate(() => suggest.accept('Physics'));
    assert.deepEqual(await chosen(), ['phys']);
    await page.evaluate(() => suggest.accept('Law'));
    await reach('failed');
    assert.match(await textOf('failure'), /no option “Law”.*create/);
    assert.deepEqual(await accepted(), ['Physics']);
    await page.evaluate(() => (suggest.create = true));
    await press('retry');
    await reach('results');
    assert.deepEqual(await chosen(), ['phys', 'Law']);
    await page.evaluate(() => suggest.withdraw('Physics'));
    assert.deepEqual(await chosen(), ['Law']);
  });

  test('is submitted with the form under a name, and cleared with it', async () => {
    await open({ ...USUAL, head: null, labels: 'subjects', threshold: '0.1', name: 'subject', write: 'code' });
    await write('Medieval history, and the history of quantum physics, all in the Middle Ages.');
    await reach('results');
    await page.evaluate(() => {
      suggest.accept('P1 Quantum physics');
      suggest.accept('H2 Medieval history');
      suggest.dismiss('C3 Organic chemistry');
    });
    const submitted = () => page.evaluate(() => new FormData(/** @type {HTMLFormElement} */ (document.getElementById('deposit'))).getAll('subject'));
    assert.deepEqual(await submitted(), ['P1', 'H2']);
    assert.equal(await valueOf('#keywords'), 'P1; H2');
    await page.click('[type=reset]');
    assert.deepEqual(await submitted(), []);
    assert.deepEqual(await accepted(), []);
    assert.equal(await page.evaluate(() => suggest.state), 'idle');
  });

  test('can be set by the page that shows what was saved', async () => {
    await open({ ...USUAL, name: 'subject' });
    await page.evaluate(() => (suggest.accepted = ['Law', 'Physics']));
    await page.waitForFunction(() => /** @type {HTMLInputElement} */ (document.getElementById('keywords')).value === 'Law; Physics');
    await write(PHYSICS);
    await reach('results');
    assert.deepEqual(await suggested(), ['Chemistry']);
  });

  test('and set by the page is not taken for deleted before it could be written', async () => {
    await open({ ...USUAL, 'title-field': '#late', name: 'subject' });
    await page.evaluate(() => (suggest.accepted = ['Law', 'Physics']));
    await page.type('#keywords', 'optics');
    assert.deepEqual(await accepted(), ['Law', 'Physics']);
    assert.deepEqual(await details('change'), []);
    const submitted = await page.evaluate(() => new FormData(/** @type {HTMLFormElement} */ (document.getElementById('deposit'))).getAll('subject'));
    assert.deepEqual(submitted, ['Law', 'Physics']);
    await page.evaluate(() => {
      const late = document.createElement('input');
      late.id = 'late';
      document.querySelector('main').prepend(late);
    });
    await page.waitForFunction(() => /** @type {HTMLInputElement} */ (document.getElementById('keywords')).value === 'optics; Law; Physics');
    await page.$eval('#keywords', (field) => {
      /** @type {HTMLInputElement} */ (field).value = 'optics; Law';
      field.dispatchEvent(new Event('input', { bubbles: true }));
    });
    assert.deepEqual(await accepted(), ['Law'], 'once it is written, it can be deleted');
  });

  test('does not change in a form that is disabled', async () => {
    await open(USUAL);
    await write(PHYSICS);
    await reach('results');
    await page.evaluate(() => (suggest.disabled = true));
    await press('accept');
    await page.evaluate(() => suggest.accept('Physics'));
    assert.deepEqual(await accepted(), []);
    await page.evaluate(() => (suggest.disabled = false));
    await press('accept');
    assert.deepEqual(await accepted(), ['Physics']);
  });

  test('is neither what was dismissed nor does that come back before a reset', async () => {
    await open(USUAL);
    await write(PHYSICS);
    await reach('results');
    await press('dismiss');
    assert.deepEqual((await details('dismiss')).map(({ label }) => label), ['Physics']);
    await write(`${PHYSICS} More of physics.`);
    await page.waitForFunction(() => told.filter(({ name }) => name === 'suggestions').length === 2);
    assert.deepEqual(await suggested(), ['Chemistry']);
    await press('dismiss');
    await page.waitForFunction(() => suggest.shadowRoot.querySelector('[part~=note]')?.textContent.includes('No further suggestions'));
    await page.click('[type=reset]');
    await write(PHYSICS);
    await reach('results');
    assert.deepEqual(await suggested(), ['Physics', 'Chemistry']);
  });
});

describe(`what is set up wrongly, in ${BROWSER}`, () => {
  for (const [what, attributes, says] of /** @type {const} */ ([
    ['no field to read', { 'title-field': null, 'abstract-field': null }, /needs title-field or abstract-field/],
    ['no model', { model: null }, /needs model/],
    ['neither a head nor labels', { head: null }, /needs head.*or labels/],
    ['both', { labels: 'subjects' }, /both head and labels/],
    ['a task and an adapter', { task: 'query', adapter: 'query' }, /both task and adapter/],
    ['a threshold that is no number', { threshold: 'high' }, /threshold="high"/],
    ['half a suggestion', { 'top-k': '2.5' }, /top-k="2\.5"/],
    ['a selector that is none', { 'title-field': '#[' }, /title-field="#\["/],
    ['a field to read that holds no text', { 'title-field': 'fields' }, /title-field="fields" points to a <select>/],
    ['a field to write into that takes none', { 'output-field': 'deposit' }, /output-field="deposit" points to a <form>/],
  ])) {
    test(`${what} is told at once, in words`, async () => {
      await open({ ...USUAL, ...attributes });
      await reach('failed');
      assert.equal(await textOf('code'), 'invalid-option');
      assert.match(await textOf('failure'), says);
      const [error] = await details('error');
      assert.equal(error.code, 'invalid-option');
      assert.match(error.message, says);
      await page.evaluate((usual) => {
        for (const [name, value] of Object.entries(usual)) suggest.setAttribute(name, value);
        for (const name of suggest.getAttributeNames()) if (!(name in usual)) suggest.removeAttribute(name);
      }, USUAL);
      await reach('idle');
    });
  }

  test('a field that comes late is waited for', async () => {
    await open({ ...USUAL, 'title-field': '#late' });
    await new Promise((later) => setTimeout(later, 1000));
    assert.equal(await page.evaluate(() => suggest.state), 'idle');
    await page.evaluate(() => {
      const late = document.createElement('input');
      document.querySelector('main').prepend(late);
      late.id = 'late';
    });
    await new Promise((later) => setTimeout(later, 5000));
    assert.equal(await page.evaluate(() => suggest.state), 'idle');
    await write(PHYSICS, '#late');
    await reach('results');
  });

  test('a field that does not come is named after five seconds, and welcome later', async () => {
    await open({ ...USUAL, 'title-field': '#nowhere' });
    await reach('failed');
    assert.match(await textOf('failure'), /title-field="#nowhere" points to nothing in this page/);
    assert.deepEqual((await details('error')).map(({ code }) => code), ['invalid-option']);
    await page.evaluate(() => {
      const late = document.createElement('input');
      late.id = 'nowhere';
      document.querySelector('main').prepend(late);
    });
    await write(PHYSICS);
    await reach('results');
  });

  test('properties that were set before the element was defined are kept', async () => {
    page = await browser.newPage();
    await page.evaluateOnNewDocument(() => (globalThis.violations = []));
    await page.goto(new URL('deposit/form.html', server.url).href);
    await page.evaluate(async (usual) => {
      const { Specter } = await import('/deposit/specter.js');
      globalThis.suggest = document.createElement('specter-suggest');
      for (const [name, value] of Object.entries(usual)) suggest.setAttribute(name, value);
      suggest.removeAttribute('head');
      Object.assign(suggest, { specter: new Specter(), labels: ['Physics'], messages: { heading: 'Themen' } });
      document.getElementById('place').append(suggest);
    }, USUAL);
    await page.addScriptTag({ url: '/deposit/suggest/specter-suggest.js', type: 'module' });
    await page.waitForFunction(() => suggest.state);
    assert.equal(await textOf('heading'), 'Themen');
    await write(PHYSICS);
    await reach('results');
    assert.deepEqual(await suggested(), ['Physics']);
    assert.deepEqual(await calls('load'), []);
  });
});

describe(`without a mouse, in ${BROWSER}`, () => {
  const key = (/** @type {import('puppeteer-core').KeyInput} */ name) => page.keyboard.press(name);

  test('all can be reached, accepted, dismissed and taken back', async () => {
    await open({ ...ASKING, model: './by-keys/', 'minimum-length': '10' });
    await page.focus('#abstract');
    await page.keyboard.type('Physics, physics, physics, chemistry, chemistry, biology');
    await reach('asking');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'abstract', 'a question takes no focus from who writes');
    for (const _ of ['keywords', 'fields']) await key('Tab');
    await key('Tab');
    assert.equal(await focused(), 'Download and suggest');
    await key('Enter');
    await reach('results');
    assert.equal(await focused(), 'Accept Physics, 88%');

    await key('ArrowRight');
    assert.equal(await focused(), 'Accept Chemistry, 75%');
    await key('ArrowDown');
    assert.equal(await focused(), 'Accept Biology, 50%');
    await key('ArrowDown');
    assert.equal(await focused(), 'Accept Biology, 50%');
    await key('Home');
    assert.equal(await focused(), 'Accept Physics, 88%');
    await key('Tab');
    assert.equal(await focused(), 'Dismiss Physics');
    await key('Tab');
    assert.equal(await focused(), 'Deposit', 'the list is two stops, not six');
    for (const _ of ['Dismiss', 'Accept']) await pressWithShift();
    await key('End');
    await key('ArrowLeft');
    await key('Enter');
    assert.deepEqual(await accepted(), ['Chemistry']);
    assert.equal(await focused(), 'Accept Biology, 50%', 'the next one has the focus');
    await key('Delete');
    assert.deepEqual(await suggested(), ['Physics']);
    assert.equal(await focused(), 'Accept Physics, 88%');
    await key(' ');
    assert.deepEqual(await accepted(), ['Chemistry', 'Physics']);
    assert.match(String(await focused()), /^Remove /, 'where nothing is left to suggest, what is accepted has the focus');
    await key('Home');
    await key('Delete');
    assert.deepEqual(await accepted(), ['Physics']);
    assert.equal(await focused(), 'Remove Physics');
    await key('Enter');
    assert.deepEqual(await accepted(), []);
    assert.match(String(await focused()), /^Accept /);
  });

  test('arrow keys go the way that the text runs', async () => {
    await open(USUAL);
    await page.evaluate(() => (document.documentElement.dir = 'rtl'));
    await write(PHYSICS);
    await reach('results');
    await page.evaluate(() => suggest.shadowRoot.querySelector('[part~=accept]').focus());
    await key('ArrowLeft');
    assert.match(String(await focused()), /^Accept Chemistry/);
    await key('ArrowRight');
    assert.match(String(await focused()), /^Accept Physics/);
  });

  test('the keys are written where they are needed', async () => {
    await open(USUAL);
    await write(PHYSICS);
    await reach('results');
    const shows = () => page.evaluate(() => getComputedStyle(suggest.shadowRoot.getElementById('keys')).opacity);
    assert.equal(await shows(), '0');
    await page.evaluate(() => suggest.shadowRoot.querySelector('[part~=accept]').focus());
    await key('ArrowRight');
    await page.waitForFunction(() => getComputedStyle(suggest.shadowRoot.getElementById('keys')).opacity === '1');
  });

  async function pressWithShift() {
    await page.keyboard.down('Shift');
    await key('Tab');
    await page.keyboard.up('Shift');
  }
});

describe(`to a screen reader, in ${BROWSER}`, () => {
  test('the parts have roles and names', async () => {
    await open({ ...USUAL, heading: 'Suggested fields' });
    await write(PHYSICS);
    await reach('results');
    await press('accept');
    const parts = await page.evaluate(() => {
      const root = suggest.shadowRoot;
      const one = (/** @type {string} */ selector) => root.querySelector(selector);
      return {
        group: one('[role=group]').ariaLabelledByElements?.map(({ textContent }) => textContent) ?? [root.getElementById(one('[role=group]').getAttribute('aria-labelledby')).textContent],
        lists: [...root.querySelectorAll('[role=list]')].map((list) => `${list.ariaLabel}: ${list.children.length}`),
        described: root.getElementById(one('[part=suggestions]').getAttribute('aria-describedby')).textContent,
        buttons: [...root.querySelectorAll('button')].filter((button) => button.checkVisibility()).map((button) => button.ariaLabel ?? button.textContent),
        icons: [...root.querySelectorAll('svg')].every((icon) => icon.getAttribute('aria-hidden') === 'true'),
      };
    });
    assert.deepEqual(parts, {
      group: ['Suggested fields'],
      lists: ['Accepted: 1', 'Suggested: 1'],
      described: 'Arrow keys move, Enter accepts, Delete dismisses.',
      buttons: ['Suggest', 'Remove Physics', 'Accept Chemistry, 50%', 'Dismiss Chemistry'],
      icons: true,
    });
    if (BROWSER !== 'chromium') return; // only Chromium's driver shows the tree itself
    const tree = await page.accessibility.snapshot({ interestingOnly: false });
    const walk = (/** @type {any} */ node) => [`${node.role}: ${node.name}`, ...(node.children ?? []).flatMap(walk)];
    const nodes = walk(tree);
    for (const node of ['group: Suggested fields', 'list: Accepted', 'list: Suggested', 'button: Remove Physics', 'button: Accept Chemistry, 50%', 'button: Dismiss Chemistry']) {
      assert.ok(nodes.includes(node), node);
    }
  });

  test('is said what has come of writing, and no more', async () => {
    await open(USUAL);
    await page.evaluate(() => {
      globalThis.said = [];
      const status = suggest.shadowRoot.querySelector('[role=status]');
      new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });
    });
    await write('Short');
    await reach('too-short');
    await write(PHYSICS);
    await reach('results');
    await write(`${PHYSICS} And more of it.`);
    await page.waitForFunction(() => told.filter(({ name }) => name === 'suggestions').length === 2);
    await press('accept');
    await press('dismiss');
    await press('remove');
    assert.deepEqual(await page.evaluate(() => said), [
      'Preparing the model', '2 suggestions', 'Physics accepted', 'Chemistry dismissed', 'Physics removed',
    ]);
  });

  test('sentences can be replaced one by one, and numbers follow the language', async () => {
    await open({ ...USUAL, heading: null, lang: 'de' });
    await page.evaluate(() => {
      suggest.messages = { heading: 'Vorschläge', accept: ({ label, score }) => `${label} übernehmen, ${score}` };
    });
    await write(PHYSICS);
    await reach('results');
    assert.equal(await textOf('heading'), 'Vorschläge');
    assert.equal(await textOf('suggest'), 'Suggest');
    const name = await page.evaluate(() => suggest.shadowRoot.querySelector('[part~=accept]').getAttribute('aria-label'));
    assert.equal(name, 'Physics übernehmen, 75\u00a0%');
  });
});

describe(`in every state, in ${BROWSER}`, () => {
  /** How each state is reached, from the one before. @type {[state: string, how: () => Promise<unknown>][]} */
  const STATES = [
    ['idle', async () => {}],
    ['too-short', () => write('Short')],
    ['asking', () => write(`${PHYSICS} ${HISTORY}`)],
    ['downloading', async () => {
      await page.evaluate(async () => {
        const { script } = await import('/deposit/specter.js');
        script.labels = ['PE2 Fundamental constituents of matter, in physics', 'SH6 The study of the human past, or history', ...script.labels];
        script.loading = new Promise((go) => (globalThis.go = go));
        script.progress = [{ phase: 'download', file: 'model.safetensors', loaded: 12_500_000, total: 25_000_000 }];
      });
      await press('agree');
    }],
    ['results', async () => {
      await page.evaluate(() => go());
      await reach('results');
      await press('accept');
    }],
    ['thinking', async () => {
      await page.evaluate(async () => {
        const { script } = await import('/deposit/specter.js');
        script.hold = () => new Promise((go) => (globalThis.go = go));
      });
      await write(`${PHYSICS} ${HISTORY} And law.`);
    }],
    ['nothing', async () => {
      await page.evaluate(async () => {
        const { script } = await import('/deposit/specter.js');
        script.hold = () => null;
      });
      await write('wxyz '.repeat(12));
    }],
    ['failed', async () => {
      await page.evaluate(async () => {
        const { script, SpecterError } = await import('/deposit/specter.js');
        script.failure = new SpecterError('out-of-memory', 'There is no room for 25 MB.');
      });
      await write(PHYSICS);
    }],
  ];

  // Firefox's driver cannot say which colours a person prefers.
  for (const scheme of BROWSER === 'chromium' ? ['light', 'dark'] : ['light']) {
    for (const width of [320, 390, 1280]) {
      test(`it fits ${width} pixels and passes axe, in the ${scheme}`, async () => {
        await open({ ...ASKING, model: `./${scheme}-${width}/` });
        await page.setViewport({ width, height: 800 });
        if (BROWSER === 'chromium') await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
        await page.addScriptTag({ url: '/axe/axe.min.js' });
        for (const [state, how] of STATES) {
          await how();
          await reach(state);
          assert.ok((await overflow()) <= 0, `${state}: ${await overflow()} pixels too wide`);
          const findings = await page.evaluate(async () => {
            // Colours that are on their way are nobody's.
            await Promise.all(suggest.shadowRoot.getAnimations().filter((one) => one instanceof CSSTransition).map(({ finished }) => finished));
            const before = violations.length;
            const found = await axe.run(suggest);
            violations.length = before; // axe tries a style of its own
            return found.violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)}`);
          });
          assert.deepEqual(findings, [], state);
          await picture(`${scheme}-${width}-${state}`);
        }
      });
    }
  }
});

describe(`with the package itself, in ${BROWSER}`, () => {
  test('labels are ranked by what a text means, and nothing leaves the page', async () => {
    await open(
      { ...ASKING, model: '/models/all-MiniLM-L6-v2-q8/', head: null, labels: 'subjects', threshold: null, device: 'wasm' },
      { component: '/suggest/specter-suggest.js' },
    );
    await write('Guilds, cathedrals and the price of bread in the towns of twelfth-century Flanders.');
    await reach('asking');
    const served = watchRequests();
    await press('agree');
    await reach('results');
    assert.equal((await suggested())[0], 'H2 Medieval history');
    assert.ok(served.paths.some((path) => path.endsWith('/model.safetensors')), 'the watch sees what is fetched');
    assert.equal((await details('ready'))[0].device.kind, 'wasm');
    await picture('itself');

    served.paths.length = 0;
    await write('Entangled photons, and what a measurement of one says about the other.');
    await page.waitForFunction(() => suggest.suggestions[0]?.label === 'P1 Quantum physics');
    assert.deepEqual(served.paths, []);
    served.end();
    const scores = await page.evaluate(() => suggest.suggestions.map(({ score }) => score));
    assert.ok(scores.every((score, index) => score <= (scores[index - 1] ?? 1)), String(scores));

    await page.evaluate(() => suggest.remove());
    assert.equal(await workersOf(page, 0), 0);
  });

  const { papers, models, adapters } = readJson('heads/goldens.json');
  const paper = papers.findIndex((/** @type {any} */ one) => one.title && one.abstract);
  for (const [what, source, { labels, scores }] of /** @type {const} */ ([
    ['of a model', { model: '/fixtures/heads/models/multi_label/', head: 'classifier' }, models.multi_label],
    ['of an adapter', { model: '/fixtures/tiny-bert/', adapter: '/fixtures/heads/adapters/multilabel/', head: '/fixtures/heads/adapters/multilabel/' }, adapters.multilabel],
  ])) {
    test(`a head ${what} suggests what it was trained to say`, async () => {
      await open({ ...USUAL, ...source, threshold: null, device: 'wasm', dtype: 'f32', 'top-k': '3' }, { component: '/suggest/specter-suggest.js' });
      await page.type('[id="dc.title"]', papers[paper].title);
      await write(papers[paper].abstract);
      await reach('results');
      const expected = labels
        .map((/** @type {string} */ label, /** @type {number} */ index) => ({ label, score: scores[paper][index] }))
        .filter((/** @type {any} */ { score }) => score >= 0.5)
        .sort((/** @type {any} */ a, /** @type {any} */ b) => b.score - a.score)
        .slice(0, 3);
      assert.ok(expected.length >= 2);
      const found = await page.evaluate(() => suggest.suggestions);
      assert.deepEqual(found.map(({ label }) => label), expected.map((/** @type {any} */ { label }) => label));
      found.forEach(({ score }, index) => assert.ok(Math.abs(score - expected[index].score) < 1e-3, `${score} for ${expected[index].score}`));
      assert.match(await textOf('score'), /^\d\d%$/);
    });
  }
});

test('a server that renders pages may import the component', async () => {
  const { SpecterSuggest } = await import('../../www/suggest/specter-suggest.js');
  assert.equal(typeof SpecterSuggest, 'function');
});
