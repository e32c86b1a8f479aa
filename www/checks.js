/**
 * Is what a caller gives of the kind that it should be? A mistake is told at once, and by its name.
 *
 * @module
 */

import { SpecterError } from './errors.js';

/** @import { Paper } from './types.js' */

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

/** @param {unknown} tuning */
export function checkTuning(tuning) {
  if (tuning === undefined || typeof tuning === 'string') return;
  const known = (/** @type {unknown} */ one) => typeof one === 'object' && one !== null && 'few' in one && 'many' in one;
  if (!Array.isArray(tuning) || !tuning.every(known)) {
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
