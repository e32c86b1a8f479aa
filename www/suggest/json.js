/**
 * JSON that a page keeps in a file: labels, or a head that was saved.
 *
 * @module
 */

import { SpecterError } from '../errors.js';

/**
 * @param {string} address
 * @param {object} options
 * @param {string} options.where  the attribute that names it, for the sentence of an error
 * @param {string} options.base   what the address is relative to
 * @param {AbortSignal} options.signal
 * @returns {Promise<unknown>}
 * @throws {SpecterError}
 */
export async function fetchJson(address, { where, base, signal }) {
  let response;
  let text;
  try {
    response = await fetch(new URL(address, base), { signal });
    text = await response.text();
  } catch (cause) {
    signal.throwIfAborted();
    throw new SpecterError('network', `${where} could not be fetched. Check the address and the connection.`, { cause });
  }
  if (!response.ok) {
    throw new SpecterError('invalid-option', `${where} is not the address of a file: the server answers ${response.status}.`);
  }
  return parseJson(text, where);
}

/**
 * @param {string} text
 * @param {string} where
 * @returns {unknown}
 * @throws {SpecterError} `corrupt-file`
 */
export function parseJson(text, where) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SpecterError('corrupt-file', `${where} is not JSON.`, { cause });
  }
}
