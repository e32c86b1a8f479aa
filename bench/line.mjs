/** Time against tokens, at a fixed length of documents. */
import { fitLine, median } from './statistics.mjs';
import { seconds } from './turns.mjs';

/** @import { Contender } from './engines.mjs' */
/** @import { Inputs } from './inputs.mjs' */
/** @import { Stand } from './stand.mjs' */

/** The set of documents, all of one length. */
const SET = '128';

/**
 * @typedef {object} Line
 * @property {string} model
 * @property {Contender} contender
 * @property {number} rounds
 * @property {{ tokens: number, milliseconds: number }[]} points  medians
 * @property {{ slope: number, intercept: number, r2: number }} fit  milliseconds a token, and milliseconds
 */

/**
 * @param {Stand} stand
 * @param {Inputs} inputs
 * @param {number} rounds
 * @param {(line: string) => void} tell
 * @returns {Promise<Line>}
 */
export async function timeAgainstTokens(stand, inputs, rounds, tell) {
  const lengths = inputs.lengths(SET);
  const batches = (/** @type {number} */ count) => ({
    set: SET,
    indices: [Array.from({ length: count }, (_, index) => index)],
  });
  // The largest first: what it needs of the device, the others find there.
  await stand.run(batches(lengths.length));
  const times = lengths.map(() => /** @type {number[]} */ ([]));
  for (let round = 0; round < rounds; round++) {
    for (let count = 1; count <= lengths.length; count++) {
      const { milliseconds } = await stand.run(batches(count));
      times[count - 1].push(milliseconds);
      tell(`${stand.label}, ${count} documents: ${seconds(milliseconds)}`);
    }
  }
  const points = times.map((values, index) => ({
    tokens: lengths.slice(0, index + 1).reduce((sum, length) => sum + length, 0),
    milliseconds: median(values),
  }));
  const fit = fitLine(points.map(({ tokens, milliseconds }) => ({ x: tokens, y: milliseconds })));
  return { model: stand.model.name, contender: stand.contender, rounds, points, fit };
}
