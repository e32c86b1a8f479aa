/** A contender in a page of its own. */
import { countGpuBytes } from './page/gpu-bytes.js';

/** @import { Contender } from './engines.mjs' */
/** @import { Batches } from './page/page.js' */
/** @import { Model } from './types.js' */

/** @typedef {typeof import('./page/page.js')} PageModule */

/** The benchmark's own code, which no page of somebody else's loads. */
const OWN = /^\/bench\/(page|engines)\//;

/** Threads of the engine that ran before may still look for work for a while. */
const REST_MS = 200;

/** What the first vector is made of. */
const FIRST = { set: '32', indices: [[0]] };

export class Stand {
  /** Addresses of the code that the page has loaded. */
  code = /** @type {Set<string>} */ (new Set());
  /** @type {string | undefined} */
  version;
  /** Why it cannot take part, where it has not come up. @type {string | undefined} */
  failure;
  /** @type {import('puppeteer-core').Page | undefined} */
  #page;

  /**
   * @param {import('puppeteer-core').Browser} browser
   * @param {string} address  of the benchmark's server
   * @param {Model} model
   * @param {Contender} contender
   * @param {string} [inputs]  the path of the documents on the server; those of the model where nothing is said
   */
  constructor(browser, address, model, contender, inputs = inputsOf(model)) {
    this.browser = browser;
    this.address = address;
    this.model = model;
    this.contender = contender;
    this.inputs = inputs;
  }

  get label() {
    return this.contender.id;
  }

  /**
   * Opens a fresh page, whatever was open before, and starts the engine in it.
   *
   * @returns {Promise<number>} milliseconds from the import of its code to its first vector
   */
  async start() {
    await this.close();
    const page = await openBlankPage(this.browser, this.address);
    this.#page = page;
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      if (/\.(m?js|wasm)$/.test(pathname) && !OWN.test(pathname)) this.code.add(response.url());
    });
    const { module, settings } = this.contender;
    const started = await page.evaluate(
      async (inputs, start) => {
        const own = /** @type {PageModule} */ (await import(/** @type {string} */ ('/bench/page/page.js')));
        await own.readInputs(inputs);
        return own.start(start);
      },
      this.inputs,
      { module: `/bench/engines/${module}.js`, settings, model: this.model, batches: FIRST },
    );
    this.version = started.version;
    return started.milliseconds;
  }

  /**
   * One run, by the page's clock.
   *
   * @param {Batches} batches
   */
  async run(batches) {
    if (!this.#page) throw new Error(this.failure ?? 'its page is closed');
    // A page in the background gets less of the machine.
    await this.#page.bringToFront();
    await new Promise((rested) => setTimeout(rested, REST_MS));
    return this.#page.evaluate(async (asked) => {
      const own = /** @type {PageModule} */ (await import(/** @type {string} */ ('/bench/page/page.js')));
      return own.run(asked);
    }, batches);
  }

  async close() {
    const page = this.#page;
    this.#page = undefined;
    await page?.close();
  }
}

/**
 * @param {import('puppeteer-core').Browser} browser
 * @param {string} address
 */
export async function openBlankPage(browser, address) {
  const page = await browser.newPage();
  await page.evaluateOnNewDocument(countGpuBytes);
  await page.goto(new URL('bench/page/', address).href);
  return page;
}

/**
 * The path of a model's documents on the server.
 *
 * @param {Model} model
 */
export function inputsOf({ name }) {
  return `/files/inputs/${name}/inputs.json`;
}

/**
 * The sentence of an error that came out of a page; behind it, browsers put where it was thrown.
 *
 * @param {unknown} error
 */
export function reasonOf(error) {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n')[0].trim() || 'it failed without a word';
}
