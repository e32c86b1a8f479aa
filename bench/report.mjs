/** The results as a page of Markdown. */
import { FRAME_LIMITS } from './frames.mjs';
import { median } from './statistics.mjs';
import { seconds } from './turns.mjs';

/** @import { Contender } from './engines.mjs' */
/** @import { FrameRow } from './frames.mjs' */
/** @import { Line } from './line.mjs' */
/** @import { Results, Row } from './measure.mjs' */
/** @import { StartRow } from './start.mjs' */
/** @import { TwinRow } from './twins.mjs' */

const METHOD = `\
One browser, engines in turns. Times are medians of the runs that are counted beside them, after one to warm up;
a run of more than 10 s counts from the first on, and what takes long is run less often. Tokens are those of the
documents: padding counts for nobody. GFLOP/s counts the whole forward pass, whatever an engine leaves out. “×
WebGPU” and “× kind” are tokens a second against the fastest other engine on WebGPU, and against the fastest
other engine of the same kind and as many threads; specter-web's own rows are never the other. Cosine is the mean to the vectors of
PyTorch in float32; weights that are seeded and not trained, as those of specter2-sized, show by it that the
arithmetic is right, and not how much a dtype costs. GPU MB is what is alive in buffers after the runs;
onnxruntime-web keeps the tables of embeddings off the GPU. onnxruntime-web is given token ids, which spares it
the tokenizer; specter-web and transformers.js are given text.`;

const START_METHOD = `\
From the import of the code to the first vector, of 32 tokens, in a fresh page with code and model in the
browser's caches. Code is all JavaScript and WebAssembly that the page loads.`;

const FRAMES_METHOD = `\
The time from one frame of an animation on the page to the next, while an engine embeds papers in a worker:
specter-web in its own, another engine in one that the benchmark makes.`;

const TWINS_METHOD = `\
Networks of BERT's size with seeded weights, in turns with it in pages of their own. All multiply by the same kernels, which
are chosen by rule. “× BERT” is the shortest time over BERT's at the same shape.`;

/**
 * Where and how it was measured.
 *
 * @typedef {object} Setting
 * @property {string} date
 * @property {string} browser
 * @property {string} adapter
 * @property {boolean} software  whether the adapter computes on the CPU
 * @property {string} processor
 * @property {number} rounds
 * @property {Record<string, string>} versions  of engines
 */

/**
 * @param {Setting} setting
 * @param {Results[]} results  one a model
 * @param {Map<Line, string>} plots  file names
 * @param {TwinRow[]} twins
 */
export function markdown(setting, results, plots, twins) {
  const remarks = results.flatMap((result) => result.remarks);
  const lines = results.flatMap(({ line }) => line ?? []);
  return [
    '# Benchmark',
    caption(setting),
    results.length > 0 && METHOD,
    speedTable(results.flatMap(({ rows }) => rows)),
    twinTable(twins),
    startTable(results.flatMap(({ starts }) => starts)),
    frameTable(results.flatMap(({ frames }) => frames)),
    ...lines.map((line) => lineOf(line, plots.get(line))),
    remarks.length > 0 && `## Not measured\n\n${remarks.map((remark) => `- ${remark}`).join('\n')}`,
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n');
}

/** @param {Setting} setting */
function caption({ date, browser, adapter, software, processor, rounds, versions }) {
  const kind = software
    ? 'a **software adapter**: WebGPU is computed by the CPU here, and its times say little of a GPU'
    : 'a hardware adapter';
  const engines = Object.entries(versions)
    .map((entry) => entry.join(' '))
    .join(', ');
  const times = `${rounds} ${rounds === 1 ? 'round' : 'rounds'} at most`;
  return `${browser} on ${processor}. Adapter: ${adapter}, ${kind}. ${engines}. ${date}, ${times}.`;
}

/** @param {Row[]} rows */
function speedTable(rows) {
  if (rows.length === 0) return '';
  const groups = grouped(rows, ({ model, shape }) => `${model} ${shape}`);
  const head = [
    'model', 'shape', 'engine', 'kind', 'weights', 'median', 'min … max', 'runs', 'tokens/s', 'GFLOP/s', '× WebGPU',
    '× kind', 'cosine', 'GPU MB', 'remarks',
  ];
  const body = groups.flatMap((group) => {
    const speeds = group.map((row) => ({ contender: row.contender, value: speedOf(row) }));
    return group.map((row) => {
      const { model, shape, contender, milliseconds, failure } = row;
      const who = [model, shape, contender.name, contender.kind, contender.dtype];
      if (failure) return [...who, ...blanks(head.length - who.length - 1), `failed: ${failure}`];
      const time = median(milliseconds);
      return [
        ...who,
        seconds(time),
        `${seconds(Math.min(...milliseconds))} … ${seconds(Math.max(...milliseconds))}`,
        String(milliseconds.length),
        rounded(speedOf(row)),
        rounded(row.operations / time / 1e6),
        ratio(speedOf(row), bestOf(speeds, 'webgpu', contender)),
        ratio(speedOf(row), bestOf(speeds, contender.kind, contender)),
        row.cosine?.toFixed(5) ?? '',
        contender.kind === 'webgpu' ? ((row.gpuBytes ?? 0) / 1e6).toFixed(1) : '–',
        remarksOn(row),
      ];
    });
  });
  return `## Speed\n\n${table(head, body)}`;
}

/** @param {Row} row */
function remarksOn({ documents, of, size, contender }) {
  return [
    documents < of && `${documents} of ${of} documents`,
    size && `${size} at a time`,
    contender.note,
  ]
    .filter(Boolean)
    .join(', ');
}

/**
 * @param {Row} row
 * @returns {number} tokens a second; 0 where it failed
 */
function speedOf({ tokens, milliseconds, failure }) {
  return failure || milliseconds.length === 0 ? 0 : (1000 * tokens) / median(milliseconds);
}

/**
 * The best of those that are not ours, and not the one that asks.
 *
 * @param {{ contender: Contender, value: number }[]} values  the more the better
 * @param {'webgpu' | 'wasm'} kind
 * @param {Contender} asking
 */
function bestOf(values, kind, asking) {
  const threads = (/** @type {Contender} */ { settings }) => settings.threads ?? 1;
  const isOther = (/** @type {Contender} */ one) =>
    !one.ours && one !== asking && one.kind === kind && (kind === 'webgpu' || threads(one) === threads(asking));
  return Math.max(0, ...values.filter(({ contender }) => isOther(contender)).map(({ value }) => value));
}

/**
 * Rows that are compared with each other, in the order in which they came.
 *
 * @template T
 * @param {T[]} rows
 * @param {(row: T) => string} keyOf
 */
function grouped(rows, keyOf) {
  return [...new Set(rows.map(keyOf))].map((key) => rows.filter((row) => keyOf(row) === key));
}

/** @param {StartRow[]} rows */
function startTable(rows) {
  if (rows.length === 0) return '';
  const groups = grouped(rows, ({ model }) => model);
  const head = [
    'model', 'engine', 'kind', 'weights', 'code, KB gzipped', 'median', 'min … max', 'runs', '× WebGPU', '× kind',
    'remarks',
  ];
  const body = groups.flatMap((group) => {
    // Starts a second, so that more is better, as with the speed.
    const rate = (/** @type {StartRow} */ row) => (row.failure ? 0 : 1000 / median(row.milliseconds));
    const rates = group.map((row) => ({ contender: row.contender, value: rate(row) }));
    return group.map((row) => {
      const { model, contender, milliseconds, codeBytes = 0, failure } = row;
      const who = [model, contender.name, contender.kind, contender.dtype];
      if (failure) return [...who, ...blanks(head.length - who.length - 1), `failed: ${failure}`];
      return [
        ...who,
        (codeBytes / 1000).toFixed(0),
        seconds(median(milliseconds)),
        `${seconds(Math.min(...milliseconds))} … ${seconds(Math.max(...milliseconds))}`,
        String(milliseconds.length),
        ratio(rate(row), bestOf(rates, 'webgpu', contender)),
        ratio(rate(row), bestOf(rates, contender.kind, contender)),
        contender.note ?? '',
      ];
    });
  });
  return `## Start\n\n${START_METHOD}\n\n${table(head, body)}`;
}

/** @param {TwinRow[]} rows */
function twinTable(rows) {
  if (rows.length === 0) return '';
  const head = ['engine', 'kind', 'weights', 'shape', 'model', 'median', 'min … max', 'runs', '× BERT'];
  const body = rows.map(({ model, shape, contender, milliseconds, timesBert, failure }) => {
    const who = [contender.name, contender.kind, contender.dtype, shape, model];
    if (failure) return [...who, ...blanks(head.length - who.length - 1), `failed: ${failure}`];
    return [
      ...who,
      seconds(median(milliseconds)),
      `${seconds(Math.min(...milliseconds))} … ${seconds(Math.max(...milliseconds))}`,
      String(milliseconds.length),
      timesBert ? `${timesBert.toFixed(2)}×` : '–',
    ];
  });
  return `## Beside BERT\n\n${TWINS_METHOD}\n\n${table(head, body)}`;
}

/** @param {FrameRow[]} rows */
function frameTable(rows) {
  if (rows.length === 0) return '';
  const limits = FRAME_LIMITS.map((limit) => `≤ ${Math.floor(limit)} ms`);
  const head = [
    'model', 'engine', 'kind', 'while', 'frames', 'median', '95th', 'worst', ...limits, 'longer', 'remarks',
  ];
  const body = rows.flatMap(({ model, contender, idle, busy, documents, milliseconds, failure }) => {
    const who = [model, `${contender.name} ${contender.dtype}`, contender.kind];
    if (failure || !idle || !busy) {
      const reason = `not measured: ${failure ?? 'no frames came'}`;
      return [[...who, ...blanks(head.length - who.length - 1), reason]];
    }
    return [
      [...who, 'idle', ...frameCells(idle), ''],
      [...who, 'embedding', ...frameCells(busy), `${documents} papers, ${seconds(milliseconds ?? 0)}`],
    ];
  });
  return `## Frames\n\n${FRAMES_METHOD}\n\n${table(head, body)}`;
}

/** @param {import('./frames.mjs').Frames} frames */
function frameCells({ count, median: middle, late, worst, histogram }) {
  return [String(count), ...[middle, late, worst].map((time) => `${time.toFixed(1)} ms`), ...histogram.map(String)];
}

/**
 * @param {Line} line
 * @param {string | undefined} plot
 */
function lineOf({ model, contender, points, fit }, plot) {
  const { tokens } = points[points.length - 1];
  const what = `1 to ${points.length} documents of ${tokens / points.length} tokens`;
  const times = `${fit.intercept.toFixed(2)} ms and ${(1000 * fit.slope).toFixed(2)} µs a token`;
  const link = plot ? ` Plot: [${plot}](${plot})` : '';
  return [
    '## Time against tokens',
    `${contender.name} ${contender.dtype} on ${model}: ${what} take ${times}, R² = ${fit.r2.toFixed(5)}.${link}`,
  ].join('\n\n');
}

/**
 * @param {string[]} head
 * @param {string[][]} body
 */
function table(head, body) {
  // A pipe in a cell would end it.
  const escaped = (/** @type {string} */ cell) => cell.replaceAll('|', '\\|');
  const row = (/** @type {string[]} */ cells) => `| ${cells.map(escaped).join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...body.map(row)].join('\n');
}

/** @param {number} count */
function blanks(count) {
  return Array.from({ length: count }, () => '');
}

/**
 * @param {number} own
 * @param {number} other  0 where there is none
 */
function ratio(own, other) {
  return other > 0 ? `${(own / other).toFixed(2)}×` : '–';
}

/** @param {number} value */
function rounded(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
