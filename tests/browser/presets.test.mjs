/** Models by a short name: what is written about each, and what comes of it in a load. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';

import { BROWSER, distance, folderWith, SITE, stage } from './stage.mjs';

const set = stage();

/** @type {Record<string, Record<string, any>>} */
const presets = (() => {
  const text = readFileSync(join(SITE, 'www/presets.js'), 'utf8');
  return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
})();

const TINY = folderWith('tiny-bert');
/** A checkpoint with experts, and what stands beside it elsewhere. */
const SCIMULT = new Map([
  [presets.scimult.id, folderWith('scimult/published')],
  [presets.scimult.base.id, folderWith('scimult/base')],
]);
/** Every adapter of the hub is one of these, so that two that differ can be told apart. */
const ADAPTERS = ['seq_bn', 'par_bn'].map((name) => folderWith(`tiny-bert/adapters/${name}`));

/** Paths that were asked for, of files that are there. @type {string[]} */
let asked = [];
/** A hub on which every model is the tiny one, at every revision, but for SciMult. */
const hub = createServer((request, response) => {
  const [, id = '', revision, file = ''] = /^\/(.+)\/resolve\/([^/]+)\/(.+)$/.exec(request.url ?? '') ?? [];
  const isAdapter = /\/specter2(_aug2023refresh)?(_(adhoc_query|classification|regression))?$/.test(id);
  const contents = (isAdapter ? ADAPTERS[id.includes('query') ? 1 : 0] : (SCIMULT.get(id) ?? TINY))?.[file];
  if (contents) asked.push(`${id}@${revision}`);
  response.writeHead(contents ? 200 : 404, { 'Access-Control-Allow-Origin': '*' }).end(contents && Buffer.from(contents, 'base64'));
});
/** @type {string} */
let address;
before(async () => {
  hub.listen(0, '127.0.0.1');
  await once(hub, 'listening');
  address = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (hub.address()).port}`;
});
after(() => {
  hub.close();
  hub.closeAllConnections();
});
beforeEach(async () => {
  asked = [];
  await set.page.evaluate(() => Specter.cache.delete());
});

/**
 * Loads a model, embeds papers, leaves.
 *
 * @param {string} source
 * @param {Record<string, unknown>} [options]
 */
const load = (source, options = {}) =>
  set.page.evaluate(
    async (source, options) => {
      const specter = await Specter.load(source, { dtype: 'f32', ...options });
      const info = specter.info();
      const paper = { title: 'a title', abstract: 'an abstract' };
      const vectors = {};
      const byTask = {};
      for (const adapter of info.adapters) vectors[adapter] = rowsOf(await specter.embed([paper], { adapter }));
      for (const { name, adapter } of info.tasks) {
        if (adapter === null || info.adapters.includes(adapter)) byTask[name] = rowsOf(await specter.embed([paper], { task: name }));
      }
      // With experts, nothing goes without a task.
      const task = info.tasks.find(({ experts }) => experts !== null)?.name ?? null;
      vectors[null] = rowsOf(await specter.embed([paper], { task }));
      const texts = rowsOf(await specter.embed(['a title[SEP]an abstract', 'a title. an abstract'], { task }));
      await specter.dispose();
      return { info, vectors, byTask, texts };
    },
    source,
    { hub: address, ...options },
  );

/** @param {string} source @param {Record<string, unknown>} options */
const failureOf = (source, options) =>
  set.page.evaluate((source, options) => failureOf(Specter.load(source, options)), source, { hub: address, ...options });

const repositories = () => [...new Set(asked)].sort();

describe('the presets', () => {
  test('are all described in full', () => {
    assert.deepEqual(Object.keys(presets), [
      'specter2', 'specter2-2023', 'specter', 'scincl', 'scimult', 'semcse', 'semcse-cosine', 'scibert', 'erc', 'minilm',
    ]);
    const REVISION = /^(main|[0-9a-f]{40})$/;
    for (const [name, preset] of Object.entries(presets)) {
      const { description, id, revision, weights, base, adapters, tasks, template, pooling, normalize, similarity, function: become, license, citation, ...more } = /** @type {typeof presets.erc} */ (preset);
      assert.deepEqual(more, {}, name);
      assert.match(description, /\.$/, name);
      assert.match(id, /^[\w-]+\/[\w.-]+$/, name);
      assert.match(revision, REVISION, name);
      for (const adapter of Object.values(adapters)) {
        assert.deepEqual(Object.keys(adapter), ['id', 'revision'], name);
        assert.match(adapter.id, /^[\w-]+\/[\w.-]+$/, name);
        assert.match(adapter.revision, REVISION, name);
      }
      assert.deepEqual([weights, base?.id], name === 'scimult' ? ['scimult_moe.ckpt', 'microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract'] : [undefined, undefined], name);
      assert.match(base?.revision ?? 'main', REVISION, name);
      // An adapter is there for a task, and a task says which of the model's weights do it.
      const ofAdapters = Object.keys(adapters).map((adapter) => [adapter, { adapter }]);
      const ofExperts = name === 'scimult' ? [['search', { experts: 0 }], ['link-prediction', { experts: 1 }], ['classification', { experts: 2 }]] : [];
      assert.deepEqual(Object.entries(tasks), [...ofAdapters, ...ofExperts], name);
      assert.match(template, /^\{title\}.*\{abstract\}$/, name);
      assert.ok(['cls', 'mean'].includes(pooling), name);
      assert.equal(typeof normalize, 'boolean', name);
      assert.ok(['euclidean', 'cosine', 'dot'].includes(similarity), name);
      assert.equal(become, name === 'erc' ? 'sigmoid' : undefined, name);
      // What SPDX calls it where nobody has stated one.
      assert.match(license, name.startsWith('semcse') ? /^NOASSERTION$/ : /^(Apache-2\.0|MIT)$/, name);
      assert.match(citation, /^\S.*\. .*(arXiv:\d{4}\.\d{5}|https:\/\/\S+)$/, name);
    }
  });
});

describe(`a preset, in ${BROWSER}`, () => {
  for (const [name, preset] of Object.entries(presets)) {
    test(`${name} is read at its revision, with its adapters, and used as it was trained`, async () => {
      const { info, vectors, byTask, texts } = await load(name);
      const all = [preset, ...(preset.base ? [preset.base] : []), ...Object.values(preset.adapters)];
      assert.deepEqual(repositories(), all.map(({ id, revision }) => `${id}@${revision}`).sort());
      const { model, adapters, template, pooling, normalize, similarity } = info;
      assert.deepEqual(
        { preset: info.preset, model, adapters, template, pooling, normalize, similarity },
        {
          preset: name,
          model: preset.id,
          adapters: Object.keys(preset.adapters).sort(),
          template: preset.template,
          pooling: preset.pooling,
          normalize: preset.normalize,
          similarity: preset.similarity,
        },
      );
      assert.deepEqual(
        info.tasks.map(({ name, adapter, experts, similarity }) => ({ name, adapter, experts, similarity })),
        Object.entries(preset.tasks)
          .map(([name, { adapter = null, experts = null }]) => ({ name, adapter, experts, similarity: preset.similarity }))
          .sort((a, b) => (a.name < b.name ? -1 : 1)),
      );
      for (const { name, adapter } of info.tasks) if (adapter !== null) assert.deepEqual(byTask[name], vectors[adapter], name);
      if (name === 'scimult') assert.ok(distance(byTask.search, byTask['link-prediction']) > 1e-3 && distance(byTask.search, byTask.classification) > 1e-3);
      const [separated, joined] = texts;
      assert.ok(distance([separated], [joined]) > 1e-3);
      assert.deepEqual(vectors.null?.[0], preset.template.includes('{sep}') ? separated : joined);
      if (adapters.length) assert.ok(distance(vectors.proximity, vectors.query) > 1e-3 && distance(vectors.proximity, vectors.null) > 1e-3);
    });
  }

  test('gives way to what the caller says', async () => {
    const options = { template: '{abstract}', pooling: 'mean', normalize: true, revision: 'main', adapters: {} };
    const { info } = await load('specter2', options);
    assert.deepEqual(repositories(), ['allenai/specter2_base@main']);
    const { template, pooling, normalize, adapters } = info;
    assert.deepEqual({ template, pooling, normalize, adapters }, { template: '{abstract}', pooling: 'mean', normalize: true, adapters: [] });
  });

  test('has tasks of the caller besides its own, of which one of the same name is replaced', async () => {
    const tasks = { mine: { adapter: 'proximity', similarity: 'cosine' }, query: { adapter: 'query', pooling: 'mean' } };
    const { info } = await load('specter2', { adapters: {}, tasks });
    assert.deepEqual(
      info.tasks.map(({ name, adapter, pooling, similarity }) => [name, adapter, pooling, similarity]),
      [
        ['classification', 'classification', 'cls', 'euclidean'], ['mine', 'proximity', 'cls', 'cosine'], ['proximity', 'proximity', 'cls', 'euclidean'],
        ['query', 'query', 'mean', 'euclidean'], ['regression', 'regression', 'cls', 'euclidean'],
      ],
    );
  });

  test('may be the base of another model, at its revision', async () => {
    const { dims } = await set.page.evaluate(async (contents, hub) => {
      const specter = await Specter.load(filesOf(contents), { hub, base: 'scincl', dtype: 'f32' });
      const { dims } = await specter.embed('a text');
      await specter.dispose();
      return { dims };
    }, { 'model.safetensors': TINY['model.safetensors'], 'config.json': TINY['config.json'] }, address);
    assert.deepEqual(dims, [1, 32]);
    assert.deepEqual(repositories(), [`malteos/scincl@${presets.scincl.revision}`]);
  });

  test('has no task that it does not name, which is told before anything is downloaded', async () => {
    const head = { coef_: [[1]], intercept_: [0], classes_: ['a'] };
    for (const [source, options, says] of /** @type {const} */ ([
      ['specter2', {}, /no task “search”; it has classification, proximity, query, regression\./],
      ['specter2', { tasks: { mine: { adapter: 'query' } } }, /it has classification, mine, proximity/],
      ['scincl', {}, /it has none/],
    ])) {
      const failure = await failureOf(source, { ...options, heads: { field: { source: head, task: 'search' } } });
      assert.equal(failure.code, 'unknown-task', failure.message);
      assert.match(failure.message, says);
    }
    const failure = await set.page.evaluate(async (hub) => {
      const { Ranker } = await import('/suggest/ranker.js');
      const wishes = { model: 'specter2', task: 'search', adapter: null, head: null, labels: ['a', 'b'], dtype: null, device: null, hub };
      const options = { specter: null, owner: document.documentElement, signal: new AbortController().signal, onProgress: () => {} };
      return failureOf(Ranker.open(wishes, options));
    }, address);
    assert.equal(failure.code, 'unknown-task', failure.message);
    assert.match(failure.message, /classification, proximity, query, regression/);
    assert.deepEqual(asked, []);
  });

  test('offers its adapters by their names', async () => {
    const { adapters } = presets.specter2;
    const at = (/** @type {{ id: string, revision: string }} */ { id, revision }) => `${id}@${revision}`;
    const { info, vectors } = await load('specter2', {
      adapters: { proximity: true, search: 'query', again: { source: 'query', revision: 'v1' }, mine: 'someone/specter2' },
    });
    assert.deepEqual(info.adapters, ['again', 'mine', 'proximity', 'search']);
    assert.deepEqual(vectors.search, vectors.again);
    assert.deepEqual(
      repositories(),
      [at(presets.specter2), at(adapters.proximity), at(adapters.query), `${adapters.query.id}@v1`, 'someone/specter2@main'].sort(),
    );
  });

  test('knows its tasks, and does those whose adapters were loaded', async () => {
    const { adapters } = presets.specter2;
    const { tasks, same, refused, after } = await set.page.evaluate(async (hub) => {
      const specter = await Specter.load('specter2', { hub, dtype: 'f32', adapters: { query: true } });
      const rows = async (options) => JSON.stringify(rowsOf(await specter.embed('a text', options)));
      const same = (await rows({ task: 'query' })) === (await rows({ adapter: 'query' }));
      const refused = await failureOf(specter.embed('a text', { task: 'proximity' }));
      await specter.loadAdapter('proximity', 'proximity');
      const after = (await rows({ task: 'proximity' })) === (await rows({ adapter: 'proximity' }));
      const { tasks } = specter.info();
      await specter.dispose();
      return { tasks, same, refused, after };
    }, address);
    assert.deepEqual(tasks.map((/** @type {{ name: string }} */ { name }) => name), ['classification', 'proximity', 'query', 'regression']);
    assert.ok(same && after);
    assert.equal(refused.code, 'unknown-adapter', refused.message);
    assert.match(refused.message, /proximity.*load/is);
    assert.deepEqual(repositories(), [presets.specter2, adapters.proximity, adapters.query].map(({ id, revision }) => `${id}@${revision}`).sort());
  });

  test('compares labels as it was trained to, unless it is told otherwise', async () => {
    const found = await set.page.evaluate(async (hub) => {
      const found = {};
      for (const [source, options] of [['specter2', { adapters: {} }], ['scibert', {}], ['scimult', {}]]) {
        const specter = await Specter.load(source, { hub, ...options });
        const task = source === 'scimult' ? 'classification' : null;
        const encoded = await specter.encodeLabels(['ice', 'fire'], { task });
        const told = await specter.encodeLabels(['ice', 'fire'], { task, similarity: 'cosine' });
        const [scores] = await specter.rankLabels('a text', encoded, { task });
        found[source] = { similarity: encoded.similarity, told: told.similarity, isDistance: scores.every(({ score }) => score < 0) };
        await specter.dispose();
      }
      return found;
    }, address);
    assert.deepEqual(
      Object.fromEntries(Object.entries(found).map(([source, { similarity, told }]) => [source, [similarity, told]])),
      { specter2: ['euclidean', 'cosine'], scibert: ['cosine', 'cosine'], scimult: ['dot', 'cosine'] },
    );
    assert.ok(found.specter2.isDistance, 'minus a distance');
  });

  test('knows its adapters after the load, too, and what they take comes back', async () => {
    const memory = await set.page.evaluate(async (hub) => {
      const specter = await Specter.load('specter2', { hub, adapters: {} });
      const memory = [specter.info().memory];
      await specter.loadAdapter('mine', 'query');
      memory.push(specter.info().memory);
      await specter.unloadAdapter('mine');
      memory.push(specter.info().memory);
      await specter.dispose();
      return memory;
    }, address);
    assert.ok(asked.includes('allenai/specter2_adhoc_query@3f4448817028388648a74349ece07af4518ec5bd'));
    const [before, during, afterwards] = memory.map(({ weights }) => weights);
    assert.ok(during > before);
    assert.equal(afterwards, before);
    assert.ok(memory.every(({ heap }) => heap >= 1 << 20 && heap % 65536 === 0), 'the memory of WebAssembly');
  });

  test('is deleted from the cache by its name, adapters and all', async () => {
    await load('specter2');
    const [before, freed, left] = await set.page.evaluate(
      async (hub) => [await Specter.cache.list(), await Specter.cache.delete('specter2', { hub }), await Specter.cache.list()],
      address,
    );
    assert.equal(before.length, 5);
    assert.ok(freed > 0);
    assert.deepEqual(left, []);
  });

  test('is none of the names that every object has', async () => {
    for (const name of ['toString', '__proto__', 'constructor', 'org/model']) {
      asked = [];
      const { info } = await load(name);
      assert.deepEqual([info.preset, info.similarity], [null, null]);
      assert.deepEqual(repositories(), [`${name}@main`]);
    }
  });

  test('has no adapter that it does not name', async () => {
    for (const [source, name] of /** @type {const} */ ([['specter2', 'other'], ['specter2', 'toString'], ['org/model', 'proximity']])) {
      const failure = await set.page.evaluate(
        (source, name, hub) => failureOf(Specter.load(source, { hub, adapters: Object.fromEntries([[name, true]]) })),
        source,
        name,
        address,
      );
      assert.equal(failure.code, 'invalid-option', failure.message);
      assert.match(failure.message, source === 'specter2' ? /proximity, query, classification, regression/ : /none/);
    }
    const failure = await failureOf('specter2', { adapters: { mine: { source: 'query', reversion: 'x' } } });
    assert.equal(failure.code, 'invalid-option', failure.message);
    assert.match(failure.message, /reversion/);
    assert.deepEqual(asked, []);
  });
});

describe(`what is wrong in the options of a load, in ${BROWSER}`, () => {
  for (const [what, options, says] of /** @type {[string, Record<string, unknown>, RegExp][]} */ ([
    ['a template without a paper in it', { template: 'text' }, /template.*\{title\}/],
    ['a template that is no text', { template: 1 }, /template/],
    ['a pooling that there is not', { pooling: 'max' }, /'cls' or 'mean'.*max/],
    ['a device that there is not', { device: 'gpu' }, /'wasm'.*gpu/],
    ['a normalize that is no boolean', { normalize: 1 }, /normalize/],
    ...[0, -1, 1.5, '2', 'two', true, null].map((threads) => [
      `threads that are ${JSON.stringify(threads)}`, { threads }, new RegExp(`^threads is a whole number .*at least 1; ${threads} is not\\.$`),
    ]),
  ])) {
    test(`${what} is told before anything is downloaded`, async () => {
      const failure = await failureOf('specter2', options);
      assert.equal(failure.code, 'invalid-option', failure.message);
      assert.match(failure.message, says);
      assert.deepEqual(asked, []);
    });
  }

  test('no graphics adapter is told before anything is downloaded', async () => {
    const failure = await set.page.evaluate(async (hub) => {
      const { gpu } = navigator;
      Object.defineProperty(navigator, 'gpu', { value: { requestAdapter: async () => null }, configurable: true });
      const failure = await failureOf(Specter.load('specter2', { hub, device: 'webgpu', worker: false }));
      Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
      return failure;
    }, address);
    assert.equal(failure.code, 'webgpu-unavailable', failure.message);
    assert.deepEqual(asked, []);
  });
});
