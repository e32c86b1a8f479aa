/**
 * What a run embeds: documents of exact lengths, or papers as they are.
 *
 * @typedef {object} Shape
 * @property {string} name
 * @property {string} set    of the documents in inputs.json
 * @property {number} count  of them, from the first
 */

/** @type {Shape[]} */
export const SHAPES = [
  { name: '1x32', set: '32', count: 1 },
  { name: '1x128', set: '128', count: 1 },
  { name: '8x128', set: '128', count: 8 },
  { name: '1x512', set: '512', count: 1 },
];

/** Real papers, whose lengths are what they are. */
export const MIXED = 'mixed';

/** The time from a warm cache to the first vector. */
export const START = 'start';

/** Time against tokens. */
export const LINE = 'line';

/** What an animation on the page feels of the work. */
export const FRAMES = 'frames';

/** All that `--shape` may name. */
export const MEASURES = [...SHAPES.map(({ name }) => name), MIXED, START, LINE, FRAMES];
