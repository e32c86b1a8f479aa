/**
 * `<specter-suggest>`: suggests labels for what somebody writes into a form, in the browser, and writes those that are
 * accepted into the form. To import this module is to define the element; nothing else is loaded before somebody wants
 * suggestions.
 *
 * @example
 * <script type="module" src="specter-web/suggest/specter-suggest.js"></script>
 * <specter-suggest model="minilm" labels="erc-panels" title-field="title" abstract-field="abstract" output-field="subjects"></specter-suggest>
 *
 * @module
 */

import { SpecterError } from '../errors.js';
import { checkAttributes, LOADED_FROM, SuggestAttributes } from './attributes.js';
import { hasAgreed, originOf, rememberAgreement } from './consent.js';
import { Download } from './download.js';
import { listen, listenInFrames } from './fields.js';
import { Form } from './form.js';
import { english, languageOf, Numbers } from './messages.js';
import { Panel } from './panel.js';
import { Ranker } from './ranker.js';

/** @import { Specter } from '../specter.js' */
/** @import { Progress } from '../types.js' */
/** @import { ChipContent } from './chips.js' */
/** @import { Sentence } from './messages.js' */
/** @import { Output } from './output.js' */
/** @import { View } from './panel.js' */

/** @typedef {import('./labels.js').Label} Label */
/** @typedef {import('./messages.js').Messages} Messages */
/** @typedef {import('./ranker.js').Suggestion} Suggestion */

/**
 * - `idle`: nothing is suggested yet.
 * - `asking`: whether the model may be downloaded.
 * - `downloading`: the model is loaded, from the network or from what is stored.
 * - `thinking`: a text is looked at.
 * - `results`: there are suggestions for the text.
 * - `nothing`: no label passes.
 * - `too-short`: there is too little text.
 * - `failed`: something went wrong, and can be tried again.
 *
 * @typedef {'idle' | 'asking' | 'downloading' | 'thinking' | 'results' | 'nothing' | 'too-short' | 'failed'} SuggestState
 */

/** After these, a model has to be loaded again. */
const FATAL = ['device-lost', 'out-of-memory', 'internal', 'disposed'];

/** Properties that a page may have set before the element was defined. */
const PROPERTIES = ['specter', 'labels', 'messages', 'accepted'];

/**
 * Suggests labels for a paper. It bubbles events, which pass shadow roots:
 *
 * - `specter-suggest:ready`: the model is loaded; `detail` is what `info()` of it says.
 * - `specter-suggest:suggestions`: `detail.suggestions` are shown for `detail.paper`.
 * - `specter-suggest:accept`, `specter-suggest:dismiss`: `detail` is the suggestion.
 * - `specter-suggest:change`: `detail.accepted` are accepted now.
 * - `specter-suggest:error`: `detail` is a `SpecterError`.
 */
export class SpecterSuggest extends SuggestAttributes {
  static formAssociated = true;

  #internals = this.attachInternals();
  #form = new Form(this);
  #panel;
  /** @type {Partial<Messages>} */
  #messages = {};
  /** @type {Specter | null} */
  #specter = null;
  /** @type {readonly (string | Label)[] | null} */
  #labels = null;
  /** @type {SuggestState} */
  #state = 'idle';
  /** @type {Ranker | null} */
  #ranker = null;
  /** Ends when the element is taken out of the document for good. @type {AbortController | null} */
  #stay = null;
  /** @type {AbortController | null} */
  #search = null;
  /** @type {AbortController | null} */
  #opening = null;
  /** @type {AbortController | null} */
  #thinking = null;
  /** The text that was there when a field was last heard of. */
  #heardOf = '';
  /** The text that the suggestions are for. */
  #subject = '';
  /** @type {Suggestion[]} */
  #suggestions = [];
  /** @type {Map<string, Suggestion>} */
  #accepted = new Map();
  /** @type {Set<string>} */
  #dismissed = new Set();
  /** `isSetup`: the element cannot do anything before its attributes or the page change. @type {{ error: SpecterError, again: () => void, isSetup: boolean } | null} */
  #failure = null;
  /** @type {{ text: string, loaded: number, total: number } | null} */
  #progress = null;
  /** The downloads that somebody has agreed to. @type {Set<string>} */
  #agreed = new Set();
  #hasDeclined = false;
  #isDisabled = false;
  #lacksFields = false;
  /** Whether the output field lacks what a page has set as accepted. */
  #isUnwritten = false;
  #isWriting = false;
  /** The timer of a pause in writing; 0 where none runs. */
  #pause = 0;
  #leaving = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    this.#panel = new Panel(root, new URL('./specter-suggest.css', import.meta.url), {
      suggest: () => void this.suggest(),
      agree: () => this.#agree(),
      decline: () => this.#decline(),
      cancel: () => this.#decline(),
      retry: () => this.#retry(),
    });
  }

  // ---------------------------------------------------------------- properties

  /** What the component is doing. */
  get state() {
    return this.#state;
  }

  /** What is suggested at the moment, best first. @returns {Suggestion[]} */
  get suggestions() {
    const output = this.#form.output();
    return this.#suggestions
      .filter((suggestion) => !this.#accepted.has(suggestion.label) && !this.#dismissed.has(suggestion.label) && !output?.has(this.#written(suggestion)))
      .slice(0, this.topK);
  }

  /**
   * What has been accepted, in that order. A page that shows what was saved before may set it, also to plain labels.
   *
   * @returns {Suggestion[]}
   */
  get accepted() {
    return [...this.#accepted.values()];
  }

  /** @param {readonly (string | Suggestion)[]} list */
  set accepted(list) {
    const all = Array.from(list, (one) => (typeof one === 'string' ? { label: one, name: one, score: NaN } : one));
    this.#accepted = new Map(all.map((one) => [one.label, one]));
    this.#isUnwritten = true;
    this.#submit();
    this.#configure();
  }

  /** A Specter that the page has loaded, to use in the place of one of the component's own. It is not disposed of here. */
  get specter() {
    return this.#specter;
  }

  set specter(specter) {
    this.#specter = specter;
    this.#forget();
    this.#configure();
  }

  /**
   * Labels to choose from: the attribute, or a list.
   *
   * @returns {string | readonly (string | Label)[] | null}
   */
  get labels() {
    return this.#labels ?? this.getAttribute('labels');
  }

  set labels(labels) {
    this.#labels = typeof labels === 'string' ? null : labels;
    if (typeof labels === 'string') this.setAttribute('labels', labels);
    else this.removeAttribute('labels');
    this.#forget();
    this.#configure();
  }

  /** Sentences in the place of the component's own; those that are left out stay. */
  get messages() {
    return this.#messages;
  }

  set messages(messages) {
    this.#messages = messages;
    this.#show();
  }

  // ---------------------------------------------------------------- methods

  /**
   * Suggests now, as the button does: for what the fields hold, after asking, if there is something to ask.
   *
   * @returns {Promise<void>}  once there are suggestions, or a question, or an error
   */
  async suggest() {
    if (this.#isDisabled || !this.#stay) return;
    this.#hasDeclined = false;
    this.#subject = '';
    this.#panel.announce(''); // so that what comes of it is told, even if it is the same as before
    await this.#consider({ isAsked: true });
  }

  /**
   * @param {string} label  one that is suggested
   */
  accept(label) {
    const suggestion = this.#suggestions.find((one) => one.label === label);
    if (!suggestion || this.#isDisabled) return;
    try {
      this.#write((output) => output.add(this.#written(suggestion)));
    } catch (error) {
      this.#fail(error, { again: () => this.accept(label) });
      return;
    }
    this.#accepted.set(label, suggestion);
    this.#submit();
    this.#show();
    this.#panel.announce(this.#say('accepted', { label }));
    this.#emit('accept', suggestion);
    this.#emit('change', { accepted: this.accepted });
  }

  /**
   * Takes a label out of the suggestions, until the form is reset.
   *
   * @param {string} label  one that is suggested
   */
  dismiss(label) {
    const suggestion = this.#suggestions.find((one) => one.label === label);
    if (!suggestion || this.#isDisabled) return;
    this.#dismissed.add(label);
    this.#show();
    this.#panel.announce(this.#say('dismissed', { label }));
    this.#emit('dismiss', suggestion);
  }

  /**
   * Takes back that a label was accepted.
   *
   * @param {string} label
   */
  withdraw(label) {
    const suggestion = this.#accepted.get(label);
    if (!suggestion || this.#isDisabled) return;
    this.#accepted.delete(label);
    this.#write((output) => output.remove(this.#written(suggestion)));
    this.#submit();
    this.#show();
    this.#panel.announce(this.#say('withdrawn', { label }));
    this.#emit('change', { accepted: this.accepted });
  }

  // ---------------------------------------------------------------- what the browser calls

  connectedCallback() {
    clearTimeout(this.#leaving);
    if (this.#stay) return; // it has only been moved
    this.#stay = new AbortController();
    const { signal } = this.#stay;
    listen(this.ownerDocument, { fields: () => this.#form.read, heard: this.#heard, signal });
    listen(this.ownerDocument, { fields: () => this.#form.written, heard: this.#compare, signal });
    this.ownerDocument.addEventListener('focusin', () => this.#lookAgain(), { signal });
    for (const name of PROPERTIES) {
      if (!Object.hasOwn(this, name)) continue;
      const value = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, value);
    }
    this.#configure();
  }

  disconnectedCallback() {
    // Moving an element is to take it out and put it in again, as far as it can tell.
    this.#leaving = setTimeout(() => {
      this.#stay?.abort();
      this.#search?.abort();
      this.#stay = null;
      this.#forget();
      this.#enter('idle');
    });
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} after
   */
  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (LOADED_FROM.includes(name)) {
      if (name === 'labels' && after !== null) this.#labels = null;
      this.#forget();
    }
    if (name === 'name' || name === 'write') this.#submit();
    if (name === 'threshold' || name === 'top-k') this.#subject = '';
    this.#configure();
  }

  formResetCallback() {
    this.#write((output) => {
      // A field of the same form is reset by the form.
      if (output.form === this.#internals.form) return;
      for (const one of this.#accepted.values()) output.remove(this.#written(one));
    });
    this.#clear();
    this.#accepted.clear();
    this.#dismissed.clear();
    this.#heardOf = '';
    this.#submit();
    if (!this.#opening) this.#enter('idle');
  }

  /** @param {boolean} isDisabled */
  formDisabledCallback(isDisabled) {
    this.#isDisabled = isDisabled;
    if (isDisabled) this.#overtake();
    if (this.#state === 'thinking') this.#enter(this.#suggestions.length > 0 ? 'results' : 'idle');
    else this.#show();
  }

  // ---------------------------------------------------------------- the fields

  /** Looks at the attributes once all that are being set have been set. */
  #configure() {
    this.#search?.abort();
    if (!this.#stay) return;
    const search = new AbortController();
    this.#search = search;
    queueMicrotask(() => void this.#setUp(search.signal));
  }

  /** @param {AbortSignal} signal */
  async #setUp(signal) {
    const stay = this.#stay;
    if (signal.aborted || !stay) return;
    this.#show();
    try {
      checkAttributes(this, { hasSpecter: this.#specter !== null, hasLabels: this.labels !== null });
      await this.#form.whenReady(signal);
      this.#settle();
    } catch (error) {
      if (signal.aborted) return;
      this.#lacksFields = !this.#form.isWhole;
      this.#fail(error, { again: () => this.#configure(), isSetup: true });
      return;
    }
    this.#lacksFields = false;
    listenInFrames(this.#form.read, { heard: this.#heard, signal: stay.signal });
    if (this.#failure?.isSetup) this.#enter('idle');
    // What is shown may have been asked for in another way.
    else if (this.#subject === '' && ['results', 'nothing'].includes(this.#state)) await this.#consider({ isAsked: false });
    else this.#show();
  }

  /** A field that was missed for too long may have come since. */
  #lookAgain() {
    if (this.#lacksFields && this.#form.isWhole) this.#configure();
  }

  /** Writes what a page has set as accepted, once there is a field for it. */
  #settle() {
    if (!this.#isUnwritten) return;
    this.#write((output) => {
      for (const one of this.#accepted.values()) output.add(this.#written(one));
    });
    this.#isUnwritten = false;
  }

  /** @param {(output: Output) => void} change */
  #write(change) {
    const output = this.#form.output();
    if (!output) return;
    this.#isWriting = true;
    try {
      change(output);
    } finally {
      this.#isWriting = false;
    }
  }

  /** @param {Suggestion} suggestion */
  #written({ label, code }) {
    return this.write === 'code' && code ? code : label;
  }

  /** What a form submits. */
  #submit() {
    const { name } = this;
    if (!name || this.#accepted.size === 0) {
      this.#internals.setFormValue(null);
      return;
    }
    const data = new FormData();
    for (const one of this.#accepted.values()) data.append(name, this.#written(one));
    this.#internals.setFormValue(data);
  }

  // ---------------------------------------------------------------- from text to suggestions

  /** Somebody has written. */
  #heard = () => {
    if (this.#isDisabled) return;
    const text = JSON.stringify(this.#form.paper());
    if (text === this.#heardOf) return; // a field that is left says that it has changed, some time after it did
    this.#heardOf = text;
    this.#overtake();
    if (this.#state === 'results' || this.#state === 'nothing') this.#enter('thinking');
    this.#pause = setTimeout(() => void this.#consider({ isAsked: false }), this.delay);
    if (this.autoload && !this.#ranker && !this.#opening && !this.#failure && !this.#hasDeclined) void this.#open();
  };

  /** Somebody has changed the output field: what was accepted may have been deleted there. */
  #compare = () => {
    // Nobody has deleted what is not written yet.
    if (this.#isWriting || this.#isUnwritten) return;
    const output = this.#form.output();
    const gone = this.accepted.filter((one) => !output?.has(this.#written(one)));
    for (const { label } of gone) this.#accepted.delete(label);
    if (gone.length > 0) {
      this.#submit();
      this.#emit('change', { accepted: this.accepted });
    }
    this.#show();
  };

  /** Whatever is under way is for a text that is no longer there. */
  #overtake() {
    clearTimeout(this.#pause);
    this.#pause = 0;
    this.#thinking?.abort();
    this.#thinking = null;
  }

  /**
   * Suggests for the text that is there now, as far as that may be done.
   *
   * @param {{ isAsked: boolean }} why  whether somebody asked for it, and did not merely write
   */
  async #consider({ isAsked }) {
    this.#overtake();
    if (!this.#stay || this.#isDisabled || this.#failure?.isSetup) return;
    if (this.#failure && !this.#ranker && !isAsked) return; // a load that failed is tried again when somebody says so
    const paper = this.#form.paper();
    if (paper.title.length + paper.abstract.length < this.minimumLength) {
      this.#clear();
      if (!this.#opening) this.#enter('too-short');
      if (isAsked) this.#panel.announce(this.#note());
      return;
    }
    if (this.#ranker) {
      await this.#think(this.#ranker, paper);
      return;
    }
    if (this.#opening || (this.#hasDeclined && !isAsked)) return;
    if (this.#mayLoad()) {
      await this.#open();
    } else {
      this.#enter('asking');
      this.#panel.announce(this.#consent());
    }
  }

  #mayLoad() {
    if (this.#specter !== null || this.autoload) return true;
    const { download } = this.#origin();
    return this.#agreed.has(download) || hasAgreed(download);
  }

  #agree() {
    const { download } = this.#origin();
    this.#agreed.add(download);
    rememberAgreement(download);
    void this.#consider({ isAsked: true });
  }

  #decline() {
    this.#hasDeclined = true;
    this.#opening?.abort();
    this.#opening = null;
    this.#enter('idle');
  }

  #retry() {
    const again = this.#failure?.again;
    this.#enter(this.#suggestions.length > 0 ? 'results' : 'idle');
    again?.();
  }

  /** Loads what suggestions need, and goes on to suggest. */
  async #open() {
    const opening = new AbortController();
    const download = new Download();
    this.#opening = opening;
    this.#progress = { text: this.#say('preparing'), loaded: 0, total: 0 };
    this.#enter(this.#specter ? 'thinking' : 'downloading');
    this.#panel.announce(this.#specter ? '' : this.#progress.text);
    try {
      const { model, task, adapter, head, labels, dtype, device, hub } = this;
      const ranker = await Ranker.open({ model, task, adapter, head, labels, dtype, device, hub }, {
        specter: this.#specter,
        owner: this,
        signal: opening.signal,
        onProgress: (progress) => {
          if (this.#opening === opening) this.#report(progress, download);
        },
      });
      if (this.#opening !== opening) {
        await ranker.dispose();
        return;
      }
      this.#ranker = ranker;
    } catch (error) {
      if (this.#opening !== opening) return;
      this.#opening = null;
      this.#fail(error, { again: () => void this.suggest() });
      return;
    }
    this.#opening = null;
    this.#enter('idle');
    this.#emit('ready', this.#ranker.info());
    // Who is still writing is not to be answered before they pause.
    if (this.#pause === 0) await this.#consider({ isAsked: false });
  }

  /**
   * @param {Progress} progress
   * @param {Download} download
   */
  #report(progress, download) {
    const numbers = this.#numbers();
    const { phase, loaded, total, fromCache } = progress;
    if (phase === 'download') {
      const sum = download.add(progress);
      const sizes = { loaded: numbers.megabytes(sum.loaded), total: sum.total ? numbers.megabytes(sum.total) : '' };
      this.#progress = { text: this.#say(fromCache ? 'reading' : 'downloading', sizes), ...sum };
    } else if (phase === 'embed') {
      this.#progress = { text: this.#say('encoding', { done: numbers.whole(loaded), count: numbers.whole(total) }), loaded, total };
    } else if ((phase === 'waiting' || phase === 'pipelines') && loaded < total) {
      this.#progress = { text: this.#say(phase === 'waiting' ? 'waiting' : 'preparing'), loaded: 0, total: 0 };
    }
    this.#show();
  }

  /**
   * @param {Ranker} ranker
   * @param {{ title: string, abstract: string }} paper
   */
  async #think(ranker, paper) {
    const subject = JSON.stringify(paper);
    if (subject === this.#subject) {
      this.#enter(this.#suggestions.length > 0 ? 'results' : 'nothing');
      return;
    }
    const thinking = new AbortController();
    this.#thinking = thinking;
    this.#enter('thinking');
    let suggestions;
    try {
      suggestions = await ranker.rank(paper, {
        // What was accepted or dismissed, or is written in the form already, takes no place from others.
        topK: this.topK + this.#accepted.size + this.#dismissed.size + (this.#form.output()?.size ?? 0),
        threshold: this.threshold,
        signal: thinking.signal,
      });
    } catch (error) {
      if (this.#thinking === thinking) this.#giveUp(error);
      return;
    }
    if (this.#thinking !== thinking) return;
    this.#thinking = null;
    this.#subject = subject;
    this.#suggestions = suggestions;
    this.#enter(suggestions.length > 0 ? 'results' : 'nothing');
    const shown = this.suggestions;
    this.#panel.announce(shown.length > 0 ? this.#say('results', { count: shown.length }) : this.#note());
    this.#emit('suggestions', { suggestions: shown, paper });
  }

  /** @param {unknown} error */
  #giveUp(error) {
    this.#clear();
    if (FATAL.includes(SpecterError.from(error).code)) {
      void this.#ranker?.dispose();
      this.#ranker = null;
    }
    this.#fail(error, { again: () => void this.suggest() });
  }

  #clear() {
    this.#overtake();
    this.#suggestions = [];
    this.#subject = '';
  }

  /** Lets go of what is loaded. */
  #forget() {
    this.#clear();
    this.#opening?.abort();
    this.#opening = null;
    void this.#ranker?.dispose();
    this.#ranker = null;
    // What went wrong went wrong with that; but fields that are not there are still not there.
    if (!this.#failure?.isSetup) this.#enter('idle');
  }

  // ---------------------------------------------------------------- what is seen and told

  /** @param {SuggestState} state */
  #enter(state) {
    this.#internals.states?.delete(this.#state);
    this.#internals.states?.add(state);
    this.#state = state;
    if (state !== 'failed') this.#failure = null;
    this.#show();
  }

  /**
   * @param {unknown} thrown
   * @param {{ again: () => void, isSetup?: boolean }} options
   */
  #fail(thrown, { again, isSetup = false }) {
    const error = SpecterError.from(thrown);
    this.#failure = { error, again, isSetup };
    this.#enter('failed');
    this.#emit('error', error);
  }

  #show() {
    this.#panel.show(this.#view());
  }

  /** @returns {View} */
  #view() {
    const state = this.#state;
    const failure = this.#failure?.error;
    const progress = state === 'downloading' ? this.#progress : null;
    return {
      heading: this.heading ?? this.#say('heading'),
      note: this.#note(),
      privacy: this.#say('privacy'),
      keys: this.#say('keys'),
      suggest: { label: this.#say('suggest'), isOffered: !['asking', 'downloading', 'failed'].includes(state) },
      consent: state === 'asking' ? { text: this.#consent(), agree: this.#say('agree'), decline: this.#say('decline') } : null,
      progress: progress && { ...progress, name: this.#say('progress'), cancel: this.#say('cancel') },
      failure: failure ? { text: this.#say('failure', failure), code: failure.code, retry: this.#say('retry') } : null,
      accepted: { name: this.#say('acceptedList'), chips: this.accepted.map((one) => this.#acceptedChip(one)) },
      suggested: { name: this.#say('suggestedList'), chips: this.suggestions.map((one) => this.#suggestedChip(one)) },
      isBusy: state === 'thinking',
      isDisabled: this.#isDisabled,
    };
  }

  #note() {
    switch (this.#state) {
      case 'idle':
        return this.#say(this.#hasDeclined ? 'off' : 'idle');
      case 'thinking':
        return this.suggestions.length > 0 ? '' : this.#say('thinking');
      case 'too-short':
        return this.#say('tooShort', { minimum: this.#numbers().whole(this.minimumLength) });
      case 'results':
        return this.suggestions.length > 0 ? '' : this.#say('noMore');
      case 'nothing':
        return this.#say('nothing');
      default:
        return '';
    }
  }

  /** What would be downloaded. */
  #origin() {
    return originOf(this.model ?? '', { hub: this.hub, base: this.baseURI });
  }

  #consent() {
    const { name, host } = this.#origin();
    return this.#say('consent', { model: name, host, size: this.downloadSize ?? '' });
  }

  /**
   * @param {Suggestion} suggestion
   * @returns {ChipContent}
   */
  #suggestedChip({ label, definition, score }) {
    const text = this.#numbers().score(score, this.#ranker?.showsShares ?? false);
    const accept = () => this.accept(label);
    const dismiss = () => this.dismiss(label);
    return {
      label,
      hint: definition,
      score: text,
      share: score,
      buttons: [
        { name: this.#say('accept', { label, score: text }), glyph: 'accept', wide: true, part: 'accept', act: accept },
        { name: this.#say('dismiss', { label }), glyph: 'dismiss', wide: false, part: 'dismiss', act: dismiss },
      ],
      discard: dismiss,
    };
  }

  /**
   * @param {Suggestion} suggestion
   * @returns {ChipContent}
   */
  #acceptedChip({ label, definition }) {
    const withdraw = () => this.withdraw(label);
    return {
      label,
      hint: definition,
      buttons: [{ name: this.#say('withdraw', { label }), glyph: 'dismiss', wide: false, part: 'remove', act: withdraw }],
      discard: withdraw,
    };
  }

  #numbers() {
    return new Numbers(languageOf(this));
  }

  /**
   * @param {keyof Messages} name
   * @param {object} [facts]
   * @returns {string}
   */
  #say(name, facts = {}) {
    const sentence = /** @type {Sentence<object>} */ (this.#messages[name] ?? english[name]);
    return typeof sentence === 'function' ? sentence(facts) : sentence;
  }

  /**
   * @param {'ready' | 'suggestions' | 'accept' | 'dismiss' | 'change' | 'error'} name
   * @param {unknown} detail
   */
  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(`specter-suggest:${name}`, { detail, bubbles: true, composed: true }));
  }
}

// There may be no elements here, or two script tags for this one; neither is a reason to fail.
if (globalThis.customElements?.get('specter-suggest') === undefined) globalThis.customElements?.define('specter-suggest', SpecterSuggest);
