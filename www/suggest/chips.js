/**
 * A list of labels with buttons. The whole list is one stop of the Tab key, or two where its chips have two buttons:
 * from there, arrow keys lead to the other chips.
 *
 * @module
 */

import { element, icon } from './elements.js';

/**
 * A chip: the first of its buttons is the one that the list is walked by.
 *
 * @typedef {object} Chip
 * @property {string} label
 * @property {HTMLElement} item
 * @property {HTMLButtonElement[]} buttons
 */

/**
 * What a list shows of a label.
 *
 * @typedef {object} ChipContent
 * @property {string} label
 * @property {string} [hint]   shown to a pointer that rests
 * @property {string} [score]  as text
 * @property {number} [share]  the same, from 0 to 1, as a bar
 * @property {{ name: string, glyph: 'accept' | 'dismiss', wide: boolean, part: string, act: () => void }[]} buttons
 *   one that is wide has the label on it
 * @property {() => void} discard  what the Delete key does
 */

export class ChipList {
  /** The list, to be put somewhere. */
  list;
  /** @type {Chip[]} */
  #chips = [];
  /** @type {Map<string, ChipContent>} */
  #contents = new Map();
  /** The chip that Tab leads to. */
  #current = 0;

  /**
   * @param {'ul' | 'ol'} tag
   * @param {{ className: string, part: string }} options
   */
  constructor(tag, { className, part }) {
    // Safari takes a list without bullets for no list, unless it is told.
    this.list = element(tag, { className: `chips ${className}`, part, role: 'list' });
    this.list.addEventListener('keydown', (event) => this.#walk(/** @type {KeyboardEvent} */ (event)));
    this.list.addEventListener('focusin', (event) => this.#arrive(/** @type {Node} */ (event.target)));
  }

  /** @returns {boolean} whether there was a chip to focus */
  focus() {
    const button = this.#chips[this.#current]?.buttons[0];
    button?.focus();
    return button !== undefined;
  }

  /**
   * Shows these labels. A chip that was there before is kept, with the focus, if it has it; where the focused one is gone,
   * the one in its place gets the focus.
   *
   * @param {ChipContent[]} contents
   * @param {{ disabled: boolean }} options
   */
  show(contents, { disabled }) {
    const current = this.#chips[this.#current];
    const button = current?.buttons.findIndex((one) => one.matches(':focus')) ?? -1;
    const before = new Map(this.#chips.map((chip) => [chip.label, chip]));
    this.#contents = new Map(contents.map((content) => [content.label, content]));
    const chips = contents.map((content) => before.get(content.label) ?? this.#make(content));
    for (const chip of this.#chips) if (!chips.includes(chip)) chip.item.remove();
    // A chip that stands where it stood is not touched: moving an element takes its focus away.
    chips.forEach(({ item }, index) => {
      if (this.list.children[index] !== item) this.list.insertBefore(item, this.list.children[index] ?? null);
    });
    this.#chips = chips;
    chips.forEach((chip, index) => update(chip, /** @type {ChipContent} */ (contents[index]), disabled));
    this.list.hidden = chips.length === 0;
    const index = current ? chips.indexOf(current) : -1;
    this.#choose(index >= 0 ? index : Math.min(this.#current, chips.length - 1));
    if (button >= 0 && !this.list.matches(':focus-within')) this.#chips[this.#current]?.buttons[button]?.focus();
  }

  /**
   * @param {ChipContent} content
   * @returns {Chip}
   */
  #make({ label, buttons }) {
    const made = buttons.map(({ glyph, wide, part }, index) => {
      const button = element('button', { type: 'button', className: wide ? 'main' : 'side', part });
      button.append(icon(glyph));
      // The space keeps the two apart in the text, which is what the button's name is compared with.
      if (wide) button.append(element('span', { className: 'label' }), ' ', element('span', { className: 'score', part: 'score' }));
      button.addEventListener('click', () => this.#contents.get(label)?.buttons[index]?.act());
      return button;
    });
    const item = element('li', { className: 'chip', part: 'chip' });
    const isOnButton = buttons.some(({ wide }) => wide);
    item.append(...(isOnButton ? [] : [icon('check'), element('span', { className: 'label' })]), ...made);
    return { label, item, buttons: made };
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const chip = this.#chips[this.#current];
    if (!chip || event.ctrlKey || event.metaKey || event.altKey) return;
    const forwards = getComputedStyle(this.list).direction === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
    const last = this.#chips.length - 1;
    const target = {
      [forwards === 'ArrowRight' ? 'ArrowLeft' : 'ArrowRight']: this.#current - 1,
      ArrowUp: this.#current - 1,
      [forwards]: this.#current + 1,
      ArrowDown: this.#current + 1,
      Home: 0,
      End: last,
    }[event.key];
    if (target !== undefined) {
      const button = chip.buttons.findIndex((button) => button.matches(':focus'));
      this.#choose(Math.max(0, Math.min(last, target)));
      this.#chips[this.#current]?.buttons[button]?.focus();
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      this.#contents.get(chip.label)?.discard();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** @param {Node} target */
  #arrive(target) {
    const index = this.#chips.findIndex(({ item }) => item.contains(target));
    if (index >= 0) this.#choose(index);
  }

  /** @param {number} index */
  #choose(index) {
    this.#current = Math.max(0, index);
    this.#chips.forEach(({ buttons }, at) => {
      for (const button of buttons) button.tabIndex = at === this.#current ? 0 : -1;
    });
  }
}

/**
 * @param {Chip} chip
 * @param {ChipContent} content
 * @param {boolean} disabled
 */
function update({ item, buttons }, { label, hint, score, share, buttons: contents }, disabled) {
  item.title = hint ?? '';
  item.style.setProperty('--share', String(Math.max(0, Math.min(1, share ?? 0))));
  const write = (/** @type {string} */ part, /** @type {string} */ text) => {
    const place = item.querySelector(`.${part}`);
    if (place && place.textContent !== text) place.textContent = text;
  };
  write('label', label);
  write('score', score ?? '');
  buttons.forEach((button, index) => {
    button.setAttribute('aria-label', contents[index]?.name ?? '');
    button.disabled = disabled;
  });
}
