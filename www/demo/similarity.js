/** How close vectors are, and how a table and a ranking say it. */

import { cosineText, figures } from './numbers.js';
import { element } from './page.js';

/** @import { Info, Similarity } from '../specter.js' */

/**
 * @typedef {object} Placed
 * @property {string} label   short, for the head of a column
 * @property {string} title
 * @property {string} field
 * @property {boolean} mine
 * @property {Float32Array} vector
 */

/**
 * A way to compare vectors.
 *
 * @typedef {object} Measure
 * @property {string} name
 * @property {string} note  how it is read
 * @property {(a: Float32Array, b: Float32Array) => number} value
 * @property {(value: number) => string} text
 * @property {(value: number) => number} closeness  grows as vectors come closer
 * @property {(value: number, closest: number) => number} share  of the length of a bar
 */

/** @type {Record<Similarity, Measure>} */
const MEASURES = {
  cosine: {
    name: 'Cosine similarity',
    note: 'Cosine similarity: the larger, the closer.',
    value: (a, b) => dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1),
    text: cosineText,
    closeness: (value) => value,
    share: (value) => Math.max(0, value),
  },
  euclidean: {
    name: 'Euclidean distance',
    note: 'Euclidean distance: the smaller, the closer.',
    value: (a, b) => Math.hypot(...a.map((x, index) => x - (b[index] ?? 0))),
    text: figures,
    closeness: (value) => -value,
    share: (value, closest) => (value > 0 ? closest / value : 1),
  },
  dot: {
    name: 'Dot product',
    note: 'Dot product: the larger, the closer.',
    value: dot,
    text: figures,
    closeness: (value) => value,
    share: (value, closest) => (closest > 0 ? Math.max(0, value) / closest : 0),
  },
};

/**
 * How vectors of a model are compared: as they are meant to be, where that is known.
 *
 * @param {Info} info
 * @param {string | null} task
 */
export function measureOf({ similarity, tasks }, task) {
  return MEASURES[tasks.find(({ name }) => name === task)?.similarity ?? similarity ?? 'cosine'];
}

/**
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
function dot(a, b) {
  return a.reduce((sum, x, index) => sum + x * (b[index] ?? 0), 0);
}

/**
 * @param {HTMLElement} list
 * @param {Measure} measure
 * @param {Placed} paper
 * @param {Placed[]} others
 */
export function showRanking(list, { value, text, closeness, share }, paper, others) {
  const ranked = others
    .map((other) => ({ other, similarity: value(paper.vector, other.vector) }))
    .sort((a, b) => closeness(b.similarity) - closeness(a.similarity));
  const closest = ranked[0]?.similarity ?? 0;
  list.replaceChildren(
    ...ranked.map(({ other, similarity }) => {
      const item = document.createElement('li');
      const fill = document.createElement('span');
      fill.style.setProperty('--share', String(share(similarity, closest)));
      const bar = element('span', 'bar');
      bar.append(fill);
      bar.setAttribute('aria-hidden', 'true');
      item.append(
        element('span', 'title', other.title),
        element('span', 'similarity', text(similarity)),
        element('span', 'area', other.field),
        bar,
      );
      return item;
    }),
  );
}

/**
 * @param {HTMLTableElement} table
 * @param {Measure} measure
 * @param {Placed[]} papers
 */
export function showMatrix(table, { value: compare, text, closeness }, papers) {
  const values = papers.map((a) => papers.map((b) => compare(a.vector, b.vector)));
  const apart = values.flatMap((row, i) => row.filter((_, j) => i !== j)).map(closeness);
  const lowest = Math.min(...apart);
  const range = Math.max(...apart) - lowest || 1;

  const head = document.createElement('thead');
  const corner = element('td', 'same');
  const columns = papers.map((paper) => {
    const cell = element('th', '', paper.label);
    cell.setAttribute('scope', 'col');
    cell.setAttribute('abbr', paper.title);
    cell.title = paper.title;
    return cell;
  });
  head.insertRow().append(corner, ...columns);

  const body = document.createElement('tbody');
  papers.forEach((paper, i) => {
    const row = body.insertRow();
    row.className = paper.mine ? 'mine' : '';
    const name = document.createElement('th');
    name.scope = 'row';
    name.append(element('b', '', paper.label), paper.title);
    row.append(name);
    values[i]?.forEach((value, j) => {
      const cell = row.insertCell();
      cell.textContent = text(value);
      if (i === j) cell.className = 'same';
      else cell.style.setProperty('--closeness', ((closeness(value) - lowest) / range).toFixed(3));
    });
  });
  table.tHead?.remove();
  table.tBodies[0]?.remove();
  table.append(head, body);
}
