/**
 * Making elements without writing HTML as text, which a page's policy may forbid.
 *
 * @module
 */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [attributes]  `className` is a class, `text` what it holds
 * @param {(Node | string)[]} [children]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, { className, text, ...attributes } = {}, children = []) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...(text === undefined ? [] : [text]), ...children);
  return made;
}

/** Strokes on a square of 16 by 16. */
const GLYPHS = {
  accept: 'M8 3v10M3 8h10',
  dismiss: 'M4.5 4.5l7 7M11.5 4.5l-7 7',
  check: 'M3 8.5l3.2 3.2L13 4.8',
  lock: 'M4.5 7.5h7v5.5h-7zM5.8 7.5V5.2a2.2 2.2 0 0 1 4.4 0v2.3',
};

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {keyof typeof GLYPHS} glyph
 * @returns {SVGSVGElement} decoration: what it means is said in words beside it
 */
export function icon(glyph) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', `icon ${glyph}`);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', GLYPHS[glyph]);
  svg.append(path);
  return svg;
}
