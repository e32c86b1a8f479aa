/**
 * What the component says: every sentence, each of which a page can replace, and the language that numbers are
 * written in.
 *
 * @module
 */

/** @import { SpecterErrorCode } from '../errors.js' */

/**
 * A sentence, or how it is made of facts.
 *
 * @template [Facts=never]
 * @typedef {string | ((facts: Facts) => string)} Sentence
 */

/**
 * Every sentence of the component. Numbers arrive as text, written as the language writes them.
 *
 * @typedef {object} Messages
 * @property {Sentence} heading
 * @property {Sentence} suggest    on the button
 * @property {Sentence} idle       where nothing has been suggested yet
 * @property {Sentence} off        the same, after somebody declined
 * @property {Sentence} privacy
 * @property {Sentence<{ model: string, host: string, size: string }>} consent  `host` is empty where it is this page's own, `size` is the attribute `download-size`, or empty
 * @property {Sentence} agree      on the button below it
 * @property {Sentence} decline
 * @property {Sentence<{ loaded: string, total: string }>} downloading  `total` is empty where it is not known
 * @property {Sentence<{ loaded: string, total: string }>} reading      what an earlier visit has stored
 * @property {Sentence} waiting    for another tab that downloads the same model
 * @property {Sentence} preparing  the device
 * @property {Sentence<{ done: string, count: string }>} encoding  the labels, once
 * @property {Sentence} progress   what the bar shows
 * @property {Sentence} cancel
 * @property {Sentence} thinking
 * @property {Sentence<{ minimum: string }>} tooShort
 * @property {Sentence<{ count: number }>} results  said, not shown
 * @property {Sentence} nothing    where no label passes
 * @property {Sentence} noMore     where all that passed were accepted or dismissed
 * @property {Sentence} suggestedList  name of the list
 * @property {Sentence} acceptedList   name of the list
 * @property {Sentence<{ label: string, score: string }>} accept  name of a button
 * @property {Sentence<{ label: string }>} dismiss   name of a button
 * @property {Sentence<{ label: string }>} withdraw  name of a button
 * @property {Sentence<{ label: string }>} accepted   said, not shown
 * @property {Sentence<{ label: string }>} dismissed  said, not shown
 * @property {Sentence<{ label: string }>} withdrawn  said, not shown
 * @property {Sentence} keys
 * @property {Sentence<{ code: SpecterErrorCode, message: string }>} failure
 * @property {Sentence} retry
 */

/**
 * Failures that a person who deposits can do something about, in their words. The others keep the sentence of the error.
 *
 * @type {Partial<Record<SpecterErrorCode, string>>}
 */
const FAILURES = {
  network: 'The download broke off. Check the connection, then try again: it goes on where it stopped.',
  'model-not-found': 'The model is not where this page looks for it. Please tell the people who run this site.',
  'corrupt-file': 'The model arrived damaged. Try again, and if that does not help, tell the people who run this site.',
  'wasm-unavailable': 'This browser is too old to compute suggestions. A current one can.',
  'webgpu-unavailable': 'This page wants a graphics processor, which this browser does not offer. A current one may.',
  'out-of-memory': 'There is not enough memory for the model. Close other tabs, then try again.',
  'device-lost': 'The graphics processor stopped. Try again to start it anew.',
};

/** @type {Messages} */
export const english = {
  heading: 'Suggestions',
  suggest: 'Suggest',
  idle: 'Suggestions appear while you write.',
  off: 'Suggestions are off until you press Suggest.',
  privacy: 'Computed in this browser. Your text stays on this machine.',
  consent: ({ model, host, size }) =>
    `Suggestions need a language model. ${model}${size && ` (${size})`} is downloaded from ${host || 'this site'} once and kept in this browser. What you write is not sent anywhere.`,
  agree: 'Download and suggest',
  decline: 'Not now',
  downloading: ({ loaded, total }) => `Downloading the model: ${total ? `${loaded} of ${total}` : loaded}`,
  reading: ({ loaded, total }) => `Reading the stored model: ${total ? `${loaded} of ${total}` : loaded}`,
  waiting: 'Another tab is downloading the model. Waiting for it.',
  preparing: 'Preparing the model',
  encoding: ({ done, count }) => `Reading the labels: ${done} of ${count}`,
  progress: 'Progress',
  cancel: 'Cancel',
  thinking: 'Looking for suggestions…',
  tooShort: ({ minimum }) => `Write a little more: suggestions begin at ${minimum} characters.`,
  results: ({ count }) => (count === 1 ? '1 suggestion' : `${count} suggestions`),
  nothing: 'No label fits this text well enough.',
  noMore: 'No further suggestions for this text.',
  suggestedList: 'Suggested',
  acceptedList: 'Accepted',
  accept: ({ label, score }) => `Accept ${label}, ${score}`,
  dismiss: ({ label }) => `Dismiss ${label}`,
  withdraw: ({ label }) => `Remove ${label}`,
  accepted: ({ label }) => `${label} accepted`,
  dismissed: ({ label }) => `${label} dismissed`,
  withdrawn: ({ label }) => `${label} removed`,
  keys: 'Arrow keys move, Enter accepts, Delete dismisses.',
  failure: ({ code, message }) => FAILURES[code] ?? message,
  retry: 'Try again',
};

/**
 * The language that an element is in, across shadow roots, as a tag that number formats accept.
 *
 * @param {Element} element
 * @returns {string | undefined}  undefined: the browser's own
 */
export function languageOf(element) {
  for (let at = /** @type {Element | null} */ (element); at;) {
    const found = at.closest('[lang]');
    if (found) return knownLanguage(found.getAttribute('lang'));
    const root = at.getRootNode();
    at = root instanceof ShadowRoot ? root.host : null;
  }
  return undefined;
}

/** @param {string | null} tag */
function knownLanguage(tag) {
  try {
    return Intl.getCanonicalLocales(tag ?? [])[0];
  } catch {
    return undefined; // what a page writes there need not be a language
  }
}

/** Numbers as a language writes them. */
export class Numbers {
  #language;

  /** @param {string | undefined} language */
  constructor(language) {
    this.#language = language;
  }

  /** @param {number} count */
  whole(count) {
    return new Intl.NumberFormat(this.#language).format(count);
  }

  /** @param {number} count */
  megabytes(count) {
    const megabytes = count / 1e6;
    const digits = megabytes < 100 ? 1 : 0;
    const format = { style: 'unit', unit: 'megabyte', minimumFractionDigits: digits, maximumFractionDigits: digits };
    // A number and its unit stay on one line.
    return new Intl.NumberFormat(this.#language, /** @type {Intl.NumberFormatOptions} */ (format)).format(megabytes).replace(' ', '\u00a0');
  }

  /**
   * @param {number} score
   * @param {boolean} isShare  whether it lies between 0 and 1 and says how likely a label is
   */
  score(score, isShare) {
    if (isShare) {
      const percent = new Intl.NumberFormat(this.#language, { style: 'percent' });
      if (score > 0 && score < 0.005) return `<${percent.format(0.01)}`;
      return score > 0.995 && score < 1 ? `>${percent.format(0.99)}` : percent.format(score);
    }
    return new Intl.NumberFormat(this.#language, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(score);
  }
}
