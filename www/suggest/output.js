/**
 * The field that accepted labels are written into. What is there already stays: somebody wrote it.
 *
 * @module
 */

import { SpecterError } from '../errors.js';

/** @import { Pointer } from './fields.js' */

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} OutputField */

/**
 * @param {HTMLElement} field
 * @returns {field is OutputField}
 */
export function isWritable(field) {
  return field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || (field instanceof HTMLSelectElement && field.multiple);
}

/**
 * @param {HTMLElement} field
 * @param {Pointer} pointer
 * @throws {SpecterError} `invalid-option` where no list of labels can be written there
 */
export function checkWritable(field, { attribute, to }) {
  if (isWritable(field)) return;
  throw new SpecterError(
    'invalid-option',
    `${attribute}="${to}" points to a <${field.localName}>. Point to an input, a textarea or a <select multiple>.`,
  );
}

/** Writes into one field, in one way. */
export class Output {
  #field;
  #separator;
  #create;

  /**
   * @param {OutputField} field
   * @param {{ separator: string, create: boolean }} options
   */
  constructor(field, { separator, create }) {
    this.#field = field;
    this.#separator = separator;
    this.#create = create;
  }

  /** @returns {HTMLFormElement | null} */
  get form() {
    return this.#field.form;
  }

  /** How many entries the field holds, whoever wrote them there. */
  get size() {
    return this.#field instanceof HTMLSelectElement ? this.#field.selectedOptions.length : this.#entries(this.#field.value).length;
  }

  /**
   * Whether the field holds a label, whoever wrote it there.
   *
   * @param {string} value
   */
  has(value) {
    if (this.#field instanceof HTMLSelectElement) return this.#option(value)?.selected ?? false;
    return this.#fenced(this.#field.value).includes(this.#fenced(value));
  }

  /**
   * @param {string} value
   * @throws {SpecterError} `invalid-option` where a `<select>` has no such option, and may not get one
   */
  add(value) {
    const field = this.#field;
    if (this.has(value)) return;
    if (field instanceof HTMLSelectElement) {
      const option = this.#option(value) ?? (this.#create ? field.appendChild(new Option(value, value)) : null);
      if (!option) {
        throw new SpecterError(
          'invalid-option',
          `The list of output-field has no option “${value}”. Add it, or let the component do so with the attribute create.`,
        );
      }
      option.selected = true;
      tell(field);
    } else {
      this.#write(this.#fenced(field.value) + value);
    }
  }

  /** @param {string} value */
  remove(value) {
    const field = this.#field;
    if (!this.has(value)) return;
    if (field instanceof HTMLSelectElement) {
      /** @type {HTMLOptionElement} */ (this.#option(value)).selected = false;
      tell(field);
    } else {
      this.#write(this.#fenced(field.value).replace(this.#fenced(value), () => this.#separator));
    }
  }

  /** @param {string} value */
  #option(value) {
    const options = Array.from(/** @type {HTMLSelectElement} */ (this.#field).options);
    return options.find((option) => option.value === value) ?? options.find((option) => option.text === value);
  }

  /**
   * A list with a separator before and after each entry, so that an entry can be looked for as a whole. A label may have
   * the separator in it.
   *
   * @param {string} text
   */
  #fenced(text) {
    const separator = this.#separator;
    return separator + this.#entries(text).map((entry) => entry + separator).join('');
  }

  /** @param {string} text */
  #entries(text) {
    const separator = this.#separator;
    return text.split(separator.trim() || separator).map((entry) => entry.trim()).filter(Boolean);
  }

  /** @param {string} fenced */
  #write(fenced) {
    const field = /** @type {HTMLInputElement | HTMLTextAreaElement} */ (this.#field);
    const { prototype } = field instanceof HTMLInputElement ? HTMLInputElement : HTMLTextAreaElement;
    const text = this.#fenced(fenced).slice(this.#separator.length, -this.#separator.length);
    // React puts a property of its own before the element's, and takes what is written there for known already.
    Reflect.set(prototype, 'value', text, field);
    tell(field);
  }
}

/**
 * Says what a person's typing would have said, which is what frameworks listen for.
 *
 * @param {HTMLElement} field
 */
function tell(field) {
  for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true, composed: kind === 'input' }));
}
