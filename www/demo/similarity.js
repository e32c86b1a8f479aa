/** How close vectors are, and how a table and a ranking say it. */

import { cosineText } from './numbers.js';
import { element } from './page.js';

/**
 * @typedef {object} Placed
 * @property {string} label   short, for the head of a column
 * @property {string} title
 * @property {string} field
 * @property {boolean} mine
 * @property {Float32Array} vector
 */

/**
 * @param {Float32Array} a
 * @param {Float32Array} b
 * @returns {number}
 */
export function cosine(a, b) {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  a.forEach((x, index) => {
    const y = b[index] ?? 0;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  });
  return dot / (Math.sqrt(aa * bb) || 1);
}

/**
 * @param {HTMLElement} list
 * @param {Placed} paper
 * @param {Placed[]} others
 */
export function showRanking(list, paper, others) {
  const ranked = others
    .map((other) => ({ other, similarity: cosine(paper.vector, other.vector) }))
    .sort((a, b) => b.similarity - a.similarity);
  list.replaceChildren(
    ...ranked.map(({ other, similarity }) => {
      const item = document.createElement('li');
      const fill = document.createElement('span');
      fill.style.setProperty('--share', String(Math.max(0, similarity)));
      const bar = element('span', 'bar');
      bar.append(fill);
      bar.setAttribute('aria-hidden', 'true');
      item.append(
        element('span', 'title', other.title),
        element('span', 'similarity', cosineText(similarity)),
        element('span', 'area', other.field),
        bar,
      );
      return item;
    }),
  );
}

/**
 * @param {HTMLTableElement} table
 * @param {Placed[]} papers
 */
export function showMatrix(table, papers) {
  const values = papers.map((a) => papers.map((b) => cosine(a.vector, b.vector)));
  const apart = values.flatMap((row, i) => row.filter((_, j) => i !== j));
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
      cell.textContent = i === j ? '1' : cosineText(value);
      if (i === j) cell.className = 'same';
      else cell.style.setProperty('--closeness', ((value - lowest) / range).toFixed(3));
    });
  });
  table.tHead?.remove();
  table.tBodies[0]?.remove();
  table.append(head, body);
}
