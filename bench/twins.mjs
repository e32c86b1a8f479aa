/** How much longer networks of BERT's size take than BERT itself. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { textOf, wordsOf } from './documents.mjs';
import { BERT } from './models.mjs';
import { SHAPES } from './shapes.mjs';
import { reasonOf, Stand } from './stand.mjs';
import { takeTurns } from './turns.mjs';

/** @import { Contender } from './engines.mjs' */
/** @import { Document, Model } from './types.js' */

/** Where the documents lie, in the folder of what the benchmark has made. */
const DOCUMENTS = 'inputs/twins/inputs.json';

/**
 * A network at a shape.
 *
 * @typedef {object} TwinRow
 * @property {string} model
 * @property {string} shape
 * @property {Contender} contender
 * @property {number[]} milliseconds
 * @property {number} [timesBert]  its shortest time over that of BERT
 * @property {string} [failure]
 */

/**
 * Each engine with all the networks in turns, BERT first.
 *
 * @param {object} measurement
 * @param {import('puppeteer-core').Browser} measurement.browser
 * @param {string} measurement.address   of the benchmark's server
 * @param {string} measurement.files     folder of what the benchmark has made
 * @param {Model[]} measurement.twins
 * @param {Contender[]} measurement.contenders
 * @param {string[]} measurement.measures
 * @param {number} measurement.rounds
 * @returns {Promise<{ rows: TwinRow[], versions: Map<string, string> }>}  versions of engines, by their name
 */
export async function measureTwins({ browser, address, files, twins, contenders, measures, rounds }) {
  /** @type {TwinRow[]} */
  const rows = [];
  const versions = new Map();
  if (twins.length === 0) return { rows, versions };
  writeDocuments(files);
  for (const asked of contenders.filter(({ ours, dtype }) => ours && dtype === 'q8')) {
    // By rule, so that all multiply by the same kernels, and differ in what is to be compared alone.
    const contender = { ...asked, settings: { ...asked.settings, tuning: 'usual' } };
    const stands = [BERT, ...twins].map((model) => new Stand(browser, address, model, contender, `/files/${DOCUMENTS}`));
    try {
      for (const stand of stands) {
        await start(stand);
        if (stand.version) versions.set(contender.module, stand.version);
      }
      for (const { name: shape, set, count } of SHAPES) {
        if (!measures.includes(shape)) continue;
        const batches = { set, indices: [Array.from({ length: count }, (_, index) => index)] };
        const jobs = stands.map((stand) => ({
          label: `${stand.model.name} ${stand.label}`,
          run: () => (stand.failure ? Promise.reject(new Error(stand.failure)) : stand.run(batches)),
        }));
        const outcomes = await takeTurns(jobs, rounds, (line) => console.log(`beside BERT ${shape} ${line}`));
        // What else the machine does can only lengthen them.
        const shortest = outcomes.map(({ milliseconds }) => Math.min(...milliseconds));
        outcomes.forEach(({ milliseconds, failure }, index) => {
          const [bert, own] = [shortest[0], shortest[index]];
          rows.push({
            model: stands[index].model.name,
            shape,
            contender,
            milliseconds,
            ...(Number.isFinite(own / bert) && { timesBert: own / bert }),
            ...(failure && { failure }),
          });
        });
      }
    } finally {
      await Promise.all(stands.map((stand) => stand.close().catch(() => {})));
    }
  }
  return { rows, versions };
}

/** @param {Stand} stand */
async function start(stand) {
  try {
    await stand.start();
  } catch (error) {
    stand.failure = reasonOf(error);
    await stand.close();
  }
}

/**
 * Documents of exact lengths, of the tokenizer that all of these networks are given.
 *
 * @param {string} files
 */
function writeDocuments(files) {
  const words = wordsOf(join(files, 'models', BERT.name, 'tokenizer.json'));
  // Ids are for other engines.
  const document = (/** @type {number} */ tokens, /** @type {number} */ index) => ({ text: textOf(words, tokens, index), ids: [] });
  /** @type {Record<string, Document[]>} */
  const sets = {};
  for (const { set, count } of SHAPES) {
    const most = Math.max(count, sets[set]?.length ?? 0);
    sets[set] = Array.from({ length: most }, (_, index) => document(Number(set), index));
  }
  const path = join(files, DOCUMENTS);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, JSON.stringify(sets));
}
