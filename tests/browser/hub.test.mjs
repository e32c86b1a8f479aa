/** Loading over the network, from a server that answers as a hub does, on other origins than the page's. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';

import { startHub } from './hub/server.mjs';
import { BROWSER, SITE, folderWith, foldersIn, repositoryOf, stage, workersOf } from './stage.mjs';

const set = stage();
const WEIGHTS = 'model.safetensors';

const TINY = repositoryOf('tiny-bert');
const ADAPTER = repositoryOf('tiny-bert/adapters/seq_bn');
const HEAD = repositoryOf('heads/adapters/alone');

/** The same model as PyTorch saved it. @param {string} file */
const pickled = (file) => {
  const { [WEIGHTS]: _, ...others } = TINY;
  return { ...others, 'pytorch_model.bin': readFileSync(join(SITE, 'tests/fixtures/torch', file)) };
};

/**
 * A safetensors file with so many bytes in its middle that no model asks for.
 *
 * @param {Buffer} bytes
 * @param {number} more
 */
function inflated(bytes, more) {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8'));
  const data = bytes.subarray(8 + length);
  const tensors = Object.values(header).filter((entry) => entry.data_offsets);
  const middle = tensors.map(({ data_offsets: [start] }) => start).sort((a, b) => a - b)[tensors.length >> 1];
  for (const entry of tensors) {
    if (entry.data_offsets[0] >= middle) entry.data_offsets = entry.data_offsets.map((/** @type {number} */ at) => at + more);
  }
  header.unused = { dtype: 'U8', shape: [more], data_offsets: [middle, middle + more] };
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, data.subarray(0, middle), Buffer.alloc(more), data.subarray(middle)]);
}

/** @type {Awaited<ReturnType<typeof startHub>>} */
let hub;
before(async () => void (hub = await startHub()));
after(() => hub.close());
beforeEach(() => void (hub.log.length = 0));

/** Each test has repositories of its own, so that what one has stored serves no other. */
let count = 0;
const newId = (/** @type {string} */ name) => `org${++count}/${name}`;

/**
 * @param {Record<string, import('./hub/server.mjs').Contents>} files
 * @param {import('./hub/server.mjs').Manners} [manners]
 */
function addModel(files = TINY, manners = {}) {
  const id = newId('tiny');
  return { id, base: hub.add(id, files, manners) };
}

function addAdapter() {
  const id = newId('adapter');
  hub.add(id, ADAPTER);
  return id;
}

/** The files of a model with large weights, of which most are not needed. */
const LARGE = { ...TINY, [WEIGHTS]: inflated(TINY[WEIGHTS], 12_000_000) };

/**
 * Loads, embeds once, disposes.
 *
 * @param {string} source
 * @param {Record<string, unknown>} [options]
 */
async function loadOnce(source, options = {}) {
  return set.page.evaluate(
    async (source, options) => {
      const steps = [];
      const specter = await Specter.load(source, { dtype: 'f32', ...options, onProgress: (step) => steps.push(step) });
      const embeddings = await specter.embed(['a text']);
      const info = specter.info();
      await specter.dispose();
      return { dims: embeddings.dims, rows: rowsOf(embeddings), steps, info };
    },
    source,
    { hub: hub.url, ...options },
  );
}

/** What the model computes that a person has chosen from the disk. */
async function expectedRows() {
  return set.page.evaluate(async (contents) => {
    const specter = await Specter.load(filesOf(contents), { dtype: 'f32' });
    const rows = rowsOf(await specter.embed(['a text']));
    await specter.dispose();
    return rows;
  }, folderWith('tiny-bert'));
}

/**
 * @param {string} source
 * @param {Record<string, unknown>} [options]
 */
async function failOnce(source, options = {}) {
  const failure = await set.page.evaluate((source, options) => failureOf(Specter.load(source, options)), source, { hub: hub.url, ...options });
  assert.equal(await workersOf(set.page, 0), 0, 'a worker is left');
  return failure;
}

describe(`a model from a hub, in ${BROWSER}`, () => {
  test('is read by its id, redirects and all, with an adapter', async () => {
    const { id } = addModel();
    const { dims, info } = await loadOnce(id, { adapters: { proximity: addAdapter() } });
    assert.deepEqual(dims, [1, 32]);
    assert.deepEqual(info.adapters, ['proximity']);
    const asked = hub.log.map(({ server, path }) => `${server} ${path}`);
    assert.ok(asked.includes(`hub /${id}/resolve/main/config.json`));
    assert.ok(asked.includes(`cdn /${id}/resolve/main/${WEIGHTS}`));
    assert.ok(hub.log.every(({ method }) => method === 'GET'));
  });

  test('tells how each download proceeds, to its last byte', async () => {
    const { steps } = await loadOnce(addModel().id, { hub: `${hub.url}/` });
    for (const file of ['config.json', WEIGHTS]) {
      const downloads = steps.filter((step) => step.phase === 'download' && step.file === file);
      assert.ok(downloads.length > 0, `no progress of ${file}`);
      const { length } = TINY[file];
      assert.deepEqual(downloads.at(-1), { phase: 'download', file, loaded: length, total: length, fromCache: false });
      downloads.reduce((before, { loaded }) => (assert.ok(loaded >= before), loaded), 0);
    }
    const counts = (/** @type {string} */ phase) =>
      steps.filter((step) => step.phase === phase).map(({ loaded, total }) => [loaded, total]);
    const [loaded, total] = counts('weights').at(-1);
    assert.ok(loaded === total && total > 0, 'all weights are loaded');
    assert.deepEqual(counts('pipelines'), [[0, 1], [1, 1]]);
  });

  test('is read at a revision, named in the id or as an option', async () => {
    const { id } = addModel();
    const adapter = addAdapter();
    await loadOnce(`${id}@v1`);
    assert.ok(hub.log.some(({ path }) => path === `/${id}/resolve/v1/config.json`));

    const { id: other } = addModel();
    await loadOnce(other, { revision: 'v1', adapters: { a: adapter } });
    assert.ok(hub.log.some(({ path }) => path === `/${other}/resolve/v1/config.json`));
    assert.ok(hub.log.some(({ path }) => path === `/${adapter}/resolve/main/adapter_config.json`));
  });

  test('is read from the address of a folder, with or without its last slash', async () => {
    for (const end of ['', '/']) {
      const { base } = addModel();
      const { dims } = await loadOnce(base.replace(/\/$/, end));
      assert.deepEqual(dims, [1, 32]);
    }
  });

  test('gets the given headers, which go to no other origin', async () => {
    const headers = { authorization: 'Bearer key' };
    const { dims } = await loadOnce(addModel(TINY, { token: 'key' }).id, { headers });
    assert.deepEqual(dims, [1, 32]);
    for (const { server, method, authorization } of hub.log) {
      if (method === 'GET') assert.equal(authorization, server === 'hub' ? 'Bearer key' : undefined);
    }
    assert.ok(hub.log.some(({ server }) => server === 'cdn'));

    hub.log.length = 0;
    const other = addAdapter();
    await loadOnce('/fixtures/tiny-bert/', { headers, adapters: { other: `${hub.url}/${other}/resolve/main/` } });
    assert.ok(hub.log.length > 0 && hub.log.every(({ authorization }) => authorization === undefined));
  });

  test('has heads that get the given headers where they are of its own origin, and none where they are not', async () => {
    const headers = { authorization: 'Bearer key' };
    const head = newId('head');
    const address = hub.add(head, HEAD, { token: 'key' });
    const { info } = await loadOnce(addModel(TINY, { token: 'key' }).id, { headers, heads: { 'by id': head, 'by address': { source: `${address}?second` } } });
    assert.deepEqual(info.heads.map((/** @type {{ name: string }} */ { name }) => name), ['by address', 'by id']);

    hub.log.length = 0;
    const other = newId('head');
    hub.add(other, HEAD);
    await loadOnce('/fixtures/tiny-bert/', { headers, heads: { other } });
    assert.ok(hub.log.length > 0 && hub.log.every(({ authorization }) => authorization === undefined));
  });

  for (const worker of [true, false]) {
    test(`gets headers that are a Headers, with worker: ${worker}`, async () => {
      const { id } = addModel(TINY, { token: 'key' });
      const [adapter, beside] = [newId('adapter'), newId('adapter')];
      hub.add(adapter, ADAPTER, { token: 'other' });
      hub.add(beside, ADAPTER, { token: 'key' });
      const adapters = await set.page.evaluate(
        async (id, adapter, beside, options) => {
          const keyed = (/** @type {string} */ key) => new Headers({ Authorization: `Bearer ${key}` });
          // Of two keys, what is said of the adapter alone is the adapter's.
          const own = { source: adapter, headers: { AUTHORIZATION: 'Bearer other' } };
          const specter = await Specter.load(id, { ...options, headers: keyed('key'), adapters: { own, beside } });
          await specter.loadAdapter('later', adapter, { headers: keyed('other') });
          const { adapters } = specter.info();
          await specter.dispose();
          return adapters;
        },
        id, adapter, beside, { hub: hub.url, worker, cache: false },
      );
      assert.deepEqual(adapters, ['beside', 'later', 'own']);
    });
  }

  test('is not asked for with headers that are none', async () => {
    const { id } = addModel();
    for (const headers of [5, 'key', [['authorization', 'key']], { authorization: 5 }, { 'two words': 'key' }, { key: 'two\nlines' }]) {
      for (const options of [{ headers }, { adapters: { a: { source: id, headers } } }, { heads: { h: { source: id, headers } } }]) {
        const failure = await failOnce(id, options);
        assert.equal(failure.code, 'invalid-option', `${JSON.stringify(options)}: ${failure.message}`);
        assert.match(failure.message, /^headers /);
      }
    }
    assert.deepEqual(hub.log, []);
  });

  for (const file of ['tiny_bert.bin', 'tiny_bert_for_pretraining_2019.bin']) {
    test(`is read from ${file}, as PyTorch saved it`, async () => {
      const { rows } = await loadOnce(addModel(pickled(file)).id);
      assert.deepEqual(rows, await expectedRows());
    });
  }

  test('is read in pieces where it is large, and whatever is not needed stays away', async () => {
    const { rows, steps } = await loadOnce(addModel(LARGE, { delay: 3 }).id);
    assert.deepEqual(rows, await expectedRows());
    const size = LARGE[WEIGHTS].length;
    const downloads = steps.filter((step) => step.phase === 'download' && step.file === WEIGHTS);
    assert.deepEqual([downloads.at(-1).loaded, downloads.at(-1).total], [size, size]);
    assert.ok(hub.log.some(({ range }) => range), 'what is not needed is passed over');
  });

  test('survives a bad network: busy, slow, cut', async () => {
    const expected = await expectedRows();
    for (const manners of [
      { status: 429, times: 3, retryAfter: '0' },
      { status: 500, times: 2 },
      { status: 0, times: 2 },
      { cuts: [1000, 100_000, 2_000_000, LARGE[WEIGHTS].length - 1000] },
      { ranges: false, cuts: [1000, 100_000] },
      { length: false },
      { gzip: true },
      { expose: [], cuts: [1000, 3_000_000] },
    ]) {
      const { rows } = await loadOnce(addModel(LARGE, { ...manners, files: /safetensors$/ }).id);
      assert.deepEqual(rows, expected, JSON.stringify(manners));
    }
  });
});

describe(`a model whose folder does not have all of it, in ${BROWSER}`, () => {
  const { [WEIGHTS]: weights, ...BESIDE } = TINY;
  /** Weights that are not those of the model. */
  const OTHER = repositoryOf('heads/models/single_label');

  test('is completed from another one, but for weights, and answers the same', async () => {
    const expected = await expectedRows();
    for (const own of [{ [WEIGHTS]: weights }, { [WEIGHTS]: weights, 'config.json': BESIDE['config.json'] }]) {
      const id = newId('tiny');
      const base = newId('base');
      hub.add(id, own);
      // What the model has itself is not looked for elsewhere, and weights never are.
      hub.add(base, { ...OTHER, ...BESIDE, [WEIGHTS]: OTHER[WEIGHTS] });
      hub.log.length = 0;
      const { rows, info } = await loadOnce(id, { base });
      assert.deepEqual(rows, expected);
      assert.equal(info.model, id);
      const asked = hub.log.filter(({ status, path }) => status === 200 && path.startsWith(`/${base}/`)).map(({ path }) => path.split('/').at(-1));
      assert.ok(asked.includes('vocab.txt') && !asked.includes(WEIGHTS), asked.join());
      assert.equal(asked.includes('config.json'), !('config.json' in own));
    }
  });

  test('has no weights where only the other one has some', async () => {
    const id = newId('tiny');
    hub.add(id, BESIDE);
    const base = newId('base');
    for (const name of [WEIGHTS, 'pytorch_model.bin']) {
      hub.add(base, { [name]: weights });
      const failure = await failOnce(id, { base });
      assert.equal(failure.code, 'model-not-found', failure.message);
      assert.equal(failure.file, WEIGHTS);
    }
  });

  test('is a checkpoint by its name and a base at a revision, as SciMult is published', async () => {
    const id = newId('scimult');
    const base = newId('base');
    hub.add(id, repositoryOf('scimult/published'));
    hub.add(base, repositoryOf('scimult/base'));
    const rows = await set.page.evaluate(async (id, options) => {
      const all = [];
      for (const cache of [false, true, true]) {
        const specter = await Specter.load(id, { ...options, dtype: 'f32', tuning: 'usual', cache });
        all.push(rowsOf(await specter.embed(['a text'], { task: 'search' })));
        await specter.dispose();
      }
      return all;
    }, id, { hub: hub.url, base: `${base}@v1`, weights: 'scimult_moe.ckpt' });
    assert.deepEqual(rows[1], rows[0]);
    assert.deepEqual(rows[2], rows[0]);
    const paths = hub.log.filter(({ status }) => status < 300).map(({ path }) => path);
    assert.ok(paths.includes(`/${base}/resolve/v1/config.json`));
    assert.ok(paths.includes(`/${id}/resolve/main/scimult_moe.ckpt`));
    const wrong = await failOnce(id, { base, weights: 'scimult.ckpt' });
    assert.equal(wrong.code, 'model-not-found', wrong.message);
    assert.match(wrong.message, /scimult\.ckpt/);
  });

  test('sends its headers to the base where that is of its own origin, and nowhere else', async () => {
    const headers = { authorization: 'Bearer key' };
    const id = newId('tiny');
    hub.add(id, { [WEIGHTS]: weights }, { token: 'key' });
    const base = newId('base');
    const address = hub.add(base, BESIDE, { token: 'key' });
    assert.deepEqual((await loadOnce(id, { base, headers })).dims, [1, 32]);

    hub.log.length = 0;
    hub.add(base, BESIDE);
    const failure = await failOnce('/fixtures/no-such-model/', { base: address, headers });
    assert.equal(failure.code, 'model-not-found', failure.message);
    assert.ok(hub.log.length > 0 && hub.log.every(({ authorization }) => authorization === undefined));
  });

  test('has hashes for files of both places', async () => {
    const sha256 = (/** @type {Buffer} */ bytes) => createHash('sha256').update(bytes).digest('hex');
    const id = newId('tiny');
    hub.add(id, { [WEIGHTS]: weights });
    const base = newId('base');
    hub.add(base, BESIDE);
    const integrity = { [WEIGHTS]: sha256(weights), 'config.json': sha256(BESIDE['config.json']) };
    assert.deepEqual((await loadOnce(id, { base, integrity })).dims, [1, 32]);
    const failure = await failOnce(id, { base, integrity: { ...integrity, 'config.json': sha256(weights) } });
    assert.equal(failure.code, 'corrupt-file', failure.message);
    assert.match(failure.message, /config\.json/);
  });
});

describe(`a model in blocks of some KB, in ${BROWSER}`, () => {
  const published = foldersIn('published').map((name) => [`published ${name}`, repositoryOf(`published/${name}`)]);
  for (const [what, files] of /** @type {[string, Record<string, Buffer>][]} */ ([
    [WEIGHTS, TINY],
    ['a zip file of PyTorch', pickled('tiny_bert.bin')],
    ['a PyTorch file of 2019', pickled('tiny_bert_for_pretraining_2019.bin')],
    ...published,
  ])) {
    test(`as ${what} is the same as in one piece, cuts and all`, async () => {
      const { base } = addModel(files, { files: /\.(bin|safetensors)$/, cuts: [9000, 60_000, 61_000, 120_000] });
      const { rows, steps } = await set.page.evaluate(async (base, contents) => {
        const inHere = (path) => import(new URL(path, location.href).href);
        const [{ openHttpFile }, { default: init, Engine }, { CpuProcessor }] = await Promise.all(
          ['/http.js', '/wasm/specter_web.js', '/cpu/processor.js'].map(inHere),
        );
        await init();
        const processor = await CpuProcessor.start();
        const embedFrom = async (folder) => {
          const engine = await Engine.load(folder, { dtype: 'f32', processor });
          const rows = rowsOf(await engine.embed(['a text'], {}));
          engine.free();
          return rows;
        };
        const steps = [];
        const { signal } = new AbortController();
        const open = (file) =>
          openHttpFile(new URL(file, base), {
            folder: 'tiny', file, headers: {}, signal, onProgress: (step) => steps.push(step), block: 2048, pause: 1,
          });
        const inMemory = new Map(filesOf(contents).map((file) => [file.name, file]));
        const whole = async (name) => {
          const file = inMemory.get(name);
          if (!file) return null;
          return { size: file.size, read: async (start, end) => new Uint8Array(await file.slice(start, end).arrayBuffer()) };
        };
        const rows = [await embedFrom({ name: 'blocks', open }), await embedFrom({ name: 'whole', open: whole })];
        return { rows, steps };
      }, base, Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, bytes.toString('base64')])));
      assert.deepEqual(rows[0], rows[1]);
      const weights = hub.log.filter(({ path, status }) => /\.(bin|safetensors)$/.test(path) && status < 300);
      assert.ok(weights.length >= 2 && weights.length < 40, `${weights.length} requests`);
      steps.forEach(({ loaded, total }) => assert.ok(loaded <= total));
    });
  }
});

describe(`a folder that is closed, in ${BROWSER}`, () => {
  test('closes its connections', async () => {
    const { base } = addModel(LARGE, { delay: 50 });
    await set.page.evaluate(async (base) => {
      const inHere = (path) => import(new URL(path, location.href).href);
      const { placeOf, openFolder } = await inHere('/folder.js');
      const { signal } = new AbortController();
      globalThis.folder = openFolder(placeOf(base, { hub: '' }), { signal, onProgress: () => {} });
      globalThis.file = await folder.open('model.safetensors');
      await file.read(0, 10);
      folder.close();
    }, base);
    await new Promise((passed) => setTimeout(passed, 500));
    const { sent, closed } = hub.log.at(-1) ?? {};
    assert.ok(closed && sent < LARGE[WEIGHTS].length, `${sent} bytes were sent`);
    const failure = await set.page.evaluate(() => failureOf(file.read(5_000_000, 5_000_010)));
    assert.equal(failure.code, 'aborted', failure.message);
  });
});

describe(`a server that gives no model, in ${BROWSER}`, () => {
  /**
   * Loads from a repository that misbehaves, which fails, and again when it is well.
   *
   * @param {Record<string, import('./hub/server.mjs').Contents>} files
   * @param {import('./hub/server.mjs').Manners} manners
   * @param {Record<string, unknown>} [options]
   */
  const failThenLoad = async (files, manners, options) => {
    const { id, base } = addModel(files, manners);
    const failure = await failOnce(id, options);
    assert.match(failure.message, /[.!]$/, 'a sentence');
    hub.add(id, TINY);
    assert.deepEqual((await loadOnce(id)).dims, [1, 32], 'a second load');
    return { ...failure, base };
  };

  test('404: model-not-found', async () => {
    const failure = await failThenLoad({}, {});
    assert.equal(failure.code, 'model-not-found', failure.message);
    assert.equal(failure.file, 'config.json');
  });

  for (const [manners, status] of /** @type {const} */ ([[{ token: 'key' }, 401], [{ status: 403 }, 403]])) {
    test(`${status}: model-not-found, with the address and what to do`, async () => {
      const failure = await failThenLoad(TINY, manners);
      assert.equal(failure.code, 'model-not-found', failure.message);
      assert.ok(failure.message.includes(failure.base), failure.message);
      assert.match(failure.message, new RegExp(`${status}.*Authorization`, 's'));
    });
  }

  for (const status of [503, 429]) {
    test(`${status}: network, with the address`, async () => {
      const failure = await failThenLoad(TINY, { status });
      assert.equal(failure.code, 'network', failure.message);
      assert.ok(failure.message.includes(failure.base), failure.message);
      assert.match(failure.message, new RegExp(`HTTP ${status}`));
    });
  }

  for (const [what, manners] of /** @type {const} */ ([
    ['before an answer', { status: 0 }],
    ['always at the same byte', { cutEvery: 100, ranges: false }],
    ['before the length that was announced', { lie: 4_000_000, ranges: false }],
  ])) {
    test(`a connection that breaks ${what}: network, with the address`, async () => {
      const failure = await failThenLoad(TINY, manners);
      assert.equal(failure.code, 'network', failure.message);
      assert.ok(failure.message.includes(failure.base), failure.message);
      assert.match(failure.message, /connection/);
    });
  }

  test('weights that change on the way: corrupt-file', async () => {
    const manners = { cuts: [5_000_000], part: (/** @type {import('./hub/server.mjs').Part} */ { headers }) => (headers.ETag = '"other"') };
    const failure = await failThenLoad(LARGE, manners);
    assert.equal(failure.code, 'corrupt-file', failure.message);
    assert.match(failure.message, /changed/);
  });

  test('a start page in place of every file: model-not-found', async () => {
    const failure = await failThenLoad(TINY, { html: true });
    assert.equal(failure.code, 'model-not-found', failure.message);
  });

  test('the same in the page itself', async () => {
    const failure = await failThenLoad(TINY, { token: 'key' }, { worker: false });
    assert.equal(failure.code, 'model-not-found', failure.message);
  });
});

describe(`files whose hashes are known, in ${BROWSER}`, () => {
  const sha256 = (/** @type {Buffer} */ bytes) => createHash('sha256').update(bytes).digest('hex');

  /**
   * Opens one file of a hub's folder whose hash is known, and reads its first bytes.
   *
   * @param {string} base
   * @param {string} file
   * @param {Record<string, string>} integrity
   */
  const openFrom = (base, file, integrity) =>
    set.page.evaluate(
      async (base, file, integrity) => {
        const inHere = (path) => import(new URL(path, location.href).href);
        const [{ placeOf, openFolder }, { default: init, Sha256 }] = await Promise.all([inHere('/folder.js'), inHere('/wasm/specter_web.js')]);
        await init();
        const { signal } = new AbortController();
        const place = structuredClone(placeOf(base, { hub: '', integrity }));
        const folder = openFolder(place, { signal, onProgress: () => {}, Sha256 });
        let read;
        const failure = await failureOf(folder.open(file).then(async (opened) => void (read = Array.from(await opened.read(0, 10)))));
        folder.close();
        return { ...failure, read };
      },
      base,
      file,
      integrity,
    );

  test('are given where they match, in either case of letters', async () => {
    const { base } = addModel(LARGE, { cuts: [5_000_000] });
    for (const file of ['config.json', WEIGHTS]) {
      const hash = sha256(LARGE[file]);
      for (const known of [hash, hash.toUpperCase()]) {
        const { code, read } = await openFrom(base, file, { [file]: known });
        assert.deepEqual([code, read], ['none', [...LARGE[file].subarray(0, 10)]]);
      }
    }
  });

  test('and are others: corrupt-file, with both hashes, and not a byte is given', async () => {
    const { base } = addModel(LARGE);
    for (const file of ['config.json', WEIGHTS]) {
      const known = sha256(Buffer.from('something else'));
      const { code, message, file: named, read } = await openFrom(base, file, { [file]: known });
      assert.equal(code, 'corrupt-file', message);
      assert.match(message, new RegExp(`${file}.*${sha256(LARGE[file]).slice(0, 12)}.*${known.slice(0, 12)}`));
      assert.ok(named.endsWith(`/${file}`), named);
      assert.equal(read, undefined);
    }
  });

  test('and are missing: model-not-found', async () => {
    const { base } = addModel();
    const { code, message, file } = await openFrom(base, 'modules.json', { 'modules.json': sha256(Buffer.from('')) });
    assert.equal(code, 'model-not-found', message);
    assert.equal(file, 'modules.json');
  });

  test('leave the others as they are', async () => {
    const { base } = addModel();
    const { code } = await openFrom(base, 'config.json', { [WEIGHTS]: sha256(TINY[WEIGHTS]) });
    assert.equal(code, 'none');
  });
});
