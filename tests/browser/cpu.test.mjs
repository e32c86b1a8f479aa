/** The CPU as a device: when it is taken, what it computes, its threads, and how it takes over from a GPU that is lost. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { findBrowser } from '../../xtask/browser/find.mjs';
import { serve } from '../../xtask/browser/serve.mjs';
import { BROWSER, distance, meanCosine, openPage, readJson, SITE, stage, watchRequests, workersOf } from './stage.mjs';

/** Pages that may share memory. */
const set = stage({ isolate: true });
/** Pages that may not, as most. @type {Awaited<ReturnType<typeof serve>>} */
let plain;
before(async () => void (plain = await serve({ root: SITE })));
after(() => plain?.close());

const TINY = '/fixtures/tiny-bert/';
const MINILM = '/models/all-MiniLM-L6-v2-q8/';
const golden = readJson('minilm/goldens.json');
/** None so long that a test takes long. */
const PAPERS = golden.papers.slice(1, 20);

/**
 * Where threads are started from here. Firefox 153 under a driver may wait for ever when a worker starts a worker: as
 * somebody listens for workers, the starting one waits on the new one's condition variable until that is registered, and
 * registering wakes only one of those who wait there, which may be the new worker itself. See the last test.
 */
const PLACES = BROWSER === 'firefox' ? [false] : [true, false];

/**
 * @param {{ url: string }} server
 * @param {(page: import('puppeteer-core').Page) => Promise<void>} use
 * @param {() => void} [prepare]  runs in the page, before anything is loaded
 */
async function withPage(server, use, prepare = () => {}) {
  const page = await openPage(set.browser, new URL('specter.js', server.url).href);
  try {
    await page.evaluate(prepareCalls);
    await page.evaluate(prepare);
    await use(page);
  } finally {
    await page.close();
  }
}

/** Runs in the page. */
function prepareCalls() {
  /** Loads, embeds and leaves. In the page itself it sees what is warned of. */
  globalThis.visit = async (source, options = {}, papers = ['a text', { title: 'a title', abstract: 'an abstract' }]) => {
    const warnings = [];
    const { warn } = console;
    console.warn = (text) => warnings.push(text);
    try {
      const specter = await Specter.load(source, { worker: false, dtype: 'f32', ...options });
      const rows = rowsOf(await specter.embed(papers));
      const info = specter.info();
      await specter.dispose();
      return { rows, info, warnings };
    } catch (error) {
      return { failure: { code: error.code, message: error.message }, warnings };
    } finally {
      console.warn = warn;
    }
  };
}

/**
 * @param {import('puppeteer-core').Page} page
 * @param {string} source
 * @param {Record<string, unknown>} [options]
 * @param {unknown[]} [papers]
 */
const visit = (page, source, options, papers) =>
  page.evaluate((source, options, papers) => visit(source, options, papers), source, options, papers);

/** The CPU's modules among what was asked for. @param {string[]} paths */
const cpuModules = (paths) => paths.filter((path) => /\/cpu_\w+\.wasm$/.test(path));

/**
 * Runs in the page: adapters that do not say that they are software, and devices that are lost when a test says so, with
 * all that they are doing.
 */
function pretendHardware() {
  /** One for each device, in the order in which they were opened. */
  globalThis.losses = [];
  const { requestAdapter } = GPU.prototype;
  GPU.prototype.requestAdapter = async function (options) {
    const adapter = await requestAdapter.call(this, options);
    const requestDevice = adapter.requestDevice.bind(adapter);
    Object.defineProperty(adapter, 'info', { value: { vendor: 'test', architecture: '', device: '', description: 'Test GPU', isFallbackAdapter: false } });
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor);
      const lost = new Promise((resolve) => {
        losses.push((destroys = true) => {
          resolve({ reason: 'unknown', message: 'Somebody has pulled it out.' });
          if (destroys) device.destroy();
        });
      });
      Object.defineProperty(device, 'lost', { value: lost });
      return device;
    };
    return adapter;
  };
}

describe(`where a model runs, in ${BROWSER}`, () => {
  for (const worker of [true, false]) {
    test(`is the CPU where the adapter is software, with worker: ${worker}, and the reason is told`, () =>
      withPage(plain, async (page) => {
        for (const options of [{}, { device: 'auto' }]) {
          const { info, rows, warnings } = await visit(page, TINY, { worker, ...options });
          const { features, reason, ...device } = info.device;
          assert.deepEqual(device, { kind: 'wasm', adapter: 'CPU, 1 thread', vendor: '', backend: 'CPU', software: false });
          assert.match(String(features), /^(relaxed-)?simd$/);
          assert.match(reason, /^\S.* is software, slower than the CPU by itself\.$/);
          assert.equal(rows.length, 2);
          assert.deepEqual(warnings, []);
        }
      }));
  }

  test('is software that stands in for a GPU where that is asked for, with a warning', () =>
    withPage(plain, async (page) => {
      const { info, warnings } = await visit(page, TINY, { device: 'webgpu' });
      assert.equal(info.device.kind, 'webgpu');
      assert.equal(info.device.reason, "It was asked for by device: 'webgpu'.");
      assert.equal(warnings.length, 1);
      assert.match(warnings[0], /^specter-web runs on .+, which is software\..*'auto' or 'wasm'/);
    }));

  test('is the GPU where there is one, for which nothing of the CPU is downloaded', () =>
    withPage(
      plain,
      async (page) => {
        const { paths, end } = watchRequests();
        const { info, warnings } = await visit(page, TINY);
        end();
        assert.deepEqual([info.device.kind, info.device.reason, info.device.software], ['webgpu', 'Test GPU is a GPU.', false]);
        assert.deepEqual(warnings, []);
        assert.ok(paths.some((path) => path.endsWith('specter_web_bg.wasm')), 'the watch sees what is downloaded');
        assert.deepEqual(cpuModules(paths), []);
      },
      pretendHardware,
    ));

  test('is the CPU where it is asked for, whatever else there is', () =>
    withPage(
      plain,
      async (page) => {
        const { info } = await visit(page, TINY, { device: 'wasm' });
        assert.deepEqual([info.device.kind, info.device.reason], ['wasm', "It was asked for by device: 'wasm'."]);
        assert.equal(await page.evaluate(() => losses.length), 0, 'no device is opened for nothing');
      },
      pretendHardware,
    ));

  for (const [what, prepare, says] of /** @type {[string, () => void, RegExp][]} */ ([
    ['the browser offers no WebGPU', () => Object.defineProperty(navigator, 'gpu', { value: undefined }), /^This browser offers no WebGPU\./],
    [
      'the page is served neither over https nor locally',
      () => {
        Object.defineProperty(navigator, 'gpu', { value: undefined });
        Object.defineProperty(globalThis, 'isSecureContext', { value: false });
      },
      /^WebGPU is only offered .*https/,
    ],
    ['there is no adapter', () => (GPU.prototype.requestAdapter = async () => null), /no graphics adapter/],
    ['looking for an adapter fails', () => (GPU.prototype.requestAdapter = () => Promise.reject(new DOMException('No.'))), /no graphics adapter/],
  ])) {
    test(`is the CPU where ${what}; who asks for WebGPU is told before the engine or a model is downloaded`, () =>
      withPage(
        plain,
        async (page) => {
          const { paths, end } = watchRequests();
          const { failure } = await visit(page, TINY, { device: 'webgpu' });
          end();
          assert.equal(failure?.code, 'webgpu-unavailable', failure?.message);
          assert.match(failure.message, says);
          assert.match(failure.message, /device: 'wasm'/);
          assert.deepEqual(paths.filter((path) => !path.endsWith('.js')), []);

          const { info, rows, warnings } = await visit(page, TINY);
          assert.equal(info.device.kind, 'wasm');
          assert.match(info.device.reason, says);
          assert.equal(rows.length, 2);
          assert.deepEqual(warnings, []);
        },
        prepare,
      ));
  }

  for (const isolated of [true, false]) {
    for (const worker of isolated ? PLACES : [true, false]) {
      test(`${isolated ? 'with' : 'without'} threads takes one module of the CPU, with worker: ${worker}`, () =>
        withPage(isolated ? set.server : plain, async (page) => {
          const { paths, end } = watchRequests();
          const { info } = await visit(page, TINY, { worker, threads: 2 });
          end();
          const kind = info.device.features[0] === 'simd' ? 'simd' : 'relaxed';
          assert.deepEqual(cpuModules(paths), [`/wasm/cpu_${kind}${isolated ? '_threads' : ''}.wasm`]);
        }));
    }
  }
});

describe(`vector instructions, in ${BROWSER}`, () => {
  // Of i32x4.relaxed_dot_i8x16_i7x16_add_s, which every module that uses relaxed instructions has.
  const withoutRelaxed = () => {
    const { validate } = WebAssembly;
    const isRelaxed = (/** @type {number} */ byte, /** @type {number} */ at, /** @type {Uint8Array} */ bytes) =>
      byte === 0xfd && bytes[at + 1] === 0x93 && bytes[at + 2] === 0x02;
    WebAssembly.validate = (bytes) => !new Uint8Array(/** @type {ArrayBuffer} */ (bytes)).some(isRelaxed) && validate(bytes);
  };

  test('that are not relaxed give the same vectors at f32, and as good ones at q8', async () => {
    /** @type {Record<string, any>} */
    const visits = {};
    for (const prepare of [() => {}, withoutRelaxed]) {
      await withPage(
        plain,
        async (page) => {
          const tiny = await visit(page, TINY);
          const minilm = await visit(page, MINILM, { dtype: 'q8', maxLength: 512 }, PAPERS);
          assert.deepEqual(tiny.info.device.features, minilm.info.device.features);
          visits[prepare === withoutRelaxed ? 'simd' : 'best'] = { tiny, minilm };
        },
        prepare,
      );
    }
    const { best, simd } = visits;
    assert.deepEqual(simd.tiny.info.device.features, ['simd']);
    const apart = distance(best.tiny.rows, simd.tiny.rows);
    assert.ok(apart <= 1e-5, `differs by ${apart}`);
    const cosine = meanCosine(best.minilm.rows, simd.minilm.rows);
    assert.ok(cosine >= 0.999, `the mean cosine is ${cosine}`);
    const expected = golden.embeddings.slice(1, 20);
    assert.ok(meanCosine(simd.minilm.rows, expected) >= 0.9995);
    assert.ok(meanCosine(best.minilm.rows, expected) >= 0.999);
    const variant = (/** @type {any} */ { info }) => info.kernels.find(({ name }) => name === 'linear').variant;
    assert.equal(variant(simd.minilm), '16-bit inputs');
    // Relaxed ones are taken only where they are exact.
    assert.equal(variant(best.minilm), best.minilm.info.device.features[0] === 'simd' ? '16-bit inputs' : '8-bit inputs');
  });

  test('that are not there at all are told of, and nothing is left behind', () =>
    withPage(
      set.server,
      async (page) => {
        for (const device of ['wasm', 'auto']) {
          const { failure } = await visit(page, TINY, { device, threads: 2 });
          assert.equal(failure?.code, 'wasm-unavailable', failure?.message);
          assert.match(failure.message, /^This browser has no vector instructions in WebAssembly.*Use a current/);
        }
        assert.equal(await workersOf(page, 0), 0);
      },
      () => (WebAssembly.validate = () => false),
    ));
});

describe(`threads, in ${BROWSER}`, () => {
  /** Runs in the page: more threads than this machine may have. */
  const pretendCores = () => Object.defineProperty(navigator, 'hardwareConcurrency', { value: 4, configurable: true });
  const isThread = (/** @type {import('puppeteer-core').WebWorker} */ worker) => worker.url().endsWith('thread.js');

  test('run as many as are asked for and the processor has, and give the same vectors to the last bit', () =>
    withPage(
      set.server,
      async (page) => {
        for (const [source, options, papers] of /** @type {const} */ ([
          [TINY, { dtype: 'f32' }, PAPERS],
          [TINY, { dtype: 'q8', adapters: { one: `${TINY}adapters/seq_bn/` } }, PAPERS],
          [MINILM, { dtype: 'q8' }, PAPERS.slice(0, 8)],
        ])) {
          const alone = await visit(page, source, { ...options, threads: 1 }, papers);
          assert.equal(alone.info.device.adapter, 'CPU, 1 thread');
          for (const [threads, expected] of [[2, 2], [3, 3], [undefined, 4], [64, 4]]) {
            const { info, rows } = await visit(page, source, { ...options, threads }, papers);
            assert.equal(info.device.adapter, `CPU, ${expected} threads`);
            assert.deepEqual(rows, alone.rows, `${threads} threads`);
          }
        }
        assert.equal(await workersOf(page, 0), 0, 'threads are left');
      },
      pretendCores,
    ));

  if (PLACES.includes(true)) {
    test('belong to the worker, where there is one, and end with it', () =>
      withPage(set.server, async (page) => {
        const { rows, alone, adapter, cores } = await page.evaluate(async (tiny) => {
          const { rows: alone } = await visit(tiny, { threads: 1 });
          globalThis.specter = await Specter.load(tiny, { dtype: 'f32' });
          const rows = rowsOf(await specter.embed(['a text', { title: 'a title', abstract: 'an abstract' }]));
          return { rows, alone, adapter: specter.info().device.adapter, cores: Math.min(navigator.hardwareConcurrency, 8) };
        }, TINY);
        assert.equal(adapter, cores === 1 ? 'CPU, 1 thread' : `CPU, ${cores} threads`);
        assert.deepEqual(rows, alone);
        assert.equal(await workersOf(page, cores), cores);
        await page.evaluate(() => specter.dispose());
        assert.equal(await workersOf(page, 0), 0, 'workers are left');
      }));
  }

  test('need a page that may share memory', () =>
    withPage(plain, async (page) => {
      assert.equal(await page.evaluate(() => typeof SharedArrayBuffer), 'undefined');
      for (const worker of [true, false]) {
        const { info } = await visit(page, TINY, { worker, threads: 3 });
        assert.equal(info.device.adapter, 'CPU, 1 thread');
      }
      assert.equal(await workersOf(page, 0), 0);
    }));

  test('do hundreds of short calls without losing one', () =>
    withPage(
      set.server,
      async (page) => {
        const { different, calls } = await page.evaluate(async (tiny) => {
          const specter = await Specter.load(tiny, { worker: false, dtype: 'f32' });
          const papers = ['one', 'two words', 'now there are three'];
          const expected = [];
          for (const paper of papers) expected.push(JSON.stringify(rowsOf(await specter.embed(paper))));
          let different = 0;
          let calls = 0;
          for (const end = performance.now() + 2000; calls < 400 && performance.now() < end; calls++) {
            const which = calls % papers.length;
            if (JSON.stringify(rowsOf(await specter.embed(papers[which]))) !== expected[which]) different++;
          }
          await specter.dispose();
          return { different, calls };
        }, TINY);
        assert.equal(different, 0);
        assert.ok(calls > 50, `${calls} calls`);
      },
      pretendCores,
    ));

  test('of several models at once keep out of each other’s way, and end with theirs', () =>
    withPage(
      set.server,
      async (page) => {
        const { same, left } = await page.evaluate(async (tiny) => {
          const dtypes = ['f32', 'q8', 'q4'];
          const papers = Array.from({ length: 40 }, (_, i) => `paper number ${i} on the structure of protein and climate`);
          const alone = [];
          for (const dtype of dtypes) alone.push((await visit(tiny, { dtype, threads: 1 }, papers)).rows);
          const load = (dtype) => Specter.load(tiny, { worker: false, dtype, threads: 2 });
          const [gone, ...others] = await Promise.all([load('f32'), ...dtypes.map(load)]);
          const embed = async (specter) => rowsOf(await specter.embed(papers));
          const first = Promise.all(others.map(embed));
          await gone.dispose();
          const rounds = [await first, await Promise.all(others.map(embed))];
          globalThis.others = others;
          return { same: rounds.map((rows) => JSON.stringify(rows) === JSON.stringify(alone)), left: others.length };
        }, TINY);
        assert.deepEqual(same, [true, true]);
        assert.equal(await workersOf(page, left), left, 'one thread each beside the page');
        await page.evaluate(() => Promise.all(others.map((specter) => specter.dispose())));
        assert.equal(await workersOf(page, 0), 0, 'threads are left');
      },
      pretendCores,
    ));

  test('end with a load that fails or is stopped, wherever it has come to', () =>
    withPage(
      set.server,
      async (page) => {
        const codes = await page.evaluate(async (tiny) => {
          const options = { worker: false, device: 'wasm', cache: false };
          const codes = [];
          const attempt = async (source, more) => codes.push((await failureOf(Specter.load(source, { ...options, ...more }))).code);
          await attempt('./nothing/', {});
          await attempt(tiny, { dtype: 'q3' });
          await attempt(tiny, { adapters: { one: './nothing/' } });
          await attempt(tiny, { tokenBudget: 1e9 });
          for (const phase of ['download', 'weights', 'pipelines']) {
            const controller = new AbortController();
            await attempt(tiny, { signal: controller.signal, onProgress: (step) => step.phase === phase && controller.abort() });
          }
          // While threads are starting: before, and at any moment.
          for (const milliseconds of [0, 20, 50, 100]) {
            const controller = new AbortController();
            setTimeout(() => controller.abort(), milliseconds);
            await attempt(tiny, { signal: controller.signal });
          }
          return codes;
        }, TINY);
        assert.deepEqual(codes.slice(0, 4), ['model-not-found', 'invalid-option', 'model-not-found', 'invalid-option']);
        assert.deepEqual(codes.slice(4, 7), ['aborted', 'aborted', 'aborted']);
        for (const code of codes.slice(7)) assert.ok(['aborted', 'none'].includes(code), code);
        assert.equal(await workersOf(page, 0), 0, 'threads are left');
      },
      pretendCores,
    ));

  test('end where the engine itself cannot be read', () =>
    withPage(
      set.server,
      async (page) => {
        const failure = await page.evaluate(async (tiny) => {
          const { fetch } = globalThis;
          // Only when threads have had the time to start.
          globalThis.fetch = async (address, init) => {
            if (!String(address).endsWith('specter_web_bg.wasm')) return fetch(address, init);
            await new Promise((resolve) => setTimeout(resolve, 500));
            return new Response(null, { status: 404 });
          };
          const failure = await failureOf(Specter.load(tiny, { worker: false, device: 'wasm' }));
          globalThis.fetch = fetch;
          return failure;
        }, TINY);
        assert.equal(failure.code, 'network', failure.message);
        assert.equal(await workersOf(page, 0), 0, 'threads are left');
      },
      pretendCores,
    ));

  for (const [what, breakThreads] of /** @type {[string, () => void][]} */ ([
    [
      'whose script is not served',
      () => {
        const Plain = Worker;
        globalThis.Worker = class extends Plain {
          constructor(/** @type {URL} */ address, /** @type {WorkerOptions} */ options) {
            super(isBroken(address) ? new URL('./nothing.js', location.href) : address, options);
          }
        };
      },
    ],
    [
      'that the page may not start',
      () => {
        const Plain = Worker;
        globalThis.Worker = class extends Plain {
          constructor(/** @type {URL} */ address, /** @type {WorkerOptions} */ options) {
            if (isBroken(address)) throw new DOMException('Not from here.', 'SecurityError');
            super(address, options);
          }
        };
      },
    ],
    [
      'that never comes',
      () => {
        const Plain = Worker;
        globalThis.Worker = class extends Plain {
          constructor(/** @type {URL} */ address, /** @type {WorkerOptions} */ options) {
            super(isBroken(address) ? URL.createObjectURL(new Blob([''], { type: 'text/javascript' })) : address, options);
          }
        };
        // Nobody wants to wait as long as a load does.
        const { setTimeout } = globalThis;
        globalThis.setTimeout = /** @type {any} */ ((/** @type {() => void} */ act, /** @type {number} */ delay) => setTimeout(act, Math.min(delay, 1000)));
      },
    ],
  ])) {
    test(`one ${what} leaves the load with those that come`, () =>
      withPage(
        set.server,
        async (page) => {
          await page.evaluate(() => {
            // Of three helpers the first, the last, or all.
            globalThis.broken = [];
            let started = 0;
            globalThis.isBroken = (address) => String(address).endsWith('thread.js') && broken.includes(started++ % 3);
          });
          await page.evaluate(breakThreads);
          const alone = await visit(page, TINY, { threads: 1 });
          for (const [broken, adapter] of /** @type {[number[], RegExp][]} */ ([
            [[0, 1, 2], /^CPU, 1 thread$/],
            [[2], /^CPU, 3 threads$/],
            [[0], /^CPU, [34] threads$/],
          ])) {
            await page.evaluate((now) => (globalThis.broken = now), broken);
            const { info, rows, failure } = await visit(page, TINY, { threads: 4 });
            assert.deepEqual(rows, alone.rows, failure?.message);
            assert.match(info.device.adapter, adapter, `without ${broken}`);
          }
          assert.equal(await workersOf(page, 0), 0, 'threads are left');
        },
        pretendCores,
      ));
  }
});

describe(`a call on the CPU, in ${BROWSER}`, () => {
  test('that is stopped is answered at once, and the next one works', () =>
    withPage(plain, async (page) => {
      const { failure, waited, dims } = await page.evaluate(async (model) => {
        const specter = await Specter.load(model, { device: 'wasm' });
        const papers = Array.from({ length: 60 }, (_, i) => `${i} ${'on the structure of protein and climate '.repeat(60)}`);
        const controller = new AbortController();
        let stopped = 0;
        const failure = await failureOf(
          specter.embed(papers, {
            signal: controller.signal,
            onProgress: ({ loaded }) => {
              if (!loaded || stopped) return;
              stopped = performance.now();
              controller.abort();
            },
          }),
        );
        const waited = performance.now() - stopped;
        const { dims } = await specter.embed('a text');
        await specter.dispose();
        return { failure, waited, dims };
      }, MINILM);
      assert.equal(failure.code, 'aborted', failure.message);
      assert.ok(waited < 50, `${waited} ms`);
      assert.deepEqual(dims, [1, 384]);
    }));

  for (const worker of [true, false]) {
    test(`with a long list tells of each batch, with worker: ${worker}, and gives the page its turn between them`, () =>
      withPage(plain, async (page) => {
        const { steps, turns } = await page.evaluate(async (tiny, worker) => {
          const specter = await Specter.load(tiny, { device: 'wasm', worker, tokenBudget: 64 });
          const steps = [];
          let turns = 0;
          const timer = setInterval(() => turns++, 0);
          await specter.embed(Array.from({ length: 200 }, (_, i) => `paper number ${i} on the structure of protein`), {
            onProgress: ({ phase, loaded, total }) => steps.push([phase, loaded, total]),
          });
          clearInterval(timer);
          await specter.dispose();
          return { steps, turns };
        }, TINY, worker);
        const loaded = steps.map(([, loaded]) => loaded);
        assert.ok(steps.every(([phase, , total]) => phase === 'embed' && total === 200));
        assert.ok(loaded.length > 20 && loaded[0] === 0 && loaded.at(-1) === 200, String(loaded));
        assert.ok(loaded.every((now, i) => i === 0 || now > loaded[i - 1]), String(loaded));
        assert.ok(worker || turns > 10, `${turns} turns`);
      }));
  }

  test('takes little memory beside the weights, and no more after many', () =>
    withPage(
      plain,
      async (page) => {
        const { first, last, taken } = await page.evaluate(async (model) => {
          const specter = await Specter.load(model, { device: 'wasm', worker: false });
          const papers = Array.from({ length: 100 }, (_, i) => `${i} on the structure of protein and climate `.repeat(1 + (i % 7)));
          await specter.embed(papers);
          const first = specter.info().memory;
          for (let i = 0; i < 3; i++) await specter.embed(papers);
          const last = specter.info().memory;
          const taken = memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
          await specter.dispose();
          return { first, last, taken };
        }, MINILM);
        // Of the file, nearly all is q8.
        const weights = 25_252_808;
        const most = 1.3 * weights + 64e6;
        assert.ok(last.weights >= 0.9 * weights, `${last.weights} bytes of weights`);
        assert.ok(last.weights + last.activations <= most, `${last.weights + last.activations} bytes`);
        assert.deepEqual(last, first);
        assert.ok(taken >= last.weights && taken <= most, `${taken} bytes are taken`);
      },
      () => {
        globalThis.memories = [];
        WebAssembly.Memory = class extends WebAssembly.Memory {
          constructor(/** @type {WebAssembly.MemoryDescriptor} */ descriptor) {
            super(descriptor);
            memories.push(this);
          }
        };
      },
    ));
});

describe(`a GPU that is lost, in ${BROWSER}`, () => {
  /** Runs in the page. */
  const prepareLosses = () => {
    globalThis.ADAPTERS = '/fixtures/tiny-bert/adapters/';
    /** Every adapter that is loaded, and none. */
    globalThis.embedAll = async (specter) => {
      const all = {};
      for (const adapter of [null, ...specter.info().adapters]) all[adapter] = rowsOf(await specter.embed(['a text', 'another one'], { adapter }));
      return all;
    };
    /** Kernels by rule: what is measured to be faster than all others may round, as this is taken for a GPU. */
    globalThis.here = { worker: false, tuning: 'usual' };
    globalThis.warnings = [];
    console.warn = (text) => warnings.push(text);
  };
  const prepare = async (/** @type {import('puppeteer-core').Page} */ page) => void (await page.evaluate(prepareLosses));

  /**
   * Whether a device that is lost in the middle of a call breaks what the call does with it. Firefox reports errors of
   * such a device before its loss, and the call fails with the first of them.
   */
  const DESTROYS = BROWSER !== 'firefox';

  /** @param {Record<string, number[][]>} vectors @param {Record<string, number[][]>} expected */
  const assertSame = (vectors, expected) => {
    assert.deepEqual(Object.keys(vectors), Object.keys(expected));
    for (const [name, rows] of Object.entries(expected)) {
      const apart = distance(vectors[name], rows);
      assert.ok(apart <= 5e-5, `${name} differs by ${apart}`);
    }
  };

  test('comes back with the heads that were there, learned or loaded, and without those that had gone', () =>
    withPage(
      plain,
      async (page) => {
        await prepare(page);
        const rounds = await page.evaluate(async (tiny) => {
          const HEADS = '/fixtures/heads/adapters/';
          const specter = await Specter.load(tiny, { ...here, dtype: 'f32', adapters: { a: `${HEADS}layers_1/`, b: `${HEADS}layers_2/` }, heads: { alone: `${HEADS}alone/` } });
          const examples = ['glaciers', 'fire', 'ice', 'heat'].map((paper, i) => ({ paper, label: ['cold', 'hot'][i % 2] }));
          await specter.fit(examples, { name: 'learned', adapter: 'a', strength: 1 });
          await specter.fit(examples, { name: 'gone', strength: 1 });
          await specter.unloadHead('gone');
          await specter.unloadHead('b');
          const labels = await specter.encodeLabels(['cold', 'hot']);
          const rounds = [];
          for (let round = 0; round < 3; round++) {
            const heads = specter.info().heads.map(({ name }) => name);
            const scores = { labels: await specter.rankLabels('ice', labels) };
            for (const head of heads) scores[head] = await specter.classify('ice', { head });
            rounds.push({ heads, scores, after: specter.info().heads.map(({ name }) => name), kind: specter.info().device.kind });
            losses[round]?.();
          }
          await specter.dispose();
          return rounds;
        }, TINY);
        assert.deepEqual(rounds.map(({ kind }) => kind), ['webgpu', 'webgpu', 'wasm']);
        const flat = (/** @type {Record<string, { label: string, score: number }[][]>} */ scores) =>
          Object.values(scores).map(([one]) => one.toSorted((a, b) => (a.label < b.label ? -1 : 1)).map(({ score }) => score));
        for (const { heads, after, scores } of rounds) {
          assert.deepEqual(heads, ['a', 'alone', 'learned']);
          assert.deepEqual(after, heads);
          assert.ok(distance(flat(scores), flat(rounds[0].scores)) <= 1e-4);
        }
      },
      pretendHardware,
    ));

  test('is loaded again the first time, and left for the CPU the second time, with all that was loaded', () =>
    withPage(
      plain,
      async (page) => {
        await prepare(page);
        const { rounds, after, left } = await page.evaluate(async (tiny) => {
          const specter = await Specter.load(tiny, { ...here, dtype: 'f32', adapters: { early: `${ADAPTERS}seq_bn/`, other: `${ADAPTERS}par_bn/` } });
          await specter.loadAdapter('late', `${ADAPTERS}par_bn/`);
          await specter.loadAdapter('other', `${ADAPTERS}ln_after/`);
          await specter.loadAdapter('gone', `${ADAPTERS}par_bn/`);
          await specter.unloadAdapter('gone');
          const rounds = [];
          const round = async () => {
            const vectors = await embedAll(specter);
            const { device, adapters } = specter.info();
            rounds.push({ vectors, device, adapters, devices: losses.length, warnings: [...warnings] });
          };
          await round();
          losses[0]();
          await round();
          losses[1]();
          await round();
          // It stays there, and is a model like any other.
          await specter.loadAdapter('gone', `${ADAPTERS}par_bn/`);
          await specter.unloadAdapter('early');
          const after = { vectors: await embedAll(specter), device: specter.info().device, devices: losses.length };
          await specter.dispose();
          return { rounds, after, left: warnings.length };
        }, TINY);
        const [whole, again, over] = rounds;
        assert.deepEqual(whole.adapters, ['early', 'late', 'other']);
        for (const { vectors, adapters } of [again, over]) {
          assert.deepEqual(adapters, whole.adapters);
          assertSame(vectors, whole.vectors);
        }
        assert.ok(distance(whole.vectors.early, whole.vectors.other) > 1e-3 && distance(whole.vectors.late, whole.vectors.other) > 1e-3);
        assert.deepEqual(rounds.map(({ device }) => device.kind), ['webgpu', 'webgpu', 'wasm']);
        assert.deepEqual(rounds.map(({ devices }) => devices), [1, 2, 2]);
        assert.deepEqual(rounds.map(({ warnings }) => warnings.length), [0, 0, 1]);
        assert.equal(over.device.reason, 'The GPU was lost 2 times.');
        assert.match(over.warnings[0], /^specter-web .*CPU.*The GPU was lost 2 times\.$/);
        const { early, ...kept } = whole.vectors;
        assertSame(after.vectors, { null: kept.null, gone: kept.late, late: kept.late, other: kept.other });
        assert.deepEqual([after.device, after.devices, left], [over.device, 2, 1]);
      },
      pretendHardware,
    ));

  test('in the middle of a call does not fail it', () =>
    withPage(
      plain,
      async (page) => {
        await prepare(page);
        const outcome = await page.evaluate(async (tiny, destroys) => {
          const papers = Array.from({ length: 40 }, (_, i) => `paper number ${i} on the structure of protein and climate`);
          const specter = await Specter.load(tiny, { ...here, dtype: 'f32', tokenBudget: 64 });
          const expected = rowsOf(await specter.embed(papers));
          const lost = [];
          const onProgress = ({ phase, loaded }) => {
            if (phase !== 'embed' || loaded < 15 || lost.includes(losses.length)) return;
            lost.push(losses.length);
            losses.at(-1)(destroys);
          };
          const waiting = [];
          const rows = specter.embed(papers, { onProgress }).then(rowsOf);
          for (let i = 0; i < 3; i++) waiting.push(specter.embed(papers.slice(0, 2)).then(rowsOf));
          const outcome = { expected, rows: await rows, waiting: await Promise.all(waiting), lost, kind: specter.info().device.kind };
          await specter.dispose();
          return outcome;
        }, TINY, DESTROYS);
        assert.deepEqual(outcome.lost, [1, 2]);
        assert.equal(outcome.kind, 'wasm');
        assert.ok(distance(outcome.rows, outcome.expected) <= 5e-5);
        for (const rows of outcome.waiting) assert.ok(distance(rows, outcome.expected.slice(0, 2)) <= 5e-5);
      },
      pretendHardware,
    ));

  test('while a model or an adapter is loaded does not fail that', () =>
    withPage(
      plain,
      async (page) => {
        await prepare(page);
        const outcome = await page.evaluate(async (tiny, destroys) => {
          const expected = (await visit(tiny, { device: 'wasm', adapters: { one: `${ADAPTERS}seq_bn/` } })).rows;
          let lose = true;
          const onProgress = ({ phase, loaded, total }) => {
            if (!lose || phase !== 'weights' || loaded < total / 2) return;
            lose = false;
            losses.at(-1)(destroys);
          };
          const specter = await Specter.load(tiny, { ...here, dtype: 'f32', onProgress });
          const kinds = [specter.info().device.kind];
          losses.at(-1)(destroys);
          await specter.loadAdapter('one', `${ADAPTERS}seq_bn/`);
          const rows = rowsOf(await specter.embed(['a text', { title: 'a title', abstract: 'an abstract' }]));
          const { adapters, device } = specter.info();
          const withAdapter = rowsOf(await specter.embed('a text', { adapter: 'one' }));
          await specter.dispose();
          return { expected, rows, withAdapter, kinds: [...kinds, device.kind], adapters, devices: losses.length };
        }, TINY, DESTROYS);
        assert.ok(distance(outcome.rows, outcome.expected) <= 5e-5);
        assert.ok(distance(outcome.withAdapter, [outcome.expected[0]]) > 1e-3);
        assert.deepEqual(outcome.adapters, ['one']);
        assert.equal(outcome.kinds[1], 'wasm');
        assert.equal(outcome.devices, 2);
      },
      pretendHardware,
    ));

  test('is an error where WebGPU was asked for', () =>
    withPage(
      plain,
      async (page) => {
        await prepare(page);
        const { failures, devices, again } = await page.evaluate(async (tiny) => {
          const specter = await Specter.load(tiny, { ...here, device: 'webgpu' });
          losses[0]();
          const failures = [await failureOf(specter.embed('a text')), await failureOf(specter.embed('a text'))];
          const devices = losses.length;
          await specter.dispose();
          const { dims } = await (await Specter.load(tiny, { ...here, device: 'webgpu' })).embed('a text');
          return { failures, devices, again: dims };
        }, TINY);
        for (const failure of failures) {
          assert.equal(failure.code, 'device-lost', failure.message);
          assert.match(failure.message, /Load the model again/);
        }
        assert.equal(devices, 1);
        assert.deepEqual(again, [1, 32]);
        assert.deepEqual(await page.evaluate(() => warnings), []);
      },
      pretendHardware,
    ));

  test('and not there any more is left for the CPU at once', () =>
    withPage(
      plain,
      async (page) => {
        await prepare(page);
        const { device, dims, warned } = await page.evaluate(async (tiny) => {
          const specter = await Specter.load(tiny, here);
          GPU.prototype.requestAdapter = async () => null;
          losses[0]();
          const { dims } = await specter.embed('a text');
          const { device } = specter.info();
          await specter.embed('another text');
          await specter.dispose();
          return { device, dims, warned: warnings };
        }, TINY);
        assert.deepEqual(dims, [1, 32]);
        assert.equal(device.kind, 'wasm');
        assert.match(device.reason, /no graphics adapter/);
        assert.equal(warned.length, 1, warned.join('\n'));
        assert.match(warned[0], /CPU.*no graphics adapter/);
      },
      pretendHardware,
    ));

  test('or gives no device is left for the CPU, unless WebGPU was asked for', () =>
    withPage(
      plain,
      async (page) => {
        await prepare(page);
        const { visits, warned } = await page.evaluate(async (tiny) => {
          const { requestAdapter } = GPU.prototype;
          GPU.prototype.requestAdapter = async function (options) {
            const adapter = await requestAdapter.call(this, options);
            adapter.requestDevice = () => Promise.reject(new DOMException('Out of devices.', 'OperationError'));
            return adapter;
          };
          const load = async (device) => {
            let kind = null;
            const failure = await failureOf(
              Specter.load(tiny, { ...here, device }).then(async (specter) => {
                kind = specter.info().device.kind;
                await specter.embed('a text');
                return specter;
              }),
            );
            return [failure.code, kind];
          };
          return { visits: [await load('auto'), await load('webgpu')], warned: warnings };
        }, TINY);
        assert.deepEqual(visits, [['none', 'wasm'], ['webgpu-unavailable', null]]);
        assert.equal(warned.length, 1, warned.join('\n'));
        assert.match(warned[0], /CPU/);
      },
      pretendHardware,
    ));
});

if (BROWSER === 'firefox') {
  describe('threads of a worker, in firefox without a driver', () => {
    /** @type {string} */
    let folder;
    before(() => void (folder = mkdtempSync(join(tmpdir(), 'specter-web-'))));
    after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));

    test('run, and give the same vectors to the last bit', async () => {
      writeFileSync(
        join(folder, 'index.html'),
        `<!doctype html><script type="module">
          const { Specter } = await import('/specter.js');
          const found = { cores: navigator.hardwareConcurrency, vectors: {} };
          try {
            for (const threads of [1, 2, 2, 2]) {
              const specter = await Specter.load('${TINY}', { device: 'wasm', threads });
              const { data } = await specter.embed(['a text', 'another text']);
              (found.vectors[specter.info().device.adapter] ??= []).push(data.join());
              await specter.dispose();
            }
          } catch (error) {
            found.failure = String(error);
          }
          await fetch('/found?' + encodeURIComponent(JSON.stringify(found)));
        </script>`,
      );
      const server = await serve({ root: SITE, isolate: true, folders: [['/page/', folder]] });
      const { paths, end } = watchRequests();
      const profile = join(folder, 'profile');
      const firefox = spawn(
        /** @type {string} */ (findBrowser('firefox')),
        ['--headless', '--no-remote', '--profile', mkdtempSync(profile), new URL('page/', server.url).href],
        { stdio: 'ignore' },
      );
      const isAnswer = (/** @type {string} */ path) => path.startsWith('/found?');
      for (let wait = 0; wait < 600 && !paths.some(isAnswer); wait++) await new Promise((resolve) => setTimeout(resolve, 100));
      end();
      firefox.kill();
      await once(firefox, 'exit');
      await server.close();
      const answer = paths.find(isAnswer);
      assert.ok(answer, 'no answer');
      const found = JSON.parse(decodeURIComponent(answer.slice('/found?'.length)));
      assert.equal(found.failure, undefined);
      const { 'CPU, 1 thread': [alone, ...others], 'CPU, 2 threads': threaded = [] } = found.vectors;
      assert.equal(threaded.length, found.cores > 1 ? 3 : 0);
      assert.deepEqual([...others, ...threaded], [alone, alone, alone]);
    });
  });
}
