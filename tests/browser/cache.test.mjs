/** What stays between visits: stored once, read without a request, taken up where it broke off, and gone when it should be. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';

import { startHub } from './hub/server.mjs';
import { BROWSER, changedHeader, openPage, repositoryOf, SITE, stage } from './stage.mjs';

const set = stage();
const WEIGHTS = 'model.safetensors';

const TINY = repositoryOf('tiny-bert');
const ADAPTER = repositoryOf('tiny-bert/adapters/seq_bn');

/** A model of several pieces, without what tests of loading have no use for. */
const MINILM = Object.fromEntries(
  ['config.json', 'vocab.txt', 'tokenizer_config.json', 'modules.json', '1_Pooling/config.json', WEIGHTS].map((name) => [
    name,
    readFileSync(join(SITE, 'models/all-MiniLM-L6-v2', name)),
  ]),
);

/** @type {Awaited<ReturnType<typeof startHub>>} */
let hub;
before(async () => void (hub = await startHub()));
after(() => hub.close());
beforeEach(async () => {
  await preparePage(set.page);
  await set.page.evaluate(() => caches.delete('specter-web'));
  hub.log.length = 0;
});

/** @param {import('puppeteer-core').Page} page */
const preparePage = (page) =>
  page.evaluate(() => {
    /**
     * Loads, embeds once and leaves, as a visit of a page does. Loading in the page shows what it warns of. Kernels are
     * those of the rule: one load may measure another kernel to be faster than the next, and it rounds differently.
     */
    globalThis.visit = async (source, options = {}) => {
      const steps = [];
      const warnings = [];
      const { warn } = console;
      console.warn = (text) => warnings.push(text);
      try {
        const specter = await Specter.load(source, { dtype: 'f32', tuning: 'usual', ...options, onProgress: (step) => steps.push(step) });
        const adapter = specter.info().adapters[0];
        const rows = rowsOf(await specter.embed(['a text', { title: 'a title', abstract: 'an abstract' }], { adapter }));
        await specter.dispose();
        return { rows, steps, warnings };
      } catch (error) {
        return { failure: { code: error.code, message: error.message }, steps, warnings };
      } finally {
        console.warn = warn;
      }
    };

    /** A store in memory. `refuse` may throw in the place of a call. */
    globalThis.memoryStore = (refuse = () => {}) => {
      const entries = new Map();
      const calls = { get: 0, put: 0, delete: 0, keys: 0 };
      const counted = (method, act) => async (...values) => {
        refuse(method, ++calls[method], ...values);
        return act(...values);
      };
      return {
        entries,
        get: counted('get', (key) => entries.get(key) ?? null),
        put: counted('put', (key, bytes) => void entries.set(key, bytes)),
        delete: counted('delete', (key) => void entries.delete(key)),
        keys: counted('keys', () => [...entries.keys()]),
      };
    };

    /** Pieces of so few bytes that a small model has many. */
    globalThis.cutSmall = async (size) => {
      const { PieceSink } = await import(new URL('/cache/pieces.js', location.href).href);
      PieceSink.size = size;
    };

    return import(new URL('/specter.js', location.href).href).then(({ ModelCache }) => Object.assign(globalThis, { ModelCache }) && undefined);
  });

/**
 * @param {string} source
 * @param {Record<string, unknown>} [options]
 */
const visit = (source, options = {}) => set.page.evaluate((source, options) => visit(source, options), source, { hub: hub.url, ...options });

const list = () => set.page.evaluate(() => Specter.cache.list());
const storedKeys = () =>
  set.page.evaluate(async () => (await (await caches.open('specter-web')).keys()).map(({ url }) => new URL(url).pathname.slice(1)));

/** Damages the largest piece. @param {'flip' | 'cut' | 'remove'} how */
const damage = (how) =>
  set.page.evaluate(async (how) => {
    const cache = await caches.open('specter-web');
    const pieces = (await cache.keys()).filter(({ url }) => url.includes('/piece/'));
    const read = async (key) => ({ key, bytes: new Uint8Array(await (await cache.match(key)).arrayBuffer()) });
    const { key, bytes } = (await Promise.all(pieces.map(read))).sort((a, b) => b.bytes.length - a.bytes.length)[0];
    if (how === 'remove') return cache.delete(key);
    bytes[bytes.length >> 1] ^= 1;
    await cache.put(key, new Response(how === 'flip' ? bytes : bytes.subarray(0, 1000)));
  }, how);

/** What the hub was asked for and sent, each as `server path`. */
const sent = () => hub.log.filter(({ status }) => status < 300).map(({ server, path }) => `${server} ${path}`);

describe(`a model over the network, in ${BROWSER}`, () => {
  for (const worker of [true, false]) {
    test(`is downloaded once, with worker: ${worker}, and computes the same to the last bit`, async () => {
      const options = { worker, adapters: { one: 'org/adapter' } };
      hub.add('org/tiny', TINY);
      hub.add('org/adapter', ADAPTER);
      const direct = await visit('org/tiny', { ...options, cache: false });
      assert.deepEqual(await storedKeys(), []);
      hub.log.length = 0;
      const first = await visit('org/tiny', options);
      assert.ok(first.steps.some(({ file, fromCache }) => file === WEIGHTS && fromCache === false));
      const files = sent();
      assert.equal(new Set(files).size, files.length, files.join('\n'));
      hub.log.length = 0;
      const second = await visit('org/tiny', options);
      assert.deepEqual(hub.log, []);
      for (const { rows } of [first, second]) assert.deepEqual(rows, direct.rows);

      const downloads = second.steps.filter(({ phase }) => phase === 'download');
      for (const file of ['config.json', WEIGHTS, 'adapter.safetensors']) {
        const { loaded = 0, total = 0, fromCache } = downloads.filter((step) => step.file === file).at(-1) ?? {};
        assert.ok(fromCache && loaded > 0.9 * total && loaded <= total, `${file}: ${loaded} of ${total}`);
      }
    });
  }

  test('is there without a network, in every dtype that it was loaded in, and an adapter too', async () => {
    const other = await startHub();
    const options = { hub: other.url, adapters: { one: 'org/adapter' } };
    other.add('org/tiny', TINY);
    other.add('org/adapter', ADAPTER);
    const before = [await visit('org/tiny', options), await visit('org/tiny', { ...options, dtype: 'q8' })];
    await visit('org/tiny', options);
    other.close();
    const offline = [await visit('org/tiny', options), await visit('org/tiny', { ...options, dtype: 'q8', worker: false })];
    assert.deepEqual(offline.map(({ rows }) => rows), before.map(({ rows }) => rows));
    assert.notDeepEqual(before[0]?.rows, before[1]?.rows);
    assert.deepEqual((await list()).map(({ dtype }) => dtype).sort(), ['adapter', 'f32', 'q8']);
  });

  test('that is large is stored in pieces of 4 MiB, each of which is read once', async () => {
    hub.add('org/minilm', MINILM);
    const { same, bytes, sizes, reads } = await set.page.evaluate(async (hub) => {
      let reads = [];
      const cache = memoryStore((method, count, key) => method === 'get' && cache.entries.get(key)?.length === 4 << 20 && reads.push(key));
      const options = { hub, dtype: 'q8', cache };
      const first = await visit('org/minilm', options);
      reads = [];
      const second = await visit('org/minilm', options);
      const [{ bytes }] = await new ModelCache(cache).list();
      const sizes = [...cache.entries].filter(([key]) => key.startsWith('piece/')).map(([, piece]) => piece.length);
      return { same: JSON.stringify(first.rows) === JSON.stringify(second.rows), bytes, sizes, reads };
    }, hub.url);
    assert.ok(same);
    assert.equal(sizes.reduce((sum, size) => sum + size, 0), bytes);
    assert.equal(sizes.filter((size) => size === 4 << 20).length, Math.floor(bytes / (4 << 20)));
    assert.equal(Math.max(...sizes), 4 << 20);
    assert.deepEqual([reads.length, new Set(reads).size], [Math.floor(bytes / (4 << 20)), Math.floor(bytes / (4 << 20))]);
  });

  test('is stored for each base and each file of weights, and deleted with all of them', async () => {
    const { [WEIGHTS]: weights, ...beside } = TINY;
    hub.add('org/tiny', { ...TINY, 'other.safetensors': weights });
    hub.add('org/base', beside);
    hub.add('org/base2', beside);
    const ways = [{}, { base: 'org/base' }, { base: 'org/base2' }, { weights: 'other.safetensors' }, { base: 'org/base', weights: 'other.safetensors' }];
    for (const way of ways) assert.ok((await visit('org/tiny', way)).rows);
    assert.equal((await list()).length, ways.length);
    hub.log.length = 0;
    for (const way of ways) assert.ok((await visit('org/tiny', way)).rows);
    assert.deepEqual(hub.log, []);
    await set.page.evaluate((hub) => Specter.cache.delete('org/tiny', { hub }), hub.url);
    assert.deepEqual(await list(), []);
  });

  test('is not stored where a part of it is a file of this machine', async () => {
    const { [WEIGHTS]: weights, ...beside } = TINY;
    hub.add('org/tiny', { [WEIGHTS]: weights });
    const contents = Object.fromEntries(Object.entries(beside).map(([name, bytes]) => [name, bytes.toString('base64')]));
    const rows = await set.page.evaluate(async (hub, contents) => (await visit('org/tiny', { hub, base: filesOf(contents) })).rows, hub.url, contents);
    assert.equal(rows.length, 2);
    assert.deepEqual(await list(), []);
  });

  test('leaves no key or signature in the store', async () => {
    hub.add('org/tiny', TINY, { token: 'key' });
    const { base } = { base: hub.add('org/tiny', TINY, { token: 'secret-token' }) };
    const headers = { authorization: 'Bearer secret-token' };
    await visit(`${base}?signature=secret-signature`, { headers });
    const stored = await set.page.evaluate(async () => {
      const cache = await caches.open('specter-web');
      return Promise.all((await cache.keys()).map(async (key) => key.url + (await (await cache.match(key)).text())));
    });
    assert.ok(stored.length > 2);
    assert.doesNotMatch(stored.join('\n'), /secret/);
    assert.equal((await list())[0]?.source, base);
    hub.log.length = 0;
    assert.ok((await visit(base)).rows, 'the same model, without the key');
    assert.deepEqual(hub.log, []);
  });

  test('is loaded by two tabs at once, and downloaded by one', async () => {
    hub.add('org/tiny', TINY, { files: /safetensors$/, delay: 30 });
    const other = await openPage(set.browser, new URL('specter.js', set.server.url).href);
    await preparePage(other);
    const inOther = (/** @type {Record<string, unknown>} */ options) =>
      other.evaluate((options) => visit('org/tiny', options), { hub: hub.url, ...options });
    const [one, two] = await Promise.all([visit('org/tiny'), inOther({})]);
    assert.deepEqual(one.rows, two.rows);
    const files = sent();
    assert.equal(new Set(files).size, files.length, files.join('\n'));
    const waited = [one, two].map(({ steps }) => steps.filter(({ phase }) => phase === 'waiting').map(({ loaded, total }) => [loaded, total]));
    assert.ok(waited.some(({ length }) => length), 'one has waited for the other');
    for (const steps of waited) if (steps.length) assert.deepEqual(steps, [[0, 1], [1, 1]]);

    // One that is stopped while it waits leaves the other alone.
    await set.page.evaluate(() => caches.delete('specter-web'));
    hub.log.length = 0;
    hub.add('org/tiny', TINY, { files: /safetensors$/, delay: 300 });
    const first = visit('org/tiny');
    while (!sent().length) await new Promise((resolve) => setTimeout(resolve, 10));
    const { stopped, pending } = await other.evaluate(async (hub) => {
      const controller = new AbortController();
      const onProgress = ({ phase }) => phase === 'waiting' && setTimeout(() => controller.abort(), 100);
      const stopped = await failureOf(Specter.load('org/tiny', { hub, worker: false, dtype: 'f32', tuning: 'usual', signal: controller.signal, onProgress }));
      return { stopped, pending: (await navigator.locks.query()).pending };
    }, hub.url);
    assert.equal(stopped.code, 'aborted', stopped.message);
    assert.deepEqual(pending, []);
    assert.deepEqual((await first).rows, one.rows);
    await other.close();
  });

  test('is downloaded once by two loads that begin at the same moment', async () => {
    hub.add('org/tiny', TINY);
    const [one, two] = await set.page.evaluate(
      (hub) => Promise.all([1, 2].map(() => visit('org/tiny', { hub, worker: false }))),
      hub.url,
    );
    assert.deepEqual(one.rows, two.rows);
    const files = sent();
    assert.equal(new Set(files).size, files.length, files.join('\n'));
  });
});

describe(`a load that breaks off, in ${BROWSER}`, () => {
  const MIDDLE = 65_000_000;

  /** The manners of a repository whose server goes away for good in the middle of the weights, until it is told to come back. */
  const failing = (files = /safetensors$/) => {
    const manners = {
      files,
      direct: true,
      cuts: [MIDDLE],
      away: true,
      part: (/** @type {import('./hub/server.mjs').Part} */ part) => {
        if (manners.away && part.start >= MIDDLE) Object.assign(part, { status: 503, end: part.start });
      },
    };
    return manners;
  };

  /** Whether the weights were asked for from where they broke off. A load from the beginning asks for parts of 64 MiB. */
  const wentOn = (file = WEIGHTS) => {
    const starts = hub.log.filter(({ path }) => path.endsWith(file)).map(({ range }) => Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0));
    return starts.some((start) => start % (64 << 20) !== 0);
  };

  test('goes on from there at the next visit, and ends up with the same', async () => {
    const manners = failing();
    hub.add('org/minilm', MINILM, manners);
    const broken = await visit('org/minilm', { dtype: 'q8' });
    assert.equal(broken.failure?.code, 'network', broken.failure?.message);
    const [partial] = await list();
    assert.equal(partial?.complete, false);
    assert.ok(partial.bytes > 12 << 20, `${partial.bytes} bytes are kept`);

    manners.away = false;
    hub.log.length = 0;
    const resumed = await visit('org/minilm', { dtype: 'q8' });
    assert.ok(wentOn());
    const [whole] = await list();
    assert.equal(whole?.complete, true);

    const direct = await visit('org/minilm', { dtype: 'q8', cache: false });
    assert.deepEqual(resumed.rows, direct.rows);
    hub.log.length = 0;
    assert.deepEqual((await visit('org/minilm', { dtype: 'q8' })).rows, direct.rows);
    assert.deepEqual(hub.log, []);
  });

  test('goes on in weights of an unusual name, too', async () => {
    const { [WEIGHTS]: weights, 'config.json': config, ...others } = MINILM;
    const manners = failing(/mine\.safetensors$/);
    hub.add('org/minilm', { ...others, 'mine.safetensors': weights }, manners);
    hub.add('org/base', { 'config.json': config });
    const options = { dtype: 'q8', base: 'org/base', weights: 'mine.safetensors' };
    const { failure } = await visit('org/minilm', options);
    assert.equal(failure?.code, 'network', failure?.message);
    assert.equal((await list())[0]?.complete, false);
    manners.away = false;
    hub.log.length = 0;
    const resumed = await visit('org/minilm', options);
    assert.ok(resumed.rows, resumed.failure?.message);
    assert.ok(wentOn('mine.safetensors'));
    hub.log.length = 0;
    assert.deepEqual((await visit('org/minilm', options)).rows, resumed.rows);
    assert.deepEqual(hub.log, []);
  });

  for (const worker of [true, false]) {
    test(`because it was stopped, with worker: ${worker}, does the same`, async () => {
      hub.add('org/minilm', MINILM, { direct: true });
      const failure = await set.page.evaluate(
        async (hub, worker, enough) => {
          const controller = new AbortController();
          const failure = failureOf(Specter.load('org/minilm', { hub, worker, signal: controller.signal }));
          const stored = async () => (await Specter.cache.list())[0]?.bytes ?? 0;
          while ((await stored()) < enough) await new Promise((resolve) => setTimeout(resolve, 5));
          controller.abort();
          return failure;
        },
        hub.url,
        worker,
        14 << 20,
      );
      assert.equal(failure.code, 'aborted', failure.message);
      assert.equal((await list())[0]?.complete, false);
      hub.log.length = 0;
      const resumed = await visit('org/minilm', { dtype: 'q8', worker });
      assert.ok(resumed.rows, resumed.failure?.message);
      assert.ok(wentOn());
    });
  }

  test('goes on from nothing that is damaged', async () => {
    const manners = failing();
    hub.add('org/minilm', MINILM, manners);
    await visit('org/minilm', { dtype: 'q8' });
    await damage('flip');
    manners.away = false;
    const { rows, warnings } = await visit('org/minilm', { dtype: 'q8', worker: false });
    assert.ok(rows);
    assert.deepEqual(warnings, []);
    hub.log.length = 0;
    assert.deepEqual((await visit('org/minilm', { dtype: 'q8', worker: false })).rows, rows);
    assert.deepEqual(hub.log, []);
  });

  for (const [what, change] of /** @type {const} */ ([
    ['whose weights are others now', { expose: undefined }],
    ['that does not say which version it has', { expose: [] }],
  ])) {
    test(`begins anew at a server ${what}`, async () => {
      hub.add('org/minilm', MINILM, { ...failing(), ...(change.expose && { expose: change.expose }) });
      await visit('org/minilm', { dtype: 'q8' });
      assert.equal((await list())[0]?.complete, false);
      // The hub's ETag is made of the path and the length.
      const longer = changedHeader((header) => Object.assign(header, { __metadata__: { note: 'newer' } }))(MINILM[WEIGHTS]);
      hub.add('org/minilm', { ...MINILM, [WEIGHTS]: change.expose ? MINILM[WEIGHTS] : longer }, { direct: true, ...(change.expose && { expose: change.expose }) });
      hub.log.length = 0;
      const { rows, failure } = await visit('org/minilm', { dtype: 'q8' });
      assert.ok(rows, failure?.message);
      assert.ok(!wentOn());
      const manifests = await list();
      assert.deepEqual(manifests.map(({ complete }) => complete), [true]);
      assert.equal(await set.page.evaluate(() => Specter.cache.size()), manifests[0]?.bytes);
    });
  }
});

describe(`what is stored and damaged, in ${BROWSER}`, () => {
  for (const how of /** @type {const} */ (['flip', 'cut', 'remove'])) {
    test(`is noticed and replaced: ${how}`, async () => {
      hub.add('org/tiny', TINY);
      const { rows } = await visit('org/tiny');
      await damage(how);
      hub.log.length = 0;
      const repaired = await visit('org/tiny', { worker: false });
      assert.deepEqual(repaired.rows, rows);
      assert.equal(repaired.warnings.length, 1);
      assert.match(repaired.warnings[0], /stored of org\/tiny is damaged/);
      assert.ok(hub.log.length > 0);
      hub.log.length = 0;
      const third = await visit('org/tiny', { worker: false });
      assert.deepEqual([third.rows, third.warnings, hub.log], [rows, [], []]);
    });
  }

  test('fails as the source does where that is gone', async () => {
    hub.add('org/tiny', TINY);
    await visit('org/tiny');
    await damage('flip');
    hub.add('org/tiny', {});
    const { failure } = await visit('org/tiny');
    assert.equal(failure?.code, 'model-not-found', failure?.message);
    assert.deepEqual(await storedKeys(), []);
  });
});

describe(`a store of the page's own, in ${BROWSER}`, () => {
  for (const worker of [true, false]) {
    test(`is used in the place of the browser's, with worker: ${worker}`, async () => {
      hub.add('org/tiny', TINY);
      hub.add('org/adapter', ADAPTER);
      const { kinds, written, listed } = await set.page.evaluate(
        async (hub, worker) => {
          const written = [];
          const cache = memoryStore((method, count, key) => method === 'put' && written.push(key));
          const load = async (revision) => {
            const specter = await Specter.load('org/tiny', { hub, revision, worker, cache, tuning: 'usual' });
            await specter.loadAdapter('later', 'org/adapter');
            await specter.dispose();
          };
          for (const revision of ['main', 'main', 'v1']) await load(revision);
          const kinds = [...cache.entries.values()].map((value) => value.constructor.name);
          return { kinds, written, listed: await new ModelCache(cache).list() };
        },
        hub.url,
        worker,
      );
      assert.deepEqual(new Set(kinds), new Set(['Uint8Array']));
      assert.deepEqual(listed.map(({ dtype }) => dtype).sort(), ['adapter', 'q8', 'q8']);
      const pieces = written.filter((key) => key.startsWith('piece/'));
      assert.ok(pieces.length > 3);
      assert.equal(new Set(pieces).size, pieces.length, 'no piece is written twice');
      assert.deepEqual(await storedKeys(), []);
      const files = sent();
      assert.equal(new Set(files).size, files.length, files.join('\n'));
    });
  }

  test('may give Blobs, buffers and views', async () => {
    hub.add('org/tiny', TINY);
    const failures = await set.page.evaluate(async (hub) => {
      const failures = [];
      for (const form of [(bytes) => new Blob([bytes]), (bytes) => bytes.slice().buffer, (bytes) => new Uint8Array([0, ...bytes, 0]).subarray(1, -1)]) {
        const store = memoryStore();
        const cache = { ...store, get: async (key) => ((bytes) => bytes && form(bytes))(await store.get(key)) };
        for (const worker of [true, false]) {
          const { failure, warnings } = await visit('org/tiny', { hub, cache, worker });
          failures.push(...warnings, ...(failure ? [failure.message] : []));
        }
      }
      return failures;
    }, hub.url);
    assert.deepEqual(failures, []);
    const files = sent();
    assert.equal(files.length, 3 * new Set(files).size, 'each store was filled once');
  });

  for (const [worker, writes] of /** @type {const} */ ([[true, [1, 5]], [false, [1, 4, 9]]])) {
    for (const nth of writes) {
      test(`that is full at write ${nth}, with worker: ${worker}, costs a warning and leaves nothing`, async () => {
        hub.add('org/tiny', TINY);
        const { rows, warnings, left } = await set.page.evaluate(
          async (hub, worker, nth) => {
            await cutSmall(20_000);
            const cache = memoryStore((method, count) => {
              if (method === 'put' && count >= nth) throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
            });
            const { rows, warnings, failure } = await visit('org/tiny', { hub, worker, cache });
            await cutSmall(4 << 20);
            if (failure) throw new Error(failure.message);
            return { rows, warnings, left: [...cache.entries.keys()] };
          },
          hub.url,
          worker,
          nth,
        );
        assert.deepEqual(rows, (await visit('org/tiny', { cache: false })).rows);
        assert.deepEqual(left, []);
        if (!worker) {
          assert.equal(warnings.length, 1);
          assert.match(warnings[0], /cannot be stored.*QuotaExceededError.*this visit only/);
        }
      });
    }
  }

  test('that fails from the beginning is left alone', async () => {
    hub.add('org/tiny', TINY);
    hub.add('org/adapter', ADAPTER);
    for (const worker of [true, false]) {
      const { rows, warnings } = await set.page.evaluate(
        (hub, worker) => {
          const cache = memoryStore(() => {
            throw new DOMException('Not here.', 'SecurityError');
          });
          return visit('org/tiny', { hub, worker, cache, adapters: { one: 'org/adapter' } });
        },
        hub.url,
        worker,
      );
      assert.ok(rows);
      if (!worker) assert.deepEqual(warnings.map((text) => /SecurityError: Not here/.test(text)), [true]);
    }
  });

  test('that is none is refused', async () => {
    for (const cache of ['yes', 1, null, {}, { get: 1 }]) {
      const failure = await set.page.evaluate((cache) => failureOf(Specter.load('org/tiny', { cache })), cache);
      assert.equal(failure.code, 'invalid-option', failure.message);
    }
  });
});

describe(`a browser that lets nothing be stored, in ${BROWSER}`, () => {
  for (const [what, block] of /** @type {const} */ ([
    ['trusts no page without https', () => ['isSecureContext', 'caches'].forEach((name) => Object.defineProperty(globalThis, name, { value: undefined }))],
    ['has no caches', () => Object.defineProperty(globalThis, 'caches', { value: undefined })],
    ['throws a SecurityError', () => (CacheStorage.prototype.open = () => Promise.reject(new DOMException('Blocked.', 'SecurityError')))],
    ['has no room', () => (Cache.prototype.put = () => Promise.reject(new DOMException('Full.', 'QuotaExceededError')))],
    ['has no hashes', () => Object.defineProperty(crypto, 'subtle', { value: undefined })],
    ['has no locks', () => Object.defineProperty(navigator, 'locks', { value: undefined })],
  ])) {
    test(`because it ${what}, loads all the same, with one warning`, async () => {
      hub.add('org/tiny', TINY);
      hub.add('org/adapter', ADAPTER);
      const page = await openPage(set.browser, new URL('specter.js', set.server.url).href);
      await preparePage(page);
      await page.evaluate(block);
      const { rows, warnings, failure } = await page.evaluate(
        (hub) => visit('org/tiny', { hub, worker: false, adapters: { one: 'org/adapter' } }),
        hub.url,
      );
      assert.ok(rows, failure?.message);
      assert.equal(warnings.length, 1, warnings.join('\n'));
      assert.match(warnings[0], /^specter-web: Models cannot be stored here \(.+\)\. .*this visit only\.$/);
      assert.equal(/https/.test(warnings[0]), /https/.test(what));
      const listed = await page.evaluate(async () => [await Specter.cache.list(), await Specter.cache.size(), await Specter.cache.delete()]);
      assert.deepEqual(listed, [[], 0, 0]);
      await page.close();
      assert.deepEqual(await storedKeys(), []);
    });
  }
});

describe(`the cache of models, in ${BROWSER}`, () => {
  const size = () => set.page.evaluate(() => Specter.cache.size());
  const remove = (/** @type {unknown[]} */ ...values) => set.page.evaluate((values) => Specter.cache.delete(...values), values);

  test('lists what is there', async () => {
    const base = hub.add('org/tiny', TINY);
    hub.add('org/adapter', ADAPTER);
    await visit('org/tiny', { adapters: { one: 'org/adapter' } });
    const entries = await list();
    assert.deepEqual(
      entries.map(({ source, name, dtype, complete }) => ({ source, name, dtype, complete })).sort((a, b) => a.dtype.localeCompare(b.dtype)),
      [
        { source: base.replace('tiny', 'adapter'), name: 'org/adapter', dtype: 'adapter', complete: true },
        { source: base, name: 'org/tiny', dtype: 'f32', complete: true },
      ],
    );
    for (const { used, bytes } of entries) {
      assert.ok(Date.now() - Date.parse(used) < 60_000);
      assert.ok(bytes > 1000);
    }
    assert.equal(await size(), entries.reduce((sum, { bytes }) => sum + bytes, 0));
  });

  test('notes when something was last used, once a day', async () => {
    hub.add('org/tiny', TINY);
    await visit('org/tiny');
    const age = (/** @type {number} */ hours) =>
      set.page.evaluate(async (hours) => {
        const cache = await caches.open('specter-web');
        const key = (await cache.keys()).find(({ url }) => url.includes('/manifest/'));
        const manifest = await (await cache.match(key)).json();
        manifest.used = new Date(Date.now() - hours * 3_600_000).toISOString();
        await cache.put(key, new Response(JSON.stringify(manifest)));
        return manifest.used;
      }, hours);
    const recent = await age(20);
    await visit('org/tiny');
    assert.equal((await list())[0]?.used, recent);
    await age(30);
    await visit('org/tiny');
    assert.ok(Date.now() - Date.parse((await list())[0]?.used ?? '') < 60_000);
  });

  test('counts what two revisions share once, and keeps it for the one that stays', async () => {
    hub.add('org/tiny', TINY);
    const { rows } = await visit('org/tiny');
    const one = await size();
    await visit('org/tiny@v1');
    assert.equal(await size(), one);
    assert.equal((await list()).length, 2);
    assert.equal(await remove('org/tiny', { hub: hub.url }), 0);
    hub.log.length = 0;
    const again = await visit('org/tiny', { revision: 'v1', worker: false });
    assert.deepEqual([again.rows, again.warnings, hub.log], [rows, [], []]);
    assert.equal(await remove('org/tiny', { hub: hub.url, revision: 'v1' }), one);
    assert.deepEqual(await storedKeys(), []);
  });

  test('deletes a source in every dtype, by its id or its address, and everything', async () => {
    const base = hub.add('org/tiny', TINY);
    hub.add('org/adapter', ADAPTER);
    const fill = async () => {
      for (const dtype of ['f32', 'q8']) await visit('org/tiny', { dtype, adapters: { one: 'org/adapter' } });
    };
    for (const names of [['org/tiny', { hub: hub.url }], [base], [base.slice(0, -1)]]) {
      await fill();
      const before = await size();
      const freed = await remove(...names);
      assert.ok(freed > 0 && freed === before - (await size()));
      assert.deepEqual((await list()).map(({ dtype }) => dtype), ['adapter']);
    }
    await fill();
    const all = await size();
    assert.equal(await remove(), all);
    assert.deepEqual([await size(), await list(), await storedKeys()], [0, [], []]);
    assert.equal(await remove(), 0);
  });

  test('waits with deleting until a load has read what it deletes', async () => {
    hub.add('org/tiny', TINY);
    const { rows, warnings } = await set.page.evaluate(async (hub) => {
      await cutSmall(2000);
      const loading = visit('org/tiny', { hub, worker: false });
      while (!(await Specter.cache.size())) await new Promise((resolve) => setTimeout(resolve, 5));
      await Specter.cache.delete();
      await cutSmall(4 << 20);
      return loading;
    }, hub.url);
    assert.ok(rows);
    assert.deepEqual(warnings, []);
    assert.deepEqual(await storedKeys(), []);
  });
});

describe(`a source that is no good, in ${BROWSER}`, () => {
  const truncated = TINY[WEIGHTS].subarray(0, TINY[WEIGHTS].length - 1000);
  for (const [what, files, options, code] of /** @type {[string, Record<string, Buffer>, object, string][]} */ ([
    ['is not there', {}, {}, 'model-not-found'],
    ['is cut short', { ...TINY, [WEIGHTS]: truncated }, {}, 'corrupt-file'],
    ['is of another kind', { ...TINY, 'config.json': Buffer.from('{"model_type": "gpt2"}') }, {}, 'unsupported-model'],
    ['is not what its hash says', TINY, { integrity: { [WEIGHTS]: '0'.repeat(64) } }, 'corrupt-file'],
    ['is asked for in no dtype there is', TINY, { dtype: 'q3' }, 'invalid-option'],
  ])) {
    for (const worker of [true, false]) {
      test(`because it ${what}, with worker: ${worker}, leaves nothing in the store`, async () => {
        hub.add('org/tiny', files);
        const { failure } = await visit('org/tiny', { worker, ...options });
        assert.equal(failure?.code, code, failure?.message);
        assert.deepEqual(await storedKeys(), []);
      });
    }
  }

  test('because it changes on the way, leaves nothing of what was stored before', async () => {
    const part = (/** @type {import('./hub/server.mjs').Part} */ { start, headers }) => start > 60_000_000 && (headers.ETag = '"other"');
    hub.add('org/minilm', MINILM, { direct: true, part });
    const loading = visit('org/minilm', { dtype: 'q8' });
    while (!(await storedKeys()).length) await new Promise((resolve) => setTimeout(resolve, 10));
    const { failure } = await loading;
    assert.equal(failure?.code, 'corrupt-file', failure?.message);
    assert.deepEqual(await storedKeys(), []);
  });

  test('is not loaded from the store either, where its hash is known and another', async () => {
    hub.add('org/tiny', TINY);
    await visit('org/tiny');
    const { failure } = await visit('org/tiny', { integrity: { [WEIGHTS]: '0'.repeat(64) } });
    assert.equal(failure?.code, 'corrupt-file', failure?.message);
    const integrity = { [WEIGHTS]: createHash('sha256').update(TINY[WEIGHTS]).digest('hex') };
    assert.ok((await visit('org/tiny', { integrity })).rows);
    hub.log.length = 0;
    assert.ok((await visit('org/tiny', { integrity })).rows);
    assert.deepEqual(hub.log, []);
  });
});
