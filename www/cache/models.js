/**
 * What is stored, as a person thinks of it: models and adapters.
 *
 * @module
 */

import { placesOf } from '../places.js';
import { addressOf, collectGarbage, locked, piecesOf, readManifests } from './manifest.js';
import { browserStore } from './store.js';
import { forgetTuning } from './tuning.js';

/** @import { CachedModel, Source, Store } from '../types.js' */

/** What loads have put into a store. Where a browser lets nothing be stored, it is empty. */
export class ModelCache {
  #store;

  /** @param {Store} [store]  what was given to loads as `cache`; default what they use by themselves */
  constructor(store = browserStore) {
    this.#store = store;
  }

  /**
   * The models and adapters, the one used last first.
   *
   * @returns {Promise<CachedModel[]>}
   */
  async list() {
    const manifests = [...(await this.#manifests()).values()];
    const listed = manifests.map(({ source, name, dtype, bytes, complete, used }) => ({ source, name, dtype, bytes, complete, used }));
    return listed.sort((a, b) => b.used.localeCompare(a.used));
  }

  /**
   * How many bytes they take. What two of them share is counted once.
   *
   * @returns {Promise<number>}
   */
  async size() {
    return [...piecesOf(await this.#manifests()).values()].reduce((sum, size) => sum + size, 0);
  }

  /**
   * Deletes what was stored of a source in every dtype, of a preset with its adapters; without a source, everything.
   * Waits for loads that are reading or writing it, in whichever tab.
   *
   * @param {Source} [source]  as it was given to load
   * @param {{ hub?: string | URL, revision?: string }} [options]  as they were given to load
   * @returns {Promise<number>} bytes freed
   */
  async delete(source, options) {
    const before = await this.size();
    const { model, adapters } = source === undefined ? { adapters: [] } : placesOf(source, options);
    const addresses = [model, ...adapters.map(([, place]) => place)].map((place) => place && addressOf(place));
    for (const [key, manifest] of await this.#manifests()) {
      if (!model || addresses.includes(manifest.source)) await locked(key, {}, () => this.#store.delete(key));
    }
    if (!model) await forgetTuning(this.#store).catch(() => {});
    await collectGarbage(this.#store).catch(() => {});
    return before - (await this.size());
  }

  #manifests() {
    return readManifests(this.#store).catch(() => new Map());
  }
}
