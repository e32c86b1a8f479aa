/** What a visit costs before the first vector: bytes of code, and time with everything in the browser's caches. */
import { gzipSync } from 'node:zlib';

import { reasonOf } from './stand.mjs';
import { runsFor, seconds } from './turns.mjs';

/** @import { Contender } from './engines.mjs' */
/** @import { Stand } from './stand.mjs' */

/**
 * @typedef {object} StartRow
 * @property {string} model
 * @property {Contender} contender
 * @property {number[]} milliseconds  from the import of the code to the first vector, in a fresh page
 * @property {number} [codeBytes]     JavaScript and WebAssembly that the page loads, each file gzipped
 * @property {string} [failure]
 */

/**
 * In turns, each time in a fresh page.
 *
 * @param {Stand[]} stands
 * @param {object} context
 * @param {Map<Stand, number>} context.cold  milliseconds of the first start, which filled the caches
 * @param {number} context.rounds
 * @param {(line: string) => void} context.tell
 * @returns {Promise<StartRow[]>}
 */
export async function startTimes(stands, { cold, rounds, tell }) {
  /** @type {{ stand: Stand, left: number, row: StartRow }[]} */
  const entries = stands.map((stand) => {
    const { model, contender, failure } = stand;
    const row = { model: model.name, contender, milliseconds: [], ...(failure && { failure }) };
    return { stand, left: failure ? 0 : runsFor(cold.get(stand) ?? 0, rounds), row };
  });
  while (entries.some(({ left }) => left > 0)) {
    for (const entry of entries.filter(({ left }) => left > 0)) {
      const { stand, row } = entry;
      try {
        row.milliseconds.push(await stand.start());
        entry.left -= 1;
        tell(`${stand.label}: ${seconds(row.milliseconds[row.milliseconds.length - 1])}`);
      } catch (error) {
        row.failure = reasonOf(error);
        entry.left = 0;
        tell(`${stand.label}: failed: ${row.failure}`);
      }
    }
  }
  for (const { stand, row } of entries) {
    if (!row.failure) row.codeBytes = await gzippedBytes(stand.code);
  }
  return entries.map(({ row }) => row);
}

/** @param {Iterable<string>} addresses */
async function gzippedBytes(addresses) {
  let sum = 0;
  for (const address of addresses) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${address} answered ${response.status} when its size was to be taken.`);
    sum += gzipSync(new Uint8Array(await response.arrayBuffer()), { level: 9 }).length;
  }
  return sum;
}
