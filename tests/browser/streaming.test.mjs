/** A file of SPECTER2's size, made on the spot: what loading it takes of the engine's memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { startHub } from './hub/server.mjs';
import { BROWSER, SITE, stage } from './stage.mjs';

const set = stage();

/** The most that WebAssembly may take, in bytes. */
const LIMIT = 96e6;

/** @type {string} */
let folder;
/** @type {Record<string, { size: number, slice: (start: number, end: number) => Buffer }>} */
const files = {};
/** @type {number[]} */
const open = [];
/** @type {Awaited<ReturnType<typeof startHub>>} */
let hub;

before(async () => {
  hub = await startHub();
  folder = mkdtempSync(join(tmpdir(), 'specter2-sized-'));
  execFileSync('python3', [join(SITE, 'tests/fixtures/specter2_sized.py'), folder]);
  for (const name of readdirSync(folder)) {
    const file = openSync(join(folder, name), 'r');
    open.push(file);
    files[name] = {
      size: fstatSync(file).size,
      slice: (start, end) => {
        const bytes = Buffer.alloc(end - start);
        readSync(file, bytes, 0, bytes.length, start);
        return bytes;
      },
    };
  }
});

after(() => {
  hub.close();
  open.forEach(closeSync);
  rmSync(folder, { recursive: true });
});

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
    hub.add('allenai/specter2-sized', files),
    cache,
  );
  const megabytes = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  const weights = hub.log.filter(({ server, path }) => server === 'cdn' && path.endsWith('.bin'));
  const received = weights.reduce((sum, { sent }) => sum + sent, 0);
  console.log(
    `${BROWSER}: ${cache ? 'with' : 'without'} the cache, ${megabytes(received)} of weights received in ${weights.length} requests, ` +
      `${megabytes(loaded.memory.heap)} of WebAssembly memory, ${megabytes(loaded.memory.weights)} on the device, ${loaded.seconds.toFixed(1)} s`,
  );
  return { ...loaded, received, requests: weights.length };
}

test('SPECTER2’s pickle of 440 MB streams through less than 96 MB of memory, with and without the cache', { timeout: 400_000 }, async () => {
  const size = /** @type {{ size: number }} */ (files['pytorch_model.bin']).size;
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
  await set.page.evaluate((address) => Specter.cache.delete(address), hub.add('allenai/specter2-sized', files));
});
