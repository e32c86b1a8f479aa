/** Labels with their scores as horizontal bars. A list, so that it reads as one: the bars say nothing that the text does not. */

import { element } from './page.js';

/** @import { Score } from '../specter.js' */

/**
 * @param {HTMLElement} list
 * @param {Score[]} scores  best first
 * @param {object} options
 * @param {(score: number) => string} options.text
 * @param {(score: number) => number} options.share  of the bar's length
 * @param {(score: number) => boolean} [options.isGiven]  whether a label counts as given; default all do
 */
export function showBars(list, scores, { text, share, isGiven = () => true }) {
  list.replaceChildren(
    ...scores.map(({ label, score }) => {
      const item = element('li', isGiven(score) ? '' : 'faint');
      const bar = element('span', 'bar');
      const fill = document.createElement('span');
      fill.style.setProperty('--share', String(Math.min(1, Math.max(0, share(score)))));
      bar.append(fill);
      bar.setAttribute('aria-hidden', 'true');
      item.append(element('span', 'label', label), element('span', 'score', text(score)), bar);
      return item;
    }),
  );
}
