/**
 * transformers.js through its pipeline: texts in, vectors out. Its models lie on this page's own server.
 *
 * @module
 */

/** @import { Engine, Model, Settings } from '../types.js' */

const PACKAGE = '/bench/node_modules/@huggingface/transformers/';

/**
 * @param {Settings} settings  `device`, `dtype` and `threads`
 * @returns {Engine}
 */
export function create({ device, dtype, threads = 1 }) {
  /** @type {any} */
  let library;
  /** @type {any} */
  let extractor;
  /** @type {Model} */
  let model;
  return {
    async load(chosen) {
      model = chosen;
      library = await import(`${PACKAGE}dist/transformers.min.js`);
      const { env, pipeline } = library;
      const hub = new URL(model.hub, location.href);
      const runtime = new URL(`${PACKAGE}node_modules/onnxruntime-web/dist/`, location.href);
      env.allowLocalModels = false;
      env.remoteHost = new URL('..', hub).href;
      env.remotePathTemplate = '{model}/';
      env.backends.onnx.wasm.wasmPaths = runtime.href;
      env.backends.onnx.wasm.numThreads = threads;
      const name = hub.pathname.split('/').filter(Boolean).at(-1);
      extractor = await pipeline('feature-extraction', name, { device, dtype });
    },
    async run(batches) {
      const vectors = new Float32Array(batches.flat().length * model.hidden);
      let done = 0;
      for (const batch of batches) {
        const texts = batch.map(({ text }) => text);
        const output = await extractor(texts, { pooling: model.pooling, normalize: model.normalize });
        vectors.set(output.data, done);
        done += output.data.length;
      }
      return vectors;
    },
    async version() {
      return library.env.version;
    },
    dispose: () => extractor.dispose(),
  };
}
