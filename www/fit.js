/**
 * Learning a head from vectors, in a WebAssembly module of its own, which nobody downloads who teaches nothing. Its
 * bindings are imported with the rest, because some bundlers make a worker a single file.
 *
 * @module
 */

import init, { Learning, LearningOptions } from './wasm/specter_web_fit.js';
import { abortError } from './abort.js';
import { startedOnce } from './module.js';

/** @import { Embeddings, FitKind, OnProgress, SavedHead, Validation } from './types.js' */
/** @import { FitTargets, LearningChoices } from './protocol.js' */

/** Milliseconds of learning between two looks at whether to go on. */
const TURN = 25;

/** What becomes of the logits of each kind. @type {Record<FitKind, 'softmax' | 'sigmoid' | 'none'>} */
const FUNCTIONS = { multinomial: 'softmax', 'one-vs-rest': 'sigmoid', ridge: 'none' };

/** What the only output of a head that learns values is called. */
const VALUE = 'value';

const startModule = startedOnce(() => new URL('./wasm/specter_web_fit_bg.wasm', import.meta.url), init);

/**
 * @param {Embeddings} vectors
 * @param {FitTargets} targets  of each vector
 * @param {LearningChoices} choices
 * @param {{ signal: AbortSignal, onProgress: OnProgress }} context
 * @returns {Promise<Omit<SavedHead, 'format' | 'input'>>}
 */
export async function learn({ data, dims: [examples, width] }, targets, choices, { signal, onProgress }) {
  await startModule();
  const { kind = defaultKind(targets), strength, folds, classWeights } = choices;
  const options = new LearningOptions(kind);
  /** @type {Learning | undefined} */
  let learning;
  try {
    if (strength) options.setStrengths(new Float64Array(strength));
    if (folds !== undefined) options.setFolds(folds);
    if (classWeights === 'balanced') options.balance();
    else if (classWeights) options.weigh(Object.keys(classWeights), new Float64Array(Object.values(classWeights)));
    if ('labels' in targets) learning = Learning.ofLabels(data, width, targets.labels, options);
    else if ('values' in targets) learning = Learning.ofValues(data, width, new Float64Array(targets.values), options);
    else {
      const counts = Uint32Array.from(targets.labelSets, ({ length }) => length);
      learning = Learning.ofLabelSets(data, width, targets.labelSets.flat(), counts, options);
    }
    let turn = performance.now();
    while (!learning.step()) {
      if (performance.now() - turn < TURN) continue;
      onProgress({ phase: 'fit', loaded: learning.done, total: learning.total });
      await new Promise((resolve) => setTimeout(resolve));
      if (signal.aborted) throw abortError(signal);
      turn = performance.now();
    }
    onProgress({ phase: 'fit', loaded: learning.total, total: learning.total });
    const { labels, weight, bias, strength: taken, validation } = learning;
    return {
      labels: kind === 'ridge' ? [VALUE] : labels,
      function: FUNCTIONS[kind],
      weight: Array.from(bias, (_, row) => Array.from(weight.subarray(row * width, (row + 1) * width))),
      bias: Array.from(bias),
      training: { kind, examples, strength: taken, validation: pairs(validation) },
    };
  } finally {
    learning?.free();
    options.free();
  }
}

/**
 * @param {FitTargets} targets
 * @returns {FitKind}
 */
function defaultKind(targets) {
  if ('labels' in targets) return 'multinomial';
  return 'values' in targets ? 'ridge' : 'one-vs-rest';
}

/**
 * @param {Float64Array} numbers
 * @returns {Validation[]}
 */
function pairs(numbers) {
  return Array.from({ length: numbers.length / 2 }, (_, index) => (
    { strength: /** @type {number} */ (numbers[2 * index]), score: /** @type {number} */ (numbers[2 * index + 1]) }
  ));
}
