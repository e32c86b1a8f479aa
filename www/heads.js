/**
 * Heads: where they come from, and one that was trained or loaded, in the hands of a page.
 *
 * @module
 */

import { checkKind, checkNames, checkTask } from './checks.js';
import { SpecterError } from './errors.js';
import { placeOf } from './folder.js';

/** @import { PlaceOptions } from './folder.js' */
/** @import { ClassifyCall, HeadOrigin } from './protocol.js' */
/** @import { ClassifyOptions, HeadFunction, HeadInfo, HeadSource, Paper, SavedHead, ScikitLearnHead, Score, Source, Validation } from './types.js' */
/** @import { Specter } from './specter.js' */

/** The first entry of a head as JSON; the engine knows it, too. */
export const FORMAT = 'specter-web head 1';

/** What a sigmoid is taken for a yes from, unless the caller says otherwise; the engine knows it, too. */
const SIGMOID_THRESHOLD = 0.5;

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
 * @param {PlaceOptions & { function?: HeadFunction }} options  `function`: in the place of what the head says of itself
 * @returns {HeadOrigin}
 */
export function headOrigin(name, from, { function: asked, ...options }) {
  if (typeof from === 'object' && from !== null && Object.hasOwn(from, 'source')) {
    checkNames(`The head ${name}`, from, ['source', 'task', 'adapter', 'function', 'revision', 'headers', 'integrity']);
    const { source, task, adapter, function: own, ...more } = /** @type {{ source: Source, task?: string, adapter?: string, function?: HeadFunction }} */ (from);
    checkTask(task, adapter);
    checkKind('function', own, 'string');
    const become = asked ?? own;
    return {
      ...headOrigin(name, source, { ...options, ...more, ...(become !== undefined && { function: become }) }),
      options: {
        ...(task !== undefined && { task }), ...(adapter !== undefined && { adapter }), ...(become !== undefined && { function: become }),
      },
    };
  }
  const saved = savedHead(name, from);
  if (!saved) return { name, from: placeOf(/** @type {Source} */ (from), options), options: {} };
  return { name, from: JSON.stringify(asked === undefined ? saved : withFunction(saved, asked)), options: {} };
}

/**
 * How a head is asked for another function than its own. Two labels that share a logit have the same scores by sigmoid and by
 * softmax, but of other rows; so the rows that are there are asked for what they are made for, and what remains of the other
 * function is which labels pass where nobody says it.
 *
 * @internal
 * @param {ClassifyCall['options']} options
 * @param {readonly HeadOrigin[]} origins  of the heads that were loaded one by one
 * @param {readonly HeadInfo[]} heads  those that are loaded
 * @returns {ClassifyCall['options']}
 */
export function byOwnRows(options, origins, heads) {
  const { head: asked, function: become } = options;
  if (become !== 'sigmoid' && become !== 'softmax') return options;
  // Where none is named there is one only, or the engine refuses.
  const head = heads.find(({ name }) => asked === undefined || name === asked);
  const from = origins.find(({ name }) => name === head?.name)?.from;
  if (head?.labels.length !== 2 || typeof from !== 'string') return options;
  /** @type {SavedHead} */
  const saved = JSON.parse(from);
  const own = saved.function === 'sigmoid' ? 'sigmoid' : 'softmax';
  if (own === become || !sharedLogit(saved)) return options;
  return { threshold: become === 'sigmoid' ? SIGMOID_THRESHOLD : -Infinity, ...options, function: own };
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
  if (classes === undefined || classes === null) {
    if (rows.length !== 1) refuse(`it has ${rows.length} rows of coef_ and no classes_`);
    return { format: FORMAT, labels: ['value'], function: become ?? 'none', weight: rows, bias: /** @type {number[]} */ (bias) };
  }
  if (!Array.isArray(classes)) refuse('its classes_ are not an array, as classes_.tolist() makes one');
  const labels = classes.map(String);
  const [row, ...more] = rows;
  if (labels.length === 2 && row && more.length === 0) {
    return { format: FORMAT, labels, ...rowsOf({ row, bias: /** @type {number} */ (bias[0]) }, become ?? 'softmax') };
  }
  return { format: FORMAT, labels, function: become ?? 'softmax', weight: rows, bias: /** @type {number[]} */ (bias) };
}

/**
 * Two rows of the one that tells two labels apart, so that either function gives the same scores: the softmax of nothing and a
 * logit is its sigmoid, and the sigmoid of minus the logit is what that leaves of 1.
 *
 * @param {{ row: number[], bias: number }} logit  of the second label
 * @param {HeadFunction} become
 * @returns {Pick<SavedHead, 'function' | 'weight' | 'bias'>}
 */
function rowsOf({ row, bias }, become) {
  const first = become === 'sigmoid' ? -1 : 0;
  return { function: become, weight: [row.map((value) => first * value), row], bias: [first * bias, bias] };
}

/**
 * The logit that tells two labels apart, where their rows were made of one: the first is nothing, or minus the second.
 *
 * @param {SavedHead} saved  whose parts may be anything that JSON can hold
 * @returns {{ row: number[], bias: number } | null}
 */
function sharedLogit({ labels, function: own, weight, bias }) {
  if (![labels, weight, bias].every((list) => Array.isArray(list) && list.length === 2) || !weight.every(Array.isArray)) return null;
  const [[first = [], second = []], [one = 0, other = 0]] = [weight, bias];
  if (one === 0 && first.every((value) => value === 0)) return { row: second, bias: other };
  const isMirrored = one === -other && first.every((value, index) => value === -(second[index] ?? NaN));
  if (!isMirrored || own === 'none') return null;
  // A softmax sees how far the two are apart.
  const times = own === 'softmax' ? 2 : 1;
  return { row: second.map((value) => times * value), bias: times * other };
}

/**
 * A head with another function, and with other rows where those of one are wrong for the other.
 *
 * @param {SavedHead} saved
 * @param {HeadFunction} become
 * @returns {SavedHead}
 */
function withFunction(saved, become) {
  if (saved.function === become || become === 'none') return saved;
  const logit = sharedLogit(saved);
  return logit ? { ...saved, ...rowsOf(logit, become) } : saved;
}
