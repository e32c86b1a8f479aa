/**
 * Which kernels an earlier load has found to be the fastest on this device.
 *
 * @module
 */

import { isTuned } from '../tuned.js';

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
     * @returns {Promise<Tuned>} nothing where there is no store, or nothing of use in it
     */
    async recall() {
      const nothing = { linear: [], attention: [] };
      try {
        const stored = await store?.get(key);
        const tuned = stored ? JSON.parse(await new Response(stored).text()) : nothing;
        return isTuned(tuned) ? tuned : nothing;
      } catch {
        return nothing;
      }
    },

    /**
     * @param {Tuned} known  what was recalled
     * @param {Tuned} found
     */
    async remember(known, found) {
      const text = JSON.stringify({
        linear: united(known.linear, found.linear, ({ outputs, inputs, dtype }) => `${outputs} ${inputs} ${dtype}`),
        attention: united(known.attention, found.attention, ({ headSize }) => headSize),
      });
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

/**
 * Both, and of what is the same the one that was found later.
 *
 * @template T
 * @param {T[]} before
 * @param {T[]} later
 * @param {(one: T) => string | number} of
 */
function united(before, later, of) {
  return [...new Map([...before, ...later].map((one) => [of(one), one])).values()];
}
