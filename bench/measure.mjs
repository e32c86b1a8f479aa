/** One model: every contender through every measurement that is asked for. */
import { frameTimes } from './frames.mjs';
import { Inputs } from './inputs.mjs';
import { timeAgainstTokens } from './line.mjs';
import { operations } from './models.mjs';
import { PAPERS, planPapers } from './papers.mjs';
import { FRAMES, LINE, MIXED, SHAPES, START } from './shapes.mjs';
import { reasonOf, Stand } from './stand.mjs';
import { startTimes } from './start.mjs';
import { meanCosine } from './statistics.mjs';
import { seconds, takeTurns } from './turns.mjs';

/** @import { Contender } from './engines.mjs' */
/** @import { FrameRow } from './frames.mjs' */
/** @import { Line } from './line.mjs' */
/** @import { Batches } from './page/page.js' */
/** @import { StartRow } from './start.mjs' */
/** @import { Model } from './types.js' */

/**
 * A contender at a shape. Times are of runs that embed `documents`.
 *
 * @typedef {object} Row
 * @property {string} model
 * @property {string} shape
 * @property {Contender} contender
 * @property {number} documents
 * @property {number} of            how many the shape has
 * @property {number | undefined} size  documents at a time, where the benchmark chose that
 * @property {number} tokens        of them, padding not counted
 * @property {number} operations    floating-point operations of the whole forward pass over them
 * @property {number[]} milliseconds
 * @property {number} [cosine]      mean, to float32
 * @property {number} [gpuBytes]    of buffers that are alive after the runs
 * @property {string} [failure]
 *
 * @typedef {object} Results
 * @property {Row[]} rows
 * @property {StartRow[]} starts
 * @property {FrameRow[]} frames
 * @property {Line | undefined} line
 * @property {Map<string, string>} versions  of engines, by their name
 * @property {string[]} remarks              on what was not measured
 *
 * @typedef {object} Measurement
 * @property {import('puppeteer-core').Browser} browser
 * @property {string} address   of the benchmark's server
 * @property {string} files     folder of what the benchmark has made
 * @property {Model} model
 * @property {Contender[]} contenders
 * @property {string[]} measures
 * @property {number} rounds
 * @property {number} patience  milliseconds
 * @property {boolean} withLine
 */

/**
 * @param {Measurement} measurement
 * @returns {Promise<Results>}
 */
export async function measure(measurement) {
  const { browser, address, files, model, contenders, measures, rounds, patience } = measurement;
  const inputs = new Inputs(files, model);
  const stands = contenders.map((contender) => new Stand(browser, address, model, contender));
  /** @type {Results} */
  const results = { rows: [], starts: [], frames: [], line: undefined, versions: new Map(), remarks: [] };
  const tell = (/** @type {string} */ what) => (/** @type {string} */ line) =>
    console.log(`${model.name} ${what} ${line}`);
  const takingPart = (/** @type {string} */ measure) =>
    stands.filter(({ contender }) => contender.measures?.includes(measure) ?? true);

  try {
    const cold = await comeUp(stands, tell('load'));
    for (const { contender, version } of stands) {
      if (version) results.versions.set(contender.module, version);
    }
    if (measures.includes(START)) {
      results.starts = await startTimes(takingPart(START), { cold, rounds, tell: tell(START) });
    }
    for (const { name, set, count } of SHAPES) {
      if (!measures.includes(name)) continue;
      const batches = { set, indices: [Array.from({ length: count }, (_, index) => index)] };
      const entries = takingPart(name).map((stand) => ({ stand, batches, size: undefined }));
      results.rows.push(...(await rowsOf(entries, { shape: name, inputs, of: count, rounds, tell: tell(name) })));
    }
    if (measures.includes(MIXED) || measures.includes(FRAMES)) {
      if (inputs.has(PAPERS)) {
        await measurePapers();
      } else {
        results.remarks.push(`${model.name}: no papers were given, so ${MIXED} and ${FRAMES} were not measured.`);
      }
    }
    const ours = stands.find(({ contender, failure }) => contender.ours && !failure);
    if (measures.includes(LINE) && measurement.withLine && ours) {
      results.line = await timeAgainstTokens(ours, inputs, rounds, tell(LINE));
    }
    return results;
  } finally {
    await Promise.all(stands.map((stand) => stand.close().catch(() => {})));
  }

  async function measurePapers() {
    const lengths = inputs.lengths(PAPERS);
    const entries = [];
    for (const stand of takingPart(MIXED)) {
      try {
        const plan = await planPapers(stand, lengths, patience);
        entries.push({ stand, ...plan });
        const count = plan.batches.indices.flat().length;
        const atATime = plan.size ? `, ${plan.size} at a time` : '';
        tell(MIXED)(`${stand.label}: ${count} of ${lengths.length} papers${atATime}`);
      } catch (error) {
        const everything = { set: PAPERS, indices: [lengths.map((_, index) => index)] };
        entries.push({ stand, batches: everything, size: undefined, failure: reasonOf(error) });
      }
    }
    if (measures.includes(MIXED)) {
      const of = lengths.length;
      results.rows.push(...(await rowsOf(entries, { shape: MIXED, inputs, of, rounds, tell: tell(MIXED) })));
    }
    if (measures.includes(FRAMES)) {
      const rows = results.rows.filter(({ shape }) => shape === MIXED);
      results.frames = await frameTimes(entries, rows, tell(FRAMES));
    }
  }
}

/**
 * Starts everybody once: what they download is in the browser's caches from then on.
 *
 * @param {Stand[]} stands
 * @param {(line: string) => void} tell
 * @returns {Promise<Map<Stand, number>>} milliseconds of each that has come up
 */
async function comeUp(stands, tell) {
  const cold = new Map();
  for (const stand of stands) {
    try {
      cold.set(stand, await stand.start());
      tell(`${stand.label}: ${seconds(cold.get(stand))} from cold caches to the first vector`);
    } catch (error) {
      stand.failure = reasonOf(error);
      tell(`${stand.label}: failed: ${stand.failure}`);
      await stand.close();
    }
  }
  return cold;
}

/**
 * @typedef {object} Entry
 * @property {Stand} stand
 * @property {Batches} batches
 * @property {number | undefined} size
 * @property {string} [failure]
 */

/**
 * @param {Entry[]} entries
 * @param {object} context
 * @param {string} context.shape
 * @param {Inputs} context.inputs
 * @param {number} context.of
 * @param {number} context.rounds
 * @param {(line: string) => void} context.tell
 * @returns {Promise<Row[]>}
 */
async function rowsOf(entries, { shape, inputs, of, rounds, tell }) {
  const jobs = entries.map(({ stand, batches, failure }) => ({
    label: stand.label,
    run: () => (failure ? Promise.reject(new Error(failure)) : stand.run(batches)),
  }));
  const outcomes = await takeTurns(jobs, rounds, tell);
  return entries.map(({ stand, batches, size }, index) => {
    const { milliseconds, last, failure } = outcomes[index];
    const lengths = inputs.lengthsOf(batches);
    /** @type {Row} */
    const row = {
      model: stand.model.name,
      shape,
      contender: stand.contender,
      documents: lengths.length,
      of,
      size,
      tokens: lengths.reduce((sum, length) => sum + length, 0),
      operations: lengths.reduce((sum, length) => sum + operations(stand.model, length), 0),
      milliseconds,
      ...(failure && { failure }),
    };
    if (!last || failure) return row;
    row.gpuBytes = last.gpuBytes;
    try {
      row.cosine = meanCosine(last.vectors, inputs.expected(batches), inputs.width);
    } catch (error) {
      row.failure = reasonOf(error);
    }
    return row;
  });
}
