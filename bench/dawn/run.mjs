/**
 * Measures the WebAssembly that browsers run, without a browser: under Node.js, on the WebGPU of Dawn, and so on
 * GPUs of machines that have no screen. `cargo xtask bench --dawn` makes what is needed and runs this:
 *
 *     node bench/dawn/run.mjs --files target/bench [--model NAME]… [--shape DOCUMENTSxTOKENS]… [--rounds N]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { serve } from '../../xtask/browser/serve.mjs';
import { countOf, folderOfFiles } from '../arguments.mjs';
import { textOf, wordsOf } from '../documents.mjs';
import { MODELS, operations } from '../models.mjs';
import { meanCosine, median } from '../statistics.mjs';
import { runsFor, seconds } from '../turns.mjs';
import { gpuBytes, pipelines, withDawn } from './environment.mjs';

/** @import { Specter } from '../../www/specter.js' */
/** @import { Model } from '../types.js' */

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** Float32 first: the others are compared with it. */
const DTYPES = /** @type {const} */ (['f32', 'q8', 'q4']);

/** A title, an abstract, a few abstracts, the longest document. */
const SHAPES = ['1x32', '1x128', '8x128', '1x512'];

/** Fills the largest GPU; a software adapter would take minutes. */
const LARGE = '32x512';

/** All documents of a shape are one batch, as with `--native`. */
const MOST_TOKENS = 32 * 512;

/** How often each shape is run, where that does not take too long. */
const ROUNDS = 20;

/**
 * @typedef {object} Row
 * @property {string} model
 * @property {string} shape  documents × tokens
 * @property {string} dtype
 * @property {number[]} milliseconds  from texts to vectors
 * @property {number} tokensPerSecond
 * @property {number} gflops
 * @property {number} cosine    mean, to float32 on the same device
 * @property {number} gpuBytes  of buffers that are alive after the runs
 * @property {unknown} tuning   the kernels that were found to be fastest
 */

/**
 * @typedef {object} Start
 * @property {string} model
 * @property {string} dtype
 * @property {number} milliseconds  from nothing to where texts can be embedded
 * @property {number} pipelines     that were made
 * @property {number} compiling     milliseconds of them
 *
 * @typedef {ReturnType<Specter['info']>['device']} Device
 */

function options() {
  const { values } = parseArgs({
    options: {
      files: { type: 'string' },
      model: { type: 'string', multiple: true },
      shape: { type: 'string', multiple: true },
      rounds: { type: 'string', default: String(ROUNDS) },
    },
  });
  const files = folderOfFiles(values.files);
  const rounds = countOf('rounds', values.rounds);
  const models = (values.model ?? Object.keys(MODELS)).map((name) => {
    if (!MODELS[name]) throw new Error(`--model ${name} is not measured on Dawn. There are: ${Object.keys(MODELS).join(', ')}.`);
    return MODELS[name];
  });
  return { files, models, shapes: values.shape?.map(shapeOf), rounds };
}

/** @param {string} name */
function shapeOf(name) {
  const [, documents, tokens] = (/^(\d{1,5})x(\d{1,3})$/.exec(name) ?? []).map(Number);
  if (documents >= 1 && tokens >= 3 && tokens <= 512) return { name, documents, tokens };
  throw new Error(`--shape ${name} is not documents x tokens, as in 8x128, with 3 to 512 tokens each.`);
}

async function main() {
  const { files, models, rounds, ...asked } = options();
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    throw new Error(
      'Dawn finds no adapter here. It needs a driver of Vulkan, Metal or Direct3D 12; where there is no GPU, that of Chromium ' +
        'will do: VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json.',
    );
  }
  const { Specter } = await import('../../www/specter.js');
  const server = await serve({ folders: [['/files/', files]] });
  /** @type {Row[]} */
  const rows = [];
  /** @type {Start[]} */
  const starts = [];
  /** @type {{ device: Device, version: string } | undefined} */
  let about;
  try {
    for (const model of models) {
      const words = wordsOf(join(folderOf(model, files), 'tokenizer.json'));
      /** @type {Map<string, Float32Array>} */
      const exact = new Map();
      for (const dtype of DTYPES) {
        const { pooling, normalize } = model;
        const source = new URL(model.source, server.url).href;
        const begin = performance.now();
        const compiled = { ...pipelines };
        const specter = await Specter.load(source, {
          device: 'webgpu', dtype, worker: false, cache: false, maxLength: 512, tokenBudget: MOST_TOKENS, pooling, normalize,
        });
        try {
          const info = specter.info();
          about ??= { device: info.device, version: info.version };
          starts.push({
            model: model.name,
            dtype,
            milliseconds: performance.now() - begin,
            pipelines: pipelines.count - compiled.count,
            compiling: pipelines.milliseconds - compiled.milliseconds,
          });
          const usual = [...SHAPES, ...(info.device.software ? [] : [LARGE])];
          for (const shape of asked.shapes ?? usual.map(shapeOf)) {
            const { name, documents, tokens } = shape;
            const texts = Array.from({ length: documents }, (_, index) => textOf(words, tokens, index));
            const { milliseconds, data } = await timed(specter, texts, rounds);
            console.error(`${model.name} ${dtype} ${name}: ${seconds(median(milliseconds))}`);
            const expected = exact.get(name) ?? data;
            exact.set(name, expected);
            rows.push({
              model: model.name,
              shape: name,
              dtype,
              milliseconds,
              tokensPerSecond: (1000 * documents * tokens) / median(milliseconds),
              gflops: (documents * operations(model, tokens)) / median(milliseconds) / 1e6,
              cosine: meanCosine(data, expected, model.hidden),
              gpuBytes: gpuBytes.alive,
              tuning: info.tuning,
            });
          }
        } finally {
          await specter.dispose();
        }
      }
    }
  } finally {
    await server.close();
    // What was measured before something failed is worth having, too.
    if (about) write(files, about, starts, rows);
  }
}

/**
 * @param {string} files
 * @param {{ device: Device, version: string }} about
 * @param {Start[]} starts
 * @param {Row[]} rows
 */
function write(files, about, starts, rows) {
  console.log(markdown(about, starts, rows));
  mkdirSync(files, { recursive: true });
  const path = join(files, 'dawn.json');
  writeFileSync(path, `${JSON.stringify({ ...about, starts, rows }, null, 2)}\n`);
  console.error(`\nwritten to ${path}`);
}

/**
 * Runs that count, after some to warm up.
 *
 * @param {Specter} specter
 * @param {string[]} texts
 * @param {number} rounds
 */
async function timed(specter, texts, rounds) {
  const once = async () => {
    const begin = performance.now();
    const { data } = await specter.embed(texts);
    return { data, milliseconds: performance.now() - begin };
  };
  const first = await once();
  const count = runsFor(first.milliseconds, rounds);
  const milliseconds = [];
  for (let round = 0; round < count; round++) milliseconds.push((await once()).milliseconds);
  return { milliseconds, data: /** @type {Float32Array} */ (first.data) };
}

/**
 * @param {Model} model
 * @param {string} files
 */
function folderOf({ source }, files) {
  return source.startsWith('/files/') ? join(files, source.slice('/files/'.length)) : join(REPOSITORY, source);
}

/**
 * @param {{ device: Device, version: string }} about
 * @param {Start[]} starts
 * @param {Row[]} rows
 */
function markdown({ device: { adapter, software, features }, version }, starts, rows) {
  const kind = software ? 'a **software adapter**, whose times say little of a GPU' : 'a hardware adapter';
  const loads = starts.map(({ model, dtype, milliseconds, pipelines, compiling }) => [
    model, dtype, seconds(milliseconds), pipelines, seconds(compiling),
  ]);
  const runs = rows.map(({ model, shape, dtype, milliseconds, tokensPerSecond, gflops, cosine, gpuBytes }) => [
    model,
    shape,
    dtype,
    seconds(median(milliseconds)),
    `${seconds(Math.min(...milliseconds))} … ${seconds(Math.max(...milliseconds))}`,
    milliseconds.length,
    tokensPerSecond.toFixed(0),
    gflops.toPrecision(3),
    cosine.toFixed(5),
    (gpuBytes / 1e6).toFixed(1),
  ]);
  return [
    `## ${adapter}, through Dawn\n`,
    `specter-web ${version} under Node.js ${process.version} on ${cpus()[0]?.model.trim() ?? 'an unnamed processor'}; ${kind}.`,
    `With ${features.join(', ') || 'nothing optional'}.\n`,
    '### Start\n',
    'From a local server to where texts can be embedded, choosing kernels by measuring included.\n',
    ...table(['model', 'weights', 'load', 'pipelines', 'compiling them'], loads),
    '\n### Speed\n',
    'Shapes are documents × tokens; times are from texts to vectors. Cosine is the mean to float32 on the same device; with seeded',
    'weights it shows that the arithmetic is right, and not how much a dtype costs.\n',
    ...table(
      ['model', 'shape', 'weights', 'median', 'min … max', 'runs', 'tokens/s', 'GFLOP/s', 'cosine to f32', 'GPU MB'],
      runs,
    ),
  ].join('\n');
}

/**
 * @param {string[]} head
 * @param {(string | number)[][]} body
 */
function table(head, body) {
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`);
}

try {
  await withDawn(main);
} catch (error) {
  console.error(`The benchmark did not come to its end: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
