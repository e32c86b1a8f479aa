/**
 * From a paper to suggestions: the engine, and either a head or a list of labels. Nothing of it is imported before it is
 * needed.
 *
 * @module
 */

import { SpecterError } from '../errors.js';
import { isPlace } from './attributes.js';
import { fetchJson } from './json.js';
import { readLabels } from './labels.js';

/** @import { Specter } from '../specter.js' */
/** @import { Device, Dtype, OnProgress, Paper, SavedHead } from '../types.js' */
/** @import { Label } from './labels.js' */

/**
 * A label that fits a paper.
 *
 * @typedef {object} Suggestion
 * @property {string} label  as it is shown: the code, where there is one, and the name
 * @property {string} name
 * @property {string} [code]
 * @property {string} [definition]
 * @property {number} score  probability of a head that gives some; cosine similarity of a list of labels
 */

/**
 * What is to be loaded.
 *
 * @typedef {object} Wishes
 * @property {string | null} model
 * @property {string | null} task
 * @property {string | null} adapter
 * @property {string | null} head
 * @property {string | readonly (string | Label)[] | null} labels
 * @property {Dtype | null} dtype
 * @property {Device | null} device
 * @property {string | null} hub
 */

export class Ranker {
  #specter;
  #isOwn;
  #rank;
  /** Whether scores are shares of 1. */
  showsShares;

  /**
   * @private
   * @param {Specter} specter
   * @param {{ isOwn: boolean, showsShares: boolean, rank: Rank }} how
   */
  constructor(specter, { isOwn, showsShares, rank }) {
    this.#specter = specter;
    this.#isOwn = isOwn;
    this.#rank = rank;
    this.showsShares = showsShares;
  }

  /**
   * @param {Wishes} wishes
   * @param {object} options
   * @param {Specter | null} options.specter  one that the page has loaded, which stays the page's
   * @param {Element} options.owner
   * @param {AbortSignal} options.signal
   * @param {OnProgress} options.onProgress
   * @returns {Promise<Ranker>}
   * @throws {SpecterError}
   */
  static async open(wishes, { specter: given, owner, signal, onProgress }) {
    // The labels first: whatever is wrong with them is known before a large download.
    const labels = wishes.labels === null ? null : await readLabels(wishes.labels, { owner, signal });
    const names = namesOf(wishes);
    const head = await headSource(wishes.head, { base: owner.baseURI, signal });
    const specter = given ?? (await load(wishes, names, head, { signal, onProgress }));
    const isOwn = specter !== given;
    try {
      if (!isOwn) await complete(specter, wishes, names, head, { signal, onProgress });
      const how = labels
        ? await ranking(specter, labels, wayOf(wishes), { signal, onProgress })
        : classification(specter, /** @type {string} */ (names.head));
      return new Ranker(specter, { isOwn, ...how });
    } catch (error) {
      if (isOwn) await specter.dispose();
      throw error;
    }
  }

  /** What is loaded and where it runs. */
  info() {
    return this.#specter.info();
  }

  /**
   * @param {Paper} paper
   * @param {{ topK: number, threshold: number | null, signal: AbortSignal }} options
   * @returns {Promise<Suggestion[]>} best first
   */
  rank(paper, options) {
    return this.#rank(paper, options);
  }

  /** Frees what this has loaded itself. */
  async dispose() {
    if (this.#isOwn) await this.#specter.dispose();
  }
}

/**
 * @callback Rank
 * @param {Paper} paper
 * @param {{ topK: number, threshold: number | null, signal: AbortSignal }} options
 * @returns {Promise<Suggestion[]>}
 */

/**
 * What the engine calls adapter and head. Those that are loaded from a place are called by it, so that two components
 * which share a Specter do not take each other's.
 *
 * @param {Wishes} wishes
 */
function namesOf({ adapter, head }) {
  // An adapter's own head is called like the adapter.
  return { adapter, head: head && isPlace(head) ? `head of ${head}` : head };
}

/**
 * What is asked of the model, as its calls take it.
 *
 * @param {Pick<Wishes, 'task' | 'adapter'>} wishes
 * @returns {{ task?: string, adapter?: string }}
 */
function wayOf({ task, adapter }) {
  if (task) return { task };
  return adapter ? { adapter } : {};
}

/**
 * What a head is read from, if it does not come with the model: a folder, or one that was saved as JSON.
 *
 * @param {string | null} head
 * @param {{ base: string, signal: AbortSignal }} options
 * @returns {Promise<string | SavedHead | null>}
 */
async function headSource(head, options) {
  if (!head || !isPlace(head)) return null;
  if (!/\.json(\?|$)/.test(head)) return head;
  return /** @type {SavedHead} */ (await fetchJson(head, { where: `head="${head}"`, ...options }));
}

/**
 * @param {Wishes} wishes
 * @param {ReturnType<typeof namesOf>} names
 * @param {string | SavedHead | null} source
 * @param {{ signal: AbortSignal, onProgress: OnProgress }} options
 */
async function load({ model, task, adapter, dtype, device, hub }, names, source, options) {
  const { Specter, checkKnownTask, presetOf } = await importEngine();
  const preset = presetOf(model);
  if (task) checkKnownTask(task, preset?.tasks ?? {}, preset);
  // Of a preset's adapters, a task needs its own alone.
  const needed = task ? preset?.tasks[task]?.adapter : adapter;
  return Specter.load(/** @type {string} */ (model), {
    ...(dtype && { dtype }),
    ...(device && { device }),
    ...(hub && { hub }),
    ...(needed && { adapters: { [needed]: isPlace(needed) ? needed : true } }),
    ...(source && names.head && { heads: { [names.head]: { source, ...wayOf({ task, adapter }) } } }),
    ...options,
  });
}

async function importEngine() {
  try {
    const [{ Specter }, { checkKnownTask, presetOf }] = await Promise.all([import('../specter.js'), import('../places.js')]);
    return { Specter, checkKnownTask, presetOf };
  } catch (cause) {
    throw new SpecterError('network', 'The code that computes suggestions could not be fetched. Check the connection, then try again.', { cause });
  }
}

/**
 * Loads what a Specter of the page's lacks.
 *
 * @param {Specter} specter
 * @param {Wishes} wishes
 * @param {ReturnType<typeof namesOf>} names
 * @param {string | SavedHead | null} source
 * @param {{ signal: AbortSignal, onProgress: OnProgress }} options
 */
async function complete(specter, { task, adapter }, names, source, options) {
  if (adapter && isPlace(adapter) && !specter.info().adapters.includes(adapter)) await specter.loadAdapter(adapter, adapter, options);
  if (source && names.head && !specter.info().heads.some(({ name }) => name === names.head)) {
    await specter.loadHead(names.head, source, { ...wayOf({ task, adapter }), ...options });
  }
}

/**
 * @param {Specter} specter
 * @param {string} head
 * @returns {{ showsShares: boolean, rank: Rank }}
 * @throws {SpecterError} `invalid-option`
 */
function classification(specter, head) {
  const { heads } = specter.info();
  const known = heads.find(({ name }) => name === head);
  if (!known) {
    const names = heads.map(({ name }) => name).join(', ') || 'none';
    throw new SpecterError('invalid-option', `head="${head}" is not among the heads that are loaded: ${names}. Name one of them, or give an address with a slash in it.`);
  }
  return {
    showsShares: known.function !== 'none',
    rank: async (paper, { topK, threshold, signal }) => {
      const [scores = []] = await specter.classify([paper], { head, topK, ...(threshold !== null && { threshold }), signal });
      return scores.map(({ label, score }) => ({ label, name: label, score }));
    },
  };
}

/**
 * @param {Specter} specter
 * @param {Label[]} labels
 * @param {{ task?: string, adapter?: string }} using
 * @param {{ signal: AbortSignal, onProgress: OnProgress }} options
 * @returns {Promise<{ showsShares: boolean, rank: Rank }>}
 */
async function ranking(specter, labels, using, options) {
  const texts = labels.map(({ name, definition }) => (definition ? { name, definition } : name));
  // Shown to people, and compared with a threshold: a cosine means the same with every model.
  const encoded = await specter.encodeLabels(texts, { ...using, similarity: 'cosine', ...options });
  const known = new Map(labels.map((label) => [label.name, label]));
  return {
    showsShares: false,
    rank: async (paper, { topK, threshold, signal }) => {
      const [scores = []] = await specter.rankLabels([paper], encoded, { topK: Math.min(topK, labels.length), ...using, signal });
      return scores
        .filter(({ score }) => threshold === null || score >= threshold)
        .map(({ label, score }) => {
          const { name, code, definition } = known.get(label) ?? { name: label };
          return { label: code ? `${code} ${name}` : name, name, ...(code && { code }), ...(definition && { definition }), score };
        });
    },
  };
}
