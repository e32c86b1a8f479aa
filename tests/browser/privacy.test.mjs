/** Text never leaves the machine: once a model is loaded, nothing asks the network for anything. */
import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { before, describe, test } from 'node:test';

import { BROWSER, DEVICES, stage, watchRequests } from './stage.mjs';

const set = stage({ isolate: true });

describe(`after a load, in ${BROWSER}`, () => {
  // Any scope lists what it has fetched, failures and other origins included. Drivers differ in what they
  // show of a worker, so the worker is asked from inside: it starts with a line that answers for its list.
  before(() =>
    set.page.evaluate(() => {
      const Plain = Worker;
      globalThis.Worker = class extends Plain {
        constructor(/** @type {URL} */ address, /** @type {WorkerOptions} */ options) {
          const script = `
            import ${JSON.stringify(String(address))};
            const channel = new BroadcastChannel('fetched');
            channel.onmessage = () => channel.postMessage(performance.getEntriesByType('resource').map(({ name }) => name));
          `;
          super(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), options);
        }
      };
      globalThis.fetchedInWorker = () =>
        new Promise((resolve) => {
          const channel = new BroadcastChannel('fetched');
          channel.onmessage = ({ data }) => {
            channel.close();
            resolve(data);
          };
          channel.postMessage('?');
        });
      globalThis.fetchedInPage = () => performance.getEntriesByType('resource').map(({ name }) => name);
    }),
  );

  for (const device of DEVICES) for (const worker of [true, false]) {
    test(`embedding makes no request of any kind, on ${device} with worker: ${worker}`, async () => {
      const { page } = set;
      const fetched = () =>
        page.evaluate(async (worker) => [...fetchedInPage(), ...(worker ? await fetchedInWorker() : [])], worker);

      const adapter = await page.evaluate(
        async (device, worker, threads) => {
          const base = '/fixtures/tiny-bert/';
          globalThis.tiny = await Specter.load(base, { device, worker, threads, cache: false, adapters: { one: `${base}adapters/seq_bn/` } });
          return tiny.info().device.adapter;
        },
        device,
        worker,
        // Firefox under a driver has trouble with workers of workers: cpu.test.mjs.
        worker && BROWSER === 'firefox' ? 1 : 2,
      );
      if (device === 'wasm' && !(worker && BROWSER === 'firefox')) assert.match(adapter, cpus().length > 1 ? /2 threads/ : /1 thread/);
      const loaded = await fetched();
      assert.ok(loaded.some((name) => name.endsWith('tiny-bert/model.safetensors')), 'the watch sees what is fetched');

      /** @type {string[]} */
      const requests = [];
      const note = (/** @type {import('puppeteer-core').HTTPRequest} */ request) => requests.push(request.url());
      page.on('request', note);
      // Threads cannot be asked, as they wait for work; but a server sees what they would ask it for.
      const served = watchRequests();
      const dims = await page.evaluate(async () => {
        const dims = [];
        for (const adapter of [null, 'one']) {
          dims.push((await tiny.embed(['an unpublished idea', { title: 'a secret', abstract: 'of mine' }], { adapter })).dims);
        }
        tiny.info();
        return dims;
      });
      assert.deepEqual(dims, [[2, 32], [2, 32]]);
      assert.deepEqual(await fetched(), loaded);
      page.off('request', note);
      served.end();
      assert.deepEqual(requests, []);
      assert.deepEqual(served.paths, []);
      await page.evaluate(() => tiny.dispose());
    });
  }
});
