/**
 * Is what a caller gives of the kind that it should be? A mistake is told at once, and by its name.
 *
 * @module
 */

import { SpecterError } from './errors.js';
import { SIMILARITIES } from './labels.js';
import { isTuned } from './tuned.js';

/** @import { FitTargets } from './protocol.js' */
/** @import { Paper, Task } from './types.js' */

/**
 * A misspelt option would otherwise be ignored without a word.
 *
 * @param {string} where
 * @param {object} options
 * @param {string[]} known
 */
export function checkNames(where, options, known) {
  if (typeof options !== 'object' || options === null) {
    throw new SpecterError('invalid-option', `The options of ${where} are an object.`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SpecterError('invalid-option', `${where} has no option “${unknown}”. It has ${known.join(', ')}.`);
  }
}

/**
 * @param {string} name
 * @param {number | undefined} value
 * @param {string} of
 */
export function checkCount(name, value, of) {
  if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
    throw new SpecterError('invalid-option', `${name} is a whole number of ${of}, at least 1; ${String(value)} is not.`);
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {'string' | 'boolean'} kind
 */
export function checkKind(name, value, kind) {
  if (value !== undefined && typeof value !== kind) {
    throw new SpecterError('invalid-option', `${name} is a ${kind}; it was given ${kindOf(value)}.`);
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {string[]} choices
 */
export function checkChoice(name, value, choices) {
  if (value !== undefined && !choices.includes(/** @type {string} */ (value))) {
    throw new SpecterError('invalid-option', `${name} is ${choices.map((choice) => `'${choice}'`).join(' or ')}; it was given ${shown(value)}.`);
  }
}

/** @param {unknown} template */
export function checkTemplate(template) {
  if (template !== undefined && !/\{(title|abstract)\}/.test(String(template))) {
    throw new SpecterError('invalid-option', `template has {title} or {abstract} in it, or both; it was given ${shown(template)}.`);
  }
}

/**
 * A task says which adapter is used, so one of the two is named.
 *
 * @param {unknown} task
 * @param {unknown} adapter
 */
export function checkTask(task, adapter) {
  checkKind('task', task ?? undefined, 'string');
  checkKind('adapter', adapter ?? undefined, 'string');
  if (typeof task === 'string' && typeof adapter === 'string') {
    throw new SpecterError('invalid-option', `task is “${task}” and adapter is “${adapter}”. Name one of the two: a task knows its adapter.`);
  }
}

/**
 * @param {unknown} tasks
 * @returns {Record<string, Task>}
 */
export function checkTasks(tasks) {
  if (typeof tasks !== 'object' || tasks === null || Array.isArray(tasks)) {
    throw new SpecterError('invalid-option', `tasks is an object of tasks by name; it was given ${kindOf(tasks)}.`);
  }
  for (const [name, task] of Object.entries(tasks)) {
    const where = `tasks[${JSON.stringify(name)}]`;
    checkNames(where, task, ['adapter', 'experts', 'template', 'pooling', 'normalize', 'similarity']);
    const { adapter, experts, template, pooling, normalize, similarity } = task;
    checkKind(`${where}.adapter`, adapter, 'string');
    if (experts !== undefined && !(Number.isInteger(experts) && experts >= 0)) {
      throw new SpecterError('invalid-option', `${where}.experts is the number of a set of experts, from 0 on; ${String(experts)} is none.`);
    }
    checkTemplate(template);
    checkChoice(`${where}.pooling`, pooling, ['cls', 'mean']);
    checkKind(`${where}.normalize`, normalize, 'boolean');
    checkChoice(`${where}.similarity`, similarity, SIMILARITIES);
  }
  return /** @type {Record<string, Task>} */ (tasks);
}

/** @param {unknown} tuning */
export function checkTuning(tuning) {
  if (tuning === undefined || typeof tuning === 'string') return;
  if (!isTuned(tuning)) {
    throw new SpecterError('invalid-option', `tuning is 'measured', 'usual', the name of a kernel, or what info().tuning was; it was given ${kindOf(tuning)}.`);
  }
}

/** @param {unknown} features */
export function checkFeatures(features) {
  if (features === undefined) return;
  checkNames('features', /** @type {object} */ (features), ['subgroups', 'f16', 'integerDot']);
  for (const [name, value] of Object.entries(/** @type {object} */ (features))) checkKind(`features.${name}`, value, 'boolean');
}

/**
 * @param {unknown} cache
 */
export function checkCache(cache) {
  if (typeof cache === 'boolean') return;
  const store = /** @type {Record<string, unknown> | null} */ (typeof cache === 'object' ? cache : null);
  if (!store || !['get', 'put', 'delete', 'keys'].every((method) => typeof store[method] === 'function')) {
    throw new SpecterError('invalid-option', `cache is true, false, or a store with get, put, delete and keys; it was given ${kindOf(cache)}.`);
  }
}

/**
 * The papers as plain strings and objects with nothing but a title and an abstract, which a message can carry.
 *
 * @param {unknown} papers
 * @returns {(string | Paper)[]}
 */
export function checkPapers(papers) {
  const list = Array.isArray(papers) ? papers : [papers];
  return list.map((paper, index) => {
    const which = Array.isArray(papers) ? `papers[${index}]` : 'The paper';
    if (typeof paper === 'string') return paper;
    if (typeof paper !== 'object' || paper === null || Array.isArray(paper)) {
      throw new SpecterError('invalid-input', `${which} is ${kindOf(paper)}. Give a string, or an object with a title and an abstract.`);
    }
    if (!('title' in paper) && !('abstract' in paper)) {
      throw new SpecterError('invalid-input', `${which} has neither a title nor an abstract. Give at least one of them, or a plain string.`);
    }
    const { title = null, abstract = null } = /** @type {{ title?: unknown, abstract?: unknown }} */ (paper);
    for (const [part, text] of Object.entries({ title, abstract })) {
      if (text !== null && typeof text !== 'string') {
        throw new SpecterError('invalid-input', `The ${part} of ${which} is ${kindOf(text)}. Give a string, or leave it out.`);
      }
    }
    return /** @type {Paper} */ ({ title, abstract });
  });
}

/**
 * Papers and what is known of each: the same of all of them.
 *
 * @param {unknown} examples
 * @returns {{ papers: (string | Paper)[], targets: FitTargets }}
 */
export function checkExamples(examples) {
  if (!Array.isArray(examples) || examples.length === 0) {
    throw new SpecterError('invalid-input', 'There are no examples. Give an array of objects with a paper, and its label, labels or value.');
  }
  const papers = examples.map((example, index) => {
    if (typeof example !== 'object' || example === null || !('paper' in example)) {
      throw new SpecterError('invalid-input', `examples[${index}] has no paper. Give an object with a paper, and its label, labels or value.`);
    }
    return example.paper;
  });
  const key = ['label', 'labels', 'value'].find((key) => examples.every((example) => key in example));
  const every = (/** @type {(one: any) => boolean} */ isOne, /** @type {string} */ what) => {
    const index = examples.findIndex((example) => !isOne(example[/** @type {string} */ (key)]));
    if (index >= 0) throw new SpecterError('invalid-input', `examples[${index}].${key} is ${kindOf(examples[index][/** @type {string} */ (key)])}. Give ${what}.`);
    return examples.map((example) => example[/** @type {string} */ (key)]);
  };
  /** @returns {FitTargets} */
  const targets = () => {
    if (key === 'label') return { labels: every((label) => typeof label === 'string' && label.trim() !== '', 'a string that is not empty') };
    if (key === 'value') return { values: every((value) => typeof value === 'number' && Number.isFinite(value), 'a finite number') };
    if (key === 'labels') {
      const isSet = (/** @type {unknown} */ set) => Array.isArray(set) && new Set(set).size === set.length && set.every((label) => typeof label === 'string' && label.trim() !== '');
      return { labelSets: every(isSet, 'an array of strings, each once').map((set) => [...set]) };
    }
    throw new SpecterError('invalid-input', 'What is known of the examples differs. Give all of them a label, or all of them labels, or all of them a value.');
  };
  return { papers: checkPapers(papers), targets: targets() };
}

/**
 * One threshold for all labels, or one for each.
 *
 * @param {unknown} threshold
 * @returns {{ threshold?: number, thresholds?: Record<string, number> }}
 */
export function checkThreshold(threshold) {
  if (threshold === undefined) return {};
  const isNumber = (/** @type {unknown} */ value) => typeof value === 'number' && !Number.isNaN(value);
  if (isNumber(threshold)) return { threshold: /** @type {number} */ (threshold) };
  if (typeof threshold === 'object' && threshold !== null && Object.values(threshold).every(isNumber)) {
    return { thresholds: /** @type {Record<string, number>} */ ({ ...threshold }) };
  }
  throw new SpecterError('invalid-option', `threshold is a number, or an object of numbers by label; it was given ${kindOf(threshold)}.`);
}

/** @param {unknown} value */
function shown(value) {
  return typeof value === 'string' ? `“${value}”` : kindOf(value);
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function kindOf(value) {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
