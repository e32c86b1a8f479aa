/**
 * The form around the component, as its attributes describe it: fields to read, and one to write into. They are looked up
 * anew each time, because frameworks put other elements in their places.
 *
 * @module
 */

import { FIELDS } from './attributes.js';
import { checkReadable, findElement, textOf, whenFound } from './fields.js';
import { checkWritable, isWritable, Output } from './output.js';

/** @import { SpecterError } from '../errors.js' */
/** @import { SuggestAttributes } from './attributes.js' */
/** @import { Pointer } from './fields.js' */

/** Milliseconds for which a field may be missing before that is an error. */
const PATIENCE = 5000;

export class Form {
  #owner;

  /** @param {SuggestAttributes} owner */
  constructor(owner) {
    this.#owner = owner;
  }

  /**
   * Resolves once all fields are there and can be used.
   *
   * @param {AbortSignal} signal  ends the waiting, and leaves the promise as it is
   * @returns {Promise<void>}
   * @throws {SpecterError} `invalid-option`
   */
  async whenReady(signal) {
    await whenFound(this.#owner, this.#pointers(), { patience: PATIENCE, signal });
    for (const pointer of this.#pointers()) {
      const field = this.#field(pointer.attribute);
      if (!field) continue;
      if (pointer.attribute === 'output-field') checkWritable(field, pointer);
      else checkReadable(field, pointer);
    }
  }

  /** Whether all fields are there now. */
  get isWhole() {
    return this.#pointers().every(({ attribute }) => this.#field(attribute) !== null);
  }

  /** Fields to read that are there. */
  get read() {
    return [this.#field('title-field'), this.#field('abstract-field')].filter((field) => field !== null);
  }

  /** The field to write into, if it is there. */
  get written() {
    return [this.#field('output-field')].filter((field) => field !== null);
  }

  /** What somebody has written so far. */
  paper() {
    const [title, abstract] = [this.#field('title-field'), this.#field('abstract-field')];
    return { title: title ? textOf(title) : '', abstract: abstract ? textOf(abstract) : '' };
  }

  /** @returns {Output | null} */
  output() {
    const { separator, create } = this.#owner;
    const field = this.#field('output-field');
    return field && isWritable(field) ? new Output(field, { separator, create }) : null;
  }

  /** @returns {Pointer[]} */
  #pointers() {
    return FIELDS.flatMap((attribute) => {
      const to = this.#owner.getAttribute(attribute);
      return to ? [{ attribute, to }] : [];
    });
  }

  /**
   * @param {string} attribute
   * @returns {HTMLElement | null}
   */
  #field(attribute) {
    const to = this.#owner.getAttribute(attribute);
    try {
      return to ? findElement(this.#owner, { attribute, to }) : null;
    } catch {
      return null; // a selector that is none has been reported when it was set
    }
  }
}
