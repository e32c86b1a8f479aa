/** Classes of somebody's own: where they are named and given examples, and the classifier that is learned from them. */

import { SpecterError } from '../specter.js';
import { TAUGHT } from './methods.js';
import { counted, seconds } from './numbers.js';
import { copyOf, inside, part, tieLabels } from './page.js';
import { CLASSES } from './papers.js';

/** @import { Example, Head, SavedHead, Specter } from '../specter.js' */
/** @import { ModelPanel } from './panel.js' */

/** @typedef {{ name: string, titles: string[] }} Lesson */

const FEWEST = 2;
const MOST = 6;

/** Titles of a class, below which nothing can be said about how well it is told from others. */
const FEWEST_TITLES = 2;

const page = {
  form: part('teach-form', HTMLFormElement),
  classes: part('classes', HTMLElement),
  add: part('class-add', HTMLButtonElement),
  example: part('teach-example', HTMLButtonElement),
  save: part('teach-save', HTMLButtonElement),
  file: part('teach-file', HTMLInputElement),
  wrong: part('teach-wrong', HTMLElement),
  taught: part('taught', HTMLElement),
};

export class Teacher {
  #model;
  #learned;
  #classesSoFar = 0;
  /** @type {{ head: Head, specter: Specter } | null} */
  #result = null;
  /** What is done once a model is there. @type {(() => void) | null} */
  #waiting = null;

  /**
   * @param {ModelPanel} model
   * @param {() => void} learned  what is done once there is a classifier
   */
  constructor(model, learned) {
    this.#model = model;
    this.#learned = learned;
    for (let count = 0; count < FEWEST; count++) this.#addClass();
    page.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#start();
    });
    page.add.addEventListener('click', () => this.#addClass().focus());
    page.example.addEventListener('click', () => {
      this.#showLessons(CLASSES);
      part('teach-start', HTMLButtonElement).focus();
    });
    part('teach-load', HTMLButtonElement).addEventListener('click', () => page.file.click());
    page.file.addEventListener('change', () => this.#read());
    page.save.addEventListener('click', () => this.#save());
    model.addEventListener('change', () => this.#modelChanged());
    model.addEventListener('state', () => {
      // Somebody has stopped the load.
      if (model.state === 'idle') this.#waiting = null;
    });
  }

  /** Whether there is a classifier for the model that is loaded. */
  isReady() {
    return this.#result !== null && this.#result.specter === this.#model.specter;
  }

  #modelChanged() {
    const { specter, state } = this.#model;
    const waiting = this.#waiting;
    if (specter && waiting) {
      this.#waiting = null;
      waiting();
    }
    if (state === 'loading' && this.#result) {
      this.#result = null;
      this.#tell('What was learned belongs to the model it was learned with. Teach it again for this one.');
    }
  }

  /**
   * Does something once the chosen model is loaded, and loads it if need be.
   *
   * @param {() => void} act
   */
  #withModel(act) {
    if (this.#model.choice.id === 'erc') this.#model.choose('minilm');
    if (this.#model.specter) {
      act();
      return;
    }
    this.#waiting = act;
    void this.#model.load();
  }

  // ---------------------------------------------------------------- the classes

  #addClass() {
    const made = copyOf('class-template');
    tieLabels(made, `class-${++this.#classesSoFar}`);
    inside(made, 'button', HTMLButtonElement).addEventListener('click', () => {
      made.remove();
      this.#showClasses();
      page.add.focus();
    });
    made.addEventListener('input', () => this.#showClasses());
    page.classes.append(made);
    this.#showClasses();
    return inside(made, 'input', HTMLInputElement);
  }

  /** Numbers the classes and counts their titles. */
  #showClasses() {
    const all = Array.from(page.classes.children);
    all.forEach((one, index) => {
      const { length } = linesOf(inside(one, 'textarea', HTMLTextAreaElement));
      inside(one, 'legend', HTMLElement).textContent = `Class ${index + 1}`;
      inside(one, '.hint', HTMLElement).textContent = length === 0 ? 'No titles yet.' : `${counted(length, 'title')}.`;
      const remove = inside(one, 'button', HTMLButtonElement);
      remove.hidden = all.length <= FEWEST;
      remove.setAttribute('aria-label', `Remove class ${index + 1}`);
    });
    page.add.disabled = all.length >= MOST;
    // It would take the place of what somebody has written.
    page.example.disabled = this.#lessons().some(({ name, titles }) => name !== '' || titles.length > 0);
  }

  /** @param {Lesson[]} lessons */
  #showLessons(lessons) {
    page.classes.replaceChildren();
    for (const { name, titles } of lessons) {
      this.#addClass().value = name;
      const field = inside(/** @type {Element} */ (page.classes.lastElementChild), 'textarea', HTMLTextAreaElement);
      field.value = titles.join('\n');
    }
    this.#showClasses();
    this.#complain(null);
  }

  /** @returns {Lesson[]} */
  #lessons() {
    return Array.from(page.classes.children, (one) => ({
      name: inside(one, 'input', HTMLInputElement).value.trim(),
      titles: linesOf(inside(one, 'textarea', HTMLTextAreaElement)),
    }));
  }

  /**
   * The first thing that is wrong with the classes, and the field where it is.
   *
   * @param {Lesson[]} lessons
   * @returns {{ field: HTMLElement, text: string } | null}
   */
  #mistake(lessons) {
    for (const [index, { name, titles }] of lessons.entries()) {
      const one = /** @type {Element} */ (page.classes.children[index]);
      const input = inside(one, 'input', HTMLInputElement);
      const textarea = inside(one, 'textarea', HTMLTextAreaElement);
      if (!name) return { field: input, text: `Class ${index + 1} has no name.` };
      if (lessons.findIndex((other) => other.name === name) !== index) return { field: input, text: `Two classes are called “${name}”.` };
      if (titles.length < FEWEST_TITLES) return { field: textarea, text: `“${name}” needs ${FEWEST_TITLES} titles or more.` };
    }
    return null;
  }

  /** @param {{ field: HTMLElement, text: string } | null} mistake */
  #complain(mistake) {
    for (const field of page.classes.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid');
    page.wrong.hidden = !mistake;
    page.wrong.textContent = mistake?.text ?? '';
    mistake?.field.setAttribute('aria-invalid', 'true');
    mistake?.field.focus();
  }

  // ---------------------------------------------------------------- learning

  #start() {
    const lessons = this.#lessons();
    const mistake = this.#mistake(lessons);
    this.#complain(mistake);
    if (!mistake) this.#withModel(() => void this.#teach(lessons));
  }

  /** @param {Lesson[]} lessons */
  async #teach(lessons) {
    const examples = lessons.flatMap(({ name, titles }) =>
      titles.map((title) => /** @type {Example} */ ({ paper: { title }, label: name })));
    const { task, specter } = this.#model;
    const begin = performance.now();
    this.#tell('Learning…');
    const head = await this.#model.run(
      (specter, context) => specter.fit(examples, { name: TAUGHT, task, ...context }),
      () => this.#start(),
    );
    if (!head || !specter) {
      this.#tell('');
      return;
    }
    const took = seconds(performance.now() - begin);
    const score = head.validation.find(({ strength }) => strength === head.strength)?.score;
    this.#finish({ head, specter }, [
      `Learned ${counted(lessons.length, 'class', 'classes')} from ${counted(examples.length, 'title')} in ${took}.`,
      score === undefined ? 'There are too few titles to say how well.' : `Cross-validated F1: ${score.toFixed(2)}.`,
    ].join(' '));
  }

  async #read() {
    const [file] = page.file.files ?? [];
    page.file.value = ''; // so that the same file can be chosen again
    if (!file) return;
    this.#complain(null);
    try {
      const saved = /** @type {SavedHead} */ (JSON.parse(await file.text()));
      this.#withModel(() => void this.#restore(saved, file.name));
    } catch {
      page.wrong.hidden = false;
      page.wrong.textContent = `${file.name} is not a classifier that was saved here: it is no JSON.`;
    }
  }

  /**
   * @param {SavedHead} saved
   * @param {string} name  of the file
   */
  async #restore(saved, name) {
    const { specter } = this.#model;
    const head = await this.#model.run(
      (specter, { signal }) => {
        // What has no format would be taken for a folder.
        if (typeof saved?.format !== 'string') throw new SpecterError('unsupported-head', `${name} is not a classifier that was saved here.`);
        return specter.loadHead(TAUGHT, saved, { signal });
      },
      () => this.#restore(saved, name),
    );
    if (head && specter) this.#finish({ head, specter }, `Loaded ${name}, which knows ${head.labels.join(', ')}.`);
  }

  /**
   * @param {{ head: Head, specter: Specter }} result
   * @param {string} text
   */
  #finish(result, text) {
    this.#result = result;
    this.#tell(text);
    this.#learned();
  }

  /** @param {string} text */
  #tell(text) {
    page.taught.textContent = text;
    page.save.hidden = !this.isReady();
  }

  #save() {
    const head = this.#result?.head;
    if (!head) return;
    const address = URL.createObjectURL(new Blob([JSON.stringify(head.save())], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = address;
    link.download = 'classifier.json';
    link.click();
    // Not at once: a browser may read it a little later.
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}

/** @param {HTMLTextAreaElement} field */
const linesOf = (field) => field.value.split('\n').map((line) => line.trim()).filter(Boolean);
