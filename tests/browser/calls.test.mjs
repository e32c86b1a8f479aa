/** How calls behave: in order, stoppable, alone or in a worker, and finished by `dispose`. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { BROWSER, DEVICES, distance, stage, workersOf } from './stage.mjs';

const set = stage();
const TINY = '/fixtures/tiny-bert/';

/** @param {Record<string, unknown>} failure @param {string} code @param {RegExp} says */
function assertFailure(failure, code, says) {
  assert.equal(failure.code, code, String(failure.message));
  assert.match(String(failure.message), says);
}

for (const device of DEVICES) describe(`calls on a model that is loaded on ${device}, in ${BROWSER}`, () => {
  before(() =>
    set.page.evaluate(
      async (tinyFolder, device) => {
        // A small budget makes many batches of a long list.
        const options = { device, dtype: 'f32', tokenBudget: 64, adapters: { one: `${tinyFolder}adapters/seq_bn/` } };
        globalThis.tiny = await Specter.load(tinyFolder, options);
        globalThis.many = Array.from({ length: 120 }, (_, i) => `paper number ${i} on the structure of protein and climate`);
      },
      TINY,
      device,
    ),
  );

  test('it runs there, in a worker of its own', async () => {
    const info = await set.page.evaluate(() => tiny.info());
    assert.equal(info.device.kind, device);
    assert.equal(info.device.reason, `It was asked for by device: '${device}'.`);
    assert.deepEqual(info.adapters, ['one']);
    assert.equal(await workersOf(set.page, 1), 1);
  });

  test('an empty list gives no rows', async () => {
    const { dims, length } = await set.page.evaluate(async () => {
      const { data, dims } = await tiny.embed([]);
      return { dims, length: data.length };
    });
    assert.deepEqual(dims, [0, 32]);
    assert.equal(length, 0);
  });

  test('a single paper gives one row', async () => {
    const dims = await set.page.evaluate(async () => [(await tiny.embed('text')).dims, (await tiny.embed({ title: 'text' })).dims]);
    assert.deepEqual(dims, [[1, 32], [1, 32]]);
  });

  test('a list longer than a batch comes back in order, with progress to its end', async () => {
    const { rows, some, last } = await set.page.evaluate(async () => {
      let last = null;
      const rows = rowsOf(await tiny.embed(many.slice(0, 30), { onProgress: (progress) => (last = progress) }));
      const some = [];
      for (const index of [0, 13, 29]) some.push(...rowsOf(await tiny.embed([many[index]])));
      return { rows, some, last };
    });
    assert.ok(distance([rows[0], rows[13], rows[29]], some) <= 1e-5);
    assert.deepEqual(last, { phase: 'embed', loaded: 30, total: 30 });
  });

  test('calls made at once are answered in order', async () => {
    const order = await set.page.evaluate(async () => {
      const order = [];
      await Promise.all([0, 1, 2, 3].map((call) => tiny.embed(many.slice(0, 8 - call)).then(({ dims }) => order.push(dims[0]))));
      return order;
    });
    assert.deepEqual(order, [8, 7, 6, 5]);
  });

  test('an abort during embed rejects, and the next embed works', async () => {
    const { failure, dims } = await set.page.evaluate(async () => {
      const controller = new AbortController();
      const failure = await failureOf(tiny.embed(many, { signal: controller.signal, onProgress: () => controller.abort() }));
      const { dims } = await tiny.embed(many.slice(0, 2));
      return { failure, dims };
    });
    assertFailure(failure, 'aborted', /AbortSignal/);
    assert.deepEqual(dims, [2, 32]);
  });

  test('an abort takes a waiting call out of the line at once', async () => {
    const { order, failure } = await set.page.evaluate(async () => {
      const order = [];
      const controller = new AbortController();
      const first = tiny.embed(many).then(() => order.push('first'));
      const waiting = failureOf(tiny.embed(many, { signal: controller.signal })).then((failure) => (order.push('aborted'), failure));
      const third = tiny.embed(['x']).then(() => order.push('third'));
      controller.abort();
      const [failure] = await Promise.all([waiting, first, third]);
      return { order, failure };
    });
    assertFailure(failure, 'aborted', /AbortSignal/);
    assert.deepEqual(order, ['aborted', 'first', 'third']);
  });

  test('a call that waits for labels of another can be stopped, and the other goes on', async () => {
    const { failure, atStop, counts, best } = await set.page.evaluate(async () => {
      const counts = [];
      let done = 0;
      const first = tiny.rankLabels(many[7], many, { topK: 1, onProgress: ({ loaded }) => (done = loaded) });
      const stop = new AbortController();
      const waiting = failureOf(tiny.rankLabels('x', many, { signal: stop.signal }));
      stop.abort();
      const failure = await waiting;
      const atStop = done;
      const third = tiny.rankLabels('y', many, { onProgress: ({ total }) => counts.push(total) });
      const [[best]] = await first;
      await third;
      return { failure, atStop, counts, best: best.label === many[7] };
    });
    assertFailure(failure, 'aborted', /AbortSignal/);
    assert.ok(atStop < 120, 'it has waited for the labels');
    assert.deepEqual([...new Set(counts)], [1], 'the labels are encoded once: what is left is the paper');
    assert.ok(best);
  });

  test('a signal that has fired already rejects embed and load', async () => {
    const failures = await set.page.evaluate(
      async (tinyFolder) => [
        await failureOf(tiny.embed(['x'], { signal: AbortSignal.abort() })),
        await failureOf(Specter.load(tinyFolder, { signal: AbortSignal.abort() })),
      ],
      TINY,
    );
    for (const failure of failures) assertFailure(failure, 'aborted', /AbortSignal/);
    assert.equal(await workersOf(set.page, 1), 1);
  });

  for (const [what, papers, says] of /** @type {const} */ ([
    ['a number', [1], /papers\[0\] is a number/],
    ['a title that is a number', ['fine', { title: 3 }], /title of papers\[1\] is a number/],
    ['null', [null], /papers\[0\] is null/],
    ['an array in the list', [['a', 'b']], /papers\[0\] is an array/],
    ['an object of something else', [{ heading: 'x' }], /neither a title nor an abstract/],
  ])) {
    test(`${what} in place of a text is refused`, async () => {
      const failure = await set.page.evaluate(async (papers) => failureOf(tiny.embed(papers)), papers);
      assertFailure(failure, 'invalid-input', says);
    });
  }

  test('the name of an adapter that is not loaded is refused', async () => {
    const failure = await set.page.evaluate(() => failureOf(tiny.embed(['x'], { adapter: 'proximity' })));
    assertFailure(failure, 'unknown-adapter', /proximity/);
  });

  test('a misspelt option is refused', async () => {
    const failures = await set.page.evaluate(
      async (tinyFolder) => [
        await failureOf(tiny.embed(['x'], { normalise: true })),
        await failureOf(tiny.embed(['x'], { pooling: 'max' })),
        await failureOf(Specter.load(tinyFolder, { dtype: 'q3' })),
        await failureOf(Specter.load(tinyFolder, { maxLength: 0 })),
      ],
      TINY,
    );
    assertFailure(failures[0], 'invalid-option', /normalise/);
    assertFailure(failures[1], 'invalid-option', /max/);
    assertFailure(failures[2], 'invalid-option', /q3/);
    assertFailure(failures[3], 'invalid-option', /maxLength/);
  });

  test('an adapter comes and goes while the model stays', async () => {
    const { names, vectors, failure } = await set.page.evaluate(async (tinyFolder) => {
      const names = [];
      await tiny.loadAdapter('two', `${tinyFolder}adapters/par_bn/`);
      names.push(tiny.info().adapters);
      const vectors = [];
      for (const adapter of [null, 'one', 'two', null]) vectors.push(rowsOf(await tiny.embed(['some text'], { adapter })));
      await tiny.unloadAdapter('two');
      names.push(tiny.info().adapters);
      const failure = await failureOf(tiny.embed(['x'], { adapter: 'two' }));
      return { names, vectors, failure };
    }, TINY);
    assert.deepEqual(names, [['one', 'two'], ['one']]);
    const [none, one, two, again] = vectors;
    assert.ok(distance(none, one) > 1e-3 && distance(one, two) > 1e-3);
    assert.equal(distance(none, again), 0);
    assert.equal(failure.code, 'unknown-adapter');
  });

  test('the worker and the page compute the same', async () => {
    const { inWorker, inPage, kind } = await set.page.evaluate(
      async (tinyFolder, device) => {
        const here = await Specter.load(tinyFolder, { device, dtype: 'f32', worker: false });
        const texts = many.slice(0, 5);
        const inPage = rowsOf(await here.embed(texts));
        const { kind } = here.info().device;
        await here.dispose();
        return { inPage, kind, inWorker: rowsOf(await tiny.embed(texts)) };
      },
      TINY,
      device,
    );
    assert.equal(kind, device);
    assert.ok(distance(inWorker, inPage) <= 1e-5);
  });

  test('two models live side by side, and the end of one is not the end of the other', async () => {
    const dims = await set.page.evaluate(
      async (tinyFolder, device) => {
        const other = await Specter.load(tinyFolder, { device, dtype: 'q8' });
        const both = Promise.all([other.embed(['x', 'y']), tiny.embed(['z'])]);
        const dims = (await both).map(({ dims }) => dims);
        await other.dispose();
        dims.push((await tiny.embed(['x'])).dims);
        return dims;
      },
      TINY,
      device,
    );
    assert.deepEqual(dims, [[2, 32], [1, 32], [1, 32]]);
    assert.equal(await workersOf(set.page, 1), 1);
  });

  test('dispose rejects what is under way and everything after, and may be called twice', async () => {
    const failures = await set.page.evaluate(async () => {
      const running = failureOf(tiny.embed(many));
      await Promise.all([tiny.dispose(), tiny.dispose()]);
      await tiny.dispose();
      return [
        await running,
        await failureOf(tiny.embed(['x'])),
        await failureOf(tiny.loadAdapter('x', './x/')),
        await failureOf(Promise.resolve().then(() => tiny.info())),
      ];
    });
    for (const failure of failures) assertFailure(failure, 'disposed', /Load the model again/);
    assert.equal(await workersOf(set.page, 0), 0);
  });
});

for (const device of DEVICES) describe(`an abort during a load on ${device}, in ${BROWSER}`, () => {
  for (const worker of [true, false]) {
    test(`rejects with worker: ${worker}, and leaves nothing behind`, async () => {
      const { failure, later } = await set.page.evaluate(
        async (tinyFolder, device, worker) => {
          const controller = new AbortController();
          let later = 0;
          const onProgress = () => {
            if (controller.signal.aborted) later++;
            controller.abort();
          };
          const failure = await failureOf(Specter.load(tinyFolder, { device, worker, signal: controller.signal, onProgress }));
          await new Promise((resolve) => setTimeout(resolve, 300));
          return { failure, later };
        },
        TINY,
        device,
        worker,
      );
      assertFailure(failure, 'aborted', /AbortSignal/);
      assert.equal(later, 0, 'progress was reported after the abort');
      assert.equal(await workersOf(set.page, 0), 0);
    });
  }
});
