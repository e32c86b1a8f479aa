/** The paper that somebody writes. Its fields are on more than one tab, and hold the same text on each. */

import { part } from './page.js';

/** @typedef {{ title: string, abstract: string }} Paper */

/** Milliseconds without a key after which a text is looked at. */
const PAUSE = 300;

export class Draft {
  #titles;
  #abstracts;
  #lives;
  #pause = 0;
  #hasChosen = false;

  /**
   * @param {string[]} prefixes  of the ids of the fields, one for each tab
   * @param {() => void} typed  what is done at a pause, where somebody wants answers while typing
   */
  constructor(prefixes, typed) {
    this.#titles = prefixes.map((prefix) => part(`${prefix}title`, HTMLInputElement));
    this.#abstracts = prefixes.map((prefix) => part(`${prefix}abstract`, HTMLTextAreaElement));
    this.#lives = prefixes.map((prefix) => part(`${prefix}live`, HTMLInputElement));
    const wait = () => {
      clearTimeout(this.#pause);
      if (this.isLive) this.#pause = setTimeout(typed, PAUSE);
    };
    for (const field of [...this.#titles, ...this.#abstracts]) {
      field.addEventListener('input', () => {
        const twins = this.#titles.includes(/** @type {HTMLInputElement} */ (field)) ? this.#titles : this.#abstracts;
        for (const twin of twins) if (twin !== field) twin.value = field.value;
        wait();
      });
    }
    for (const box of this.#lives) {
      box.addEventListener('change', () => {
        this.#hasChosen = true;
        for (const twin of this.#lives) twin.checked = box.checked;
        wait();
      });
    }
  }

  /** @returns {Paper | null} nothing where nothing is written */
  get paper() {
    const title = this.#titles[0]?.value.trim() ?? '';
    const abstract = this.#abstracts[0]?.value.trim() ?? '';
    return title || abstract ? { title, abstract } : null;
  }

  set paper(paper) {
    clearTimeout(this.#pause);
    for (const field of this.#titles) field.value = paper?.title ?? '';
    for (const field of this.#abstracts) field.value = paper?.abstract ?? '';
  }

  /** Whether answers come while somebody types. */
  get isLive() {
    return this.#lives[0]?.checked ?? false;
  }

  /**
   * Sets what nobody has set by hand.
   *
   * @param {boolean} isLive
   */
  suggestLive(isLive) {
    if (!this.#hasChosen) for (const box of this.#lives) box.checked = isLive;
  }

  /** Brings whoever writes to the title, on the tab that is shown. */
  focus() {
    this.#titles.find((field) => field.checkVisibility())?.focus();
  }
}

/** @param {Paper} paper */
export const titleOf = ({ title }) => title || 'A paper without a title';
