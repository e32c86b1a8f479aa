/** Tasks: what a model is asked for by name, whether adapters do it or experts among its weights, and how vectors compare. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { BROWSER, DEVICES, distance, openPage, readJson, stage } from './stage.mjs';

const set = stage();
const TINY = '/fixtures/tiny-bert/';
const SCIMULT = '/fixtures/scimult/';
const golden = readJson('scimult/goldens.json');

/** As the preset loads it. */
const PUBLISHED = { base: `${SCIMULT}base/`, weights: 'scimult_moe.ckpt', template: '{title} {sep} {abstract}' };

/** Tasks of the tiny model, of which one differs from the model in all that it can, and one has no adapter yet. */
const TASKS = {
  near: { adapter: 'one' },
  apart: { adapter: 'two', template: '{abstract}', pooling: 'mean', normalize: true, similarity: 'dot' },
  later: { adapter: 'three' },
};

const PAPERS = [
  { title: 'Protein structure', abstract: 'At low temperature.' },
  { title: 'Citation graphs', abstract: 'A study of scientific text.' },
  { title: null, abstract: 'Neural networks and climate.' },
];

/** @param {{ code: string, message: string }} failure @param {string} code @param {RegExp} says */
function assertFailure(failure, code, says) {
  assert.equal(failure.code, code, failure.message);
  assert.match(failure.message, says);
  assert.match(failure.message, /[.!]$/, 'a sentence');
}

for (const device of DEVICES) describe(`tasks that adapters do, on ${device} in ${BROWSER}`, () => {
  before(() => set.page.evaluate(async (source, device, tasks) => {
    globalThis.adapterAt = (name) => `${source}adapters/${name}/`;
    const adapters = { one: adapterAt('seq_bn'), two: adapterAt('par_bn') };
    globalThis.tiny = await Specter.load(source, { device, dtype: 'f32', adapters, tasks });
  }, TINY, device, TASKS));
  after(() => set.page.evaluate(() => tiny.dispose()));

  test('are told of, in order, those too whose adapter is not loaded', async () => {
    const { tasks, adapters, similarity } = await set.page.evaluate(() => tiny.info());
    const plain = { experts: null, pooling: 'cls', normalize: false, template: '{title}{sep}{abstract}', similarity: null };
    assert.deepEqual(tasks, [
      { ...plain, ...TASKS.apart, name: 'apart' },
      { ...plain, ...TASKS.later, name: 'later' },
      { ...plain, ...TASKS.near, name: 'near' },
    ]);
    assert.deepEqual([adapters, similarity], [['one', 'two'], null]);
  });

  test('make the vectors of their adapters, in their own way', async () => {
    const { near, one, apart, two, told, asIs, none } = await set.page.evaluate(async (papers) => {
      const embed = async (options, texts = papers) => rowsOf(await tiny.embed(texts, options));
      return {
        near: await embed({ task: 'near' }),
        one: await embed({ adapter: 'one' }),
        apart: await embed({ task: 'apart' }),
        two: await embed({ adapter: 'two', pooling: 'mean', normalize: true }, papers.map(({ abstract }) => abstract)),
        told: await embed({ task: 'apart', pooling: 'cls', normalize: false }),
        asIs: await embed({ task: null }),
        none: await embed({}),
      };
    }, PAPERS);
    assert.deepEqual(near, one);
    assert.deepEqual(apart, two);
    assert.ok(distance(told, apart) > 1e-3, 'what a call says comes before what its task says');
    assert.deepEqual(asIs, none);
    assert.ok(distance(near, none) > 1e-3);
  });

  test('are refused while their adapter is not loaded, with what to do', async () => {
    const { before, during, afterwards } = await set.page.evaluate(async (papers) => {
      const before = await failureOf(tiny.embed(papers, { task: 'later' }));
      await tiny.loadAdapter('three', adapterAt('double_seq_bn'));
      const during = rowsOf(await tiny.embed(papers, { task: 'later' }));
      const direct = rowsOf(await tiny.embed(papers, { adapter: 'three' }));
      await tiny.unloadAdapter('three');
      const afterwards = await failureOf(tiny.embed(papers, { task: 'later' }));
      return { before, during: JSON.stringify(during) === JSON.stringify(direct), afterwards };
    }, PAPERS);
    for (const failure of [before, afterwards]) assertFailure(failure, 'unknown-adapter', /three.*load/is);
    assert.ok(during);
  });

  test('are what heads read that are learned, loaded and kept', async () => {
    const { adapters, scores, again, foreign } = await set.page.evaluate(async (papers) => {
      const examples = ['ice', 'snow', 'fire', 'heat'].map((paper, i) => ({ paper, label: i < 2 ? 'cold' : 'warm' }));
      const byTask = await tiny.fit(examples, { name: 'by task', task: 'near', strength: 1 });
      const byAdapter = await tiny.fit(examples, { name: 'by adapter', adapter: 'one', strength: 1 });
      const scores = [await byTask.score(papers), await byAdapter.score(papers)];
      const loaded = await tiny.loadHead('again', byTask.save());
      const again = await loaded.score(papers);
      const row = (value) => Array.from({ length: 32 }, (_, i) => value * Math.sin(i));
      const model = { coef_: [row(1), row(2), row(3)], intercept_: [0, 0, 0], classes_: ['a', 'b', 'c'] };
      const foreign = [];
      for (const options of [{ task: 'near' }, { adapter: 'one' }]) foreign.push(await (await tiny.loadHead('foreign', model, options)).score(papers));
      const adapters = tiny.info().heads.map(({ name, adapter }) => [name, adapter]);
      for (const [name] of adapters) await tiny.unloadHead(name);
      return { adapters, scores, again, foreign };
    }, PAPERS);
    assert.deepEqual(adapters, [['again', 'one'], ['by adapter', 'one'], ['by task', 'one'], ['foreign', 'one']]);
    assert.deepEqual(scores[0], scores[1]);
    assert.deepEqual(again, scores[0]);
    assert.deepEqual(foreign[0], foreign[1]);
  });

  test('rank labels as their vectors are meant to be compared', async () => {
    const { near, apart, sets } = await set.page.evaluate(async (papers) => {
      const labels = ['protein', 'climate', { name: 'text', definition: 'citations and language' }];
      const sets = [];
      for (const task of ['near', 'apart']) sets.push((await tiny.encodeLabels(labels, { task })).similarity);
      const rank = (options) => tiny.rankLabels(papers, labels, options);
      return {
        near: [await rank({ task: 'near' }), await rank({ adapter: 'one', similarity: 'cosine' })],
        apart: [await rank({ task: 'apart' }), await rank({ task: 'apart', similarity: 'cosine' }), await rank({ task: 'apart', similarity: 'euclidean' })],
        sets,
      };
    }, PAPERS);
    assert.deepEqual(sets, ['cosine', 'dot']);
    assert.deepEqual(near[0], near[1]);
    assert.notDeepEqual(apart[0], apart[2], 'what a call says comes before what its task says');
    // The task's vectors have length 1 whatever they are compared by.
    const byName = (ranked) => ranked.map((one) => one.toSorted((a, b) => (a.label < b.label ? -1 : 1)).map(({ score }) => score));
    const [dot, cosine, euclidean] = apart.map(byName);
    assert.ok(distance(dot, cosine) <= 1e-5);
    assert.ok(distance(euclidean, cosine.map((row) => row.map((score) => -Math.sqrt(Math.max(0, 2 - 2 * score))))) <= 1e-3);
  });

  test('and adapters: one of the two is named', async () => {
    const failures = await set.page.evaluate(async () => {
      const both = { task: 'near', adapter: 'one' };
      const examples = [{ paper: 'ice', label: 'cold' }, { paper: 'fire', label: 'warm' }];
      const model = { coef_: [Array(32).fill(0)], intercept_: [0], classes_: ['a', 'b'] };
      return Promise.all([
        tiny.embed('x', both), tiny.fit(examples, both), tiny.encodeLabels(['a'], both), tiny.rankLabels('x', ['a'], both), tiny.loadHead('h', model, both),
      ].map(failureOf));
    });
    for (const failure of failures) assertFailure(failure, 'invalid-option', /task is “near” and adapter is “one”/);
  });

  test('of another name are unknown, and the sentence lists those that there are', async () => {
    const failures = await set.page.evaluate(async () => {
      const examples = [{ paper: 'ice', label: 'cold' }, { paper: 'fire', label: 'warm' }];
      const options = { task: 'far' };
      const model = { coef_: [Array(32).fill(0)], intercept_: [0], classes_: ['a', 'b'] };
      return Promise.all([
        tiny.embed('x', options), tiny.fit(examples, options), tiny.encodeLabels(['a'], options), tiny.rankLabels('x', ['a'], options), tiny.loadHead('h', model, options),
      ].map(failureOf));
    });
    for (const failure of failures) assertFailure(failure, 'unknown-task', /far.*apart, later, near/s);
  });
});

for (const device of DEVICES) describe(`tasks that experts do, on ${device} in ${BROWSER}`, () => {
  const { published } = golden.cases;

  /** @param {unknown} source @param {Record<string, unknown>} options */
  const embedByTask = (source, options) =>
    set.page.evaluate(async (source, options, papers) => {
      const specter = await Specter.load(source, { dtype: 'f32', ...options });
      const info = specter.info();
      const rows = {};
      for (const { name } of info.tasks) rows[name] = rowsOf(await specter.embed(papers, { task: name }));
      const refused = [await failureOf(specter.embed(papers)), await failureOf(specter.embed(papers, { task: 'regression' }))];
      const labels = ['protein', 'climate', 'text'];
      const ranked = await specter.rankLabels(papers, labels, { task: info.tasks[0].name, topK: 1 });
      await specter.dispose();
      return { info, rows, refused, ranked };
    }, source, { device, ...options }, golden.papers);

  test('give the vectors of the published code', async () => {
    const { info, rows, ranked } = await embedByTask(`${SCIMULT}published/`, PUBLISHED);
    assert.deepEqual(info.tasks.map(({ name, adapter, experts }) => [name, adapter, experts]), [
      ['classification', null, 2], ['link-prediction', null, 1], ['search', null, 0],
    ]);
    for (const [task, expected] of Object.entries(published)) {
      const size = Math.max(1, ...expected.flat().map(Math.abs));
      const apart = distance(rows[task], expected) / size;
      assert.ok(apart <= 5e-5, `${task} differs by ${apart}`);
    }
    assert.ok(distance(rows.search, rows.classification) > 1e-3);
    assert.equal(ranked.length, golden.papers.length);
  });

  test('need to be named: there is no vector without a task', async () => {
    const { refused } = await embedByTask(`${SCIMULT}published/`, PUBLISHED);
    assertFailure(refused[0], 'invalid-option', /task.*classification, link-prediction, search/s);
    assertFailure(refused[1], 'unknown-task', /regression.*classification, link-prediction, search/s);
  });

  for (const cache of [false, true]) {
    test(`may have other names, which come besides, with cache: ${cache}`, async () => {
      const { info, rows } = await embedByTask(`${SCIMULT}published/`, { ...PUBLISHED, cache, tasks: { citing: { experts: 1 } } });
      assert.deepEqual(info.tasks.map(({ name }) => name), ['citing', 'classification', 'link-prediction', 'search']);
      assert.deepEqual(rows.citing, rows['link-prediction']);
    });
  }

  test('are as many as there are sets of experts', async () => {
    const failure = await set.page.evaluate(
      (source, options) => failureOf(Specter.load(source, options)), `${SCIMULT}published/`, { ...PUBLISHED, device, tasks: { more: { experts: 3 } } },
    );
    assertFailure(failure, 'invalid-option', /more.*experts 3.*has 3/s);
  });
});

describe(`what is wrong with tasks in a load, in ${BROWSER}`, () => {
  for (const [what, tasks, says] of /** @type {[string, unknown, RegExp][]} */ ([
    ['no object', 'search', /tasks is an object/],
    ['a list', [{ experts: 0 }], /tasks is an object.*array/],
    ['a task that is none', { search: 'query' }, /tasks\["search"\] are an object/],
    ['a misspelt part', { search: { adaptor: 'query' } }, /tasks\["search"\] has no option “adaptor”.*experts/],
    ['experts that are no number', { search: { experts: 'first' } }, /tasks\["search"\]\.experts.*first/],
    ['experts below the first', { search: { experts: -1 } }, /tasks\["search"\]\.experts.*-1/],
    ['a pooling that there is not', { search: { pooling: 'max' } }, /tasks\["search"\]\.pooling.*max/],
    ['a similarity that there is not', { search: { similarity: 'manhattan' } }, /tasks\["search"\]\.similarity.*manhattan/],
    ['a template without a paper', { search: { template: 'text' } }, /template/],
  ])) {
    test(`${what} is told before anything is asked for`, async () => {
      const failure = await set.page.evaluate((tasks) => failureOf(Specter.load('./nowhere/', { tasks })), tasks);
      assertFailure(failure, 'invalid-option', says);
    });
  }
});

for (const device of DEVICES) describe(`labels by their distance, on ${device} in ${BROWSER}`, () => {
  test('have minus the distance as a score, encoded, saved and read again', async () => {
    const { scores, expected, similarities, again, refused } = await set.page.evaluate(async (source, device, papers) => {
      const specter = await Specter.load(source, { device, dtype: 'f32' });
      const labels = ['protein', 'climate', 'text', 'a graph of citations'];
      const similarity = 'euclidean';
      const found = await specter.rankLabels(papers, labels, { similarity });
      const scores = found.map((one) => labels.map((name) => one.find(({ label }) => label === name).score));
      const vectors = rowsOf(await specter.embed(labels));
      const documents = rowsOf(await specter.embed(papers));
      const expected = documents.map((a) => vectors.map((b) => -Math.hypot(...a.map((x, i) => x - b[i]))));
      const set = await specter.encodeLabels(labels, { similarity });
      const read = specter.loadLabels(set.save());
      const again = [await specter.rankLabels(papers, set), await specter.rankLabels(papers, read), found];
      const refused = await failureOf(specter.rankLabels(papers, read, { similarity: 'cosine' }));
      await specter.dispose();
      return { scores, expected, similarities: [set.similarity, read.similarity], again, refused };
    }, TINY, device, PAPERS);
    const size = Math.max(1, ...expected.flat().map(Math.abs));
    assert.ok(distance(scores, expected) / size <= 1e-4, `scores differ by ${distance(scores, expected)}`);
    assert.deepEqual(similarities, ['euclidean', 'euclidean']);
    for (const one of again[0]) assert.deepEqual(one, one.toSorted((a, b) => b.score - a.score), 'the closest first');
    assert.deepEqual(again[1], again[0]);
    assert.deepEqual(again[2], again[0]);
    assertFailure(refused, 'invalid-option', /'euclidean'.*'cosine'/);
  });
});

describe(`labels that were saved, in ${BROWSER}`, () => {
  test('before they said what they are ranked by are read as before, and what they say is checked', async () => {
    const { similarities, failures } = await set.page.evaluate(async (source) => {
      const specter = await Specter.load(source, { device: 'wasm', dtype: 'f32' });
      /** The file with other metadata. */
      const changed = (bytes, change) => {
        const begin = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
        const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, begin)));
        change(header.__metadata__);
        const text = new TextEncoder().encode(JSON.stringify(header));
        const size = new Uint8Array(8);
        new DataView(size.buffer).setBigUint64(0, BigInt(text.length), true);
        return new Uint8Array([...size, ...text, ...bytes.subarray(begin)]);
      };
      const similarities = [];
      for (const similarity of ['cosine', 'dot']) {
        const bytes = (await specter.encodeLabels(['a', 'b'], { similarity })).save();
        const old = changed(bytes, (metadata) => delete metadata.similarity);
        similarities.push(specter.loadLabels(old).similarity);
      }
      const bytes = (await specter.encodeLabels(['a', 'b'], { similarity: 'euclidean' })).save();
      const failures = [];
      // The vectors of the second are not of length 1.
      for (const similarity of ['manhattan', 'cosine']) {
        failures.push(await failureOf((async () => specter.loadLabels(changed(bytes, (metadata) => (metadata.similarity = similarity))))()));
      }
      await specter.dispose();
      return { similarities, failures };
    }, TINY);
    assert.deepEqual(similarities, ['cosine', 'dot']);
    for (const failure of failures) assertFailure(failure, 'corrupt-file', /no labels/);
  });
});

describe(`tasks where a GPU is lost, in ${BROWSER}`, () => {
  test('are there again, with what came later', async () => {
    const page = await openPage(set.browser, new URL('specter.js', set.server.url).href);
    const { expected, rows, kinds, names } = await page.evaluate(async (source, tasks, papers) => {
      const losses = [];
      const { requestAdapter } = GPU.prototype;
      GPU.prototype.requestAdapter = async function (options) {
        const adapter = await requestAdapter.call(this, options);
        const requestDevice = adapter.requestDevice.bind(adapter);
        Object.defineProperty(adapter, 'info', { value: { vendor: 'test', architecture: '', device: '', description: 'Test GPU', isFallbackAdapter: false } });
        adapter.requestDevice = async (descriptor) => {
          const device = await requestDevice(descriptor);
          const lost = new Promise((resolve) => losses.push(() => resolve({ reason: 'unknown', message: 'Somebody has pulled it out.' })));
          Object.defineProperty(device, 'lost', { value: lost });
          return device;
        };
        return adapter;
      };
      const { warn } = console;
      console.warn = () => {};
      const at = (name) => `${source}adapters/${name}/`;
      const specter = await Specter.load(source, { worker: false, tuning: 'usual', dtype: 'f32', adapters: { one: at('seq_bn'), two: at('par_bn') }, tasks });
      await specter.loadAdapter('three', at('double_seq_bn'));
      const embedAll = async () => {
        const rows = [];
        for (const task of Object.keys(tasks)) rows.push(...rowsOf(await specter.embed(papers, { task })));
        return rows;
      };
      const expected = await embedAll();
      const kinds = [specter.info().device.kind];
      const rows = [];
      for (let round = 0; round < 2; round++) {
        losses.at(-1)();
        rows.push(await embedAll());
        kinds.push(specter.info().device.kind);
      }
      const names = specter.info().tasks.map(({ name }) => name);
      await specter.dispose();
      console.warn = warn;
      return { expected, rows, kinds, names };
    }, TINY, TASKS, PAPERS);
    await page.close();
    assert.deepEqual(kinds, ['webgpu', 'webgpu', 'wasm']);
    for (const one of rows) assert.ok(distance(one, expected) <= 5e-5);
    assert.deepEqual(names, ['apart', 'later', 'near']);
  });
});
