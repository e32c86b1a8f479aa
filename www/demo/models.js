/** The models that the page offers, and what is told about each. */

/** @import { Source } from '../specter.js' */

/**
 * @typedef {object} AdapterChoice
 * @property {string} name
 * @property {string} label
 * @property {string} note
 * @property {Source} source
 *
 * @typedef {object} ModelChoice
 * @property {string} id
 * @property {string} label
 * @property {string} note
 * @property {Source | null} source  `null`: the person chooses a folder
 * @property {AdapterChoice[]} adapters  the first is chosen at the start
 */

/** @type {ModelChoice[]} */
export const MODELS = [
  {
    id: 'minilm',
    label: 'all-MiniLM-L6-v2, served with this page',
    note: 'About 25 MB. A small encoder for sentences of any kind, and the quickest start.',
    source: new URL('../models/all-MiniLM-L6-v2-q8/', import.meta.url),
    adapters: [],
  },
  {
    id: 'specter2',
    label: 'SPECTER2, from the Hugging Face hub',
    note: 'About 440 MB. Made for scientific papers, with an adapter for each kind of task.',
    source: 'allenai/specter2_base',
    adapters: [
      { name: 'proximity', label: 'Proximity', note: 'Papers that belong together lie close.', source: 'allenai/specter2' },
      { name: 'query', label: 'Ad-hoc query', note: 'For short search queries against papers.', source: 'allenai/specter2_adhoc_query' },
      { name: 'classification', label: 'Classification', note: 'Features for sorting papers into fields.', source: 'allenai/specter2_classification' },
      { name: 'regression', label: 'Regression', note: 'Features for predicting numbers about papers.', source: 'allenai/specter2_regression' },
    ],
  },
  {
    id: 'folder',
    label: 'A folder on this computer…',
    note: 'Any BERT model as its authors publish it: config.json, a tokenizer and model.safetensors or pytorch_model.bin. The files are read here and sent nowhere.',
    source: null,
    adapters: [],
  },
];
