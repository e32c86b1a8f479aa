/** Measurements in turns, A B A B …, so that a machine that slows down slows everybody. */
import { reasonOf } from './stand.mjs';

/** In a run that takes longer than this, what is done only the first time weighs nothing: it counts. */
const LONG_MS = 10_000;

/** Measuring one row goes on for about so long, and ends after one run at the least. */
const BUDGET_MS = 30_000;

/**
 * @template T
 * @typedef {object} Job
 * @property {string} label
 * @property {() => Promise<T & { milliseconds: number }>} run
 */

/**
 * @template T
 * @typedef {object} Outcome
 * @property {number[]} milliseconds  of the runs that count
 * @property {T & { milliseconds: number }} [last]  what the last run gave
 * @property {string} [failure]
 */

/**
 * Each job is run once to warm up, and then `rounds` times, or as often as its time allows.
 *
 * @template T
 * @param {Job<T>[]} jobs
 * @param {number} rounds
 * @param {(line: string) => void} tell
 * @returns {Promise<Outcome<T>[]>}
 */
export async function takeTurns(jobs, rounds, tell) {
  const entries = jobs.map((job) => ({ job, left: 0, outcome: /** @type {Outcome<T>} */ ({ milliseconds: [] }) }));
  const runOf = async (/** @type {typeof entries[number]} */ { job, outcome }) => {
    try {
      outcome.last = await job.run();
      tell(`${job.label}: ${seconds(outcome.last.milliseconds)}`);
      return outcome.last.milliseconds;
    } catch (error) {
      outcome.failure = reasonOf(error);
      tell(`${job.label}: failed: ${outcome.failure}`);
      return undefined;
    }
  };
  for (const entry of entries) {
    const first = await runOf(entry);
    if (first === undefined) continue;
    entry.left = runsFor(first, rounds);
    if (first > LONG_MS) {
      entry.outcome.milliseconds.push(first);
      entry.left -= 1;
    }
  }
  while (entries.some(({ left }) => left > 0)) {
    for (const entry of entries.filter(({ left }) => left > 0)) {
      const time = await runOf(entry);
      entry.left = time === undefined ? 0 : entry.left - 1;
      if (time !== undefined) entry.outcome.milliseconds.push(time);
    }
  }
  return entries.map(({ outcome }) => outcome);
}

/**
 * @param {number} milliseconds  of one run
 * @param {number} rounds        the most that are wanted
 */
export function runsFor(milliseconds, rounds) {
  return Math.max(1, Math.min(rounds, Math.floor(BUDGET_MS / milliseconds)));
}

/** @param {number} milliseconds */
export function isLong(milliseconds) {
  return milliseconds > LONG_MS;
}

/** @param {number} milliseconds */
export function seconds(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds.toFixed(1)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
