/**
 * What was found to be the fastest on a device: does something look like that?
 *
 * @module
 */

/** @import { Tuned } from './types.js' */

/**
 * Whether something is of the form of `info().tuning`. That its kernels exist, the engine sees.
 *
 * @param {any} tuned
 * @returns {tuned is Tuned}
 */
export function isTuned(tuned) {
  return isListOf(tuned?.linear, isLinear) && isListOf(tuned?.attention, isAttention);
}

/** @param {any} one */
function isLinear(one) {
  const { outputs, inputs, dtype, few, several, many, rounding = {} } = one ?? {};
  return [outputs, inputs].every(isSize) && [dtype, few, several, many].every(isName) && isRounding(rounding);
}

/** @param {any} rounding */
function isRounding(rounding) {
  const isNameOrNothing = (/** @type {unknown} */ name) => name === undefined || isName(name);
  return typeof rounding === 'object' && rounding !== null && !Array.isArray(rounding) &&
    [rounding.several, rounding.many].every(isNameOrNothing);
}

/** @param {any} one */
function isAttention(one) {
  return isSize(one?.headSize) && isName(one?.kernel);
}

/** @param {unknown} name */
function isName(name) {
  return typeof name === 'string';
}

/** @param {unknown} size */
function isSize(size) {
  return Number.isInteger(size) && /** @type {number} */ (size) > 0 && /** @type {number} */ (size) < 2 ** 31;
}

/**
 * @param {unknown} list
 * @param {(one: any) => boolean} is
 */
function isListOf(list, is) {
  return Array.isArray(list) && list.every(is);
}
