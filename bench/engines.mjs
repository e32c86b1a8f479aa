/**
 * Who is measured. To measure another one, add a line.
 *
 * @typedef {object} Contender
 * @property {string} id      what `--engine` calls it
 * @property {string} name    in the report
 * @property {'webgpu' | 'wasm'} kind
 * @property {string} dtype   of its weights
 * @property {boolean} ours
 * @property {string} module  in engines/
 * @property {import('./types.js').Settings} settings
 * @property {string[]} [measures]  what it takes part in; everything where nothing is said
 * @property {number} [padded]  papers at a time, in the order they come; by length and as is fastest where nothing is said
 * @property {string} [note]  what a reader of its numbers should know
 */

const TOKENIZED = 'is given token ids';

/**
 * Of onnxruntime-web's builds with WebGPU the smallest download. The one called `webgpu` is as fast, up to what times
 * vary on a software adapter; the default one, with kernels in JavaScript, refuses the fused attention's mask.
 */
const WITH_WEBGPU = 'jspi';

/** @type {Contender[]} */
export const CONTENDERS = [
  ours('specter-web-q8', { device: 'webgpu', dtype: 'q8' }),
  ours('specter-web-q4', { device: 'webgpu', dtype: 'q4' }, ['1x128', '8x128', 'mixed']),
  ours('specter-web-f32', { device: 'webgpu', dtype: 'f32' }, ['1x128', '8x128']),
  ours('specter-web-wasm-q8', { device: 'wasm', dtype: 'q8', threads: 1 }),
  ours('specter-web-wasm-q8-2-threads', { device: 'wasm', dtype: 'q8', threads: 2 }),
  onnxruntime('onnxruntime-webgpu-f32', 'f32', { build: WITH_WEBGPU, provider: 'webgpu', file: 'model.onnx' }),
  onnxruntime('onnxruntime-webgpu-q4', 'q4', { build: WITH_WEBGPU, provider: 'webgpu', file: 'model_q4.onnx' }),
  onnxruntime('onnxruntime-wasm-int8', 'int8', { build: 'wasm', provider: 'wasm', file: 'model_quantized.onnx' }),
  onnxruntime('onnxruntime-wasm-int8-2-threads', 'int8', {
    build: 'wasm', provider: 'wasm', file: 'model_quantized.onnx', threads: 2,
  }),
  transformers('transformers-webgpu-f32', 'f32', { device: 'webgpu', dtype: 'fp32' }, ['1x128', 'mixed', 'start']),
  {
    ...transformers('transformers-webgpu-f32-padded', 'f32', { device: 'webgpu', dtype: 'fp32' }, ['mixed']),
    name: 'transformers.js, padded', padded: 8, note: 'papers as they come, padded to the longest of a batch',
  },
  transformers('transformers-wasm-int8-2-threads', 'int8', { device: 'wasm', dtype: 'q8', threads: 2 }),
];

/**
 * @param {string} id
 * @param {{ device: 'webgpu' | 'wasm', dtype: string, threads?: number }} settings
 * @param {string[]} [measures]
 * @returns {Contender}
 */
function ours(id, settings, measures) {
  const { device: kind, dtype, threads } = settings;
  const name = `specter-web${kind === 'wasm' ? threadsOf(threads) : ''}`;
  return {
    id, name, kind, dtype, ours: true, module: 'specter',
    // In the page, as the others are, so that nobody's GPU bytes are out of sight.
    settings: { ...settings, worker: false },
    ...(measures && { measures }),
  };
}

/**
 * @param {string} id
 * @param {string} dtype
 * @param {{ build: string, provider: 'webgpu' | 'wasm', file: string, threads?: number }} settings
 * @returns {Contender}
 */
function onnxruntime(id, dtype, settings) {
  const { provider: kind, threads } = settings;
  const name = `onnxruntime-web${kind === 'wasm' ? threadsOf(threads) : ''}`;
  return { id, name, kind, dtype, ours: false, module: 'onnxruntime', settings, note: TOKENIZED };
}

/**
 * @param {string} id
 * @param {string} dtype
 * @param {{ device: 'webgpu' | 'wasm', dtype: string, threads?: number }} settings
 * @param {string[]} [measures]
 * @returns {Contender}
 */
function transformers(id, dtype, settings, measures) {
  const { device: kind, threads } = settings;
  const name = `transformers.js${kind === 'wasm' ? threadsOf(threads) : ''}`;
  return { id, name, kind, dtype, ours: false, module: 'transformers', settings, ...(measures && { measures }) };
}

/** @param {number} [threads] */
function threadsOf(threads = 1) {
  return threads === 1 ? ', 1 thread' : `, ${threads} threads`;
}
