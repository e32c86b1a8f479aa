/**
 * Which kernels an earlier load has found to be the fastest on this device.
 *
 * @module
 */

/** @import { Features, Store, Tuned } from '../types.js' */

/** Keys of a store that are no model's. */
const TUNING = 'tuning/';

/**
 * What was found by this version of the engine, in this version of the browser, on this adapter with these features.
 *
 * @param {Store | null} store
 * @param {{ name: string, vendor: string, features: Features, version: string }} device
 */
export function tuningIn(store, { name, vendor, features, version }) {
  const off = Object.entries(features).filter(([, used]) => used === false).map(([feature]) => `without ${feature}`);
  const key = TUNING + encodeURIComponent([name, vendor, ...off.sort(), navigator.userAgent, version].join(' '));
  return {
    /**
     * @returns {Promise<Tuned[]>} none where there is no store, or nothing of use in it
     */
    async recall() {
      try {
        const stored = await store?.get(key);
        const tuned = stored ? JSON.parse(await new Response(stored).text()) : [];
        return Array.isArray(tuned) && tuned.every(isTuned) ? tuned : [];
      } catch {
        return [];
      }
    },

    /**
     * @param {Tuned[]} known  what was recalled
     * @param {Tuned[]} found
     */
    async remember(known, found) {
      const shape = (/** @type {Tuned} */ { outputs, inputs, dtype }) => `${outputs} ${inputs} ${dtype}`;
      const all = new Map([...known, ...found].map((tuned) => [shape(tuned), tuned]));
      const text = JSON.stringify([...all.values()]);
      if (text === JSON.stringify(known)) return;
      const bytes = new TextEncoder().encode(text);
      try {
        await store?.put(key, bytes);
      } catch {
        // Who cannot store measures again.
      }
    },
  };
}

/** @param {Store} store */
export async function forgetTuning(store) {
  for (const key of await store.keys()) if (key.startsWith(TUNING)) await store.delete(key);
}

/** @param {Partial<Tuned> | null} tuned */
function isTuned(tuned) {
  const { outputs, inputs, dtype, few, several, many, rounding = {} } = tuned ?? {};
  const isSize = (/** @type {unknown} */ size) => Number.isInteger(size) && /** @type {number} */ (size) > 0 && /** @type {number} */ (size) < 2 ** 31;
  const isName = (/** @type {unknown} */ name) => typeof name === 'string';
  return [outputs, inputs].every(isSize) && [dtype, few, several, many, ...Object.values(rounding)].every(isName);
}
