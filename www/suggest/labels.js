/**
 * The list of labels to choose from: an array, a set that comes with the package, JSON in the page, or a JSON file.
 *
 * @module
 */

import { SpecterError } from '../errors.js';
import { findElement } from './fields.js';
import { fetchJson, parseJson } from './json.js';

/**
 * A label to choose from. The definition helps the model; the code is shown before the name.
 *
 * @typedef {object} Label
 * @property {string} name
 * @property {string} [code]
 * @property {string} [definition]
 */

/** The word for the panels of the European Research Council. */
const ERC_PANELS = 'erc-panels';

/**
 * @param {string | readonly (string | Label)[]} from
 * @param {{ owner: Element, signal: AbortSignal }} options
 * @returns {Promise<Label[]>}
 * @throws {SpecterError}
 */
export async function readLabels(from, { owner, signal }) {
  if (typeof from !== 'string') return checkLabels(from, 'labels');
  const where = `labels="${from}"`;
  if (from === ERC_PANELS) return checkLabels((await import('../labels/erc-panels.js')).ercPanels, where);
  const inPage = isId(from) ? findElement(owner, { attribute: 'labels', to: from }) : null;
  if (inPage) return checkLabels(parseJson(inPage.textContent ?? '', where), where);
  return checkLabels(await fetchJson(from, { where, base: owner.baseURI, signal }), where);
}

/** @param {string} text */
const isId = (text) => /^[\w-]+$/.test(text);

/**
 * @param {unknown} list
 * @param {string} where
 * @returns {Label[]}
 * @throws {SpecterError} `invalid-option`
 */
function checkLabels(list, where) {
  const wrong = (/** @type {string} */ what) => new SpecterError('invalid-option', `${where} ${what}`);
  if (!Array.isArray(list) || list.length === 0) throw wrong('is not a list of labels: an array of names, or of objects with a name.');
  const labels = list.map((entry, index) => {
    const { name, code, definition } = typeof entry === 'string' ? /** @type {Label} */ ({ name: entry }) : (entry ?? {});
    for (const part of [name, code ?? '', definition ?? '']) {
      if (typeof part !== 'string') throw wrong(`has an entry ${index} that is no label: a name, or an object with a name and, if you like, a code and a definition, all of them text.`);
    }
    return { name, ...(code && { code }), ...(definition && { definition }) };
  });
  if (new Set(labels.map(({ name }) => name)).size < labels.length) throw wrong('has the same name twice.');
  return labels;
}
