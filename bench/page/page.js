/**
 * What runs around an engine in the page: it keeps the documents, and the clock.
 *
 * @module
 */

/** @import { Document, Engine, Model, Settings } from '../types.js' */

/** @typedef {{ alive: number, most: number }} GpuBytes */

/** @type {Record<string, Document[]>} */
let sets = {};
/** @type {Engine | undefined} */
let engine;

/**
 * @param {string} address  of inputs.json
 */
export async function readInputs(address) {
  sets = await (await fetch(address)).json();
}

/**
 * From the import of an engine's code to its first vector.
 *
 * @param {object} start
 * @param {string} start.module  address of the engine's module
 * @param {Settings} start.settings
 * @param {Model} start.model
 * @param {Batches} start.batches
 */
export async function start({ module, settings, model, batches }) {
  const documents = chosen(batches);
  const begin = performance.now();
  const { create } = await import(module);
  engine = /** @type {Engine} */ (create(settings));
  await engine.load(model);
  await engine.run(documents);
  const milliseconds = performance.now() - begin;
  return { milliseconds, version: await engine.version() };
}

/**
 * Documents of a set by their index, a list a batch.
 *
 * @typedef {object} Batches
 * @property {string} set
 * @property {number[][]} indices
 */

/**
 * One run, by the clock.
 *
 * @param {Batches} batches
 */
export async function run(batches) {
  if (!engine) throw new Error('The engine was asked to run before it was started.');
  const documents = chosen(batches);
  const begin = performance.now();
  const vectors = await engine.run(documents);
  const milliseconds = performance.now() - begin;
  const gpu = /** @type {{ gpuBytes: GpuBytes }} */ (/** @type {unknown} */ (globalThis)).gpuBytes;
  return { milliseconds, vectors: Array.from(vectors), gpuBytes: gpu.alive };
}

export async function dispose() {
  await engine?.dispose();
  engine = undefined;
}

/**
 * @param {Batches} batches
 * @returns {Document[][]}
 */
function chosen({ set, indices }) {
  const documents = sets[set];
  if (!documents) throw new Error(`inputs.json has no set of documents that is called ${set}.`);
  return indices.map((batch) => batch.map((index) => documents[index]));
}
