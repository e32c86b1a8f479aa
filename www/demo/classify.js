/** The tab that tells what a paper is about, in the way that somebody chooses. */

import { showBars } from './bars.js';
import { METHODS } from './methods.js';
import { seconds } from './numbers.js';
import { element, part } from './page.js';
import { TOPICS, UNSEEN } from './papers.js';
import { Teacher } from './teach.js';

/** @import { Draft, Paper } from './draft.js' */
/** @import { Method } from './methods.js' */
/** @import { ModelPanel } from './panel.js' */

const page = {
  methods: part('methods', HTMLFieldSetElement),
  teach: part('teach', HTMLElement),
  result: part('result', HTMLElement),
  empty: part('result-empty', HTMLElement),
  note: part('result-note', HTMLElement),
};

export class ClassifyTab {
  #model;
  #draft;
  #teacher;
  #method = /** @type {Method} */ (METHODS[0]);
  /** The paper that was last asked about. @type {Paper | null} */
  #asked = null;
  #suggested = 0;

  /**
   * @param {ModelPanel} model
   * @param {Draft} draft
   */
  constructor(model, draft) {
    this.#model = model;
    this.#draft = draft;
    this.#teacher = new Teacher(model, () => this.show());
    page.methods.append(...METHODS.map((method, index) => this.#option(method, index === 0)));
    model.addEventListener('state', () => this.#explain());
    part('classify-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#ask();
    });
    part('classify-example', HTMLButtonElement).addEventListener('click', () => {
      const papers = this.#method.id === 'teach' ? UNSEEN : TOPICS;
      draft.paper = papers[this.#suggested++ % papers.length] ?? null;
      if (draft.isLive) this.typed();
      part('classify', HTMLButtonElement).focus();
    });
    this.#explain();
  }

  /** Brings the tab up to date: classifies what was asked about, as far as the model that is loaded can. */
  show() {
    if (this.#draft.isLive && this.#draft.paper) this.#asked = this.#draft.paper;
    page.teach.hidden = this.#method.id !== 'teach';
    this.#clear();
    if (!this.#serves()) return;
    if (this.#method.id === 'teach' && !this.#teacher.isReady()) return;
    if (this.#asked) void this.#classify(this.#asked);
  }

  /** Somebody who wants answers while typing has paused. */
  typed() {
    this.#asked = this.#draft.paper;
    if (!this.#asked) this.#clear();
    else if (this.#serves() && (this.#method.id !== 'teach' || this.#teacher.isReady())) void this.#classify(this.#asked);
  }

  #serves() {
    return this.#model.specter !== null && this.#method.serves(this.#model.choice);
  }

  /**
   * @param {Method} method
   * @param {boolean} isChosen
   */
  #option(method, isChosen) {
    const label = element('label', 'choice');
    const radio = document.createElement('input');
    Object.assign(radio, { type: 'radio', name: 'method', value: method.id, checked: isChosen });
    radio.addEventListener('change', () => this.#choose(method));
    label.append(
      radio,
      element('span', 'name', method.name),
      element('span', 'note', method.note),
      element('span', 'cost', method.cost),
    );
    return label;
  }

  /** @param {Method} method */
  #choose(method) {
    this.#method = method;
    // Choosing a model loads nothing yet.
    if (!method.serves(this.#model.choice)) this.#model.choose(method.model);
    this.show();
  }

  #ask() {
    const { paper } = this.#draft;
    if (!paper) {
      this.#model.say('Type a title or an abstract first.');
      this.#draft.focus();
      return;
    }
    this.#asked = paper;
    if (!this.#method.serves(this.#model.choice)) this.#model.choose(this.#method.model);
    if (this.#model.specter) this.show();
    else void this.#model.load();
  }

  /** @param {Paper} paper */
  async #classify(paper) {
    const method = this.#method;
    const { task } = this.#model;
    const begin = performance.now();
    const found = await this.#model.run(
      (specter, { signal }) => method.classify(specter, paper, { task, signal }),
      () => this.show(),
    );
    const [scores] = found ?? [];
    const best = scores?.[0];
    if (!scores || !best || this.#method !== method) return;
    const { text, share, isGiven } = method;
    showBars(page.result, scores, { text, share: (score) => share(score, best.score), ...(isGiven && { isGiven }) });
    page.empty.hidden = true;
    page.note.hidden = false;
    page.note.textContent = method.result;
    this.#model.say(`${best.label}, ${text(best.score)}. Took ${seconds(performance.now() - begin)}.`);
  }

  #clear() {
    page.result.replaceChildren();
    page.note.hidden = true;
    this.#explain();
  }

  /** Says why there is nothing to be seen, where that is so. */
  #explain() {
    const { choice, excuse, specter, state } = this.#model;
    page.result.setAttribute('aria-busy', String(state === 'computing'));
    page.empty.hidden = page.result.childElementCount > 0;
    page.empty.textContent =
      excuse ?? (
        !this.#method.serves(choice) ? `${this.#method.name} needs another model than the one chosen above. Classify chooses it.`
        : !specter ? 'No model is loaded yet. Classify loads it.'
        : this.#method.id === 'teach' && !this.#teacher.isReady() ? 'Teach it first: an example is one button away.'
        : state === 'computing' ? 'Reading…'
        : 'Classify a paper of yours: its labels appear here, the best first.'
      );
  }
}
