/**
 * Labels that are ranked by their meaning: names and definitions, with a vector for each.
 *
 * @module
 */

import { SpecterError } from './errors.js';

/** @import { LabelContents, VectorInput } from './protocol.js' */
/** @import { Label, Paper, Similarity } from './types.js' */

/** What labels can be ranked by. @type {Similarity[]} */
export const SIMILARITIES = ['cosine', 'dot', 'euclidean'];

/** More are not ranked at once. */
const MOST = 100_000;

/** What the name of the tensor is in a file of labels. */
const TENSOR = 'vectors';

/** Sets are numbered, so that the engine can tell them apart. */
let last = 0;

/**
 * A set of labels with their vectors, which `specter.encodeLabels` makes. It can be stored, and loaded on the next visit.
 */
export class LabelSet {
  /** @type {Float32Array} */
  #vectors;
  /** @type {VectorInput} */
  #input;

  /**
   * @internal
   * @param {readonly string[]} names
   * @param {Float32Array} vectors
   * @param {VectorInput} input
   * @param {Similarity} [similarity]
   */
  constructor(names, vectors, input, similarity = input.normalize ? 'cosine' : 'dot') {
    this.#vectors = vectors;
    this.#input = input;
    this.number = ++last;
    /** In the order in which they were given. */
    this.names = names;
    /** What they are ranked by: `cosine`, of vectors of length 1, `dot`, or `euclidean`, the distance. @type {Similarity} */
    this.similarity = similarity;
  }

  /**
   * The bytes of a `.safetensors` file, which `specter.loadLabels` reads, and Python, too: `vectors`, (labels,
   * hidden size). Its metadata say what made the vectors and what they are ranked by.
   *
   * @returns {Uint8Array<ArrayBuffer>}
   */
  save() {
    const { names, similarity } = this;
    const vectors = new Uint8Array(this.#vectors.buffer, this.#vectors.byteOffset, this.#vectors.byteLength);
    const header = new TextEncoder().encode(JSON.stringify({
      __metadata__: { labels: JSON.stringify(names), input: JSON.stringify(this.#input), similarity },
      [TENSOR]: { dtype: 'F32', shape: [names.length, this.#vectors.length / names.length], data_offsets: [0, vectors.length] },
    }));
    // Numbers of four bytes begin at a multiple of eight.
    const padded = Math.ceil(header.length / 8) * 8;
    const bytes = new Uint8Array(8 + padded + vectors.length).fill(0x20, 8, 8 + padded);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
    bytes.set(header, 8);
    bytes.set(vectors, 8 + padded);
    return bytes;
  }

  /**
   * @internal
   * @param {Uint8Array | ArrayBuffer} file
   * @returns {LabelSet}
   */
  static read(file) {
    const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
    try {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const begin = 8 + Number(view.getBigUint64(0, true));
      const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, begin)));
      const { __metadata__: { labels, input, similarity }, [TENSOR]: { dtype, shape, data_offsets: [start, end] } } = header;
      const names = checkedNames(JSON.parse(labels));
      const data = bytes.slice(begin + start, begin + end);
      if (dtype !== 'F32' || shape[0] !== names.length || data.length !== 4 * shape[0] * shape[1]) throw new Error('its shape');
      if (similarity !== undefined && !SIMILARITIES.includes(similarity)) throw new Error('its similarity');
      const made = JSON.parse(input);
      // The inner product of other vectors is no cosine.
      if (similarity === 'cosine' && !made.normalize) throw new Error('its vectors');
      return new LabelSet(names, new Float32Array(data.buffer), made, similarity);
    } catch (cause) {
      if (cause instanceof SpecterError) throw cause;
      throw new SpecterError('corrupt-file', 'These are no labels that were saved here, or not all of them. Encode the labels again.', { cause });
    }
  }

  /**
   * What the engine takes.
   *
   * @internal
   * @returns {LabelContents}
   */
  contents() {
    return { labels: [...this.names], vectors: this.#vectors, input: this.#input, similarity: this.similarity };
  }
}

/**
 * Labels as their names, and as the papers whose vectors stand for them: the name and, behind the separator, the
 * definition. Formula: SciMult, `data/`, a label's name, `[SEP]` and its definition.
 *
 * @param {unknown} labels
 * @returns {{ names: string[], papers: (string | Paper)[] }}
 */
export function checkLabels(labels) {
  if (!Array.isArray(labels)) {
    throw new SpecterError('invalid-input', 'Labels are an array of names, or of objects with a name and a definition.');
  }
  const names = checkedNames(labels.map((label) => (typeof label === 'string' ? label : label?.name)));
  const papers = labels.map((/** @type {string | Label} */ label, index) => {
    const definition = typeof label === 'string' ? null : label.definition ?? null;
    if (definition !== null && typeof definition !== 'string') {
      throw new SpecterError('invalid-input', `The definition of labels[${index}] is not a string. Give a string, or leave it out.`);
    }
    const name = /** @type {string} */ (names[index]);
    return definition === null ? name : { title: name, abstract: definition };
  });
  return { names, papers };
}

/**
 * @param {unknown[]} names
 * @returns {string[]}
 */
function checkedNames(names) {
  if (names.length === 0) throw new SpecterError('invalid-input', 'There are no labels. Give at least one.');
  if (names.length > MOST) {
    throw new SpecterError('invalid-input', `There are ${names.length} labels, and up to ${MOST} are ranked at once. Divide them, and rank one part after the other.`);
  }
  const seen = new Set();
  return names.map((name, index) => {
    if (typeof name !== 'string' || !name.trim()) {
      throw new SpecterError('invalid-input', `labels[${index}] has no name. Give a string, or an object with a name and a definition.`);
    }
    if (seen.has(name)) {
      throw new SpecterError('invalid-input', `The label “${name}” is there twice. Give each label a name of its own.`);
    }
    seen.add(name);
    return name;
  });
}
