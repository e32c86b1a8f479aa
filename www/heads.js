/**
 * Heads: where they come from, and one that was trained or loaded, in the hands of a page.
 *
 * @module
 */

import { checkKind, checkNames, checkTask } from './checks.js';
import { SpecterError } from './errors.js';
import { placeOf } from './folder.js';

/** @import { PlaceOptions } from './folder.js' */
/** @import { HeadOrigin } from './protocol.js' */
/** @import { ClassifyOptions, HeadInfo, HeadSource, Paper, SavedHead, ScikitLearnHead, Score, Source, Validation } from './types.js' */
/** @import { Specter } from './specter.js' */

/** The first entry of a head as JSON; the engine knows it, too. */
export const FORMAT = 'specter-web head 1';

/**
 * A head that was trained, or loaded, in a model. It is one of the model's heads: `classify` knows it by its name.
 *
 * @example
 * const head = await specter.fit(examples, { name: 'mine' });
 * const [[best]] = await head.score('A paper about glaciers', { topK: 1 });
 * localStorage.setItem('mine', JSON.stringify(head.save()));
 * // on the next visit
 * const again = await Head.load(specter, JSON.parse(localStorage.getItem('mine')));
 */
export class Head {
  #specter;
  #saved;

  /**
   * @internal
   * @param {Specter} specter
   * @param {HeadInfo} info
   * @param {SavedHead | null} saved
   */
  constructor(specter, { name, labels, function: become, adapter }, saved) {
    this.#specter = specter;
    this.#saved = saved;
    /** Its name among the model's heads. */
    this.name = name;
    /** In the order of its outputs. @type {readonly string[]} */
    this.labels = labels;
    /** What becomes of its logits. */
    this.function = become;
    /** The adapter whose vectors it reads. */
    this.adapter = adapter;
    /** The strength of regularization that was taken; null of a head that was not trained here. @type {number | null} */
    this.strength = saved?.training?.strength ?? null;
    /** The strengths that were compared, each with its score on examples left out. @type {readonly Validation[]} */
    this.validation = saved?.training?.validation ?? [];
  }

  /**
   * Loads a head that `save` gave.
   *
   * @param {Specter} specter  the same model in the same dtype, with the same adapter; another one is refused
   * @param {SavedHead | ScikitLearnHead} saved
   * @param {{ name?: string, signal?: AbortSignal }} [options]  the name is `'loaded'` where none is given; a head of the same
   *   name is replaced
   * @returns {Promise<Head>}
   * @throws {SpecterError} `unsupported-head`
   */
  static load(specter, saved, { name = 'loaded', signal } = {}) {
    return specter.loadHead(name, saved, { ...(signal && { signal }) });
  }

  /**
   * As `specter.classify`, with this head.
   *
   * @param {string | Paper | readonly (string | Paper)[]} papers
   * @param {Omit<ClassifyOptions, 'head'>} [options]
   * @returns {Promise<Score[][]>}
   */
  score(papers, options = {}) {
    return this.#specter.classify(papers, { ...options, head: this.name });
  }

  /**
   * The head as an object for `JSON.stringify`: weights, labels, and what its vectors were made by.
   *
   * @returns {SavedHead}
   * @throws {SpecterError} `unsupported-head` where it came from files, which are what to keep
   */
  save() {
    if (!this.#saved) {
      throw new SpecterError('unsupported-head', `The head “${this.name}” was read from files. Keep those; only heads that were trained or saved here can be saved.`);
    }
    return structuredClone(this.#saved);
  }
}

/**
 * What to load for a head: a folder, or JSON.
 *
 * @internal
 * @param {string} name
 * @param {HeadSource} from
 * @param {PlaceOptions} options
 * @returns {HeadOrigin}
 */
export function headOrigin(name, from, options) {
  if (typeof from === 'object' && from !== null && Object.hasOwn(from, 'source')) {
    checkNames(`The head ${name}`, from, ['source', 'task', 'adapter', 'function', 'revision', 'headers', 'integrity']);
    const { source, task, adapter, function: become, ...more } = /** @type {{ source: Source, task?: string, adapter?: string, function?: string }} */ (from);
    checkTask(task, adapter);
    checkKind('function', become, 'string');
    return {
      ...headOrigin(name, source, { ...options, ...more }),
      options: {
        ...(task !== undefined && { task }), ...(adapter !== undefined && { adapter }), ...(become !== undefined && { function: become }),
      },
    };
  }
  const saved = savedHead(name, from);
  return { name, from: saved ? JSON.stringify(saved) : placeOf(/** @type {Source} */ (from), options), options: {} };
}

/**
 * A saved head, or one of scikit-learn as a saved one; nothing for a source of files.
 *
 * @param {string} name
 * @param {unknown} from
 * @returns {SavedHead | null}
 */
export function savedHead(name, from) {
  if (typeof from !== 'object' || from === null) return null;
  if ('coef_' in from) return fromScikitLearn(name, /** @type {ScikitLearnHead} */ (from));
  return 'format' in from && typeof from.format === 'string' ? /** @type {SavedHead} */ (from) : null;
}

/**
 * What `coef_`, `intercept_` and `classes_` of a linear model mean. A classifier of two classes has one row, which is for
 * the second of them; a regressor has no classes.
 *
 * @param {string} name
 * @param {ScikitLearnHead} model
 * @returns {SavedHead}
 */
function fromScikitLearn(name, { coef_: coefficients, intercept_: intercept, classes_: classes, function: become }) {
  const refuse = (/** @type {string} */ problem) => {
    throw new SpecterError('unsupported-head', `The head “${name}” cannot be read: ${problem}.`);
  };
  const isNested = Array.isArray(coefficients) && coefficients.every((row) => Array.isArray(row));
  const rows = /** @type {number[][]} */ (isNested ? coefficients : [coefficients]);
  const bias = Array.isArray(intercept) ? intercept : rows.map(() => intercept);
  if (!rows.every((row) => Array.isArray(row) && row.every(Number.isFinite)) || !bias.every(Number.isFinite)) {
    refuse('its coef_ and intercept_ are not finite numbers, as coef_.tolist() and intercept_.tolist() make them');
  }
  if (!classes) {
    if (rows.length !== 1) refuse(`it has ${rows.length} rows of coef_ and no classes_`);
    return { format: FORMAT, labels: ['value'], function: become ?? 'none', weight: rows, bias: /** @type {number[]} */ (bias) };
  }
  const labels = classes.map(String);
  if (labels.length === 2 && rows.length === 1) {
    // The sigmoid of one logit is the softmax of none and that one.
    const weight = [rows.flat().map(() => 0), rows.flat()];
    return { format: FORMAT, labels, function: become ?? 'softmax', weight, bias: [0, /** @type {number} */ (bias[0])] };
  }
  return { format: FORMAT, labels, function: become ?? 'softmax', weight: rows, bias: /** @type {number[]} */ (bias) };
}
