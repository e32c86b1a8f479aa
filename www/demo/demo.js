/** The page: what a person does, and what is shown for it. */

import { Specter, SpecterError } from '../specter.js';
import { MODELS } from './models.js';
import { EXAMPLES, SUGGESTION } from './papers.js';
import { showMatrix, showRanking } from './similarity.js';
import { Strip } from './strip.js';

/** @import { Progress } from '../specter.js' */
/** @import { ExamplePaper } from './papers.js' */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {{ new (): T }} type
 * @returns {T}
 */
function part(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} called ${id}.`);
  return found;
}

const page = {
  model: part('model', HTMLSelectElement),
  modelNote: part('model-note', HTMLElement),
  folderField: part('folder-field', HTMLElement),
  folder: part('folder', HTMLInputElement),
  adapter: part('adapter', HTMLSelectElement),
  adapterNote: part('adapter-note', HTMLElement),
  load: part('load', HTMLButtonElement),
  cancel: part('cancel', HTMLButtonElement),
  stored: part('stored', HTMLElement),
  progress: part('progress', HTMLElement),
  progressLabel: part('progress-label', HTMLElement),
  progressBar: part('progress-bar', HTMLProgressElement),
  failure: part('failure', HTMLElement),
  failureCode: part('failure-code', HTMLElement),
  failureMessage: part('failure-message', HTMLElement),
  retry: part('retry', HTMLButtonElement),
  status: part('status', HTMLElement),
  title: part('title', HTMLInputElement),
  abstract: part('abstract', HTMLTextAreaElement),
  live: part('live', HTMLInputElement),
  compare: part('compare', HTMLButtonElement),
  add: part('add', HTMLButtonElement),
  vector: part('vector', HTMLElement),
  copy: part('copy', HTMLButtonElement),
  ranking: part('ranking', HTMLElement),
  matrix: part('matrix', HTMLTableElement),
  papers: part('papers', HTMLElement),
  machine: part('machine', HTMLElement),
};

const strip = new Strip({
  canvas: part('strip', HTMLCanvasElement),
  output: part('component', HTMLElement),
  low: part('legend-low', HTMLElement),
  high: part('legend-high', HTMLElement),
});

/** @typedef {{ title: string, abstract: string }} Draft */

/** @type {Specter | null} */
let specter = null;
/** Which choice `specter` was loaded for. */
let loadedChoice = '';
/** @type {AbortController | null} */
let loading = null;
/** @type {AbortController | null} */
let embedding = null;
/** @type {ExamplePaper[]} */
let mine = [];
/**
 * The paper in the form when it was last compared.
 *
 * @type {Draft | null}
 */
let draft = null;
/**
 * Vectors of the loaded model, by adapter and text.
 *
 * @type {Map<string, Float32Array>}
 */
const vectors = new Map();
/** @type {Float32Array | null} */
let shown = null;
let addedSoFar = 0;
/** Whether this browser cannot run any model. */
let unable = false;

/** @param {'idle' | 'loading' | 'embedding' | 'ready' | 'failed' | 'unable'} state */
function setState(state) {
  document.documentElement.dataset['state'] = state;
}

/** @param {string} text */
function say(text) {
  page.status.textContent = text;
}

const chosenModel = () => MODELS.find(({ id }) => id === page.model.value) ?? /** @type {typeof MODELS[0]} */ (MODELS[0]);
const chosenAdapter = () => page.adapter.value || null;

/** @param {Draft} paper */
const titleOf = ({ title }) => title || 'A paper without a title';

/** @param {Draft} paper */
const keyOf = ({ title, abstract }) => JSON.stringify([chosenAdapter(), title, abstract]);

// ---------------------------------------------------------------- the model

function showModelChoice() {
  const choice = chosenModel();
  page.modelNote.textContent = choice.note;
  page.folderField.hidden = choice.source !== null;
  const options = choice.adapters.map(({ name, label }) => new Option(label, name));
  page.adapter.replaceChildren(...options, new Option('None', ''));
  page.adapter.selectedIndex = 0;
  page.adapter.disabled = options.length === 0;
  showAdapterNote();
  showLoadButton();
}

function showAdapterNote() {
  const { adapters } = chosenModel();
  const adapter = adapters.find(({ name }) => name === page.adapter.value);
  page.adapterNote.textContent =
    adapters.length === 0 ? 'This model has no adapters.' : (adapter?.note ?? 'The model as it is, without an adapter.');
}

function showLoadButton() {
  const isLoaded = specter !== null && loadedChoice === page.model.value && page.model.value !== 'folder';
  page.load.disabled = loading !== null || isLoaded || unable;
  page.load.textContent = isLoaded ? 'Loaded' : 'Load the model';
  page.cancel.hidden = loading === null;
}

/**
 * @returns {Promise<boolean>} whether a model is there afterwards
 */
async function load() {
  loading?.abort();
  embedding?.abort();
  const choice = chosenModel();
  const source = choice.source ?? Array.from(page.folder.files ?? []);
  if (Array.isArray(source) && source.length === 0) {
    say('Choose the folder of the model first.');
    page.folder.focus();
    return false;
  }
  const mineToEnd = new AbortController();
  loading = mineToEnd;
  const before = specter;
  specter = null;
  shown = null;
  page.failure.hidden = true;
  setState('loading');
  showLoadButton();
  say(`Loading ${choice.label}…`);
  try {
    await before?.dispose();
    vectors.clear();
    const begin = performance.now();
    const loaded = await Specter.load(source, {
      signal: mineToEnd.signal,
      onProgress: showProgress,
    });
    specter = loaded;
    loadedChoice = choice.id;
    if (!page.live.dataset['touched']) page.live.checked = !loaded.info().device.software;
    say(`Loaded in ${seconds(performance.now() - begin)}.`);
    return true;
  } catch (error) {
    if (loading === mineToEnd) fail(error, loadAndRefresh);
    return false;
  } finally {
    if (loading === mineToEnd) {
      loading = null;
      page.progress.hidden = true;
      showLoadButton();
      void showStored();
    }
  }
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

/**
 * @param {unknown} error
 * @param {() => unknown} again
 */
function fail(error, again) {
  const { code, message } = SpecterError.from(error);
  if (code === 'aborted') {
    setState(specter ? 'ready' : 'idle');
    say('Stopped.');
    return;
  }
  if (code === 'wasm-unavailable') {
    showUnable(message);
    return;
  }
  setState('failed');
  say('');
  page.failureCode.textContent = code;
  page.failureMessage.textContent = message;
  page.failure.hidden = false;
  page.retry.onclick = () => {
    page.failure.hidden = true;
    again();
  };
}

/** @param {string} message */
function showUnable(message) {
  unable = true;
  setState('unable');
  say('');
  part('unable-reason', HTMLElement).textContent = message;
  part('unable', HTMLElement).hidden = false;
  for (const button of [page.load, page.compare]) button.disabled = true;
}

// ---------------------------------------------------------------- the papers

/** Embeds what has no vector yet, then shows everything. */
async function refresh() {
  const engine = specter;
  // Another model may be chosen and not yet loaded.
  if (!engine || loadedChoice !== page.model.value) return;
  embedding?.abort();
  const run = new AbortController();
  embedding = run;
  page.failure.hidden = true;
  const wanted = [...(draft ? [draft] : []), ...mine, ...EXAMPLES];
  const missing = wanted.filter((paper) => !vectors.has(keyOf(paper)));
  const keys = missing.map(keyOf);
  try {
    if (missing.length > 0) {
      setState('embedding');
      const begin = performance.now();
      const { data, dims } = await engine.embed(missing, {
        adapter: chosenAdapter(),
        signal: run.signal,
        onProgress: missing.length > 1 ? showProgress : undefined,
      });
      const took = performance.now() - begin;
      keys.forEach((key, index) => vectors.set(key, data.slice(index * dims[1], (index + 1) * dims[1])));
      say(`Embedded ${missing.length} ${missing.length === 1 ? 'paper' : 'papers'} in ${seconds(took)}.`);
    }
    if (embedding !== run) return;
    show();
    setState('ready');
  } catch (error) {
    if (embedding !== run) return;
    const lost = error instanceof SpecterError && ['device-lost', 'out-of-memory', 'internal', 'disposed'].includes(error.code);
    fail(error, lost ? loadAndRefresh : refresh);
  } finally {
    if (embedding === run) page.progress.hidden = true;
  }
}

async function loadAndRefresh() {
  if (await load()) await refresh();
}

function show() {
  const place = (
    /** @type {Draft & { field?: string }} */ paper,
    /** @type {string} */ label,
    /** @type {boolean} */ isMine,
    title = titleOf(paper),
  ) => ({
    label,
    title,
    field: paper.field ?? '',
    mine: isMine,
    vector: vectors.get(keyOf(paper)) ?? new Float32Array(),
  });
  const listed = [...mine, ...EXAMPLES].map((paper, index) => place(paper, String(index + 1), index < mine.length));
  const yours = draft && place(draft, 'You', true, draft.title || 'Your paper');
  if (yours) {
    shown = yours.vector;
    part('vector-empty', HTMLElement).hidden = true;
    page.vector.hidden = false;
    strip.show(yours.vector);
    part('ranking-empty', HTMLElement).hidden = true;
    showRanking(page.ranking, yours, listed);
  } else {
    part('vector-empty', HTMLElement).textContent = 'Compare a paper of yours: its vector appears here.';
    part('ranking-empty', HTMLElement).textContent = 'Compare a paper of yours to rank the others by their similarity to it.';
  }
  part('matrix-empty', HTMLElement).hidden = true;
  part('matrix-scroll', HTMLElement).hidden = false;
  showMatrix(page.matrix, yours ? [yours, ...listed] : listed);
  showMachine();
}

function showPapers() {
  const entry = (/** @type {ExamplePaper} */ paper, /** @type {number} */ number) => {
    const item = document.createElement('li');
    const details = document.createElement('details');
    const summary = document.createElement('summary');
    const field = document.createElement('small');
    field.textContent = ` ${paper.field}`;
    summary.append(`${number}. ${titleOf(paper)}`, field);
    const abstract = document.createElement('p');
    abstract.textContent = paper.abstract || 'No abstract.';
    details.append(summary, abstract);
    item.append(details);
    if (mine.includes(paper)) {
      item.className = 'mine';
      const remove = document.createElement('button');
      remove.type = 'button';
      remove.className = 'quiet small';
      remove.textContent = 'Remove';
      remove.setAttribute('aria-label', `Remove ${titleOf(paper)}`);
      remove.addEventListener('click', () => {
        mine = mine.filter((other) => other !== paper);
        showPapers();
        say('Removed from the list.');
        void refresh();
        part('papers-heading', HTMLElement).focus();
      });
      item.append(remove);
    }
    return item;
  };
  page.papers.replaceChildren(...[...mine, ...EXAMPLES].map((paper, index) => entry(paper, index + 1)));
}

/** @returns {Draft | null} */
function readForm() {
  const title = page.title.value.trim();
  const abstract = page.abstract.value.trim();
  return title || abstract ? { title, abstract } : null;
}

async function compare() {
  const paper = readForm();
  if (!paper) {
    say('Type a title or an abstract first.');
    page.title.focus();
    return;
  }
  draft = paper;
  if ((specter && loadedChoice === page.model.value) || (await load())) await refresh();
}

function add() {
  const paper = readForm();
  if (!paper) {
    say('Type a title or an abstract first.');
    page.title.focus();
    return;
  }
  mine = [{ id: `mine-${++addedSoFar}`, field: 'Added by you', ...paper }, ...mine];
  draft = null;
  shown = null;
  page.title.value = '';
  page.abstract.value = '';
  page.vector.hidden = true;
  part('vector-empty', HTMLElement).hidden = false;
  part('ranking-empty', HTMLElement).hidden = false;
  page.ranking.replaceChildren();
  showPapers();
  say(`Added “${titleOf(paper)}” to the list.`);
  page.title.focus();
  void refresh();
}

let typing = 0;

function typed() {
  if (!page.live.checked || !specter) return;
  clearTimeout(typing);
  typing = setTimeout(() => {
    if (readForm()) void compare();
  }, 300);
}

// ---------------------------------------------------------------- the machine

function showMachine() {
  if (!specter) return;
  const info = specter.info();
  const { device, memory } = info;
  const name = device.adapter || device.vendor || 'Unnamed adapter';
  const facts = {
    Device: `${name}${device.software ? ' (software, runs on the CPU)' : ''}`,
    Chosen: device.reason,
    Interface: [device.kind === 'webgpu' ? 'WebGPU' : 'WebAssembly', device.backend].filter(Boolean).join(', '),
    Model: `${info.model}, ${info.architecture}, ${info.layers} layers`,
    Weights: `${info.dtype}, ${bytes(memory.weights)}`,
    'Memory for activations': bytes(memory.activations),
    Vectors: `${info.hiddenSize} components, ${info.pooling === 'mean' ? 'mean of all tokens' : 'first token'}`,
    'Longest text': `${info.maxLength} tokens`,
    [device.kind === 'webgpu' ? 'Optional features' : 'Instructions']: device.features.join(', ') || 'none',
    Engine: `specter-web ${info.version}`,
  };
  page.machine.replaceChildren(
    ...Object.entries(facts).map(([term, value]) => {
      const pair = document.createElement('div');
      const dt = document.createElement('dt');
      const dd = document.createElement('dd');
      dt.textContent = term;
      dd.textContent = value;
      pair.append(dt, dd);
      return pair;
    }),
  );
  page.machine.hidden = false;
  part('machine-empty', HTMLElement).hidden = true;
  part('kernels', HTMLElement).hidden = info.kernels.length === 0;
  part('kernel-rows', HTMLElement).replaceChildren(
    ...info.kernels.map(({ name, variant, dispatches }) => {
      const row = document.createElement('tr');
      for (const text of [name, variant]) row.insertCell().textContent = text;
      const count = row.insertCell();
      count.className = 'number';
      count.textContent = String(dispatches);
      return row;
    }),
  );
}

/** @param {number} milliseconds */
function seconds(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/**
 * @param {number} count
 * @param {number} [total]
 */
function bytes(count, total) {
  const megabytes = (/** @type {number} */ value) => (value / 1e6).toFixed(value < 1e8 ? 1 : 0);
  return total ? `${megabytes(count)} of ${megabytes(total)} MB` : `${megabytes(count)} MB`;
}

// ---------------------------------------------------------------- what a person does

page.model.replaceChildren(...MODELS.map(({ id, label }) => new Option(label, id)));
page.model.addEventListener('change', showModelChoice);
page.adapter.addEventListener('change', () => {
  showAdapterNote();
  if (loadedChoice === page.model.value) void refresh();
});
part('model-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  void loadAndRefresh();
});
page.cancel.addEventListener('click', () => loading?.abort());
part('forget', HTMLButtonElement).addEventListener('click', async () => {
  say(`Deleted ${bytes(await Specter.cache.delete())}.`);
  await showStored();
});
part('paper-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  void compare();
});
for (const field of [page.title, page.abstract]) field.addEventListener('input', typed);
page.live.addEventListener('change', () => {
  page.live.dataset['touched'] = 'yes';
  typed();
});
page.add.addEventListener('click', add);
part('suggest', HTMLButtonElement).addEventListener('click', () => {
  page.title.value = SUGGESTION.title;
  page.abstract.value = SUGGESTION.abstract;
  typed();
  page.compare.focus();
});
page.copy.addEventListener('click', async () => {
  if (!shown) return;
  try {
    await navigator.clipboard.writeText(JSON.stringify(Array.from(shown)));
    say('Copied the numbers.');
  } catch {
    say('The browser did not allow copying.');
  }
});

showModelChoice();
showPapers();
void showStored();
setState('idle');
