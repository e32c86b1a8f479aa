/** What an animation on the page feels while papers are embedded off it. */
import { inputsOf, openBlankPage, reasonOf } from './stand.mjs';
import { median, quantile } from './statistics.mjs';

/** @import { Contender } from './engines.mjs' */
/** @import { Entry, Row } from './measure.mjs' */

/** Upper ends of the histogram's columns in milliseconds: one, two, three and six frames at 60 Hz, and a bit. */
export const FRAME_LIMITS = [17.5, 34, 51, 101];

/**
 * @typedef {object} FrameRow
 * @property {string} model
 * @property {Contender} contender
 * @property {number} documents
 * @property {number} [milliseconds]  of the work
 * @property {Frames} [idle]          with nothing else going on
 * @property {Frames} [busy]          while it works
 * @property {string} [failure]
 *
 * @typedef {object} Frames
 * @property {number} count
 * @property {number} median   milliseconds from one frame to the next
 * @property {number} late     95 of 100 take less
 * @property {number} worst
 * @property {number[]} histogram  frames up to each of the limits, and beyond
 */

/**
 * Of our first engine, and of the fastest other one of each kind.
 *
 * @param {Entry[]} entries
 * @param {Row[]} rows  of the same papers
 * @param {(line: string) => void} tell
 * @returns {Promise<FrameRow[]>}
 */
export async function frameTimes(entries, rows, tell) {
  const speed = (/** @type {Entry} */ { stand }) => {
    const row = rows.find(({ contender }) => contender === stand.contender);
    return row?.milliseconds.length ? row.tokens / median(row.milliseconds) : 0;
  };
  const able = entries.filter(({ stand, failure }) => !failure && !stand.failure);
  const fastest = (/** @type {'webgpu' | 'wasm'} */ kind) =>
    able
      .filter(({ stand: { contender } }) => !contender.ours && contender.kind === kind)
      .sort((left, right) => speed(right) - speed(left))[0];
  const chosen = [able.find(({ stand }) => stand.contender.ours), fastest('webgpu'), fastest('wasm')];
  /** @type {FrameRow[]} */
  const results = [];
  for (const entry of chosen) {
    if (!entry) continue;
    const row = await framesOf(entry);
    results.push(row);
    const { busy, failure } = row;
    tell(`${entry.stand.label}: ${busy ? `worst frame ${busy.worst.toFixed(0)} ms` : `failed: ${failure}`}`);
  }
  return results;
}

/**
 * @param {Entry} entry
 * @returns {Promise<FrameRow>}
 */
async function framesOf({ stand, batches }) {
  const { browser, address, model, contender } = stand;
  const row = { model: model.name, contender, documents: batches.indices.flat().length };
  const page = await openBlankPage(browser, address);
  try {
    await page.bringToFront();
    const { idle, busy, milliseconds } = await page.evaluate(
      async (work) => {
        const own = /** @type {typeof import('./page/frames.js')} */ (
          await import(/** @type {string} */ ('/bench/page/frames.js'))
        );
        return own.framesDuring(work);
      },
      {
        module: `/bench/engines/${contender.module}.js`,
        // Ours has a worker of its own.
        settings: contender.ours ? { ...contender.settings, worker: true } : contender.settings,
        remote: !contender.ours,
        model,
        inputs: inputsOf(model),
        batches,
      },
    );
    return { ...row, milliseconds, idle: summary(idle), busy: summary(busy) };
  } catch (error) {
    return { ...row, failure: reasonOf(error) };
  } finally {
    await page.close();
  }
}

/**
 * @param {number[]} times
 * @returns {Frames}
 */
function summary(times) {
  const histogram = Array.from({ length: FRAME_LIMITS.length + 1 }, () => 0);
  for (const time of times) {
    const column = FRAME_LIMITS.findIndex((limit) => time <= limit);
    histogram[column < 0 ? FRAME_LIMITS.length : column] += 1;
  }
  return {
    count: times.length,
    median: median(times),
    late: quantile(times, 0.95),
    worst: Math.max(...times),
    histogram,
  };
}
