/**
 * Stands in for `specter.js` where a test wants to say when something happens, and what. Scores are shares of the words of
 * a label that the text has, so that a reader of a test can tell them.
 */

import { SpecterError } from './errors.js';

export { SpecterError };

/** What tests look at and turn. */
export const script = {
  /** Every call, in order. @type {{ call: string, [detail: string]: unknown }[]} */
  calls: [],
  /** Steps of a load, each told after the one before: see `Progress`. @type {object[]} */
  progress: [],
  /** A load waits for it. @type {Promise<unknown> | null} */
  loading: null,
  /** What loads fail with. @type {SpecterError | null} */
  failure: null,
  /** Each ranking waits for what this gives for its text. @type {(text: string) => Promise<unknown> | null} */
  hold: () => null,
  /** Whether a ranking that is aborted ends at once; if not, it gives its answer late, as if it had not heard. */
  heedsAbort: true,
  labels: ['Physics', 'Chemistry', 'Biology', 'History', 'Law', 'Computer science', 'Climate'],
};

/** @param {AbortSignal} signal */
const aborted = (signal) =>
  new Promise((_, reject) => {
    const stop = () => reject(new SpecterError('aborted', 'The call was stopped by its AbortSignal.'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });

/**
 * @param {string} label
 * @param {string} text
 */
function score(label, text) {
  const words = label.toLowerCase().split(/\s+/);
  const times = words.reduce((sum, word) => sum + text.toLowerCase().split(word).length - 1, 0);
  return times === 0 ? 0.05 : 1 - 0.5 ** times;
}

export class Specter {
  #heads = ['fields'];

  /**
   * @param {unknown} source
   * @param {any} options
   */
  static async load(source, { signal, onProgress, ...options }) {
    const entry = { call: 'load', source, options, outcome: 'running' };
    script.calls.push(entry);
    signal.addEventListener('abort', () => (entry.outcome = 'aborted'));
    for (const step of script.progress) onProgress(step);
    await Promise.race([script.loading, aborted(signal)]);
    if (script.failure) throw script.failure;
    entry.outcome = 'loaded';
    const specter = new Specter();
    specter.#heads.push(...Object.keys(options.heads ?? {}));
    return specter;
  }

  info() {
    return {
      version: 'stand-in',
      adapters: [],
      heads: this.#heads.map((name) => ({ name, labels: script.labels, function: 'sigmoid', adapter: null, layers: 1 })),
    };
  }

  async loadHead(name, source) {
    script.calls.push({ call: 'loadHead', name, source });
    this.#heads.push(name);
  }

  async encodeLabels(list, { onProgress }) {
    script.calls.push({ call: 'encodeLabels', count: list.length });
    onProgress?.({ phase: 'embed', loaded: list.length, total: list.length });
    return list.map((label) => (typeof label === 'string' ? label : label.name));
  }

  classify([paper], { threshold = 0.5, ...options }) {
    return this.#rank('classify', paper, script.labels, { threshold, ...options });
  }

  rankLabels([paper], labels, options) {
    return this.#rank('rankLabels', paper, labels, { threshold: 0, ...options });
  }

  async #rank(call, { title, abstract }, labels, { topK, threshold, signal }) {
    const text = `${title} ${abstract}`.trim();
    const entry = { call, text, topK, threshold, outcome: 'running' };
    script.calls.push(entry);
    signal.addEventListener('abort', () => (entry.outcome = 'aborted'));
    await Promise.race([script.hold(text), ...(script.heedsAbort ? [aborted(signal)] : [])]);
    if (script.failure) throw script.failure;
    if (!signal.aborted) entry.outcome = 'answered';
    const scores = labels.map((label) => ({ label, score: score(label, text) }));
    return [scores.filter(({ score }) => score >= threshold).sort((a, b) => b.score - a.score).slice(0, topK)];
  }

  async dispose() {
    script.calls.push({ call: 'dispose' });
  }
}
