/**
 * The pictures of the demo in docs/images/, one of each tab, taken anew:
 *
 *     node xtask/browser/screenshots.mjs [FOLDER]
 *
 * It needs a Chromium, and what `cargo xtask demo` builds and downloads.
 */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { launch } from './launch.mjs';
import { serve } from './serve.mjs';

const FOLDER = process.argv[2] ?? fileURLToPath(new URL('../../docs/images', import.meta.url));

/** Pixels of CSS around what is shown. */
const MARGIN = 12;

/** @typedef {import('puppeteer-core').Page} Page */

/** Each tab, where its picture ends, and what is done before it is taken. @type {[name: string, end: string, prepare: (page: Page) => Promise<unknown>][]} */
const TABS = [
  ['embed', '.columns', async (page) => {
    await page.click('#suggest');
    await page.click('#compare');
    await page.waitForSelector('#ranking li');
  }],
  ['classify', '.columns', async (page) => {
    for (let example = 0; example < 2; example++) await page.click('#classify-example');
    await page.waitForFunction(() => document.querySelector('#result .label')?.textContent === 'psychology');
  }],
  ['deposit', 'fieldset:has(specter-suggest)', async (page) => {
    await page.click('#deposit-example');
    // The component is not in reach of types here.
    const reach = (/** @type {string} */ code) => page.waitForFunction(`document.querySelector('specter-suggest').${code}`);
    await reach("state === 'results'");
    await page.evaluate("document.querySelector('specter-suggest').accept(document.querySelector('specter-suggest').suggestions[0].label)");
    await reach('accepted.length === 1');
  }],
];

const server = await serve();
const browser = await launch('chromium');
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900, deviceScaleFactor: 1.5 });
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: 'light' },
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ]);
  await page.goto(new URL('demo/', server.url).href);
  await page.click('#load');
  await page.waitForSelector('#matrix tbody tr');
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, end, prepare] of TABS) {
    await page.click(`#${name}-tab`);
    await prepare(page);
    await page.evaluate(() => {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      scrollTo(0, 0);
    });
    const clip = await page.$eval(
      `#${name}-panel`,
      (panel, end, margin) => {
        const { left, top, width } = panel.getBoundingClientRect();
        const bottom = panel.querySelector(end)?.getBoundingClientRect().bottom ?? top;
        return { x: left - margin, y: top - margin, width: width + 2 * margin, height: bottom - top + 2 * margin };
      },
      end,
      MARGIN,
    );
    const path = /** @type {`${string}.webp`} */ (join(FOLDER, `demo-${name}.webp`));
    await page.screenshot({ path, type: 'webp', quality: 72, clip, captureBeyondViewport: true });
    console.log(`${(statSync(path).size / 1024).toFixed(0).padStart(5)} KB  ${path}`);
  }
} finally {
  await browser.close();
  await server.close();
}
