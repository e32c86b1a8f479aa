/** The networks that are measured. */

/** @import { Model } from './types.js' */

/**
 * By the name that `--model` has. Paths are those of the benchmark's server: `/models/` is the repository's folder,
 * `/files/` is what the benchmark has made.
 *
 * @type {Record<string, Model>}
 */
export const MODELS = {
  minilm: {
    name: 'all-MiniLM-L6-v2',
    source: '/models/all-MiniLM-L6-v2/',
    hub: '/files/hub/all-MiniLM-L6-v2/',
    pooling: 'mean',
    normalize: true,
    layers: 6,
    hidden: 384,
    intermediate: 1536,
  },
  'specter2-sized': {
    name: 'specter2-sized',
    source: '/files/models/specter2-sized/',
    hub: '/files/hub/specter2-sized/',
    pooling: 'cls',
    normalize: false,
    layers: 12,
    hidden: 768,
    intermediate: 3072,
  },
};

/** Whom the twins are compared with. */
export const BERT = MODELS['specter2-sized'];

/**
 * Networks that are BERT's size and differ from it in what the engine does for them, by the name that `--model` has. No
 * other engine runs them here; they are measured beside BERT.
 *
 * @type {Record<string, Model>}
 */
export const TWINS = {
  deberta: { ...BERT, name: 'deberta', source: '/files/models/deberta/' },
  scimult: {
    ...BERT,
    name: 'scimult',
    source: '/files/models/scimult/',
    weights: 'scimult_moe.ckpt',
    task: 'classification',
  },
};

/**
 * Floating-point operations that the whole forward pass over one document takes: the six matrices of each layer,
 * and attention's two products. Nobody is credited with less for leaving rows out.
 *
 * @param {Model} model
 * @param {number} tokens
 */
export function operations({ layers, hidden, intermediate }, tokens) {
  const matrices = 2 * (4 * hidden * hidden + 2 * hidden * intermediate) * tokens;
  const attention = 4 * hidden * tokens * tokens;
  return layers * (matrices + attention);
}
