/**
 * Vectors in the browser against those of the reference libraries, which tests/fixtures/make.py has written.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { BROWSER, DEVICES, distance, hasFile, meanCosine, readJson, stage } from './stage.mjs';

const set = stage();

/** @typedef {{ device: { kind: string }, kernels: { name: string, variant: string, dispatches: number }[] }} Info */

/**
 * Whether inputs of products by q8 and q4 are rounded to 8 bits, which only CPUs do whose browser has an instruction for
 * exact sums of such products.
 *
 * @param {Info} info
 */
const roundsToBytes = ({ kernels }) => kernels.some(({ name, variant }) => name === 'linear' && variant === '8-bit inputs');

for (const device of DEVICES) describe(`a tiny BERT with every adapter configuration, on ${device} in ${BROWSER}`, () => {
  const golden = readJson('tiny-bert/goldens.json');
  const adapters = Object.keys(golden.cases).filter((name) => name !== 'none');

  test('some of the adapters are pickled', () => {
    assert.ok(adapters.some((name) => !hasFile(`tiny-bert/adapters/${name}/adapter.safetensors`)));
  });

  /**
   * All cases with one load: every adapter is resident, and each call switches.
   *
   * @param {string} dtype
   * @returns {Promise<{ results: Record<string, { cls: number[][], mean: number[][] }>, info: Info }>}
   */
  const embedCases = (dtype) =>
    set.page.evaluate(
      async (device, dtype, names, papers) => {
        const specter = await Specter.load('/fixtures/tiny-bert/', {
          device,
          dtype,
          adapters: Object.fromEntries(names.map((name) => [name, `/fixtures/tiny-bert/adapters/${name}/`])),
        });
        const results = {};
        for (const name of ['none', ...names]) {
          const adapter = name === 'none' ? null : name;
          results[name] = {
            cls: rowsOf(await specter.embed(papers, { adapter, pooling: 'cls', normalize: false })),
            mean: rowsOf(await specter.embed(papers, { adapter, pooling: 'mean', normalize: false })),
          };
        }
        const info = specter.info();
        await specter.dispose();
        return { results, info };
      },
      device,
      dtype,
      adapters,
      golden.papers,
    );

  describe('at f32', () => {
    /** @type {Awaited<ReturnType<typeof embedCases>>['results']} */
    let results;
    before(async () => {
      const embedded = await embedCases('f32');
      assert.equal(embedded.info.device.kind, device);
      ({ results } = embedded);
    });
    for (const name of ['none', ...adapters]) {
      test(`${name} agrees within 5e-5 of each vector’s size`, () => {
        for (const pooling of /** @type {const} */ (['cls', 'mean'])) {
          /** @type {number[][]} */
          const expected = golden.cases[name][pooling];
          assert.equal(results[name][pooling].length, expected.length, 'as many vectors');
          expected.forEach((vector, paper) => {
            // Not 1 where no normalization follows the adapter.
            const size = Math.max(1, ...vector.map(Math.abs));
            const apart = distance([results[name][pooling][paper]], [vector]) / size;
            assert.ok(apart <= 5e-5, `${pooling} of paper ${paper} differs by ${apart}`);
          });
        }
      });
    }
  });

  // Bars for random weights of width 32, on which a rounding weighs far more than on a trained network.
  for (const [dtype, words, bytes] of /** @type {const} */ ([['f16', 0.9999, 0.9999], ['q8', 0.995, 0.99], ['q4', 0.8, 0.8]])) {
    test(`at ${dtype} every case points the same way, to a cosine of ${words}, or ${bytes} where inputs have 8 bits`, async () => {
      const { results, info } = await embedCases(dtype);
      const bar = roundsToBytes(info) ? bytes : words;
      const low = Object.keys(results).flatMap((name) =>
        /** @type {const} */ (['cls', 'mean'])
          .map((pooling) => ({ name, pooling, cosine: meanCosine(results[name][pooling], golden.cases[name][pooling]) }))
          .filter(({ cosine }) => !(cosine >= bar)),
      );
      assert.deepEqual(low, []);
    });
  }
});

for (const device of DEVICES) describe(`all-MiniLM-L6-v2, on ${device} in ${BROWSER}`, () => {
  const golden = readJson('minilm/goldens.json');

  describe('at f32', () => {
    before(() =>
      set.page.evaluate(async (device) => {
        globalThis.minilm = await Specter.load('/models/all-MiniLM-L6-v2/', { device, dtype: 'f32', maxLength: 512 });
      }, device),
    );

    test('the papers get the reference’s vectors within 2e-5, pooled and normalised as the model’s files say', async () => {
      const rows = await set.page.evaluate(async (papers) => rowsOf(await minilm.embed(papers)), golden.papers);
      const apart = distance(rows, golden.embeddings);
      assert.ok(apart <= 2e-5, `differs by ${apart}`);
      assert.ok(meanCosine(rows, golden.embeddings) >= 0.999999);
    });

    test('the first token’s rows agree within 1e-4', async () => {
      const chosen = [0, 1, 2, 3];
      const rows = await set.page.evaluate(
        async (papers) => rowsOf(await minilm.embed(papers, { pooling: 'cls', normalize: false })),
        chosen.map((index) => golden.papers[index]),
      );
      const apart = distance(rows, chosen.map((index) => golden.cls[index]));
      assert.ok(apart <= 1e-4, `differs by ${apart}`);
    });

    test('an embedding does not depend on its batch mates', async () => {
      const papers = golden.papers.slice(0, 8);
      const { alone, together } = await set.page.evaluate(async (papers) => {
        const together = rowsOf(await minilm.embed(papers));
        const alone = [];
        for (const paper of papers) alone.push(...rowsOf(await minilm.embed([paper])));
        return { alone, together };
      }, papers);
      const apart = distance(alone, together);
      assert.ok(apart <= 1e-5, `differs by ${apart}`);
    });

    test('it is disposed of', () => set.page.evaluate(() => minilm.dispose()));
  });

  for (const [dtype, folder, words, bytes] of /** @type {const} */ ([
    // On a GPU this loads for half a minute in software, and its kernels have run above.
    ...(device === 'wasm' ? /** @type {const} */ ([['f16', 'all-MiniLM-L6-v2', 0.99999, 0.99999]]) : []),
    ['q8', 'all-MiniLM-L6-v2-q8', 0.9995, 0.999],
    ['q4', 'all-MiniLM-L6-v2', 0.975, 0.975],
  ])) {
    test(`at ${dtype} the papers keep a mean cosine of ${words}, or ${bytes} where inputs have 8 bits`, async () => {
      const { rows, info } = await set.page.evaluate(
        async (folder, device, dtype, papers) => {
          const specter = await Specter.load(`/models/${folder}/`, { device, dtype, maxLength: 512 });
          const rows = rowsOf(await specter.embed(papers));
          const info = specter.info();
          await specter.dispose();
          return { rows, info };
        },
        folder,
        device,
        dtype,
        golden.papers,
      );
      const bar = roundsToBytes(info) ? bytes : words;
      const cosine = meanCosine(rows, golden.embeddings);
      assert.ok(cosine >= bar, `the mean cosine is ${cosine}`);
      assert.equal(info.device.kind, device);
      assert.equal(info.dtype, dtype);
      assert.equal(info.hiddenSize, 384);
      assert.ok(info.kernels.length > 0 && info.kernels.every(({ dispatches }) => dispatches > 0));
      assert.ok(info.memory.weights > 0);
    });
  }
});
