/** The tab with a form as repositories have it, in which the component suggests subjects. */

import '../suggest/specter-suggest.js';
import { MODELS } from './models.js';
import { copyOf, inside, part, tieLabels } from './page.js';
import { DEPOSIT } from './papers.js';

/** @import { SpecterSuggest } from '../suggest/specter-suggest.js' */
/** @import { ModelPanel } from './panel.js' */

const page = {
  form: part('deposit-form', HTMLFormElement),
  suggest: /** @type {SpecterSuggest} */ (part('deposit-suggest', HTMLElement)),
  model: part('deposit-model', HTMLElement),
  authors: part('authors', HTMLElement),
  sent: part('sent', HTMLDialogElement),
  record: part('sent-record', HTMLElement),
};

/** Fields that must not be empty, each with a sentence beside it. */
const REQUIRED = ['deposit-title', 'deposit-date'];

export class DepositTab {
  #model;
  #authorsSoFar = 0;

  /** @param {ModelPanel} model */
  constructor(model) {
    this.#model = model;
    page.suggest.model = String(MODELS[0]?.source);
    model.addEventListener('change', () => this.#share());
    page.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#deposit();
    });
    page.form.addEventListener('reset', () => {
      page.authors.replaceChildren();
      this.#addAuthor();
      for (const id of REQUIRED) showWrong(id, false);
    });
    for (const id of REQUIRED) {
      const field = part(id, HTMLInputElement);
      field.addEventListener('input', () => field.value && showWrong(id, false));
    }
    part('author-add', HTMLButtonElement).addEventListener('click', () => {
      this.#addAuthor().focus();
    });
    part('deposit-example', HTMLButtonElement).addEventListener('click', () => this.#fill());
    this.#addAuthor();
    this.#share();
  }

  /** There is nothing to bring up to date: the component follows the form by itself. */
  show() {}

  /** The same. */
  typed() {}

  /** Gives the component the model that is loaded, so that it loads none of its own. */
  #share() {
    const { specter, choice, task } = this.#model;
    // A classifier's vectors are not made to be compared with labels.
    const shared = choice.id === 'erc' ? null : specter;
    if (page.suggest.specter !== shared) page.suggest.specter = shared;
    page.suggest.task = shared ? task : null;
    page.model.textContent = shared
      ? `${shared.info().model}, which is loaded above. The form shares it with the other tabs.`
      : 'None is loaded above, so the form asks before it loads all-MiniLM-L6-v2 by itself.';
  }

  #addAuthor() {
    const author = copyOf('author-template');
    tieLabels(author, `author-${++this.#authorsSoFar}`);
    const remove = inside(author, 'button', HTMLButtonElement);
    remove.addEventListener('click', () => {
      author.remove();
      this.#numberAuthors();
      part('author-add', HTMLButtonElement).focus();
    });
    page.authors.append(author);
    this.#numberAuthors();
    return inside(author, 'input', HTMLInputElement);
  }

  #numberAuthors() {
    Array.from(page.authors.children).forEach((author, index, all) => {
      inside(author, 'legend', HTMLElement).textContent = `Author ${index + 1}`;
      const remove = inside(author, 'button', HTMLButtonElement);
      remove.hidden = all.length === 1;
      remove.setAttribute('aria-label', `Remove author ${index + 1}`);
    });
  }

  /** Fills in an example, with the events of somebody who writes. */
  #fill() {
    for (const [id, value] of Object.entries(DEPOSIT.fields)) {
      const field = /** @type {HTMLInputElement} */ (part(id, HTMLElement));
      field.value = value;
      for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, { bubbles: true }));
    }
    page.authors.replaceChildren();
    for (const { family, given } of DEPOSIT.authors) {
      this.#addAuthor();
      const author = /** @type {Element} */ (page.authors.lastElementChild);
      inside(author, '[name=family]', HTMLInputElement).value = family;
      inside(author, '[name=given]', HTMLInputElement).value = given;
    }
  }

  #deposit() {
    const missing = REQUIRED.filter((id) => part(id, HTMLInputElement).value.trim() === '');
    for (const id of REQUIRED) showWrong(id, missing.includes(id));
    if (missing[0]) {
      part(missing[0], HTMLInputElement).focus();
      return;
    }
    page.record.textContent = JSON.stringify(recordOf(new FormData(page.form)), null, 2);
    page.sent.showModal();
  }
}

/**
 * What a repository would be sent, named as InvenioRDM and DataCite name it.
 *
 * @param {FormData} data
 */
function recordOf(data) {
  const text = (/** @type {string} */ name) => String(data.get(name) ?? '').trim();
  const given = data.getAll('given').map(String);
  const creators = data.getAll('family').flatMap((family, index) => {
    const name = { family_name: String(family).trim(), given_name: (given[index] ?? '').trim() };
    return name.family_name || name.given_name ? [name] : [];
  });
  return {
    metadata: {
      resource_type: text('resource_type'),
      title: text('title'),
      description: text('abstract'),
      creators,
      publication_date: text('publication_date'),
      publisher: text('publisher'),
      languages: [text('language')],
      rights: [text('license')],
      subjects: text('subjects').split(';').map((subject) => subject.trim()).filter(Boolean),
    },
  };
}

/**
 * @param {string} id  of a field
 * @param {boolean} isWrong
 */
function showWrong(id, isWrong) {
  part(id, HTMLInputElement).setAttribute('aria-invalid', String(isWrong));
  part(`${id}-wrong`, HTMLElement).hidden = !isWrong;
}
