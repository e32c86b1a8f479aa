/**
 * How far a download is, over all files of a model.
 *
 * @module
 */

/** @import { Progress } from '../types.js' */

/** Files smaller than this say nothing about the whole: they come first, and all of them would be a full bar. */
const TELLING = 1e6;

export class Download {
  /** @type {Map<string, { loaded: number, total: number }>} */
  #files = new Map();

  /**
   * @param {Progress} progress  of phase `download`
   * @returns {{ loaded: number, total: number }} bytes; `total` is 0 while it cannot be known
   */
  add({ file = '', loaded, total }) {
    this.#files.set(file, { loaded, total });
    const files = [...this.#files.values()];
    const sum = (/** @type {'loaded' | 'total'} */ part) => files.reduce((all, one) => all + one[part], 0);
    const isKnown = files.some(({ total }) => total >= TELLING) && files.every(({ total }) => total > 0);
    return { loaded: sum('loaded'), total: isKnown ? sum('total') : 0 };
  }
}
