/**
 * Heads in the browser: published ones against the scores of their libraries, learned ones against scikit-learn, and
 * labels that are ranked by their meaning.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { ercPanels } from '../../www/labels/erc-panels.js';
import { BROWSER, DEVICES, distance, readJson, stage, watchRequests } from './stage.mjs';

const set = stage();
const TINY = '/fixtures/tiny-bert/';
const HEADS = '/fixtures/heads/';
const golden = readJson('heads/goldens.json');
const learned = readJson('learned/goldens.json');

/** @param {{ code: string, message: string }} failure @param {string} code @param {RegExp} says */
function assertFailure(failure, code, says) {
  assert.equal(failure.code, code, failure.message);
  assert.match(failure.message, says);
}

/**
 * All scores in the order of the labels.
 *
 * @param {{ label: string, score: number }[][]} results
 * @param {string[]} labels
 */
const inOrder = (results, labels) =>
  results.map((scores) => labels.map((label) => /** @type {{ score: number }} */ (scores.find((score) => score.label === label)).score));

/** @param {number[][]} found @param {number[][]} expected @param {number} tolerance */
function assertClose(found, expected, tolerance) {
  const size = Math.max(1, ...expected.flat().map(Math.abs));
  const apart = distance(found, expected) / size;
  assert.ok(apart <= tolerance, `scores differ by ${apart}`);
}

for (const device of DEVICES) describe(`published heads, on ${device} in ${BROWSER}`, () => {
  for (const [name, expected] of Object.entries(golden.models)) {
    test(`the model ${name} gives the scores of its library`, async () => {
      const { info, scores, logits } = await set.page.evaluate(
        async (source, device, papers) => {
          const specter = await Specter.load(source, { device, dtype: 'f32' });
          const scores = await specter.classify(papers, { threshold: -Infinity });
          const logits = await specter.classify(papers, { head: 'classifier', function: 'none' });
          const info = specter.info();
          await specter.dispose();
          return { info, scores, logits };
        },
        `${HEADS}models/${name}/`, device, golden.papers,
      );
      assert.deepEqual(info.heads, [{ name: 'classifier', labels: expected.labels, function: expected.function, adapter: null, layers: 2 }]);
      assertClose(inOrder(scores, expected.labels), expected.scores, 1e-4);
      assertClose(inOrder(logits, expected.labels), expected.logits, 1e-4);
      for (const one of scores) assert.deepEqual(one, one.toSorted((a, b) => b.score - a.score), 'the best first');
    });
  }

  test('a model whose files do not say that several labels can be right is told so', async () => {
    const { said, told, scores } = await set.page.evaluate(async (source, device, papers) => {
      const functions = [];
      let scores;
      for (const more of [{}, { function: 'sigmoid' }]) {
        const specter = await Specter.load(source, { device, dtype: 'f32', ...more });
        functions.push(specter.info().heads[0].function);
        scores = await specter.classify(papers, { threshold: 0 });
        await specter.dispose();
      }
      return { said: functions[0], told: functions[1], scores };
    }, `${HEADS}models/no_problem_type/`, device, golden.papers);
    assert.deepEqual([said, told], ['softmax', 'sigmoid']);
    const { labels, logits } = golden.models.no_problem_type;
    const sigmoids = logits.map((/** @type {number[]} */ row) => row.map((logit) => 1 / (1 + Math.exp(-logit))));
    assertClose(inOrder(scores, labels), sigmoids, 1e-4);
  });

  test('a head that was unloaded stays away, and so does one whose adapter was replaced', async () => {
    const heads = await set.page.evaluate(async (tiny, heads, device) => {
      const specter = await Specter.load(tiny, { device, dtype: 'f32', adapters: { a: `${heads}adapters/layers_1/` } });
      const seen = [];
      const look = () => seen.push(specter.info().heads.map(({ name, labels }) => `${name} ${labels.length}`));
      look();
      const examples = ['x', 'y', 'z'].map((paper, i) => ({ paper, label: `${i % 2}` }));
      await specter.fit(examples, { name: 'reads a', adapter: 'a', strength: 1 });
      look();
      await specter.loadAdapter('a', `${heads}adapters/multilabel/`);
      look();
      await specter.unloadHead('a');
      look();
      await specter.dispose();
      return seen;
    }, TINY, HEADS, device);
    const count = (/** @type {string} */ name) => golden.adapters[name].labels.length;
    assert.deepEqual(heads, [
      [`a ${count('layers_1')}`], [`a ${count('layers_1')}`, 'reads a 2'], [`a ${count('multilabel')}`], [],
    ]);
  });

  test('all heads of adapters live beside each other and give the scores of their library', async () => {
    const cases = Object.entries(golden.adapters).map(([name, { adapter }]) => ({ name, alone: adapter === null }));
    const { info, results } = await set.page.evaluate(
      async (tiny, heads, device, cases, papers) => {
        const specter = await Specter.load(tiny, {
          device,
          dtype: 'f32',
          adapters: Object.fromEntries(cases.filter(({ alone }) => !alone).map(({ name }) => [name, `${heads}adapters/${name}/`])),
          heads: Object.fromEntries(cases.filter(({ alone }) => alone).map(({ name }) => [name, `${heads}adapters/${name}/`])),
        });
        const results = {};
        for (const { name } of cases) results[name] = await specter.classify(papers, { head: name, threshold: -Infinity });
        const info = specter.info();
        await specter.dispose();
        return { info, results };
      },
      TINY, HEADS, device, cases, golden.papers,
    );
    assert.equal(info.heads.length, cases.length);
    for (const [name, { labels, scores }] of Object.entries(golden.adapters)) {
      assertClose(inOrder(results[name], labels), scores, 1e-4);
    }
  });
});

for (const device of DEVICES) describe(`heads that are learned, on ${device} in ${BROWSER}`, () => {
  before(() => set.page.evaluate(async (tiny, device) => {
    globalThis.tiny = await Specter.load(tiny, { device, dtype: 'f32', adapters: { one: `${tiny}adapters/seq_bn/` } });
  }, TINY, device));

  for (const kind of ['multinomial', 'one-vs-rest', 'ridge']) {
    test(`${kind}: the scores are those of scikit-learn, also after being saved and loaded`, async () => {
      const { labels, values, balanced, scores } = learned[kind];
      const examples = golden.papers.map((/** @type {unknown} */ paper, /** @type {number} */ index) => ({
        paper, ...(values ? { value: values[index] } : Array.isArray(labels[index]) ? { labels: labels[index] } : { label: labels[index] }),
      }));
      const { head, found, again } = await set.page.evaluate(async (examples, papers, strength, balanced) => {
        const { Head } = await import('/specter.js');
        const head = await tiny.fit(examples, { name: 'mine', strength, ...(balanced && { classWeights: 'balanced' }) });
        const found = await head.score(papers, { threshold: -Infinity });
        const saved = JSON.parse(JSON.stringify(head.save()));
        await tiny.unloadHead('mine');
        const loaded = await Head.load(tiny, saved, { name: 'again' });
        const again = await loaded.score(papers, { threshold: -Infinity });
        await tiny.unloadHead('again');
        return { head: { ...head, saved }, found, again };
      }, examples, golden.papers, learned.strength, balanced ?? false);
      assert.equal(head.saved.training.kind, kind);
      assert.equal(head.strength, learned.strength);
      assert.deepEqual(head.validation, []);
      assertClose(inOrder(found, head.labels), scores, 2e-4);
      assert.deepEqual(again, found);
    });
  }

  test('a model of scikit-learn is a head', async () => {
    const found = await set.page.evaluate(async (models, papers) => {
      const found = [];
      for (const model of models) {
        const head = await tiny.loadHead('foreign', model);
        found.push(await head.score(papers));
      }
      await tiny.unloadHead('foreign');
      return found;
    }, [learned.multinomial.model, learned.ridge.model], golden.papers);
    assertClose(inOrder(found[0], ['a', 'b', 'c']), learned.multinomial.scores, 1e-4);
    assertClose(inOrder(found[1], ['value']), learned.ridge.scores, 1e-4);
  });

  test('a model of scikit-learn with two classes has one row, and gives the same scores by either function', async () => {
    const { cases, rows, weights, fitted } = await set.page.evaluate(async (papers) => {
      const weights = { coef_: [Array.from({ length: 32 }, (_, i) => 0.75 * Math.sin(i))], intercept_: [-3.5] };
      const model = { ...weights, classes_: ['no', 'yes'] };
      const cases = [];
      const look = async (what, source, options = {}, asked = {}) => {
        const head = await tiny.loadHead('two', source, options);
        const all = await head.score(papers, { ...asked, threshold: 0 });
        const usual = await head.score(papers, asked);
        cases.push({ what, says: asked.function ?? head.function, all, passing: usual.map(({ length }) => length) });
        return head.save();
      };
      const [sigmoid, softmax, none] = ['sigmoid', 'softmax', 'none'].map((name) => ({ function: name }));
      const plain = await look('as it is', model);
      const other = await look('with a function of its own', { ...model, ...sigmoid });
      await look('beside it', { source: model, ...sigmoid });
      await look('as an option', model, sigmoid);
      await look('when it is asked', model, {}, sigmoid);
      await look('after another', model, none, sigmoid);
      await look('saved, as an option', plain, sigmoid);
      await look('saved, when it is asked', plain, {}, sigmoid);
      await look('saved the other way, as an option', other, softmax);
      await look('saved the other way, when it is asked', other, {}, softmax);
      await tiny.unloadHead('two');

      const head = await tiny.fit(papers.map((paper, i) => ({ paper, label: i % 2 ? 'no' : 'yes' })), { strength: 1 });
      const fitted = [await head.score(papers), await head.score(papers, { ...sigmoid, threshold: 0 })];
      const again = await tiny.loadHead('fitted', head.save(), sigmoid);
      fitted.push(await again.score(papers, { threshold: 0 }));
      await tiny.unloadHead('fitted');
      return { cases, rows: rowsOf(await tiny.embed(papers)), weights, fitted };
    }, golden.papers);
    const { coef_: [row], intercept_: [bias] } = weights;
    const expected = rows.map((vector) => {
      const yes = 1 / (1 + Math.exp(-vector.reduce((sum, value, i) => sum + value * row[i], bias)));
      return [1 - yes, yes];
    });
    assert.ok(expected.some(([no]) => no > 0.6) && expected.some(([, yes]) => yes > 0.6), String(expected));
    for (const { what, says, all, passing } of cases) {
      const apart = distance(inOrder(all, ['no', 'yes']), expected);
      assert.ok(apart <= 1e-4, `${what}: ${apart}`);
      assert.deepEqual(passing, expected.map(() => (says === 'sigmoid' ? 1 : 2)), `${what}: what passes of itself`);
    }
    const [first, ...others] = fitted.map((scores) => inOrder(scores, ['no', 'yes']));
    for (const scores of others) assertClose(scores, first, 1e-5);
  });

  test('heads that nobody has named are told apart, also where they are learned at once', async () => {
    const { names, labels, late } = await set.page.evaluate(async () => {
      const lesson = (one, other) => [{ paper: 'glaciers and ice', label: one }, { paper: 'fire and heat', label: other }];
      await failureOf(tiny.fit([]));
      const heads = await Promise.all([['a', 'b'], ['c', 'd'], ['e', 'f']].map((labels) => tiny.fit(lesson(...labels), { strength: 1 })));
      const names = heads.map(({ name }) => name);
      const labels = tiny.info().heads.map(({ name, labels }) => `${name}: ${labels.join()}`);
      await tiny.unloadHead('fitted');
      const { name: late } = await tiny.fit(lesson('g', 'h'), { strength: 1 });
      for (const name of names) await tiny.unloadHead(name);
      return { names, labels, late };
    });
    assert.deepEqual(names, ['fitted', 'fitted 2', 'fitted 3']);
    assert.deepEqual(labels, ['fitted: a,b', 'fitted 2: c,d', 'fitted 3: e,f']);
    assert.equal(late, 'fitted', 'a name is free again where its head has gone');
  });

  test('strengths are compared, with progress, and an abort stops the work', async () => {
    const { phases, validation, strength, failure, dims, left } = await set.page.evaluate(async (papers) => {
      const examples = Array.from({ length: 60 }, (_, i) => ({ paper: `${papers[1]} ${i}`, label: i % 2 ? 'odd' : 'even' }));
      const phases = new Set();
      const head = await tiny.fit(examples, { strength: [0.1, 1, 10], folds: 3, onProgress: ({ phase, loaded, total }) => phases.add(loaded <= total ? phase : 'wrong') });
      const stop = new AbortController();
      const many = Array.from({ length: 600 }, (_, i) => ({ paper: `${papers[1]} ${i * i}`, label: `label ${i % 5}` }));
      const strength = Array.from({ length: 80 }, (_, i) => 10 ** (i / 20 - 2));
      const failure = await failureOf(tiny.fit(many, { name: 'late', strength, folds: 10, signal: stop.signal, onProgress: ({ phase }) => phase === 'fit' && stop.abort() }));
      const { dims } = await tiny.embed('it goes on');
      const left = tiny.info().heads.map(({ name }) => name);
      await tiny.unloadHead('fitted');
      return { phases: [...phases], validation: head.validation, strength: head.strength, failure, dims, left };
    }, golden.papers);
    assert.deepEqual(phases.toSorted(), ['embed', 'fit']);
    assert.deepEqual(validation.map((/** @type {{ strength: number }} */ { strength }) => strength), [0.1, 1, 10]);
    assert.ok([0.1, 1, 10].includes(strength));
    assertFailure(failure, 'aborted', /AbortSignal/);
    assert.deepEqual(dims, [1, 32]);
    assert.deepEqual(left, ['fitted']);
  });

  test('a head that reads an adapter goes with it', async () => {
    const { adapter, heads, failure } = await set.page.evaluate(async (tiny_, papers) => {
      const examples = papers.slice(0, 6).map((paper, index) => ({ paper, label: index % 2 ? 'a' : 'b' }));
      const head = await tiny.fit(examples, { name: 'reads', adapter: 'one', strength: 1 });
      const saved = head.save();
      await tiny.unloadAdapter('one');
      const heads = tiny.info().heads.map(({ name }) => name);
      const failure = await failureOf(tiny.loadHead('reads', saved));
      await tiny.loadAdapter('other name', `${tiny_}adapters/seq_bn/`);
      const { adapter } = await tiny.loadHead('reads', saved);
      await tiny.unloadHead('reads');
      return { adapter, heads, failure };
    }, TINY, golden.papers);
    assert.deepEqual(heads, []);
    assertFailure(failure, 'unsupported-head', /adapter “?"?one/);
    assert.equal(adapter, 'other name', 'an adapter is known by its weights');
  });

  const mistakes = /** @type {const} */ ([
    ['no examples', `tiny.fit([])`, 'invalid-input', /no examples/],
    ['one class only', `tiny.fit([{ paper: 'x', label: 'a' }, { paper: 'y', label: 'a' }])`, 'invalid-input', /label "a".*another label/],
    ['an example without a paper', `tiny.fit([{ label: 'a' }])`, 'invalid-input', /examples\[0\] has no paper/],
    ['labels and values mixed', `tiny.fit([{ paper: 'x', label: 'a' }, { paper: 'y', value: 1 }])`, 'invalid-input', /all of them/],
    ['a value that is no number', `tiny.fit([{ paper: 'x', value: NaN }, { paper: 'y', value: 1 }])`, 'invalid-input', /examples\[0\].value/],
    ['a strength of nothing', `tiny.fit([{ paper: 'x', label: 'a' }, { paper: 'y', label: 'b' }], { strength: 0 })`, 'invalid-option', /strength of 0/],
    ['a weight for nobody', `tiny.fit([{ paper: 'x', label: 'a' }, { paper: 'y', label: 'b' }], { classWeights: { c: 1 } })`, 'invalid-option', /"c"/],
    ['coefficients that are not finite', `tiny.loadHead('h', { coef_: [[NaN]], intercept_: [0], classes_: ['a', 'b'] })`, 'unsupported-head', /finite/],
    ['classes that are no array', `tiny.loadHead('h', { coef_: [Array(32).fill(0)], intercept_: [0], classes_: 'ab' })`, 'unsupported-head', /classes_ are not an array/],
    ['coefficients of another width', `tiny.loadHead('h', { coef_: [[1, 2]], intercept_: [0], classes_: ['a', 'b'] })`, 'unsupported-head', /2 weights.*32 components/],
    ['a label twice', `tiny.loadHead('h', { coef_: [Array(32).fill(0), Array(32).fill(0), Array(32).fill(0)], intercept_: [0, 0, 0], classes_: ['a', 'a', 'b'] })`, 'unsupported-head', /twice/],
    ['a head that is not loaded', `tiny.classify('x', { head: 'nobody' })`, 'unknown-head', /"nobody"/],
    ['no head at all', `tiny.classify('x')`, 'unknown-head', /No head is loaded/],
    ['no labels', `tiny.rankLabels('x', [])`, 'invalid-input', /no labels/],
    ['too many labels', `tiny.rankLabels('x', Array.from({ length: 100001 }, (_, i) => 'label ' + i))`, 'invalid-input', /100001 labels/],
    ['the same label twice', `tiny.rankLabels('x', ['a', 'b', 'a'])`, 'invalid-input', /“a” is there twice/],
    ['a label without a name', `tiny.rankLabels('x', ['a', { definition: 'b' }])`, 'invalid-input', /labels\[1\]/],
    ['a misspelt option', `tiny.classify('x', { treshold: 1 })`, 'invalid-option', /treshold/],
    ['a threshold that is none', `tiny.classify('x', { threshold: '0.5' })`, 'invalid-option', /threshold is a number/],
  ]);
  for (const [what, call, code, says] of mistakes) {
    test(`${what}: ${code}`, async () => {
      assertFailure(await set.page.evaluate(async (call) => failureOf((0, eval)(`(async () => ${call})()`)), call), code, says);
    });
  }

  test('a head of other weights or of another dtype is refused', async () => {
    const failures = await set.page.evaluate(async (tinyFolder, heads, papers) => {
      const examples = papers.slice(0, 6).map((paper, index) => ({ paper, label: index % 2 ? 'a' : 'b' }));
      const saved = (await tiny.fit(examples, { strength: 1 })).save();
      await tiny.unloadHead('fitted');
      const failures = [];
      for (const [source, dtype] of [[tinyFolder, 'q8'], [`${heads}models/single_label/`, 'f32']]) {
        const other = await Specter.load(source, { device: 'wasm', dtype });
        failures.push(await failureOf(other.loadHead('h', saved)));
        await other.dispose();
      }
      return failures;
    }, TINY, HEADS, golden.papers);
    assertFailure(failures[0], 'unsupported-head', /vectors in f32.*loaded in q8/);
    assertFailure(failures[1], 'unsupported-head', /other weights/);
  });
});

test('the panels that are shipped are 28, each with a name, a code and a definition of its own', () => {
  assert.equal(ercPanels.length, 28);
  for (const key of /** @type {const} */ (['name', 'code', 'definition'])) {
    assert.equal(new Set(ercPanels.map((panel) => panel[key])).size, 28, key);
  }
  for (const { code, definition } of ercPanels) {
    const words = definition.split(' ').length;
    assert.ok(words >= 20 && words <= 45, `${code} has ${words} words`);
  }
});

for (const device of DEVICES) describe(`labels by meaning, on ${device} in ${BROWSER}`, () => {
  test('the ranking is that of the cosines of vectors, with few labels and with many, encoded, saved and loaded', async () => {
    const { ranked, expected, again, refused } = await set.page.evaluate(async (tinyFolder, device, papers) => {
      const specter = await Specter.load(tinyFolder, { device, dtype: 'f32' });
      const cosine = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
      const ranked = [];
      const expected = [];
      for (const count of [3, 400]) {
        const labels = Array.from({ length: count }, (_, i) => (i % 2 ? `label ${i}` : { name: `label ${i}`, definition: `about ${papers[1]} ${i * 7}` }));
        ranked.push(await specter.rankLabels(papers, labels, { topK: 2 }));
        const texts = labels.map((label) => (typeof label === 'string' ? label : `${label.name}[SEP]${label.definition}`));
        const vectors = rowsOf(await specter.embed(texts, { normalize: true }));
        const documents = rowsOf(await specter.embed(papers, { normalize: true }));
        expected.push(documents.map((document) => vectors.map((vector) => cosine(vector, document)).sort((a, b) => b - a).slice(0, 2)));
      }
      const set = await specter.encodeLabels(['glaciers', 'networks']);
      const first = await specter.rankLabels(papers, set);
      const read = specter.loadLabels(set.save());
      const second = await specter.rankLabels(papers, read);
      const other = await Specter.load(tinyFolder, { device: 'wasm', dtype: 'q8' });
      const refused = [await failureOf(other.rankLabels(papers, read)), await failureOf((async () => specter.loadLabels(new Uint8Array(40)))())];
      await other.dispose();
      await specter.dispose();
      return { ranked, expected, again: [first, second], refused };
    }, TINY, device, golden.papers);
    ranked.forEach((papers, index) => {
      assertClose(papers.map((scores) => scores.map(({ score }) => score)), expected[index], 1e-4);
    });
    assert.deepEqual(again[1], again[0]);
    assertFailure(refused[0], 'invalid-input', /encoded by.*f32.*q8.*encode them again/);
    assertFailure(refused[1], 'corrupt-file', /no labels/);
  });

  test('after load, and once the solver is there, nothing is asked of any server', async () => {
    await set.page.evaluate(async (tinyFolder, device) => {
      globalThis.quiet = await Specter.load(tinyFolder, { device });
      globalThis.lesson = [{ paper: 'glaciers and ice', label: 'ice' }, { paper: 'fire and heat', label: 'fire' }];
      await quiet.fit(lesson, { strength: 1 });
    }, TINY, device);
    const requests = watchRequests();
    const results = await set.page.evaluate(async () => {
      const head = await quiet.fit(lesson, { strength: 10 });
      const results = [await head.score('ice'), await quiet.rankLabels('ice', ['ice', 'fire'])];
      await quiet.dispose();
      return results;
    });
    requests.end();
    assert.deepEqual(requests.paths, []);
    for (const [scores] of results) assert.equal(scores.length, 2);
  });
});

describe(`how long it takes, with all-MiniLM-L6-v2 on the CPU in ${BROWSER}`, () => {
  const MODEL = '/models/all-MiniLM-L6-v2-q8/';

  test('one of 30,000 labels is found while somebody types', async (t) => {
    const { ranked, embedded, best } = await set.page.evaluate(async (model) => {
      const { LabelSet } = await import('/specter.js');
      const specter = await Specter.load(model, { device: 'wasm' });
      const paper = { title: 'Glaciers of the Andes', abstract: 'Radiocarbon dates from forty moraines show three advances within the last two thousand years, and a retreat since 1870.' };
      const [count, width] = [30_000, 384];
      // Vectors of no meaning, but for one, which is the paper's own.
      const vectors = Float32Array.from({ length: count * width }, (_, i) => Math.sin(i * 1.37) / 14);
      const { data } = await specter.embed(paper, { normalize: true });
      vectors.set(data, 12_345 * width);
      const seed = (await specter.encodeLabels(['a label'])).contents();
      const labels = new LabelSet(Array.from({ length: count }, (_, i) => `label ${i}`), vectors, seed.input);
      const [[best]] = await specter.rankLabels(paper, labels);
      const median = async (call) => {
        const times = [];
        for (let i = 0; i < 9; i++) {
          const start = performance.now();
          await call();
          times.push(performance.now() - start);
        }
        return times.sort((a, b) => a - b)[4];
      };
      const ranked = await median(() => specter.rankLabels(paper, labels));
      const embedded = await median(() => specter.embed(paper));
      await specter.dispose();
      return { ranked, embedded, best };
    }, MODEL);
    t.diagnostic(`a paper among 30,000 labels: ${ranked.toFixed(1)} ms, of which its own vector ${embedded.toFixed(1)} ms`);
    assert.equal(best.label, 'label 12345');
    assert.ok(Math.abs(best.score - 1) < 1e-3, String(best.score));
  });

  test('2000 examples of seven labels are learned, and the worker is never taken for long', async (t) => {
    const { seconds, steps, longest, right } = await set.page.evaluate(async (model) => {
      const specter = await Specter.load(model, { device: 'wasm' });
      const words = ['glacier', 'surgery', 'election', 'market', 'poem', 'protein', 'network'];
      const examples = Array.from({ length: 2000 }, (_, i) => ({ paper: `${words[i % 7]} ${(i * 7919) % 997}`, label: words[i % 7] }));
      const times = [];
      const head = await specter.fit(examples, { onProgress: ({ phase }) => phase === 'fit' && times.push(performance.now()) });
      const results = await head.score(words.map((word) => `a ${word}`), { topK: 1 });
      await specter.dispose();
      const gaps = times.slice(1).map((time, i) => time - times[i]);
      return { seconds: (times.at(-1) - times[0]) / 1000, steps: times.length, longest: Math.max(...gaps), right: results.filter(([{ label }], i) => label === words[i]).length };
    }, MODEL);
    t.diagnostic(`2000 examples, 384 components, 7 labels, cross-validated: ${seconds.toFixed(1)} s in ${steps} turns of up to ${longest.toFixed(0)} ms`);
    assert.equal(right, 7);
  });
});
