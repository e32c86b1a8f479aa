/**
 * onnxruntime-web. It takes ids that are tokenized already, which saves it what the other engines do too, and its
 * hidden states are pooled here.
 *
 * @module
 */

import { openStored } from './stored.js';

/** @import { Document, Engine, Model, Settings } from '../types.js' */

const DIST = '/bench/node_modules/onnxruntime-web/dist/';

/**
 * @param {Settings} settings
 *   `build`: the bundle of onnxruntime-web; `provider`: `webgpu` or `wasm`; `file`: of the model; `threads`
 * @returns {Engine}
 */
export function create({ build, provider, file, threads = 1 }) {
  /** @type {any} */
  let ort;
  /** @type {any} */
  let session;
  /** @type {Model} */
  let model;
  return {
    async load(chosen) {
      model = chosen;
      ort = await import(`${DIST}ort.${build}.bundle.min.mjs`);
      ort.env.wasm.numThreads = threads;
      session = await ort.InferenceSession.create(await openStored(`${model.hub}onnx/${file}`), {
        executionProviders: [provider],
        graphOptimizationLevel: 'all',
      });
    },
    async run(batches) {
      const vectors = new Float32Array(batches.flat().length * model.hidden);
      let done = 0;
      for (const batch of batches) {
        const length = Math.max(...batch.map(({ ids }) => ids.length));
        const { last_hidden_state: states } = await session.run(feeds(ort, batch, length));
        batch.forEach(({ ids }, row) => {
          const from = row * length * model.hidden;
          const rows = states.data.subarray(from, from + ids.length * model.hidden);
          pool(rows, model, vectors.subarray(done * model.hidden, (done + 1) * model.hidden));
          done += 1;
        });
        states.dispose();
      }
      return vectors;
    },
    async version() {
      return ort.env.versions.web;
    },
    dispose: () => session.release(),
  };
}

/**
 * The three inputs of a BERT, each `[documents, length]`, padded at the end.
 *
 * @param {any} ort
 * @param {Document[]} batch
 * @param {number} length
 */
function feeds(ort, batch, length) {
  const size = batch.length * length;
  const ids = new BigInt64Array(size);
  const mask = new BigInt64Array(size);
  batch.forEach((document, row) => {
    document.ids.forEach((id, at) => {
      ids[row * length + at] = BigInt(id);
      mask[row * length + at] = 1n;
    });
  });
  const tensor = (/** @type {BigInt64Array} */ data) => new ort.Tensor('int64', data, [batch.length, length]);
  return {
    input_ids: tensor(ids),
    attention_mask: tensor(mask),
    token_type_ids: tensor(new BigInt64Array(size)),
  };
}

/**
 * @param {Float32Array} rows    hidden states of one document's tokens
 * @param {Model} model
 * @param {Float32Array} vector  where the result goes
 */
function pool(rows, { hidden, pooling, normalize }, vector) {
  const tokens = pooling === 'cls' ? 1 : rows.length / hidden;
  for (let token = 0; token < tokens; token++) {
    for (let at = 0; at < hidden; at++) vector[at] += rows[token * hidden + at] / tokens;
  }
  if (!normalize) return;
  const norm = Math.hypot(...vector);
  for (let at = 0; at < hidden; at++) vector[at] /= norm;
}
