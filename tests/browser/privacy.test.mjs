/** Text never leaves the machine: once a model is loaded, nothing asks the network for anything. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { BROWSER, stage } from './stage.mjs';

const set = stage();

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

  for (const worker of [true, false]) {
    test(`embedding makes no request of any kind, with worker: ${worker}`, async () => {
      const { page } = set;
      const fetched = () =>
        page.evaluate(async (worker) => [...fetchedInPage(), ...(worker ? await fetchedInWorker() : [])], worker);

      await page.evaluate(async (worker) => {
        const base = '/fixtures/tiny-bert/';
        globalThis.tiny = await Specter.load(base, { worker, cache: false, adapters: { one: `${base}adapters/seq_bn/` } });
      }, worker);
      const loaded = await fetched();
      assert.ok(loaded.some((name) => name.endsWith('tiny-bert/model.safetensors')), 'the watch sees what is fetched');

      /** @type {string[]} */
      const requests = [];
      const note = (/** @type {import('puppeteer-core').HTTPRequest} */ request) => requests.push(request.url());
      page.on('request', note);
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
      assert.deepEqual(requests, []);
      await page.evaluate(() => tiny.dispose());
    });
  }
});
