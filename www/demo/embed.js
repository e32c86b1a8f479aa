/** The tab that embeds a paper and shows which others it lies close to. */

import { titleOf } from './draft.js';
import { counted, seconds } from './numbers.js';
import { element, part } from './page.js';
import { EXAMPLES, SUGGESTION } from './papers.js';
import { measureOf, showMatrix, showRanking } from './similarity.js';
import { Strip } from './strip.js';

/** @import { Specter } from '../specter.js' */
/** @import { Draft, Paper } from './draft.js' */
/** @import { ModelPanel } from './panel.js' */
/** @import { ExamplePaper } from './papers.js' */

const page = {
  vector: part('vector', HTMLElement),
  vectorEmpty: part('vector-empty', HTMLElement),
  ranking: part('ranking', HTMLElement),
  rankingNote: part('ranking-note', HTMLElement),
  rankingEmpty: part('ranking-empty', HTMLElement),
  matrix: part('matrix', HTMLTableElement),
  matrixEmpty: part('matrix-empty', HTMLElement),
  matrixScroll: part('matrix-scroll', HTMLElement),
  papers: part('papers', HTMLElement),
};

export class EmbedTab {
  #model;
  #draft;
  #strip = new Strip({
    canvas: part('strip', HTMLCanvasElement),
    output: part('component', HTMLElement),
    low: part('legend-low', HTMLElement),
    high: part('legend-high', HTMLElement),
  });
  /** @type {ExamplePaper[]} */
  #mine = [];
  #addedSoFar = 0;
  /** The paper in the form when it was last compared. @type {Paper | null} */
  #compared = null;
  /** Vectors of one model, by task and text. @type {Map<string, Float32Array>} */
  #vectors = new Map();
  /** Whose vectors they are. @type {Specter | null} */
  #owner = null;
  /** @type {Float32Array | null} */
  #shown = null;

  /**
   * @param {ModelPanel} model
   * @param {Draft} draft
   */
  constructor(model, draft) {
    this.#model = model;
    this.#draft = draft;
    model.addEventListener('state', () => this.#explain());
    part('paper-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#compare();
    });
    part('add', HTMLButtonElement).addEventListener('click', () => this.#add());
    part('suggest', HTMLButtonElement).addEventListener('click', () => {
      draft.paper = SUGGESTION;
      if (draft.isLive) this.typed();
      part('compare', HTMLButtonElement).focus();
    });
    part('copy', HTMLButtonElement).addEventListener('click', () => this.#copy());
    this.#showPapers();
    this.#explain();
  }

  /** Brings the tab up to date: embeds what has no vector yet. */
  show() {
    if (this.#draft.isLive && this.#draft.paper) this.#compared = this.#draft.paper;
    void this.#refresh();
  }

  /** Somebody who wants answers while typing has paused. */
  typed() {
    if (this.#model.specter && this.#draft.paper) this.#compare();
  }

  #compare() {
    const { paper } = this.#draft;
    if (!paper) {
      this.#model.say('Type a title or an abstract first.');
      this.#draft.focus();
      return;
    }
    this.#compared = paper;
    if (this.#model.specter) void this.#refresh();
    else void this.#model.load();
  }

  async #refresh() {
    const { specter } = this.#model;
    if (!specter) return;
    if (this.#owner !== specter) this.#vectors.clear();
    this.#owner = specter;
    const wanted = [...(this.#compared ? [this.#compared] : []), ...this.#mine, ...EXAMPLES];
    const missing = wanted.filter((paper) => !this.#vectors.has(this.#keyOf(paper)));
    if (missing.length > 0) {
      const keys = missing.map((paper) => this.#keyOf(paper));
      const { task } = this.#model;
      const begin = performance.now();
      const embeddings = await this.#model.run(
        (specter, { signal, onProgress }) =>
          specter.embed(missing, { task, signal, ...(missing.length > 1 && { onProgress }) }),
        () => this.show(),
      );
      if (!embeddings) return;
      const { data, dims: [, width] } = embeddings;
      keys.forEach((key, index) => this.#vectors.set(key, data.slice(index * width, (index + 1) * width)));
      this.#model.say(`Embedded ${counted(missing.length, 'paper')} in ${seconds(performance.now() - begin)}.`);
    }
    this.#showVectors();
  }

  /** @param {Paper} paper */
  #keyOf({ title, abstract }) {
    return JSON.stringify([this.#model.task, title, abstract]);
  }

  #showVectors() {
    const { specter, task } = this.#model;
    if (!specter) return;
    const measure = measureOf(specter.info(), task);
    const place = (
      /** @type {Paper & { field?: string }} */ paper,
      /** @type {string} */ label,
      /** @type {boolean} */ isMine,
      title = titleOf(paper),
    ) => ({
      label,
      title,
      field: paper.field ?? '',
      mine: isMine,
      vector: this.#vectors.get(this.#keyOf(paper)) ?? new Float32Array(),
    });
    const listed = [...this.#mine, ...EXAMPLES].map((paper, index) => place(paper, String(index + 1), index < this.#mine.length));
    const yours = this.#compared && place(this.#compared, 'You', true, this.#compared.title || 'Your paper');
    this.#shown = yours?.vector ?? null;
    page.vector.hidden = !yours;
    page.rankingNote.hidden = !yours;
    page.rankingNote.textContent = measure.note;
    if (yours) {
      this.#strip.show(yours.vector);
      showRanking(page.ranking, measure, yours, listed);
    }
    page.matrixScroll.hidden = false;
    showMatrix(page.matrix, measure, yours ? [yours, ...listed] : listed);
    for (const name of document.querySelectorAll('#embed-panel .measure')) name.textContent = measure.name;
    this.#explain();
  }

  /** Says why there is nothing to be seen, where that is so. */
  #explain() {
    const { excuse, specter } = this.#model;
    const first = excuse ?? (specter ? null : 'No model is loaded yet. Compare loads it.');
    page.vectorEmpty.hidden = this.#shown !== null;
    page.vectorEmpty.textContent = first ?? 'Compare a paper of yours: its vector appears here.';
    page.rankingEmpty.hidden = this.#shown !== null;
    page.rankingEmpty.textContent = first ?? 'Compare a paper of yours to rank the others by their similarity to it.';
    page.matrixEmpty.hidden = !page.matrixScroll.hidden;
    page.matrixEmpty.textContent = first ?? 'Comparing the examples…';
  }

  #add() {
    const { paper } = this.#draft;
    if (!paper) {
      this.#model.say('Type a title or an abstract first.');
      this.#draft.focus();
      return;
    }
    this.#mine = [{ id: `mine-${++this.#addedSoFar}`, field: 'Added by you', ...paper }, ...this.#mine];
    this.#compared = null;
    this.#shown = null;
    this.#draft.paper = null;
    page.vector.hidden = true;
    page.rankingNote.hidden = true;
    page.ranking.replaceChildren();
    this.#explain();
    this.#showPapers();
    this.#model.say(`Added “${titleOf(paper)}” to the list.`);
    this.#draft.focus();
    void this.#refresh();
  }

  async #copy() {
    if (!this.#shown) return;
    try {
      await navigator.clipboard.writeText(JSON.stringify(Array.from(this.#shown)));
      this.#model.say('Copied the numbers.');
    } catch {
      this.#model.say('The browser did not allow copying.');
    }
  }

  #showPapers() {
    page.papers.replaceChildren(...[...this.#mine, ...EXAMPLES].map((paper, index) => this.#entry(paper, index + 1)));
  }

  /**
   * @param {ExamplePaper} paper
   * @param {number} number
   */
  #entry(paper, number) {
    const item = document.createElement('li');
    const details = document.createElement('details');
    const summary = element('summary', '', `${number}. ${titleOf(paper)}`);
    summary.append(element('small', '', ` ${paper.field}`));
    details.append(summary, element('p', '', paper.abstract || 'No abstract.'));
    item.append(details);
    if (this.#mine.includes(paper)) {
      item.className = 'mine';
      const remove = document.createElement('button');
      remove.type = 'button';
      remove.className = 'quiet small';
      remove.textContent = 'Remove';
      remove.setAttribute('aria-label', `Remove ${titleOf(paper)}`);
      remove.addEventListener('click', () => {
        this.#mine = this.#mine.filter((other) => other !== paper);
        this.#showPapers();
        this.#model.say('Removed from the list.');
        void this.#refresh();
        part('papers-heading', HTMLElement).focus();
      });
      item.append(remove);
    }
    return item;
  }
}
