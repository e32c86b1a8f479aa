/**
 * The fields of the page: finding them, waiting for them, hearing when somebody writes, and reading what is there.
 *
 * @module
 */

import { SpecterError } from '../errors.js';

/**
 * A field as an attribute names it.
 *
 * @typedef {object} Pointer
 * @property {string} attribute
 * @property {string} to  an id or a selector
 */

/**
 * An element of the page by its id or else by a selector. Ids come first, since those of forms often have dots in them.
 * It is looked for near its owner, then in the document around.
 *
 * @param {Element} owner
 * @param {Pointer} pointer
 * @returns {HTMLElement | null}
 * @throws {SpecterError} `invalid-option` where it is no selector
 */
export function findElement(owner, { attribute, to }) {
  const near = /** @type {Document | ShadowRoot} */ (owner.getRootNode());
  for (const root of new Set([near, owner.ownerDocument])) {
    try {
      const found = root.getElementById?.(to) ?? root.querySelector(to);
      if (found instanceof HTMLElement) return found;
    } catch {
      throw new SpecterError('invalid-option', `${attribute}="${to}" is neither the id of an element in this page nor a CSS selector.`);
    }
  }
  return null;
}

/**
 * Resolves once every pointer points to something. Forms that are made by a script may come later than the component.
 *
 * @param {Element} owner
 * @param {Pointer[]} pointers
 * @param {{ patience: number, signal: AbortSignal }} options  `patience`: milliseconds
 * @returns {Promise<void>}
 * @throws {SpecterError} `invalid-option`
 */
export function whenFound(owner, pointers, { patience, signal }) {
  const missing = () => pointers.find((pointer) => !findElement(owner, pointer));
  return new Promise((resolve, reject) => {
    const observer = new MutationObserver(look);
    const timer = setTimeout(() => end(complaint), patience);
    signal.addEventListener('abort', stop);

    function stop() {
      observer.disconnect();
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
    /** @param {() => SpecterError | null} outcome */
    function end(outcome) {
      stop();
      const error = outcome();
      if (error) reject(error);
      else resolve();
    }
    function complaint() {
      const { attribute, to } = missing() ?? { attribute: 'title-field', to: '' };
      return new SpecterError('invalid-option', `${attribute}="${to}" points to nothing in this page. Give the id or a CSS selector of a field.`);
    }
    function look() {
      try {
        if (!missing()) end(() => null);
      } catch (error) {
        end(() => SpecterError.from(error));
      }
    }

    for (const root of new Set([owner.getRootNode(), owner.ownerDocument])) {
      observer.observe(root, { subtree: true, childList: true, attributes: true });
    }
    look();
  });
}

/**
 * @param {HTMLElement} field
 * @param {Pointer} pointer
 * @throws {SpecterError} `invalid-option` where nobody can write there
 */
export function checkReadable(field, { attribute, to }) {
  if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field.isContentEditable) return;
  if (field instanceof HTMLIFrameElement && field.contentDocument) return;
  throw new SpecterError(
    'invalid-option',
    `${attribute}="${to}" points to a <${field.localName}>. Point to an input, a textarea, an element with contenteditable, or the frame of an editor in this page.`,
  );
}

/**
 * @param {HTMLElement} field
 * @returns {string}
 */
export function textOf(field) {
  if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) return field.value.trim();
  if (field instanceof HTMLIFrameElement) return (field.contentDocument?.body?.innerText ?? '').trim();
  return field.innerText.trim();
}

/**
 * Calls `heard` whenever somebody writes into a field. Fields are looked up anew each time, because a framework may have
 * put another element in the place of one.
 *
 * @param {Document} document
 * @param {object} options
 * @param {() => HTMLElement[]} options.fields  those that there are at the moment
 * @param {() => void} options.heard
 * @param {AbortSignal} options.signal  ends it
 */
export function listen(document, { fields, heard, signal }) {
  /** @param {Event} event */
  const judge = (event) => {
    const target = event.composedPath()[0];
    if (target instanceof Node && fields().some((field) => field.contains(target))) heard();
  };
  for (const kind of ['input', 'change']) document.addEventListener(kind, judge, { capture: true, signal });
}

/**
 * The same for editors that live in a frame, of which the page hears nothing.
 *
 * @param {HTMLElement[]} fields
 * @param {{ heard: () => void, signal: AbortSignal }} options
 */
export function listenInFrames(fields, { heard, signal }) {
  for (const frame of fields) {
    if (!(frame instanceof HTMLIFrameElement)) continue;
    const attach = () => frame.contentDocument?.addEventListener('input', heard, { signal });
    attach();
    // Editors write their document after the frame is there, and that forgets its listeners.
    frame.addEventListener('load', attach, { signal });
  }
}
