/** The parts of the page, found or made. */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {{ new (): T }} type
 * @returns {T}
 */
export function part(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} called ${id}.`);
  return found;
}

/**
 * The same inside another part, by a selector.
 *
 * @template {HTMLElement} T
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {{ new (): T }} type
 * @returns {T}
 */
export function inside(parent, selector, type) {
  const found = parent.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`There is no ${type.name} at ${selector}.`);
  return found;
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 * @returns {HTMLElement}
 */
export function element(tag, className, text = '') {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

/**
 * A copy of what is in a `<template>` with one element.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function copyOf(id) {
  const { content } = part(id, HTMLTemplateElement);
  return /** @type {HTMLElement} */ (/** @type {Element} */ (content.firstElementChild).cloneNode(true));
}

/**
 * Gives the fields inside a part ids, and their labels what they are for.
 *
 * @param {ParentNode} parent
 * @param {string} prefix
 */
export function tieLabels(parent, prefix) {
  parent.querySelectorAll('.field').forEach((field, index) => {
    const label = inside(field, 'label', HTMLLabelElement);
    const input = inside(field, 'input, textarea', HTMLElement);
    input.id = `${prefix}-${index}`;
    label.htmlFor = input.id;
  });
}
