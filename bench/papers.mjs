/** How a contender takes the papers: in which order, how many at a time, and how many of them. */
import { isLong } from './turns.mjs';

/** @import { Batches } from './page/page.js' */
/** @import { Stand } from './stand.mjs' */

/** The set of papers in inputs.json. */
export const PAPERS = 'papers';

/** Documents at a time that are tried. Padding to the longest costs more the more there are. */
const SIZES = [1, 8];

/** Documents of the trial: the shortest. */
const TRIAL = 8;

/** Fewer say nothing of a mixture. */
const FEWEST = 4;

/**
 * @typedef {object} Plan
 * @property {Batches} batches
 * @property {number | undefined} size  documents at a time, where that is the caller's to choose
 */

/**
 * Papers sorted by length, in batches of the size that is faster; or as they come, where that is what is measured. Where all of them would take longer than
 * `patience`, batches are left out evenly over the lengths, and what is left is as mixed as the whole.
 *
 * @param {Stand} stand
 * @param {number[]} lengths  tokens of each paper
 * @param {number} patience   milliseconds
 * @returns {Promise<Plan>}
 */
export async function planPapers(stand, lengths, patience) {
  const sorted = lengths.map((_, index) => index).sort((a, b) => lengths[a] - lengths[b]);
  const { ours, padded } = stand.contender;
  const tokens = (/** @type {number[][]} */ batches) => {
    const longest = (/** @type {number[]} */ indices) => Math.max(...indices.map((index) => lengths[index]));
    const sum = (/** @type {number[]} */ indices) => indices.reduce((sum, index) => sum + lengths[index], 0);
    return batches.reduce((all, indices) => all + (ours ? sum(indices) : indices.length * longest(indices)), 0);
  };
  // Ours packs documents end to end and divides them as it likes.
  const sizes = ours ? [TRIAL] : padded ? [padded] : SIZES;
  const trial = sorted.slice(0, TRIAL);
  let best = { size: sizes[0], milliseconds: Infinity };
  for (const size of sizes) {
    const batches = { set: PAPERS, indices: inBatches(trial, size) };
    let { milliseconds } = await stand.run(batches);
    if (!isLong(milliseconds)) ({ milliseconds } = await stand.run(batches));
    if (milliseconds < best.milliseconds) best = { size, milliseconds };
  }
  const all = inBatches(padded ? lengths.map((_, index) => index) : sorted, best.size);
  const predicted = (best.milliseconds / tokens(inBatches(trial, best.size))) * tokens(all);
  const affordable = Math.floor(all.length * Math.min(1, patience / predicted));
  const indices = spread(all, Math.max(Math.ceil(FEWEST / best.size), affordable));
  return { batches: { set: PAPERS, indices }, size: ours ? undefined : best.size };
}

/**
 * @param {number[]} indices
 * @param {number} size
 */
function inBatches(indices, size) {
  return Array.from({ length: Math.ceil(indices.length / size) }, (_, batch) =>
    indices.slice(batch * size, (batch + 1) * size),
  );
}

/**
 * So many of the items, at even distances.
 *
 * @template T
 * @param {T[]} items
 * @param {number} count
 */
function spread(items, count) {
  return Array.from({ length: count }, (_, at) => items[Math.floor(((at + 0.5) * items.length) / count)]);
}
