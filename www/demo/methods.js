/** The ways in which the page tells what a paper is about. */

import { ercPanels } from '../labels/erc-panels.js';
import { PAPER_FIELD } from './models.js';
import { cosineText, percent } from './numbers.js';

/** @import { Score, Specter } from '../specter.js' */
/** @import { Paper } from './draft.js' */
/** @import { ModelChoice } from './models.js' */

/**
 * @typedef {object} Method
 * @property {string} id
 * @property {string} name
 * @property {string} note
 * @property {string} cost
 * @property {string} result  what is said below a result
 * @property {string} model   which model is chosen where the chosen one does not serve
 * @property {(choice: ModelChoice) => boolean} serves  whether a model does
 * @property {(specter: Specter, paper: Paper, context: { task: string | null, signal: AbortSignal }) => Promise<Score[][]>} classify
 * @property {(score: number) => string} text
 * @property {(score: number, best: number) => number} share  of the length of a bar
 * @property {(score: number) => boolean} [isGiven]  whether a label counts as given
 */

/** How many labels are shown of a long list. */
const SHOWN = 8;

const codes = new Map(ercPanels.map(({ name, code }) => [name, code]));

/** What `teach` calls its head. */
export const TAUGHT = 'taught';

/** Any model makes vectors; one that was trained to classify makes poor ones. */
const compares = (/** @type {ModelChoice} */ { id }) => id !== 'erc';

/** @type {Method[]} */
export const METHODS = [
  {
    id: 'paper-field',
    name: 'Paper Field',
    note: 'An adapter and a classifier of seven fields, trained on titles and served with this page.',
    cost: 'With all-MiniLM-L6-v2.',
    result: 'Probabilities of seven fields. It was trained on titles, so it reads the title, or the abstract where there is none.',
    model: 'minilm',
    serves: ({ id }) => id === 'minilm',
    classify: (specter, { title, abstract }, { signal }) => specter.classify([title || abstract], { head: PAPER_FIELD, signal }),
    text: percent,
    share: (score) => score,
  },
  {
    id: 'meaning',
    name: 'ERC panels by meaning',
    note: 'Compares a paper with descriptions of the 28 panels of the European Research Council. No training needed.',
    cost: 'With any model.',
    result: 'Cosine similarity to the description of each panel; bars are relative to the closest.',
    model: 'minilm',
    serves: compares,
    classify: async (specter, paper, { task, signal }) => {
      const ranked = await specter.rankLabels([paper], ercPanels, { topK: SHOWN, similarity: 'cosine', task, signal });
      return ranked.map((scores) => scores.map(({ label, score }) => ({ label: `${codes.get(label)} ${label}`, score })));
    },
    text: cosineText,
    share: (score, best) => score / Math.max(best, Number.EPSILON),
  },
  {
    id: 'published',
    name: 'The published ERC classifier',
    note: 'A model of its own, trained by SIRIS Lab on papers of the 28 panels.',
    cost: 'Downloads about 440 MB from huggingface.co, once.',
    result: 'Probabilities, each panel on its own. The classifier assigns those of 50 % or more.',
    model: 'erc',
    serves: ({ id }) => id === 'erc',
    classify: (specter, paper, { signal }) => specter.classify([paper], { threshold: 0, topK: SHOWN, signal }),
    text: percent,
    share: (score) => score,
    isGiven: (score) => score >= 0.5,
  },
  {
    id: 'teach',
    name: 'Teach it',
    note: 'Name classes of your own and give examples. It learns here, in a second or two.',
    cost: 'With any model.',
    result: 'Probabilities of the classes that you taught.',
    model: 'minilm',
    serves: compares,
    classify: (specter, paper, { signal }) => specter.classify([paper], { head: TAUGHT, signal }),
    text: percent,
    share: (score) => score,
  },
];
