/** The panel above all tabs: which model is chosen, how its load goes, what the model is doing, and what went wrong. */

import { Specter, SpecterError } from '../specter.js';
import { showMachine } from './machine.js';
import { MODELS } from './models.js';
import { bytes, seconds } from './numbers.js';
import { part } from './page.js';

/** @import { OnProgress, Progress } from '../specter.js' */
/** @import { ModelChoice } from './models.js' */

/** @typedef {'idle' | 'loading' | 'computing' | 'ready' | 'failed' | 'unable'} State */

/** After these, a model has to be loaded again. */
const FATAL = ['device-lost', 'out-of-memory', 'internal', 'disposed'];

const page = {
  model: part('model', HTMLSelectElement),
  modelNote: part('model-note', HTMLElement),
  folderField: part('folder-field', HTMLElement),
  folder: part('folder', HTMLInputElement),
  task: part('task', HTMLSelectElement),
  taskNote: part('task-note', HTMLElement),
  load: part('load', HTMLButtonElement),
  cancel: part('cancel', HTMLButtonElement),
  offline: part('offline', HTMLElement),
  stored: part('stored', HTMLElement),
  progress: part('progress', HTMLElement),
  progressLabel: part('progress-label', HTMLElement),
  progressBar: part('progress-bar', HTMLProgressElement),
  failure: part('failure', HTMLElement),
  failureCode: part('failure-code', HTMLElement),
  failureMessage: part('failure-message', HTMLElement),
  retry: part('retry', HTMLButtonElement),
  status: part('status', HTMLElement),
};

/**
 * Events:
 *
 * - `change`: another model or task is chosen, a model is loaded, or one is let go of.
 * - `state`: `state` is another one.
 */
export class ModelPanel extends EventTarget {
  /** @type {{ specter: Specter, id: string } | null} */
  #loaded = null;
  /** The load that is under way: of which model, and what stops it. @type {{ id: string, stop: AbortController } | null} */
  #loading = null;
  /** @type {AbortController | null} */
  #running = null;
  /** @type {State} */
  #state = 'idle';
  /** What is told of each task. @type {Map<string, string>} */
  #notes = new Map();

  constructor() {
    super();
    page.model.replaceChildren(...MODELS.map(({ id, label }) => new Option(label, id)));
    page.model.addEventListener('change', () => this.#showChoice());
    page.task.addEventListener('change', () => {
      this.#showTaskNote();
      this.dispatchEvent(new Event('change'));
    });
    part('model-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.load();
    });
    page.cancel.addEventListener('click', () => this.#loading?.stop.abort());
    part('forget', HTMLButtonElement).addEventListener('click', async () => {
      this.say(`Deleted ${bytes(await Specter.cache.delete())}.`);
      await showStored();
    });
    for (const name of ['online', 'offline']) addEventListener(name, () => this.#showOffline());
    this.#showChoice();
    this.#showOffline();
    this.#enter('idle');
    this.say();
    void showStored();
  }

  /** What the panel is doing. */
  get state() {
    return this.#state;
  }

  get choice() {
    return MODELS.find(({ id }) => id === page.model.value) ?? /** @type {typeof MODELS[0]} */ (MODELS[0]);
  }

  /** The name of the chosen task. @returns {string | null} */
  get task() {
    return page.task.value || null;
  }

  /** The chosen model, if it is loaded. @returns {Specter | null} */
  get specter() {
    return this.#loaded?.id === this.choice.id ? this.#loaded.specter : null;
  }

  /**
   * Chooses a model, as a person would in the list.
   *
   * @param {string} id
   */
  choose(id) {
    if (page.model.value === id) return;
    page.model.value = id;
    this.#showChoice();
  }

  /**
   * Says what has just happened.
   *
   * @param {string} [text]  default how things stand
   */
  say(text = this.specter ? 'The model is loaded.' : 'No model is loaded yet.') {
    page.status.textContent = text;
  }

  /**
   * Loads the chosen model in the place of the one that is loaded. One that is on its way goes on, and `change` tells when it is
   * there.
   */
  async load() {
    const { id, label, source, options } = this.choice;
    if (this.#loading?.id === id && !this.#loading.stop.signal.aborted) return;
    this.#loading?.stop.abort();
    this.#running?.abort();
    const from = source ?? Array.from(page.folder.files ?? []);
    if (Array.isArray(from) && from.length === 0) {
      this.say('Choose the folder of the model first.');
      page.folder.focus();
      return;
    }
    const loading = { id, stop: new AbortController() };
    this.#loading = loading;
    const before = this.#loaded?.specter;
    this.#loaded = null;
    page.failure.hidden = true;
    this.#enter('loading');
    this.#showLoadButton();
    this.dispatchEvent(new Event('change'));
    this.say(`Loading ${label}…`);
    try {
      await before?.dispose();
      const begin = performance.now();
      const specter = await Specter.load(from, { ...options, signal: loading.stop.signal, onProgress: showProgress });
      this.#loaded = { specter, id };
      // What a folder can do is known now.
      if (source === null) this.#showTasks(choiceIn(specter));
      this.say(`Loaded in ${seconds(performance.now() - begin)}.`);
      showMachine(specter.info());
    } catch (error) {
      if (this.#loading === loading) this.#fail(error, () => this.load());
    } finally {
      if (this.#loading === loading) {
        this.#loading = null;
        page.progress.hidden = true;
        this.#showLoadButton();
        this.#showOffline();
        void showStored();
        if (this.#loaded) {
          this.dispatchEvent(new Event('change'));
          // Unless somebody has begun to compute at once.
          if (this.#state === 'loading') this.#enter('ready');
        }
      }
    }
  }

  /**
   * Computes with the chosen model. What was under way is given up: whoever types wants an answer to the last text only.
   *
   * @template T
   * @param {(specter: Specter, context: { signal: AbortSignal, onProgress: OnProgress }) => Promise<T>} task
   * @param {() => unknown} again  what a person who tries again does
   * @returns {Promise<T | null>} null where the model is not loaded, the task was overtaken, or it failed, which is shown
   */
  async run(task, again) {
    const { specter } = this;
    if (!specter) return null;
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    page.failure.hidden = true;
    this.#enter('computing');
    try {
      const result = await task(specter, { signal: running.signal, onProgress: showProgress });
      if (this.#running !== running || running.signal.aborted) return null;
      showMachine(specter.info());
      this.#enter('ready');
      return result;
    } catch (error) {
      const isOvertaken = this.#running !== running || this.#loading !== null;
      if (!isOvertaken) this.#fail(error, FATAL.includes(SpecterError.from(error).code) ? () => this.load() : again);
      return null;
    } finally {
      if (this.#running === running && !this.#loading) page.progress.hidden = true;
    }
  }

  /** What to say where a result would be, if it is the model that keeps it from being there. @returns {string | null} */
  get excuse() {
    if (this.#state === 'loading') return 'Loading the model…';
    if (this.#state === 'failed') return 'That did not work. What went wrong is told beside the model, above.';
    if (this.#state === 'unable') return 'This browser cannot run a model.';
    return null;
  }

  /** @param {State} state */
  #enter(state) {
    this.#state = state;
    document.documentElement.dataset['state'] = state;
    this.dispatchEvent(new Event('state'));
  }

  #showChoice() {
    const { choice } = this;
    page.modelNote.textContent = choice.note;
    page.folderField.hidden = choice.source !== null;
    this.#showTasks(choice.source === null && this.specter ? choiceIn(this.specter) : choice);
    this.#showLoadButton();
    if (this.#state === 'failed') {
      // What went wrong was with the other model.
      page.failure.hidden = true;
      this.#enter(this.specter ? 'ready' : 'idle');
    }
    this.dispatchEvent(new Event('change'));
  }

  /** @param {Pick<ModelChoice, 'tasks' | 'task' | 'needsTask'>} choice */
  #showTasks({ tasks, task, needsTask }) {
    const none = needsTask ? [] : [new Option('None', '')];
    page.task.replaceChildren(...tasks.map(({ name, label }) => new Option(label, name)), ...none);
    page.task.value = task ?? '';
    page.task.disabled = tasks.length === 0;
    this.#notes = new Map(tasks.map(({ name, note }) => [name, note]));
    this.#showTaskNote();
  }

  #showTaskNote() {
    const { task } = this;
    page.taskNote.textContent =
      this.#notes.size === 0 ? 'This model has no tasks.'
      : task === null ? 'The model as it is, for no task in particular.'
      : (this.#notes.get(task) ?? '');
  }

  #showLoadButton() {
    const isLoaded = this.specter !== null && this.choice.source !== null;
    page.load.disabled = this.#loading !== null || isLoaded || this.#state === 'unable';
    page.load.textContent = isLoaded ? 'Loaded' : 'Load the model';
    page.cancel.hidden = this.#loading === null;
  }

  #showOffline() {
    page.offline.hidden = navigator.onLine;
    page.offline.textContent = this.#loaded
      ? 'You are offline. That makes no difference here: the model that is loaded goes on working.'
      : 'You are offline. A model cannot be downloaded before the connection is back.';
  }

  /**
   * @param {unknown} error
   * @param {() => unknown} again
   */
  #fail(error, again) {
    const { code, message } = SpecterError.from(error);
    this.say(code === 'aborted' ? 'Stopped.' : '');
    if (code === 'aborted') {
      this.#enter(this.specter ? 'ready' : 'idle');
    } else if (code === 'wasm-unavailable') {
      part('unable-reason', HTMLElement).textContent = message;
      part('unable', HTMLElement).hidden = false;
      for (const button of document.querySelectorAll('button')) if ('computes' in button.dataset) button.disabled = true;
      this.#enter('unable');
    } else {
      page.failureCode.textContent = code;
      page.failureMessage.textContent = message;
      page.failure.hidden = false;
      page.retry.onclick = () => {
        page.failure.hidden = true;
        again();
      };
      this.#enter('failed');
      // Whoever pressed a button further down would not see it.
      page.failure.scrollIntoView({ block: 'nearest' });
    }
  }
}

/**
 * The tasks that a model which a person chose turns out to have: with experts, nothing goes without one.
 *
 * @param {Specter} specter
 */
function choiceIn(specter) {
  const { tasks } = specter.info();
  return {
    tasks: tasks.map(({ name }) => ({ name, label: name, note: '' })),
    task: tasks[0]?.name ?? null,
    needsTask: tasks.some(({ experts }) => experts !== null),
  };
}

/** What this page has stored of models, so that the next visit downloads nothing. */
async function showStored() {
  const size = await Specter.cache.size();
  page.stored.hidden = size === 0;
  part('stored-size', HTMLElement).textContent = `${bytes(size)} of models are stored in this browser.`;
}

/** @param {Progress} progress */
function showProgress({ phase, file, loaded, total, fromCache }) {
  page.progress.hidden = false;
  page.progressLabel.textContent = {
    waiting: 'Waiting for another tab that loads this model',
    download: `${fromCache ? 'Reading' : 'Downloading'} ${file ?? 'a file'}: ${bytes(loaded, total)}`,
    weights: `Preparing layer ${Math.min(loaded + 1, total)} of ${total}`,
    pipelines: 'Compiling the kernels',
    embed: `Embedding: ${loaded} of ${total}`,
    fit: 'Learning',
  }[phase];
  if (total > 0) {
    page.progressBar.max = total;
    page.progressBar.value = loaded;
  } else {
    page.progressBar.removeAttribute('value');
  }
}
