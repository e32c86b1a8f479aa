/** Which kernels run on a GPU: each gives the same vectors, what was measured is remembered, and a page can say which it wants. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { BROWSER, meanCosine, readJson, stage } from './stage.mjs';

const set = stage();
const golden = readJson('minilm/goldens.json');
const MODEL = '/models/all-MiniLM-L6-v2-q8/';

/**
 * Loads, embeds and says what has run.
 *
 * @param {Record<string, unknown>} options
 * @param {string[]} [papers]
 */
const visit = (options, papers = golden.papers.slice(0, 6)) =>
  set.page.evaluate(
    async (model, options, papers) => {
      const specter = await Specter.load(new URL(model, location.href), { device: 'webgpu', maxLength: 512, ...options });
      const rows = rowsOf(await specter.embed(papers));
      const info = specter.info();
      await specter.dispose();
      return { rows, info };
    },
    MODEL,
    options,
    papers,
  );

/** @param {{ kernels: { name: string }[] }} info */
const linearKernels = ({ kernels }) =>
  kernels.map(({ name }) => name).filter((name) => name.startsWith('linear_'));

describe(`kernels, in ${BROWSER}`, () => {
  /** @type {ReturnType<typeof visit> | undefined} */
  let byRegisters;
  // What a kernel rounds beyond q8 itself, and how many papers it embeds: one that is made for few rows takes long.
  for (const [kernel, feature, least, count] of /** @type {const} */ ([
    ['registers', null, 0.99999, 6],
    ['quads', 'subgroups', 0.99999, 6],
    ['split', null, 0.99999, 1],
    ['small-tiles', null, 0.99999, 6],
    ['tiles', null, 0.99999, 6],
    ['half-tiles', 'f16', 0.99999, 6],
    ['dot', 'integer-dot', 0.9995, 6],
  ])) {
    test(`${kernel} gives the vectors of registers where the device has ${feature ?? 'nothing in particular'}`, async () => {
      const expected = await (byRegisters ??= visit({ tuning: 'registers' }));
      const { rows, info } = await visit({ tuning: kernel }, golden.papers.slice(0, count));
      const runs = feature === null || info.device.features.includes(feature);
      const name = runs ? kernel.replace('-', '_') : 'registers';
      const ran = linearKernels(info);
      assert.ok(ran.length > 0 && ran.every((ran) => ran.startsWith(`linear_${name}`)), `${ran} ran, not ${name}`);
      const cosine = meanCosine(rows, expected.rows.slice(0, count));
      assert.ok(cosine >= least, `the mean cosine is ${cosine}`);
    });
  }

  test('features can be switched off', async () => {
    const { info, rows } = await visit({ features: { subgroups: false, f16: false, integerDot: false } });
    assert.deepEqual(info.device.features, []);
    assert.ok(!info.kernels.some(({ name }) => name.includes('quads')));
    assert.ok(meanCosine(rows, golden.embeddings.slice(0, 6)) >= 0.9995);
  });

  test('what was measured is remembered, and measured no more', async () => {
    await set.page.evaluate(() => caches.delete('specter-web'));
    const first = await visit({});
    const again = await visit({});
    assert.ok(first.info.tuning.linear.length > 0);
    assert.deepEqual(again.info.tuning, first.info.tuning);
    // Not which ran: those that are tried may all be the fastest somewhere.
    const runs = (/** @type {any} */ { info: { kernels } }) =>
      kernels.reduce((sum, { name, dispatches }) => sum + (name.startsWith('linear_') ? dispatches : 0), 0);
    assert.ok(runs(first) > runs(again), `linear kernels ran ${runs(first)} times at first, ${runs(again)} times the second time`);
    const known = first.info.tuning.linear.flatMap(({ few, several, many }) => [few, several, many]).map((kernel) => `linear_${kernel.replace('-', '_')}`);
    for (const ran of linearKernels(again.info)) assert.ok(known.some((kernel) => ran.startsWith(kernel)), `${ran} ran, not ${known}`);
    // Deleting everything deletes it too.
    await set.page.evaluate(() => Specter.cache.delete());
    assert.deepEqual(await set.page.evaluate(async () => (await (await caches.open('specter-web')).keys()).length), 0);
  });

  test('a memory of nonsense is no obstacle', async () => {
    await visit({});
    await set.page.evaluate(async () => {
      const cache = await caches.open('specter-web');
      const nonsense = { outputs: 384, inputs: 384, dtype: 'q8', few: 'quads', several: 'quads', many: 'quads', rounding: 'dot' };
      const text = JSON.stringify({ linear: [nonsense], attention: [] });
      for (const key of await cache.keys()) await cache.put(key, new Response(text));
    });
    const { info } = await visit({});
    assert.ok(info.tuning.linear.length > 0);
  });

  test('what was measured can be given by hand', async () => {
    const linear = [{ outputs: 384, inputs: 384, dtype: 'q8', few: 'split', several: 'registers', many: 'tiles' }];
    const { info } = await visit({ tuning: { linear, attention: [{ headSize: 32, kernel: 'quads' }] } });
    assert.deepEqual(info.tuning.linear.find(({ outputs, inputs }) => outputs === 384 && inputs === 384), linear[0]);
  });

  for (const [what, options, says] of /** @type {const} */ ([
    ['an unknown kernel', { tuning: 'fastest' }, /measured.*registers/],
    ['no kernel at all', { tuning: 7 }, /tuning is/],
    ...['dot', 5, ['dot'], null, { many: 7 }].map((rounding) => /** @type {const} */ ([
      `a name of a kernel that is ${JSON.stringify(rounding)}`,
      { tuning: { linear: [{ outputs: 384, inputs: 384, dtype: 'q8', few: 'tiles', several: 'tiles', many: 'tiles', rounding }], attention: [] } },
      /tuning is/,
    ])),
    ['half of what was found', { tuning: { linear: [{ outputs: 384, inputs: 384, dtype: 'q8', few: 'tiles' }], attention: [] } }, /tuning is/],
    ['an unknown feature', { features: { tensors: true } }, /tensors/],
    ['a feature that is no boolean', { features: { f16: 'no' } }, /features\.f16/],
  ])) {
    test(`${what} is refused`, async () => {
      const failure = await set.page.evaluate(
        (model, options) => failureOf(Specter.load(new URL(model, location.href), { device: 'webgpu', ...options })),
        MODEL,
        options,
      );
      assert.equal(failure.code, 'invalid-option', failure.message);
      assert.match(failure.message, says);
    });
  }
});
