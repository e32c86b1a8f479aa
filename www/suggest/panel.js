/**
 * What is seen of the component: one panel that shows a view of the state, whatever it showed before.
 *
 * @module
 */

import { ChipList } from './chips.js';
import { element, icon } from './elements.js';

/** @import { ChipContent } from './chips.js' */

/**
 * All that is to be seen at one moment. Texts are empty, and parts null, where there are none.
 *
 * @typedef {object} View
 * @property {string} heading
 * @property {string} note
 * @property {string} privacy
 * @property {string} keys
 * @property {{ label: string, isOffered: boolean }} suggest  the button
 * @property {{ text: string, agree: string, decline: string } | null} consent
 * @property {{ text: string, name: string, loaded: number, total: number, cancel: string } | null} progress
 * @property {{ text: string, code: string, retry: string } | null} failure
 * @property {{ name: string, chips: ChipContent[] }} accepted
 * @property {{ name: string, chips: ChipContent[] }} suggested
 * @property {boolean} isBusy
 * @property {boolean} isDisabled
 */

/**
 * What a person can do besides what is on the chips.
 *
 * @typedef {object} Actions
 * @property {() => void} suggest
 * @property {() => void} agree
 * @property {() => void} decline
 * @property {() => void} cancel
 * @property {() => void} retry
 */

export class Panel {
  #accepted = new ChipList('ul', { className: 'accepted', part: 'accepted' });
  #suggested = new ChipList('ol', { className: 'suggested', part: 'suggestions' });
  #panel = element('div', { className: 'panel', part: 'panel', role: 'group', 'aria-labelledby': 'heading' });
  #heading = element('p', { className: 'heading', part: 'heading', id: 'heading' });
  #suggest;
  #note = element('p', { className: 'note', part: 'note' });
  #consent = element('div', { className: 'box', part: 'consent' });
  #consentText = element('p');
  #agree;
  #decline;
  #progress = element('div', { className: 'progress', part: 'progress' });
  #progressText = element('p', { id: 'progress-text' });
  #bar = element('progress', { 'aria-describedby': 'progress-text' });
  #cancel;
  #failure = element('div', { className: 'box failure', part: 'failure' });
  #failureText = element('p', { role: 'alert' });
  #failureCode = element('code', { part: 'code' });
  #retry;
  #privacy = element('span');
  #keys = element('p', { className: 'keys', id: 'keys' });
  #status = element('p', { className: 'unseen', role: 'status' });
  /** Whether the focus is on the button for want of suggestions, and goes to them when they come. */
  #awaits = false;

  /**
   * @param {ShadowRoot} root
   * @param {URL} stylesheet
   * @param {Actions} actions
   */
  constructor(root, stylesheet, actions) {
    this.#suggest = button('quiet', 'button suggest', actions.suggest);
    this.#agree = button('', 'button agree', actions.agree);
    this.#decline = button('quiet', 'button decline', actions.decline);
    this.#cancel = button('quiet', 'button cancel', actions.cancel);
    this.#retry = button('', 'button retry', actions.retry);
    this.#suggest.addEventListener('focusout', () => (this.#awaits = false));
    this.#suggested.list.setAttribute('aria-describedby', 'keys');

    this.#consent.append(this.#consentText, element('div', { className: 'actions' }, [this.#agree, this.#decline]));
    this.#progress.append(this.#progressText, element('div', { className: 'actions' }, [this.#bar, this.#cancel]));
    this.#failure.append(this.#failureText, element('div', { className: 'actions' }, [this.#retry, this.#failureCode]));
    this.#panel.append(
      element('div', { className: 'head' }, [this.#heading, this.#suggest]),
      this.#accepted.list,
      this.#suggested.list,
      this.#note,
      this.#consent,
      this.#progress,
      this.#failure,
      element('div', { className: 'foot' }, [
        element('p', { className: 'privacy', part: 'privacy' }, [icon('lock'), this.#privacy]),
        this.#keys,
      ]),
      this.#status,
    );

    // A stylesheet of the page's own origin passes every policy that lets the script in. Until it is there, the panel
    // would be seen undressed.
    this.#panel.hidden = true;
    // In a page that is cross-origin isolated, a style of elsewhere has to be asked for with CORS.
    const link = element('link', { rel: 'stylesheet', href: stylesheet.href, crossorigin: 'anonymous' });
    for (const kind of ['load', 'error']) link.addEventListener(kind, () => (this.#panel.hidden = false), { once: true });
    root.append(link, this.#panel);
  }

  /** @param {View} view */
  show(view) {
    const { heading, note, privacy, keys, suggest, consent, progress, failure, accepted, suggested, isBusy, isDisabled } = view;
    const root = /** @type {ShadowRoot} */ (this.#panel.getRootNode());
    const hadFocus = root.activeElement !== null;

    write(this.#heading, heading);
    write(this.#suggest, suggest.label);
    this.#suggest.hidden = !suggest.isOffered;
    write(this.#note, note);
    this.#note.hidden = note === '';
    write(this.#privacy, privacy);
    write(this.#keys, keys);

    this.#consent.hidden = consent === null;
    write(this.#consentText, consent?.text ?? '');
    write(this.#agree, consent?.agree ?? '');
    write(this.#decline, consent?.decline ?? '');

    this.#progress.hidden = progress === null;
    write(this.#progressText, progress?.text ?? '');
    write(this.#cancel, progress?.cancel ?? '');
    this.#bar.setAttribute('aria-label', progress?.name ?? '');
    if (progress && progress.total > 0) {
      this.#bar.max = progress.total;
      this.#bar.value = progress.loaded;
    } else {
      this.#bar.removeAttribute('value');
    }

    this.#failure.hidden = failure === null;
    write(this.#failureText, failure?.text ?? '');
    write(this.#failureCode, failure?.code ?? '');
    write(this.#retry, failure?.retry ?? '');

    this.#accepted.list.setAttribute('aria-label', accepted.name);
    this.#suggested.list.setAttribute('aria-label', suggested.name);
    this.#suggested.list.setAttribute('aria-busy', String(isBusy));
    this.#panel.classList.toggle('busy', isBusy);
    for (const one of [this.#suggest, this.#agree, this.#retry]) one.disabled = isDisabled;
    const options = { disabled: isDisabled };
    this.#accepted.show(accepted.chips, options);
    this.#suggested.show(suggested.chips, options);

    // Whoever pressed a button that has gone is to stand near it, and not at the top of the page.
    if (hadFocus && !root.activeElement?.checkVisibility()) this.#takeFocus();
    else if (this.#awaits) this.#suggested.focus();
  }

  /**
   * Tells those who do not see. Not everything that changes: what follows from typing is told once it is there.
   *
   * @param {string} text
   */
  announce(text) {
    write(this.#status, text);
  }

  #takeFocus() {
    if (this.#suggested.focus() || this.#accepted.focus()) return;
    const next = [this.#cancel, this.#agree, this.#retry, this.#suggest].find((one) => one.checkVisibility() && !one.disabled);
    next?.focus();
    this.#awaits = next === this.#suggest;
  }
}

/**
 * @param {string} className
 * @param {string} part
 * @param {() => void} act
 */
function button(className, part, act) {
  const made = element('button', { type: 'button', className, part });
  made.addEventListener('click', act);
  return made;
}

/**
 * Text that has not changed is left alone: a live region would say it again.
 *
 * @param {HTMLElement} place
 * @param {string} text
 */
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
