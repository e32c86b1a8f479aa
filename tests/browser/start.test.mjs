/** How the package starts where it is served in other ways than beside its page, and how it ends when its engine crashes. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { serve } from '../../xtask/browser/serve.mjs';
import { BROWSER, distance, openPage, SITE, stage, workersOf } from './stage.mjs';

const set = stage();

/** Stands in for the engine where a test needs one that traps. */
const TRAPPING_ENGINE = `
  // (module (func (export "trap") unreachable))
  const code = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 8, 1, 4, 116, 114, 97, 112, 0, 0, 10, 5, 1, 3, 0, 0, 11];
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(code)));
  let trapped = false;
  function trap() { trapped = true; exports.trap(); }
  export default async function init() {}
  export class Sha256 {}
  export class Engine {
    static async convert({ name }) {
      if (name !== 'trap') return;
      function specter_web() { trap(); }
      queueMicrotask(specter_web);
      await new Promise(() => {});
    }
    static version() { return '0'; }
    static async load() { return new Engine(); }
    async embed(papers) {
      if (papers[0] === 'at once') trap();
      // As an asynchronous Rust function does: the trap is elsewhere, and this promise never settles.
      function specter_web() { trap(); }
      if (papers[0] === 'in a while') setTimeout(specter_web, 200);
      else queueMicrotask(specter_web);
      await new Promise(() => {});
    }
    info() { return { tasks: [], adapters: [], tuning: { linear: [], attention: [] } }; }
    free() { if (trapped) throw new Error('freed after a crash'); }
  }
`;

/**
 * The package on an origin of its own, with something different about it.
 *
 * @typedef {object} Differences
 * @property {Record<string, string>} [types]  content type by ending
 * @property {Record<string, string | null>} [files]  other contents by path; null: not there
 */

/** @type {Differences} */
let differences = {};
const elsewhere = createServer(async (request, response) => {
  const path = (request.url ?? '').slice(1);
  const type = { js: 'text/javascript', wasm: 'application/wasm', ...differences.types }[path.split('.').at(-1) ?? ''] ?? 'text/plain';
  try {
    const other = differences.files?.[path];
    if (other === null) throw new Error('not there');
    const body = other ?? (await readFile(join(SITE, 'www', path)));
    response.writeHead(200, { 'Content-Type': type, 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'no-store' }).end(body);
  } catch {
    response.writeHead(404, { 'Access-Control-Allow-Origin': '*' }).end();
  }
});
/** @type {string} */
let address;
before(async () => {
  await new Promise((listening) => elsewhere.listen(0, '127.0.0.1', () => listening(undefined)));
  address = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (elsewhere.address()).port}/specter.js`;
});
after(() => {
  elsewhere.close();
  elsewhere.closeAllConnections();
});

/**
 * @param {Differences & { onOtherOrigin?: boolean, origin?: string }} how
 * @param {(page: import('puppeteer-core').Page) => Promise<void>} use
 */
async function withPackage({ onOtherOrigin = false, origin = set.server.url, ...how }, use) {
  differences = how;
  const page = await openPage(set.browser, onOtherOrigin ? new URL('specter.js', origin).href : address, address);
  try {
    await use(page);
  } finally {
    await page.close();
  }
}

describe(`the package, in ${BROWSER}`, () => {
  /** @param {import('puppeteer-core').Page} page */
  const dimsIn = (page) =>
    page.evaluate(async (model) => {
      const specter = await Specter.load(model);
      const { dims } = await specter.embed(['a text']);
      await specter.dispose();
      return dims;
    }, new URL('models/all-MiniLM-L6-v2-q8/', set.server.url).href);

  test('starts its worker from another origin, as from a package CDN', () =>
    withPackage({ onOtherOrigin: true }, async (page) => assert.deepEqual(await dimsIn(page), [1, 384])));

  test('starts where the server does not know the type of wasm', () =>
    withPackage({ onOtherOrigin: true, types: { wasm: 'application/octet-stream' } }, async (page) =>
      assert.deepEqual(await dimsIn(page), [1, 384]),
    ));

  test('starts its threads from another origin, too', async () => {
    const isolated = await serve({ root: SITE, isolate: true });
    try {
      await withPackage({ onOtherOrigin: true, origin: isolated.url }, async (page) => {
        const visits = await page.evaluate(async (worker) => {
          Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 });
          const visits = [];
          for (const threads of [1, 2]) {
            const specter = await Specter.load('/fixtures/tiny-bert/', { worker: worker && threads > 1, threads, dtype: 'f32' });
            visits.push({ rows: rowsOf(await specter.embed(['a text', 'another one'])), adapter: specter.info().device.adapter });
            await specter.dispose();
          }
          return visits;
          // Firefox under a driver has trouble with workers of workers: cpu.test.mjs.
        }, BROWSER !== 'firefox' && cpus().length > 1);
        assert.deepEqual(visits.map(({ adapter }) => adapter), ['CPU, 1 thread', 'CPU, 2 threads']);
        assert.equal(distance(visits[0].rows, visits[1].rows), 0);
        assert.equal(await workersOf(page, 0), 0);
      });
    } finally {
      await isolated.close();
    }
  });

  const cpuModules = ['simd', 'simd_threads', 'relaxed', 'relaxed_threads'].map((kind) => `wasm/cpu_${kind}.wasm`);
  for (const missing of [['worker.js'], ['wasm/specter_web.js'], ['wasm/specter_web_bg.wasm'], cpuModules]) {
    test(`says so where ${missing} is not served`, () =>
      withPackage({ files: Object.fromEntries(missing.map((path) => [path, null])) }, async (page) => {
        for (const worker of missing.includes('worker.js') ? [true] : [true, false]) {
          const failure = await page.evaluate((worker) => failureOf(Specter.load('./x/', { worker })), worker);
          assert.equal(failure.code, 'network', failure.message);
          assert.match(failure.message, /Serve .*beside/);
        }
        assert.equal(await workersOf(page, 0), 0);
      }));
  }
});

describe(`an engine that traps, in ${BROWSER}`, () => {
  const files = { 'wasm/specter_web.js': TRAPPING_ENGINE };
  for (const worker of [true, false]) {
    for (const when of ['at once', 'later']) {
      test(`${when}, with worker: ${worker}, rejects every call with what the trap said`, () =>
        withPackage({ files }, async (page) => {
          const failures = await page.evaluate(
            async (worker, when) => {
              addEventListener('error', (event) => event.preventDefault());
              const specter = await Specter.load('./x/', { worker });
              const running = failureOf(specter.embed([when]));
              const waiting = failureOf(specter.embed(['next']));
              const failures = [await running, await waiting, await failureOf(specter.embed(['after']))];
              await specter.dispose();
              return failures;
            },
            worker,
            when,
          );
          for (const failure of failures) {
            assert.equal(failure.code, 'internal', failure.message);
            assert.match(failure.message, worker ? /unreachable.*Load the model again/ : /unreachable.*Reload the page, or use worker: true/);
          }
          assert.equal(await workersOf(page, 0), 0);
        }));
    }

    test(`while it is disposed of, with worker: ${worker}, does not hold that up`, () =>
      withPackage({ files }, async (page) => {
        const failure = await page.evaluate(async (worker) => {
          addEventListener('error', (event) => event.preventDefault());
          const specter = await Specter.load('./x/', { worker });
          const running = failureOf(specter.embed(['in a while']));
          await new Promise((resolve) => setTimeout(resolve, 50));
          await specter.dispose();
          return running;
        }, worker);
        assert.equal(failure.code, 'disposed', failure.message);
        assert.equal(await workersOf(page, 0), 0);
      }));
  }

  test('while it stores a model lets go of it, so that others can', () =>
    withPackage({ files }, async (page) => {
      const failures = await page.evaluate(async () => {
        addEventListener('error', (event) => event.preventDefault());
        return [await failureOf(Specter.load('./trap/', { worker: false })), await failureOf(Specter.load('./trap/')), await failureOf(Specter.load('./trap/'))];
      });
      for (const failure of failures) {
        assert.equal(failure.code, 'internal', failure.message);
        assert.match(failure.message, /unreachable/);
      }
      assert.equal(await workersOf(page, 0), 0);
    }));

  test('in the page is not used there again, and a worker still is', () =>
    withPackage({ files }, async (page) => {
      const { failures, adapters } = await page.evaluate(async () => {
        const other = await Specter.load('./x/', { worker: false });
        const specter = await Specter.load('./x/', { worker: false });
        await failureOf(specter.embed(['at once']));
        const failures = [await failureOf(Specter.load('./x/', { worker: false })), await failureOf(other.embed(['next']))];
        await Promise.all([specter.dispose(), other.dispose()]);
        const inWorker = await Specter.load('./x/');
        const { adapters } = inWorker.info();
        await inWorker.dispose();
        return { failures, adapters };
      });
      for (const failure of failures) {
        assert.equal(failure.code, 'internal', failure.message);
        assert.match(failure.message, /crashed on this page.*Reload the page, or use worker: true/);
      }
      assert.deepEqual(adapters, []);
    }));
});
