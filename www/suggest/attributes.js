/**
 * The attributes of the component, the properties that mirror them, and what can be wrong with them.
 *
 * @module
 */

import { SpecterError } from '../errors.js';

/** @import { Device, Dtype } from '../types.js' */

/** Attributes that decide what is loaded: a change of one forgets what has been. */
export const LOADED_FROM = ['model', 'task', 'adapter', 'head', 'labels', 'dtype', 'device', 'hub'];

/** Attributes that name fields in the page. */
export const FIELDS = /** @type {const} */ (['title-field', 'abstract-field', 'output-field']);

/** Attributes that decide what is shown of what was loaded. */
const SHOWN_BY = [
  'threshold', 'top-k', 'delay', 'minimum-length', 'separator', 'create', 'write', 'name', 'heading', 'download-size',
  'autoload', 'lang',
];

/** A server that renders pages has no elements, but may import what it sends. */
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {});

/**
 * An element that has the attributes, and does nothing with them yet. Each property is its attribute; strings are null
 * where the attribute is missing, and numbers are NaN where it is no number.
 */
export class SuggestAttributes extends Base {
  static observedAttributes = [...LOADED_FROM, ...FIELDS, ...SHOWN_BY];

  /** Id or selector of the field with the title. */
  get titleField() { return this.getAttribute('title-field'); }
  set titleField(value) { this.#reflect('title-field', value); }

  /** Id or selector of the field with the abstract. */
  get abstractField() { return this.getAttribute('abstract-field'); }
  set abstractField(value) { this.#reflect('abstract-field', value); }

  /** Id or selector of the field that accepted labels are written into. */
  get outputField() { return this.getAttribute('output-field'); }
  set outputField(value) { this.#reflect('output-field', value); }

  /** What stands between labels in a text field. */
  get separator() { return this.getAttribute('separator') ?? '; '; }
  set separator(value) { this.#reflect('separator', value); }

  /** Whether labels that a `<select>` lacks are added to it. */
  get create() { return this.hasAttribute('create'); }
  set create(value) { this.toggleAttribute('create', value); }

  /**
   * What is written and submitted of a label: all that is shown, or its code alone.
   *
   * @returns {'label' | 'code'}
   */
  get write() { return /** @type {'label' | 'code'} */ (this.getAttribute('write') ?? 'label'); }
  set write(value) { this.#reflect('write', value); }

  /** What the form submits accepted labels as. */
  get name() { return this.getAttribute('name'); }
  set name(value) { this.#reflect('name', value); }

  /** A model: name of a preset, hub id, or address of a folder. */
  get model() { return this.getAttribute('model'); }
  set model(value) { this.#reflect('model', value); }

  /** What the model is asked for: a task by its name. */
  get task() { return this.getAttribute('task'); }
  set task(value) { this.#reflect('task', value); }

  /** In the place of a task, an adapter: its name, if the model brings it; else a hub id with a slash, or the address of a folder. */
  get adapter() { return this.getAttribute('adapter'); }
  set adapter(value) { this.#reflect('adapter', value); }

  /** A head: its name, if the model or the adapter brings it; else a hub id with a slash, or the address of a folder or of JSON. */
  get head() { return this.getAttribute('head'); }
  set head(value) { this.#reflect('head', value); }

  /** @returns {Dtype | null} */
  get dtype() { return /** @type {Dtype | null} */ (this.getAttribute('dtype')); }
  set dtype(value) { this.#reflect('dtype', value); }

  /** @returns {Device | null} */
  get device() { return /** @type {Device | null} */ (this.getAttribute('device')); }
  set device(value) { this.#reflect('device', value); }

  /** Base address for hub ids. */
  get hub() { return this.getAttribute('hub'); }
  set hub(value) { this.#reflect('hub', value); }

  /**
   * The score that a label needs to be suggested; null: what the head says, and no limit for similarities.
   *
   * @returns {number | null}
   */
  get threshold() { return this.hasAttribute('threshold') ? this.#number('threshold', 0) : null; }
  set threshold(value) { this.#reflect('threshold', value); }

  /** How many labels are suggested at most. */
  get topK() { return this.#number('top-k', 5); }
  set topK(value) { this.#reflect('top-k', value); }

  /** Milliseconds without a key after which a text is looked at. */
  get delay() { return this.#number('delay', 600); }
  set delay(value) { this.#reflect('delay', value); }

  /** Characters of title and abstract together below which nothing is suggested. */
  get minimumLength() { return this.#number('minimum-length', 40); }
  set minimumLength(value) { this.#reflect('minimum-length', value); }

  /** Whether the model is loaded at the first key, without asking. */
  get autoload() { return this.hasAttribute('autoload'); }
  set autoload(value) { this.toggleAttribute('autoload', value); }

  /** How large the download is, in words, such as `25 MB`. */
  get downloadSize() { return this.getAttribute('download-size'); }
  set downloadSize(value) { this.#reflect('download-size', value); }

  /** What stands above; null: what `messages` says. */
  get heading() { return this.getAttribute('heading'); }
  set heading(value) { this.#reflect('heading', value); }

  /** Whether nothing can be suggested or accepted, as in other elements of a form. */
  get disabled() { return this.hasAttribute('disabled'); }
  set disabled(value) { this.toggleAttribute('disabled', value); }

  /**
   * @param {string} attribute
   * @param {string | number | null} value
   */
  #reflect(attribute, value) {
    if (value === null) this.removeAttribute(attribute);
    else this.setAttribute(attribute, String(value));
  }

  /**
   * @param {string} attribute
   * @param {number} otherwise
   */
  #number(attribute, otherwise) {
    const text = this.getAttribute(attribute);
    if (text === null) return otherwise;
    return text.trim() === '' ? NaN : Number(text);
  }
}

/**
 * All that can be known to be wrong before anything is looked for or loaded.
 *
 * @param {SuggestAttributes} element
 * @param {{ hasSpecter: boolean, hasLabels: boolean }} given  by properties that are no attributes
 * @throws {SpecterError} `invalid-option`
 */
export function checkAttributes(element, { hasSpecter, hasLabels }) {
  const { titleField, abstractField, model, task, adapter, head, threshold, topK, delay, minimumLength, write, separator } = element;
  const wrong = (/** @type {string} */ sentence) => new SpecterError('invalid-option', `<specter-suggest> ${sentence}`);
  if (!titleField && !abstractField) throw wrong('needs title-field or abstract-field: the id or the selector of a field to read.');
  if (!model && !hasSpecter) throw wrong('needs model: the name of a preset, a hub id or the address of a folder.');
  if (task && adapter) throw wrong('has both task and adapter. Give one of them: a task knows its adapter.');
  if (head && hasLabels) throw wrong('has both head and labels. Give one of them.');
  if (!head && !hasLabels) throw wrong('needs head, a classifier, or labels, a list to choose from.');
  if (Number.isNaN(threshold)) throw wrong(`has threshold="${element.getAttribute('threshold')}", which is no number.`);
  if (!(Number.isInteger(topK) && topK > 0)) throw wrong(`has top-k="${element.getAttribute('top-k')}". Give a whole number, at least 1.`);
  if (!(delay >= 0)) throw wrong(`has delay="${element.getAttribute('delay')}". Give milliseconds, at least 0.`);
  if (!(minimumLength >= 0)) throw wrong(`has minimum-length="${element.getAttribute('minimum-length')}". Give a number of characters.`);
  if (write !== 'label' && write !== 'code') throw wrong(`has write="${write}". Give label or code.`);
  if (separator === '') throw wrong('has an empty separator, by which labels cannot be told apart.');
}

/**
 * Whether a name is one of a place to load from, and not of something that the model brings: all places but the hub's
 * oldest ids have a slash.
 *
 * @param {string} name
 */
export const isPlace = (name) => name.includes('/');
