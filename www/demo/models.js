/** The models that the page offers, and what is told about each. */

import { presets } from '../presets.js';

/** @import { LoadOptions, Source } from '../specter.js' */
/** @import { Preset } from '../types.js' */

/**
 * @typedef {object} TaskChoice
 * @property {string} name
 * @property {string} label
 * @property {string} note
 *
 * @typedef {object} ModelChoice
 * @property {string} id
 * @property {string} label
 * @property {string} note
 * @property {Source | null} source  `null`: the person chooses a folder
 * @property {TaskChoice[]} tasks
 * @property {string | null} task    the one that is chosen at the start
 * @property {boolean} needsTask     whether it does nothing without one
 * @property {LoadOptions} [options] what else a load takes; presets know that of their own
 */

/** The adapter that is served with this page, its task, and the head that comes with it. */
export const PAPER_FIELD = 'paper-field';

/** What the tasks of presets are for. @type {Record<string, { label: string, note: string }>} */
const TASKS = {
  proximity: { label: 'Proximity', note: 'Papers that belong together lie close.' },
  query: { label: 'Ad-hoc query', note: 'For short search queries against papers.' },
  classification: { label: 'Classification', note: 'Features for sorting papers into fields.' },
  regression: { label: 'Regression', note: 'Features for predicting numbers about papers.' },
  search: { label: 'Search', note: 'For queries against papers.' },
  'link-prediction': { label: 'Link prediction', note: 'Papers that cite each other lie close.' },
};

/**
 * @param {keyof typeof presets} id
 * @param {string} label
 * @param {string} size  of the download
 * @param {string} [first]  the task that is chosen at the start
 * @returns {ModelChoice}
 */
function fromHub(id, label, size, first) {
  const { description, tasks } = /** @type {Record<string, Preset>} */ (presets)[id] ?? {};
  const known = Object.entries(tasks ?? {});
  return {
    id,
    label: `${label}, from the Hugging Face hub`,
    note: `${description} About ${size} the first time.`,
    source: id,
    tasks: known.map(([name]) => ({ name, ...(TASKS[name] ?? { label: name, note: '' }) })),
    task: first ?? known[0]?.[0] ?? null,
    needsTask: known.some(([, { experts }]) => experts !== undefined),
  };
}

/** @type {ModelChoice[]} */
export const MODELS = [
  {
    id: 'minilm',
    label: 'all-MiniLM-L6-v2, served with this page',
    note: 'About 25 MB the first time. A small encoder for sentences of any kind, and the quickest start.',
    source: new URL('../models/all-MiniLM-L6-v2-q8/', import.meta.url),
    tasks: [
      {
        name: PAPER_FIELD,
        label: 'Paper Field',
        note: 'Trained to tell seven fields apart by titles: papers of one field lie close.',
      },
    ],
    task: null,
    needsTask: false,
    options: {
      adapters: { [PAPER_FIELD]: new URL('../examples/paper-field/adapter/', import.meta.url) },
      tasks: { [PAPER_FIELD]: { adapter: PAPER_FIELD } },
    },
  },
  fromHub('specter2', 'SPECTER2', '440 MB'),
  fromHub('specter2-2023', 'SPECTER2 of 2023', '440 MB'),
  fromHub('specter', 'SPECTER', '440 MB'),
  fromHub('scincl', 'SciNCL', '440 MB'),
  fromHub('scimult', 'SciMult', '740 MB', 'link-prediction'),
  fromHub('semcse', 'SemCSE', '740 MB'),
  fromHub('semcse-cosine', 'SemCSE for cosines', '740 MB'),
  fromHub('scibert', 'SciBERT', '440 MB'),
  fromHub('erc', 'The ERC classifier of SIRIS Lab', '440 MB'),
  {
    id: 'folder',
    label: 'A folder on this computer…',
    note: 'Any BERT or DeBERTa-v2 model as its authors publish it: config.json, a tokenizer and model.safetensors or pytorch_model.bin. The files are read here and sent nowhere.',
    source: null,
    tasks: [],
    task: null,
    needsTask: false,
  },
];
