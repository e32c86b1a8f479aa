/** Files of the size that models are published in, made on the spot: what loading and running them takes of memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { startHub } from './hub/server.mjs';
import { BROWSER, cosine, DEVICES, SITE, stage } from './stage.mjs';

const set = stage();

/** The most that WebAssembly may take, in bytes. */
const LIMIT = 96e6;

/** The most of a buffer that every device binds, and some no more. */
const BINDING = 128 << 20;

const TIMEOUT = { timeout: 400_000 };

/** @type {Awaited<ReturnType<typeof startHub>>} */
let hub;

before(async () => {
  hub = await startHub();
});
after(() => hub.close());

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/**
 * A folder that one of the scripts in tests/fixtures/ writes, on the hub for as long as the tests of the calling suite run.
 *
 * @param {string} id
 * @param {string} script
 * @param {string[]} [model]  which one the script is to write
 * @param {import('./hub/server.mjs').Manners} [manners]
 */
function repository(id, script, model = [], manners = {}) {
  /** @type {{ address: string, files: Record<string, { size: number, slice: (start: number, end: number) => Buffer }> }} */
  const made = { address: '', files: {} };
  /** @type {string} */
  let folder;
  /** @type {number[]} */
  const open = [];
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'full-size-'));
    execFileSync('python3', [join(SITE, 'tests/fixtures', script), ...model, folder]);
    for (const name of readdirSync(folder)) {
      const file = openSync(join(folder, name), 'r');
      open.push(file);
      made.files[name] = {
        size: fstatSync(file).size,
        slice: (start, end) => {
          const bytes = Buffer.alloc(end - start);
          readSync(file, bytes, 0, bytes.length, start);
          return bytes;
        },
      };
    }
    made.address = hub.add(id, made.files, manners);
  });
  after(() => {
    open.forEach(closeSync);
    rmSync(folder, { recursive: true });
  });
  return made;
}

/** What was sent of files of weights since the hub's log was last emptied. */
function received() {
  const weights = hub.log.filter(({ server, path }) => server === 'cdn' && /\.(bin|ckpt)$/.test(path));
  return { bytes: weights.reduce((sum, { sent }) => sum + sent, 0), requests: weights.length };
}

describe(`SPECTER2’s size in ${BROWSER}`, () => {
  const made = repository('allenai/specter2-sized', 'specter2_sized.py');

  /** @param {boolean} cache */
  async function load(cache) {
    hub.log.length = 0;
    const loaded = await set.page.evaluate(
      async (address, cache) => {
        const start = performance.now();
        const specter = await Specter.load(address, { cache });
        const seconds = (performance.now() - start) / 1000;
        const { data, dims } = await specter.embed('word1 word2');
        const { memory } = specter.info();
        await specter.dispose();
        return { seconds, memory, dims, vector: Array.from(data) };
      },
      made.address,
      cache,
    );
    const { bytes, requests } = received();
    console.log(
      `${BROWSER}: ${cache ? 'with' : 'without'} the cache, ${megabytes(bytes)} of weights received in ${requests} requests, ` +
        `${megabytes(loaded.memory.heap)} of WebAssembly memory, ${megabytes(loaded.memory.weights)} on the device, ${loaded.seconds.toFixed(1)} s`,
    );
    return { ...loaded, received: bytes };
  }

  test('SPECTER2’s pickle of 440 MB streams through less than 96 MB of memory, with and without the cache', TIMEOUT, async () => {
    const size = /** @type {{ size: number }} */ (made.files['pytorch_model.bin']).size;
    assert.ok(size > 430e6, `${size} bytes are no SPECTER2`);
    const direct = await load(false);
    assert.ok(direct.received > 400e6);
    assert.ok(direct.memory.heap < LIMIT, `${direct.memory.heap} bytes`);
    const stored = await load(true);
    assert.ok(stored.memory.heap < LIMIT, `${stored.memory.heap} bytes`);
    assert.deepEqual(stored.vector, direct.vector);
    const again = await load(true);
    assert.equal(again.received, 0);
    assert.deepEqual(again.vector, direct.vector);
    await set.page.evaluate((address) => Specter.cache.delete(address), made.address);
  });
});

describe(`SemCSE’s size in ${BROWSER}`, () => {
  const made = repository('CLAUSE-Bielefeld/semcse-sized', 'full_size.py', ['semcse']);
  const TABLE = 128_100 * 768;

  // The last words of the vocabulary lie in the last part of a table that comes in parts.
  const TEXTS = ['baba bebe bobo', 'davexo davexu daveya'];

  /**
   * @param {string} device
   * @param {string} dtype
   */
  async function load(device, dtype) {
    hub.log.length = 0;
    const loaded = await set.page.evaluate(
      async (address, device, dtype, texts) => {
        const start = performance.now();
        const specter = await Specter.load(address, { device, dtype, cache: false });
        const seconds = (performance.now() - start) / 1000;
        const rows = rowsOf(await specter.embed(texts));
        const { memory, architecture, device: found } = specter.info();
        await specter.dispose();
        return { seconds, rows, memory, architecture, kind: found.kind };
      },
      made.address,
      device,
      dtype,
      TEXTS,
    );
    const { memory, seconds } = loaded;
    console.log(
      `${BROWSER}: ${dtype} on ${device}, ${megabytes(received().bytes)} of weights received, ${megabytes(memory.heap)} of WebAssembly ` +
        `memory, ${megabytes(memory.weights)} on the device, ${seconds.toFixed(1)} s`,
    );
    assert.deepEqual([loaded.architecture, loaded.kind], ['deberta-v2', device]);
    assert.ok(received().bytes > 360e6);
    assert.ok(memory.heap < LIMIT, `${memory.heap} bytes`);
    return loaded;
  }

  test('its pickle of 370 MB and 128,100 words streams onto either device, whose vectors agree', TIMEOUT, async () => {
    const [onGpu, onCpu] = [await load('webgpu', 'q8'), await load('wasm', 'q8')];
    const cosines = onGpu.rows.map((row, i) => cosine(row, onCpu.rows[i]));
    console.log(`${BROWSER}: q8 on webgpu and on wasm have cosines of ${cosines.join(' and ')}`);
    // Those of inputs of 8 bits.
    assert.ok(Math.min(...cosines) >= 0.999);
    assert.ok(cosine(onGpu.rows[0], onGpu.rows[1]) < 0.99, 'the texts differ');

    // The file’s own numbers, in a table that no binding holds.
    assert.ok(2 * TABLE > BINDING);
    const exact = await load('webgpu', 'f16');
    assert.ok(exact.memory.weights > 2 * TABLE);
    const fidelity = exact.rows.reduce((sum, row, i) => sum + cosine(row, onGpu.rows[i]), 0) / exact.rows.length;
    console.log(`${BROWSER}: q8 has a mean cosine of ${fidelity} to f16`);
    assert.ok(fidelity >= 0.9995, `${fidelity}`);
  });
});

describe(`SciMult’s size in ${BROWSER}`, () => {
  // At the pace of a fast connection. On the loopback interface all of an answer has been sent before anybody can call it off.
  const made = repository('yuz9yuz/scimult-sized', 'full_size.py', ['scimult'], { files: /ckpt$/, delay: 1 });

  for (const device of DEVICES) {
    test(`three tasks share a checkpoint of 1.65 GB on ${device}, and going from one to another moves nothing`, TIMEOUT, async () => {
      const size = /** @type {{ size: number }} */ (made.files['scimult_moe.ckpt']).size;
      assert.ok(size > 1.6e9, `${size} bytes are no SciMult`);
      // In q8, 32 numbers have a scale, and on the CPU each panel of 8 rows says besides what its sums begin with.
      const bytesEach = device === 'webgpu' ? 34 / 32 : 40 / 32;
      const ofExperts = 6 * 4 * (768 * 768 * bytesEach + 768 * 4);
      const tables = 30_522 * 768 * (34 / 32) + 512 * 768 * 4;
      const expected = tables + (12 * 2 * 768 * 3072 + 6 * 4 * 768 * 768) * bytesEach + 3 * ofExperts;
      hub.log.length = 0;
      const { seconds, moved, memories, rows, tasks } = await set.page.evaluate(
        async (address, device) => {
          // What is written to the device, which only the page's own thread can be asked for.
          let written = 0;
          const { writeBuffer } = GPUQueue.prototype;
          GPUQueue.prototype.writeBuffer = function (...values) {
            const [, , data, offset = 0, count = data.byteLength / (data.BYTES_PER_ELEMENT ?? 1) - offset] = values;
            written += count * (data.BYTES_PER_ELEMENT ?? 1);
            return writeBuffer.apply(this, values);
          };
          const start = performance.now();
          const specter = await Specter.load(address, { device, weights: 'scimult_moe.ckpt', cache: false, worker: false });
          const seconds = (performance.now() - start) / 1000;
          const moved = [written];
          const memories = [];
          const rows = [];
          const tasks = specter.info().tasks.map(({ name }) => name);
          for (const task of [...tasks, tasks[0]]) {
            written = 0;
            rows.push(...rowsOf(await specter.embed('baba bebe bobo', { task })));
            moved.push(written);
            memories.push(specter.info().memory);
          }
          await specter.dispose();
          GPUQueue.prototype.writeBuffer = writeBuffer;
          return { seconds, moved, memories, rows, tasks };
        },
        made.address,
        device,
      );
      const { bytes, requests } = received();
      const [{ weights, heap }] = memories;
      console.log(
        `${BROWSER}: ${device}, ${megabytes(bytes)} of ${megabytes(size)} received in ${requests} requests, ${megabytes(heap)} of WebAssembly ` +
          `memory, ${megabytes(weights)} on the device (${megabytes(weights - 3 * ofExperts)} shared + 3 × ${megabytes(ofExperts)} of experts), ` +
          `${moved.slice(1).join(', ')} bytes written for a text in each task, ${seconds.toFixed(1)} s`,
      );
      assert.deepEqual(tasks, ['classification', 'link-prediction', 'search']);
      assert.ok(bytes < 0.5 * size, `${bytes} of ${size} bytes`);
      assert.ok(heap < LIMIT, `${heap} bytes`);
      assert.ok(weights > expected && weights < 1.05 * expected, `${weights} bytes, ${expected} expected`);
      for (const memory of memories) assert.equal(memory.weights, weights);
      const [first, second, third, again] = rows;
      assert.deepEqual(again, first);
      for (const [one, other] of [[first, second], [second, third], [third, first]]) assert.ok(cosine(one, other) < 0.99);
      if (device === 'webgpu') {
        assert.ok(moved[0] > expected, 'what is loaded is written');
        for (const written of moved.slice(1)) assert.ok(written < 1e5, `${written} bytes`);
      }
    });
  }
});
