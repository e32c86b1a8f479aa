/**
 * Measures specter-web beside other engines in one headless Chromium. `cargo xtask bench` makes what is needed and
 * runs this:
 *
 *     node bench/run.mjs --files target/bench [--model NAME]… [--shape NAME]… [--engine NAME]… [--rounds N]
 *         [--patience SECONDS] [--hardware]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { launch } from '../xtask/browser/launch.mjs';
import { serve } from '../xtask/browser/serve.mjs';
import { countOf, folderOfFiles } from './arguments.mjs';
import { CONTENDERS } from './engines.mjs';
import { measure } from './measure.mjs';
import { MODELS, TWINS } from './models.mjs';
import { plot } from './plot.mjs';
import { markdown } from './report.mjs';
import { MEASURES } from './shapes.mjs';
import { openBlankPage } from './stand.mjs';
import { measureTwins } from './twins.mjs';

/** @import { Line } from './line.mjs' */
/** @import { Results } from './measure.mjs' */
/** @import { TwinRow } from './twins.mjs' */

/** Seconds for which the browser keeps what it has downloaded without asking: longer than any run. */
const MAX_AGE = 24 * 60 * 60;

/**
 * What the modules in engines/ are called where their versions are named.
 *
 * @type {Record<string, string>}
 */
const PACKAGES = { specter: 'specter-web', onnxruntime: 'onnxruntime-web', transformers: 'transformers.js' };

/**
 * The known names that were asked for; all of them where none was.
 *
 * @param {string} option
 * @param {string[]} known
 * @param {string[]} [asked]  a name, or what names begin with
 */
function chosen(option, known, asked = []) {
  for (const name of asked) {
    if (known.some((one) => one.startsWith(name))) continue;
    throw new Error(`--${option} ${name} is not known. There are: ${known.join(', ')}.`);
  }
  return known.filter((one) => asked.length === 0 || asked.some((name) => one.startsWith(name)));
}

/** Runs in the page. */
async function describeAdapter() {
  const info = (await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' }))?.info;
  if (!info) return undefined;
  const { vendor, architecture, device, description } = info;
  const name = [description || device, architecture, vendor].filter(Boolean).join(', ') || 'without a name';
  const software = info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(name);
  return { name, software };
}

function options() {
  const { values } = parseArgs({
    options: {
      files: { type: 'string' },
      model: { type: 'string', multiple: true },
      shape: { type: 'string', multiple: true },
      engine: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '3' },
      patience: { type: 'string', default: '120' },
      hardware: { type: 'boolean', default: false },
    },
  });
  const files = folderOfFiles(values.files);
  const engines = chosen('engine', CONTENDERS.map(({ id }) => id), values.engine);
  const names = chosen('model', Object.keys({ ...MODELS, ...TWINS }), values.model);
  return {
    files,
    models: names.flatMap((name) => MODELS[name] ?? []),
    twins: names.flatMap((name) => TWINS[name] ?? []),
    measures: chosen('shape', MEASURES, values.shape),
    contenders: CONTENDERS.filter(({ id }) => engines.includes(id)),
    rounds: countOf('rounds', values.rounds),
    patience: 1000 * countOf('patience', values.patience),
    hardware: values.hardware,
  };
}

async function main() {
  const { files, models, twins, hardware, ...asked } = options();
  const server = await serve({
    // Without isolation WebAssembly has one thread.
    isolate: true,
    maxAge: MAX_AGE,
    folders: [['/bench/', 'bench'], ['/files/', files]],
  });
  const browser = await launch('chromium', { hardware });
  try {
    const page = await openBlankPage(browser, server.url);
    const adapter = await page.evaluate(describeAdapter);
    await page.close();
    if (!adapter) throw new Error('This Chromium offers no WebGPU adapter, so there is nothing to measure.');
    console.log(`adapter ${adapter.name}${adapter.software ? ', in software' : ''}`);

    /** @type {Results[]} */
    const results = [];
    for (const model of models) {
      const withLine = model === models[0];
      results.push(await measure({ browser, address: server.url, files, model, withLine, ...asked }));
    }
    const beside = await measureTwins({ browser, address: server.url, files, twins, ...asked });
    const versions = Object.fromEntries(
      [...results, beside].flatMap((result) => Array.from(result.versions, ([module, version]) => [PACKAGES[module], version])),
    );
    const setting = {
      date: new Date().toISOString().slice(0, 10),
      browser: await browser.version(),
      adapter: adapter.name,
      software: adapter.software,
      processor: `${cpus()[0]?.model.trim() ?? 'an unnamed processor'} (${cpus().length} threads)`,
      rounds: asked.rounds,
      versions,
    };
    write(files, setting, results, beside.rows);
  } finally {
    await browser.close();
    await server.close();
  }
}

/**
 * @param {string} files
 * @param {import('./report.mjs').Setting} setting
 * @param {Results[]} results
 * @param {TwinRow[]} twins
 */
function write(files, setting, results, twins) {
  mkdirSync(files, { recursive: true });
  /** @type {Map<Line, string>} */
  const plots = new Map();
  for (const { line } of results) {
    if (!line) continue;
    const name = `time-against-tokens-${line.model}.svg`;
    writeFileSync(join(files, name), plot(line, `${setting.browser}, ${setting.adapter}`));
    plots.set(line, name);
  }
  const report = markdown(setting, results, plots, twins);
  const plain = results.map(({ versions: _, ...result }) => result);
  writeFileSync(join(files, 'report.json'), `${JSON.stringify({ setting, results: plain, twins }, null, 2)}\n`);
  writeFileSync(join(files, 'report.md'), report);
  console.log(`\n${report}\nWritten to ${join(files, 'report.md')} and report.json beside it.`);
}

try {
  await main();
} catch (error) {
  console.error(`The benchmark did not come to its end: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
