/**
 * Vectors in the browser against those of the reference libraries, which tests/fixtures/make.py has written.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { BROWSER, distance, hasFile, meanCosine, readJson, stage } from './stage.mjs';

const set = stage();

describe(`a tiny BERT with every adapter configuration, in ${BROWSER}`, () => {
  const golden = readJson('tiny-bert/goldens.json');
  const adapters = Object.keys(golden.cases).filter((name) => name !== 'none');

  test('some of the adapters are pickled', () => {
    assert.ok(adapters.some((name) => !hasFile(`tiny-bert/adapters/${name}/adapter.safetensors`)));
  });

  /**
   * All cases with one load: every adapter is resident, and each call switches.
   *
   * @param {string} dtype
   * @returns {Promise<Record<string, { cls: number[][], mean: number[][] }>>}
   */
  const embedCases = (dtype) =>
    set.page.evaluate(
      async (dtype, names, papers) => {
        const specter = await Specter.load('/fixtures/tiny-bert/', {
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
        await specter.dispose();
        return results;
      },
      dtype,
      adapters,
      golden.papers,
    );

  describe('at f32', () => {
    /** @type {Awaited<ReturnType<typeof embedCases>>} */
    let results;
    before(async () => (results = await embedCases('f32')));
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
  for (const [dtype, bar] of /** @type {const} */ ([['f16', 0.9999], ['q8', 0.995]])) {
    test(`at ${dtype} every case points the same way, to a cosine of ${bar}`, async () => {
      const results = await embedCases(dtype);
      const low = Object.keys(results).flatMap((name) =>
        /** @type {const} */ (['cls', 'mean'])
          .map((pooling) => ({ name, pooling, cosine: meanCosine(results[name][pooling], golden.cases[name][pooling]) }))
          .filter(({ cosine }) => !(cosine >= bar)),
      );
      assert.deepEqual(low, []);
    });
  }
});

describe(`all-MiniLM-L6-v2, in ${BROWSER}`, () => {
  const golden = readJson('minilm/goldens.json');

  describe('at f32', () => {
    before(() =>
      set.page.evaluate(async () => {
        globalThis.minilm = await Specter.load('/models/all-MiniLM-L6-v2/', { dtype: 'f32', maxLength: 512 });
      }),
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

  test('at q8, converted, the papers keep a mean cosine of 0.9995 and run on WebGPU', async () => {
    const { rows, info } = await set.page.evaluate(async (papers) => {
      const specter = await Specter.load('/models/all-MiniLM-L6-v2-q8/', { dtype: 'q8', maxLength: 512 });
      const rows = rowsOf(await specter.embed(papers));
      const info = specter.info();
      await specter.dispose();
      return { rows, info };
    }, golden.papers);
    const cosine = meanCosine(rows, golden.embeddings);
    assert.ok(cosine >= 0.9995, `the mean cosine is ${cosine}`);
    assert.equal(info.device.kind, 'webgpu');
    assert.equal(info.dtype, 'q8');
    assert.equal(info.hiddenSize, 384);
    assert.ok(info.kernels.length > 0 && info.kernels.every(({ dispatches }) => dispatches > 0));
    assert.ok(info.memory.weights > 0);
  });
});
