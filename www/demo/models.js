/** The models that the page offers, and what is told about each. */

import { presets } from '../presets.js';

/** @import { Source } from '../specter.js' */

/**
 * @typedef {object} AdapterChoice
 * @property {string} name
 * @property {string} label
 * @property {string} note
 * @property {Source} [source]  where it is read from; presets know that of their own
 *
 * @typedef {object} ModelChoice
 * @property {string} id
 * @property {string} label
 * @property {string} note
 * @property {Source | null} source  `null`: the person chooses a folder
 * @property {AdapterChoice[]} adapters
 * @property {string | null} adapter  the one that is chosen at the start
 */

/** The adapter that is served with this page, and the head that comes with it. */
export const PAPER_FIELD = 'paper-field';

/** What the adapters of presets are for. @type {Record<string, { label: string, note: string }>} */
const ADAPTERS = {
  proximity: { label: 'Proximity', note: 'Papers that belong together lie close.' },
  query: { label: 'Ad-hoc query', note: 'For short search queries against papers.' },
  classification: { label: 'Classification', note: 'Features for sorting papers into fields.' },
  regression: { label: 'Regression', note: 'Features for predicting numbers about papers.' },
};

/**
 * @param {keyof typeof presets} id
 * @param {string} label
 * @returns {ModelChoice}
 */
function fromHub(id, label) {
  const { description, adapters } = presets[id];
  return {
    id,
    label: `${label}, from the Hugging Face hub`,
    note: `${description} About 440 MB the first time.`,
    source: id,
    adapters: Object.keys(adapters).map((name) => ({ name, ...(ADAPTERS[name] ?? { label: name, note: '' }) })),
    adapter: Object.keys(adapters)[0] ?? null,
  };
}

/** @type {ModelChoice[]} */
export const MODELS = [
  {
    id: 'minilm',
    label: 'all-MiniLM-L6-v2, served with this page',
    note: 'About 25 MB the first time. A small encoder for sentences of any kind, and the quickest start.',
    source: new URL('../models/all-MiniLM-L6-v2-q8/', import.meta.url),
    adapters: [
      {
        name: PAPER_FIELD,
        label: 'Paper Field',
        note: 'Trained to tell seven fields apart by titles: papers of one field lie close.',
        source: new URL('../examples/paper-field/adapter/', import.meta.url),
      },
    ],
    adapter: null,
  },
  fromHub('specter2', 'SPECTER2'),
  fromHub('specter2-2023', 'SPECTER2 of 2023'),
  fromHub('specter', 'SPECTER'),
  fromHub('scincl', 'SciNCL'),
  fromHub('scibert', 'SciBERT'),
  fromHub('erc', 'The ERC classifier of SIRIS Lab'),
  {
    id: 'folder',
    label: 'A folder on this computer…',
    note: 'Any BERT model as its authors publish it: config.json, a tokenizer and model.safetensors or pytorch_model.bin. The files are read here and sent nowhere.',
    source: null,
    adapters: [],
    adapter: null,
  },
];
