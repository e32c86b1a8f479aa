/** The documents that every engine is given, and the vectors they should become. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @import { Batches } from './page/page.js' */
/** @import { Document, Model } from './types.js' */

export class Inputs {
  /**
   * @param {string} files  folder of what the benchmark has made
   * @param {Model} model
   */
  constructor(files, model) {
    this.folder = join(files, 'inputs', model.name);
    this.width = model.hidden;
    /** @type {Record<string, Document[]>} */
    this.sets = JSON.parse(readFileSync(join(this.folder, 'inputs.json'), 'utf8'));
  }

  /** @param {string} set */
  has(set) {
    return set in this.sets;
  }

  /**
   * The tokens of each document of a set, padding not among them.
   *
   * @param {string} set
   */
  lengths(set) {
    return this.sets[set].map(({ ids }) => ids.length);
  }

  /**
   * Of the documents of some batches, in their order.
   *
   * @param {Batches} batches
   */
  lengthsOf({ set, indices }) {
    const lengths = this.lengths(set);
    return indices.flat().map((index) => lengths[index]);
  }

  /**
   * What PyTorch makes of the same documents in float32.
   *
   * @param {Batches} batches
   */
  expected({ set, indices }) {
    const bytes = readFileSync(join(this.folder, `${set}.f32`));
    return indices.flat().flatMap((index) =>
      Array.from({ length: this.width }, (_, at) => bytes.readFloatLE(4 * (index * this.width + at))),
    );
  }
}
