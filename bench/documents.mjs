/** Documents of exact lengths: words that are a token each to a tokenizer. */
import { readFileSync } from 'node:fs';

/**
 * The lower-case words of a `tokenizer.json`.
 *
 * @param {string} path
 * @returns {string[]}
 */
export function wordsOf(path) {
  const { model } = JSON.parse(readFileSync(path, 'utf8'));
  return Object.keys(model.vocab).filter((word) => /^[a-z]{3,}$/.test(word));
}

/**
 * A text of so many tokens, `[CLS]` and `[SEP]` among them; another one for each index.
 *
 * @param {string[]} words
 * @param {number} tokens
 * @param {number} index
 */
export function textOf(words, tokens, index) {
  const chosen = Array.from({ length: tokens - 2 }, (_, at) => words[(7919 * (index + 1) * (at + 1)) % words.length]);
  return chosen.join(' ');
}
