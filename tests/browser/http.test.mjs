/** One file from a server, in pieces: which bytes, with which requests, and what becomes of everything that goes wrong. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { byteAt, startHub, synthetic } from './hub/server.mjs';
import { BROWSER, stage } from './stage.mjs';

const set = stage();
const WEIGHTS = 'model.safetensors';

/** Blocks in these tests are of 64 KiB, so that what is said in blocks of a mebibyte happens to files of some MB. */
const BLOCK = 1 << 16;

/** @type {Awaited<ReturnType<typeof startHub>>} */
let hub;
before(async () => void (hub = await startHub()));
after(() => hub.close());
beforeEach(() => void (hub.log.length = 0));
const preparing = () => before(() => set.page.evaluate(preparePage, `return ${byteAt}`));

/** Runs in the page. @param {string} source */
async function preparePage(source) {
  const address = new URL('/http.js', location.href).href;
  const { openHttpFile } = await import(address);
  const byteAt = new Function(source)();

  console.info = (message) => void globalThis.notes.push(message);

  /** Opens a file and notes what it tells. */
  globalThis.openAt = (url, options = {}) => {
    globalThis.notes = [];
    globalThis.steps = [];
    const defaults = { folder: 'tiny', file: url.split('/').at(-1), headers: {}, block: 1 << 16, pause: 1 };
    const signal = new AbortController().signal;
    return openHttpFile(new URL(url), { signal, onProgress: (step) => steps.push(step), ...defaults, ...options });
  };

  /** Reads ranges one after the other; the first position at which a byte is not what it should be, or null. */
  globalThis.firstWrong = async (file, ranges) => {
    for (const [start, end] of ranges) {
      const bytes = await file.read(start, end);
      if (bytes.length !== end - start) return `${bytes.length} bytes for ${start} to ${end}`;
      for (let i = 0; i < bytes.length; i++) if (bytes[i] !== byteAt(start + i)) return start + i;
    }
    return null;
  };
}

/** @typedef {[start: number, end: number]} Range */

/**
 * Opens a file, reads ranges of it, and gives what the page and the server saw of that.
 *
 * @param {string} address
 * @param {Range[]} ranges
 * @param {Record<string, unknown>} [options]
 */
async function readRanges(address, ranges, options = {}) {
  return set.page.evaluate(
    async (address, ranges, options) => {
      const file = await openAt(address, options);
      return { size: file.size, etag: file.etag, wrong: await firstWrong(file, ranges), steps, notes };
    },
    address,
    ranges,
    options,
  );
}

/**
 * @param {string} address
 * @param {Range[]} [ranges]
 * @param {Record<string, unknown>} [options]
 */
async function failReading(address, ranges = [], options = {}) {
  const failure = await set.page.evaluate(
    (address, ranges, options) =>
      failureOf(openAt(address, options).then(async (file) => void (file && (await firstWrong(file, ranges))))),
    address,
    ranges,
    options,
  );
  if (failure.message.includes('http')) assert.ok(!failure.message.includes('?'), 'a query may hold a key');
  return failure;
}

/** A file in the order of its bytes, in pieces. @param {number} size @param {number} [step] @returns {Range[]} */
const inOrder = (size, step = 3 * BLOCK + 1000) =>
  Array.from({ length: Math.ceil(size / step) }, (_, i) => [i * step, Math.min((i + 1) * step, size)]);

/** Numbers from 0 to 1 that a seed decides. @param {number} seed */
function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** @param {{ loaded: number, total: number, file: string, phase: string, fromCache: boolean }[]} steps @param {number} size */
function checkSteps(steps, size) {
  let before = 0;
  for (const { loaded, total, phase, fromCache } of steps) {
    assert.ok(loaded >= before && loaded <= size, `${loaded} after ${before} of ${size}`);
    assert.deepEqual([total, phase, fromCache], [size, 'download', false]);
    before = loaded;
  }
}

/** What was asked for weights, without redirects. */
const served = () => hub.log.filter(({ status }) => status !== 302);

describe(`ranges of a file, in ${BROWSER}`, () => {
  preparing();
  const SIZE = 40_000_000;

  for (let seed = 1; seed <= 4; seed++) {
    test(`are its bytes whatever is read in whatever order and wherever the connection is cut (${seed})`, async () => {
      const random = randomFrom(seed);
      const below = (/** @type {number} */ n) => Math.floor(random() * n);
      const cuts = Array.from({ length: 30 }, () => below(SIZE));
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { cuts, direct: seed % 2 === 0 });

      /** @type {Range[]} */
      const ranges = [];
      let position = 0;
      while (ranges.length < 400) {
        if (random() < 0.1) {
          const start = below(SIZE);
          ranges.push([start, Math.min(SIZE, start + below(20 * BLOCK))]);
        } else if (position < SIZE) {
          if (random() < 0.1) position = Math.min(SIZE, position + below(10 * BLOCK));
          const end = Math.min(SIZE, position + 1 + below(4 * BLOCK));
          ranges.push([position, end]);
          position = end;
        } else position = 0;
      }
      const { wrong, size, steps, notes } = await readRanges(address + WEIGHTS, ranges);
      assert.deepEqual({ wrong, size, notes }, { wrong: null, size: SIZE, notes: [] });
      assert.ok(cuts.length < 15, 'the connection was cut again and again');
      assert.ok(served().every(({ method }) => method === 'GET'), 'no leave is asked for a range');
      checkSteps(steps, SIZE);
    });
  }

  test('in order take one answer, or one for 64 blocks of a larger file', async () => {
    for (const [size, answers] of [[60 * BLOCK, 1], [200 * BLOCK + 1, 1 + 4]]) {
      hub.log.length = 0;
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(size) });
      const begin = performance.now();
      const { wrong, steps, etag } = await readRanges(address + WEIGHTS, inOrder(size));
      assert.equal(wrong, null);
      assert.ok(steps.length <= 2 + (performance.now() - begin) / 50, `${steps.length} reports`);
      assert.match(etag, /^"[0-9a-f]{64}"$/);
      assert.equal(served().length, answers, JSON.stringify(served().map(({ range }) => range)));
      checkSteps(steps, size);
      assert.equal(steps.at(-1).loaded, size);
    }
  });

  test('as a zip file is read: its end, its beginning, then on', async () => {
    const size = 60 * BLOCK + 5;
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(size) });
    const tail = /** @type {Range} */ ([size - 60_000, size]);
    const ranges = /** @type {Range[]} */ ([[0, 8], tail, [size - 50_000, size - 40_000], [100, 90_000], ...inOrder(size, 50_000)]);
    const { wrong, steps } = await readRanges(address + WEIGHTS, ranges);
    assert.equal(wrong, null);
    assert.equal(served().length, 2, 'one for all and one for the end');
    assert.equal(steps.at(-1).loaded, size);

    const { steps: early } = await readRanges(address + WEIGHTS, [[0, 8], tail]);
    assert.ok(early.every(({ loaded }) => loaded < size), 'the end is not all');
  });

  test('with some left out between them take one answer', async () => {
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(60 * BLOCK) });
    const ranges = Array.from({ length: 15 }, (_, i) => /** @type {Range} */ ([4 * i * BLOCK + 10, 4 * i * BLOCK + 20]));
    const { wrong } = await readRanges(address + WEIGHTS, ranges);
    assert.equal(wrong, null);
    assert.equal(served().length, 1);
  });

  test('from two places in turn take few answers, small ones at first after a jump, as quantized rows and their scales do', async () => {
    const size = 60 * BLOCK;
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(size) });
    /** @type {Range[]} */
    const ranges = [];
    for (let row = 0; row < 100; row++) {
      ranges.push([row * 20_000, (row + 1) * 20_000], [50 * BLOCK + row * 1250, 50 * BLOCK + (row + 1) * 1250]);
    }
    const { wrong } = await readRanges(address + WEIGHTS, ranges);
    assert.equal(wrong, null);
    assert.ok(served().length <= 7, JSON.stringify(served().map(({ range }) => range)));
  });

  test('far ahead are not waited for, and reading goes on from there, with answers that double', async () => {
    const size = 60 * BLOCK;
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(size) }, { delay: 5 });
    const on = inOrder(size, BLOCK / 2).filter(([start]) => start >= 40 * BLOCK);
    const { wrong, steps } = await readRanges(address + WEIGHTS, [[0, 10], ...on]);
    assert.equal(wrong, null);
    assert.deepEqual(
      served().map(({ range }) => range),
      [undefined, ...[[40, 41], [41, 45], [45, 53], [53, 60]].map(([from, to]) => `bytes=${from * BLOCK}-${to * BLOCK - 1}`)],
    );
    checkSteps(steps, size);
    assert.equal(steps.at(-1).loaded, size);
  });

  for (const [what, length, shift] of /** @type {const} */ ([['one block', BLOCK, 0], ['a block across two', BLOCK, 1000], ['three blocks across four', 3 * BLOCK, 1000]])) {
    test(`here and there are sent little more than is read: ${what}, and sixteen left out`, async () => {
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(600 * BLOCK) });
      const ranges = Array.from({ length: 25 }, (_, i) => /** @type {Range} */ ([(20 + 20 * i) * BLOCK + shift, (20 + 20 * i) * BLOCK + shift + length]));
      const { wrong } = await readRanges(address + WEIGHTS, [[0, 10], ...ranges]);
      assert.equal(wrong, null);
      // The first tells how long the file is, the second is for who reads on from the beginning; both are closed early.
      const [, , ...after] = served();
      assert.equal(after.length, ranges.length);
      const sent = after.reduce((sum, { range }) => {
        const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
        return sum + Number(end) + 1 - Number(start);
      }, 0);
      assert.equal(sent, ranges.length * (length + (shift && BLOCK)), 'the blocks that were read');
    });
  }

  test('asked for all at once come in their order', async () => {
    const size = 30 * BLOCK;
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(size) });
    const wrong = await set.page.evaluate(
      async (address, ranges) => {
        const file = await openAt(address);
        return Promise.all(ranges.map((range) => firstWrong(file, [range])));
      },
      address + WEIGHTS,
      inOrder(size).reverse(),
    );
    assert.ok(wrong.every((position) => position === null), String(wrong));
  });

  test('outside the file are refused', async () => {
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(20 * BLOCK) });
    const { code } = await failReading(address + WEIGHTS, [[20 * BLOCK - 1, 20 * BLOCK + 1]]);
    assert.match(code, /RangeError/);
  });

  test('that nobody reads are not fetched', async () => {
    const size = 600 * BLOCK;
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(size) });
    await set.page.evaluate(async (address) => firstWrong((globalThis.idle = await openAt(address)), [[0, 10]]), address + WEIGHTS);
    await new Promise((passed) => setTimeout(passed, 1000));
    const [first, window] = served();
    assert.ok(first.closed && first.sent < size, `${first.sent} of ${size}`);
    assert.equal(window.range, `bytes=0-${64 * BLOCK - 1}`);
    await set.page.evaluate(() => void (globalThis.idle = null));
  });

  test('of a small file come from its one answer', async () => {
    const address = hub.add('org/tiny', { 'vocab.txt': synthetic(8 * BLOCK), 'empty.txt': synthetic(0) });
    const { wrong, steps } = await readRanges(`${address}vocab.txt`, [[5, 8 * BLOCK], [0, 5], [100, 200]]);
    assert.equal(wrong, null);
    assert.equal(served().length, 1);
    assert.equal(steps.at(-1).loaded, 8 * BLOCK);
    assert.equal((await readRanges(`${address}empty.txt`, [[0, 0]])).size, 0);
  });
});

describe(`a connection that breaks, in ${BROWSER}`, () => {
  preparing();
  const SIZE = 40 * BLOCK;

  test('is taken up where it broke', async () => {
    const cuts = [10 * BLOCK + 17, 25 * BLOCK];
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { cuts: [...cuts] });
    const { wrong, steps } = await readRanges(address + WEIGHTS, inOrder(SIZE));
    assert.equal(wrong, null);
    assert.equal(served().length, 3);
    served().slice(1).forEach(({ range, status }, i) => {
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
      // A browser may lose what had arrived when the connection was cut, and no more than that.
      assert.ok(Number(start) <= cuts[i] && Number(start) > 0, range);
      assert.equal(Number(end), SIZE - 1);
      assert.equal(status, 206);
    });
    checkSteps(steps, SIZE);
    assert.equal(steps.at(-1).loaded, SIZE);
  });

  test('again and again is taken up, as long as something arrives', async () => {
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { cutEvery: 2 * BLOCK });
    assert.equal((await readRanges(address + WEIGHTS, inOrder(SIZE))).wrong, null);
    assert.ok(served().length >= 20);
    hub.add('org/tiny', { 'vocab.txt': synthetic(8 * BLOCK) }, { cuts: [1, 2, 3, 4, 5, 6, 7].map((n) => n * BLOCK) });
    assert.equal((await readRanges(`${address}vocab.txt`, [[0, 8 * BLOCK]])).wrong, null);
  });

  test('because the server gives less at a time than it is asked for is taken up too', async () => {
    const part = (/** @type {import('./hub/server.mjs').Part} */ part) => {
      part.end = Math.min(part.end, part.start + 5 * BLOCK);
      part.headers['Content-Range'] = `bytes ${part.start}-${part.end - 1}/${SIZE}`;
    };
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { cuts: [10 * BLOCK], part });
    assert.equal((await readRanges(address + WEIGHTS, inOrder(SIZE))).wrong, null);
    assert.ok(served().length >= 7);
  });

  for (const [what, manners] of /** @type {[string, import('./hub/server.mjs').Manners][]} */ ([
    ['before any byte', { status: 0 }],
    ['at the same byte', { cuts: Array(100).fill(5 * BLOCK), cutEvery: 5 * BLOCK, ranges: false }],
  ])) {
    test(`five times ${what} is given up: network, with the address`, async () => {
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { ...manners, direct: true });
      const { code, message, file } = await failReading(address + WEIGHTS, inOrder(SIZE));
      assert.equal(code, 'network', message);
      assert.equal(file, WEIGHTS);
      assert.ok(message.includes(address + WEIGHTS), message);
      // Firefox itself repeats a request whose connection closed without an answer, up to ten times.
      assert.ok(served().length >= 5 && served().length <= 50, `${served().length} requests`);
      hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) });
      assert.equal((await readRanges(address + WEIGHTS, inOrder(SIZE))).wrong, null, 'a second load');
    });
  }

  test('and cannot be taken up is begun anew', async () => {
    for (const manners of [{ ranges: false }, { length: false }, { gzip: true, expose: ['Content-Encoding'] }]) {
      // Firefox (seen in 153) passes a compressed body that is cut as if it were whole.
      if (manners.gzip && BROWSER === 'firefox') continue;
      const cuts = manners.gzip ? [3000, 5000] : [10 * BLOCK + 17, 12 * BLOCK];
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { ...manners, cuts });
      const { wrong, steps } = await readRanges(address + WEIGHTS, inOrder(SIZE));
      assert.equal(wrong, null, JSON.stringify(manners));
      assert.deepEqual([cuts, served().length], [[], 3], JSON.stringify(manners));
      assert.equal(steps.at(-1).loaded, SIZE);
      hub.log.length = 0;
    }
  });

  test('is closed when the signal says so, and all waiting ends at once', async () => {
    const slow = hub.add('org/slow', { [WEIGHTS]: synthetic(SIZE) }, { delay: 200 });
    const busy = hub.add('org/busy', { [WEIGHTS]: synthetic(SIZE) }, { status: 503, retryAfter: '50' });
    for (const address of [slow, busy]) {
      hub.log.length = 0;
      const { code, waited } = await set.page.evaluate(async (address) => {
        const controller = new AbortController();
        const reading = failureOf(openAt(address, { signal: controller.signal }).then((file) => file.read(0, file.size)));
        await new Promise((passed) => setTimeout(passed, 700));
        const begin = performance.now();
        controller.abort();
        const { code } = await reading;
        return { code, waited: performance.now() - begin };
      }, address + WEIGHTS);
      assert.equal(code, 'aborted');
      assert.ok(waited < 300, `${waited} ms`);
      await new Promise((passed) => setTimeout(passed, 700));
      const before = hub.log.length;
      assert.ok(before > 0 && hub.log.every(({ closed }) => closed), 'a connection is left');
      assert.ok(served().every(({ sent }) => sent < SIZE));
      await new Promise((passed) => setTimeout(passed, 500));
      assert.equal(hub.log.length, before, 'it still asks');
    }
  });
});

describe(`a server that is busy, in ${BROWSER}`, () => {
  preparing();

  for (const [status, retryAfter, least] of /** @type {[number, undefined | string | (() => string), number][]} */ ([
    [503, undefined, 0],
    [500, undefined, 0],
    [429, '1', 1900],
    [503, () => new Date(Date.now() + 2000).toUTCString(), 1500],
  ])) {
    test(`${status}${retryAfter ? ` with Retry-After, in ${typeof retryAfter === 'string' ? 'seconds' : 'a date'},` : ''} is asked again`, async () => {
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(20 * BLOCK) }, { status, times: 2, retryAfter, direct: true });
      const begin = Date.now();
      const { wrong } = await readRanges(address + WEIGHTS, inOrder(20 * BLOCK));
      assert.equal(wrong, null);
      assert.ok(Date.now() - begin >= least, `after ${Date.now() - begin} ms`);
      assert.equal(served().length, 3);
    });
  }

  for (const status of [429, 503]) {
    test(`${status} five times: network, with the address`, async () => {
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(20 * BLOCK) }, { status, direct: true });
      const { code, message } = await failReading(address + WEIGHTS);
      assert.equal(code, 'network', message);
      assert.ok(message.includes(`${address}${WEIGHTS}`) && message.includes(`HTTP ${status}`), message);
      assert.equal(served().length, 5);
    });
  }

  for (const [status, code] of /** @type {const} */ ([[401, 'model-not-found'], [403, 'model-not-found'], [416, 'network'], [400, 'network']])) {
    test(`${status} is not asked again: ${code}`, async () => {
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(20 * BLOCK) }, { status });
      const failure = await failReading(address + WEIGHTS);
      assert.equal(failure.code, code, failure.message);
      assert.equal(served().length, 1);
    });
  }

  test('404, 410 and a page in the place of a file are no file', async () => {
    for (const manners of [{ status: 404 }, { status: 410 }, { html: true }]) {
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(20 * BLOCK) }, manners);
      assert.equal(await set.page.evaluate(async (address) => openAt(address), address + WEIGHTS), null);
    }
    assert.equal(served().length, 3);
  });
});

describe(`a file that changes while it is read, in ${BROWSER}`, () => {
  preparing();
  const SIZE = 40 * BLOCK;

  for (const [what, part, expose] of /** @type {[string, (part: import('./hub/server.mjs').Part) => void, string[] | undefined][]} */ ([
    ['another ETag', (part) => (part.headers.ETag = '"other"'), undefined],
    ['another length', (part) => (part.headers['Content-Range'] = String(part.headers['Content-Range']).replace(/\d+$/, '999')), undefined],
    ['another range', (part) => (part.headers['Content-Range'] = String(part.headers['Content-Range']).replace(/\d+-/, '7-')), undefined],
    ['more bytes than asked for', (part) => (part.start -= 1000), []],
  ])) {
    for (const [how, ranges, cuts] of /** @type {[string, Range[], number[]][]} */ ([
      ['after a cut', inOrder(SIZE), [10 * BLOCK]],
      ['far ahead', [[0, 10], [30 * BLOCK, 31 * BLOCK]], []],
    ])) {
      test(`${what} ${how}: corrupt-file`, async () => {
        const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { part, expose, cuts: [...cuts] });
        const { code, message, file } = await failReading(address + WEIGHTS, ranges);
        assert.equal(code, 'corrupt-file', message);
        assert.equal(file, `tiny/${WEIGHTS}`);
        assert.ok(message.includes(address + WEIGHTS), message);
        hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) });
        assert.equal((await readRanges(address + WEIGHTS, inOrder(SIZE))).wrong, null, 'a second load');
      });
    }
  }

  test('gone, or a page now: corrupt-file', async () => {
    for (const later of [{ status: 404 }, { status: 416 }, { html: true }]) {
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) });
      await set.page.evaluate(async (address) => void (globalThis.file = await openAt(address)), address + WEIGHTS);
      hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, later);
      const failure = await set.page.evaluate(() => failureOf(file.read(30 << 16, 31 << 16)));
      assert.equal(failure.code, 'corrupt-file', failure.message);
    }
  });

  test('and fails a read, fails all that come after', async () => {
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) });
    await set.page.evaluate(async (address) => void (globalThis.file = await openAt(address)), address + WEIGHTS);
    hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { status: 404 });
    const failures = await set.page.evaluate(() => Promise.all([failureOf(file.read(30 << 16, 31 << 16)), failureOf(file.read(0, 10))]));
    assert.deepEqual(failures.map(({ code }) => code), ['corrupt-file', 'corrupt-file']);
  });
});

describe(`a server that gives no parts, in ${BROWSER}`, () => {
  preparing();
  const SIZE = 40 * BLOCK;
  const jumping = /** @type {Range[]} */ ([[0, 10], [SIZE - 1000, SIZE], [100, 200], ...inOrder(SIZE)]);

  test('and no ranges: reading in order needs none', async () => {
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { ranges: false });
    const { wrong, notes } = await readRanges(address + WEIGHTS, inOrder(SIZE));
    assert.deepEqual({ wrong, notes }, { wrong: null, notes: [] });
    assert.equal(served().length, 1);
  });

  test('nor of a file that asks for several answers', async () => {
    const size = 100 * BLOCK;
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(size) }, { ranges: false });
    const { wrong, notes } = await readRanges(address + WEIGHTS, inOrder(size));
    assert.deepEqual({ wrong, notes }, { wrong: null, notes: [] });
    assert.equal(served().length, 2);
  });

  test('and no ranges: reading back and forth takes the whole, and says why', async () => {
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE) }, { ranges: false });
    const { wrong, notes, steps } = await readRanges(address + WEIGHTS, jumping);
    assert.equal(wrong, null);
    assert.equal(notes.length, 1);
    assert.match(notes[0], /^specter-web: tiny\/model\.safetensors is downloaded as a whole, because its server gives no parts of it\.$/);
    assert.equal(served().length, 2);
    checkSteps(steps, SIZE);
    assert.equal(steps.at(-1).loaded, SIZE);
  });

  for (const [what, manners, note] of /** @type {[string, import('./hub/server.mjs').Manners, RegExp][]} */ ([
    ['nor a length', { length: false }, /does not say how long it is/],
    ['but compressed ones', { gzip: true, expose: ['Content-Encoding', 'ETag'] }, /compresses it/],
  ])) {
    test(`${what}: takes the whole, and says why`, async () => {
      const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(SIZE), 'vocab.txt': synthetic(BLOCK) }, manners);
      const { wrong, notes, size, steps } = await readRanges(address + WEIGHTS, jumping);
      assert.deepEqual({ wrong, size }, { wrong: null, size: SIZE });
      assert.equal(notes.length, 1);
      assert.match(notes[0], note);
      assert.equal(served().length, 1);
      assert.ok(steps.every(({ total }) => total === 0));
      assert.equal(steps.at(-1).loaded, SIZE);

      const small = await readRanges(`${address}vocab.txt`, [[0, BLOCK]]);
      assert.deepEqual([small.wrong, small.notes, small.size], [null, [], BLOCK]);
    });
  }

  test('compressed ones whose encoding is hidden from other origins, longer or shorter than the file', async () => {
    const random = randomFrom(1);
    const texts = {
      'long.txt': 'a'.repeat(10_000),
      'short.txt': '{}',
      // More than a mebibyte when compressed, from where on a length is believed.
      'large.txt': Array.from({ length: 300_000 }, () => random().toString(36).slice(2, 9)).join('\n'),
    };
    const files = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]));
    const address = hub.add('org/tiny', files, { gzip: true, expose: [] });
    for (const [file, expected] of Object.entries(texts)) {
      const { size, same, steps } = await set.page.evaluate(
        async (address, expected) => {
          const file = await openAt(address, { block: 1 << 20 });
          const read = new TextDecoder().decode(await file.read(0, file.size));
          return { size: file.size, same: read === expected, steps };
        },
        address + file,
        expected,
      );
      assert.deepEqual([size, same], [expected.length, true], file);
      assert.equal(steps.at(-1).loaded, steps.at(-1).total);
    }
    assert.equal(served().length, 3);
  });
});

describe(`a length that is not true, in ${BROWSER}`, () => {
  preparing();

  for (const file of ['vocab.txt', WEIGHTS]) {
    const size = file === WEIGHTS ? 40 * BLOCK : BLOCK;

    test(`a body of ${file} that ends early is taken for cut: network`, async () => {
      const address = hub.add('org/tiny', { [file]: synthetic(size) }, { lie: 1000, ranges: false });
      const failure = await failReading(address + file, [[0, size + 1000]]);
      assert.equal(failure.code, 'network', failure.message);
      assert.ok(served().length >= 5 && served().length <= 10, `${served().length} requests`);
    });

    test(`and of which no more is to be had: ${file === WEIGHTS ? 'corrupt-file' : 'network'}`, async () => {
      const address = hub.add('org/tiny', { [file]: synthetic(size) }, { lie: 1000 });
      const failure = await failReading(address + file, [[0, size + 1000]]);
      assert.equal(failure.code, file === WEIGHTS ? 'corrupt-file' : 'network', failure.message);
      hub.add('org/tiny', { [file]: synthetic(size) });
      assert.equal((await readRanges(address + file, inOrder(size))).wrong, null, 'a second load');
    });

    test(`a body of ${file} that goes on ends where its length says`, async () => {
      const address = hub.add('org/tiny', { [file]: synthetic(size) }, { lie: -1000 });
      const { wrong, size: found } = await readRanges(address + file, inOrder(size - 1000));
      assert.deepEqual([wrong, found], [null, size - 1000]);
    });
  }
});

describe(`headers, in ${BROWSER}`, () => {
  preparing();

  test('go to the hub with every request, and Authorization no further', async () => {
    const size = 40 * BLOCK;
    const manners = { token: 'key', cuts: [10 * BLOCK] };
    const address = hub.add('org/tiny', { [WEIGHTS]: synthetic(size) }, manners);
    const headers = { Authorization: 'Bearer key' };
    const { wrong } = await readRanges(address + WEIGHTS, [...inOrder(20 * BLOCK), [30 * BLOCK, 30 * BLOCK + 10]], { headers });
    assert.equal(wrong, null);
    const gets = hub.log.filter(({ method }) => method === 'GET');
    assert.deepEqual([...new Set(gets.map(({ server, authorization }) => `${server} ${authorization}`))], ['hub Bearer key', 'cdn undefined']);
    assert.equal(gets.filter(({ server }) => server === 'cdn').length, 3);
  });
});
