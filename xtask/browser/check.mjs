/**
 * The demo without a person: a headless Chromium opens the page, embeds three papers with the default
 * model through the package as published, sorts two titles into fields with the adapter and the head in
 * examples/, and the outcome is judged and printed.
 */
import { launch } from './launch.mjs';
import { serve } from './serve.mjs';

/** Two on the same subject, and one on another. */
const PAPERS = [
  {
    title: 'Learning dense representations of scientific articles',
    abstract:
      'We train a transformer encoder so that research papers which cite each other receive nearby vectors, and use the vectors for recommendation and search.',
  },
  {
    title: 'Citation-informed document embeddings for literature search',
    abstract:
      'A language model is fine-tuned on the citation graph. Its embeddings of titles and abstracts retrieve related publications better than word overlap does.',
  },
  {
    title: 'Nitrogen uptake of winter wheat under delayed sowing',
    abstract:
      'Field trials over four seasons compare sowing dates. Late sowing reduced root depth and the nitrogen taken up before anthesis, with lower grain yield.',
  },
];

/** Titles, and the fields they belong to. */
const TITLES = [
  ['Recurrence after laparoscopic repair of inguinal hernia: a ten-year follow-up', 'medicine'],
  ['Foreign policy and the left: party platforms in two elections', 'politics'],
];

/**
 * Runs in the page.
 *
 * @param {object[]} papers
 * @param {string[]} titles
 */
async function computeInPage(papers, titles) {
  try {
    const address = new URL('/specter.js', location.href).href;
    const { Specter } = await import(address);
    const begin = performance.now();
    const specter = await Specter.load(new URL('/models/all-MiniLM-L6-v2-q8/', location.href), {
      adapters: { 'paper-field': new URL('/examples/paper-field/adapter/', location.href) },
    });
    const loaded = performance.now();
    const { data, dims } = await specter.embed(papers, { normalize: true });
    const embedded = performance.now();
    const fields = await specter.classify(titles, { head: 'paper-field', topK: 1 });
    const info = specter.info();
    await specter.dispose();
    return {
      data: Array.from(data),
      dims: Array.from(dims),
      fields: fields.flat(),
      info,
      loadSeconds: (loaded - begin) / 1000,
      embedSeconds: (embedded - loaded) / 1000,
    };
  } catch (error) {
    const { name, code, message } = /** @type {Error & { code?: string }} */ (error);
    return { failure: code ? `${code}: ${message}` : `${name}: ${message}` };
  }
}

/**
 * @param {number[]} data
 * @param {number} width
 */
function similarities(data, width) {
  const rows = PAPERS.map((_, row) => data.slice(row * width, (row + 1) * width));
  const dot = (/** @type {number[]} */ a, /** @type {number[]} */ b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  return rows.map((a) => rows.map((b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))));
}

/**
 * @param {number[]} data
 * @param {number[]} dims
 * @param {number[][]} cosines
 * @param {{ label: string }[]} fields
 * @returns {string | null} what is wrong, if anything
 */
function complaint(data, dims, cosines, fields) {
  if (dims.join() !== '3,384' || data.length !== 3 * 384) {
    return `three papers should give 3 × 384 numbers, but gave ${dims.join(' × ')} (${data.length} numbers)`;
  }
  if (!data.every(Number.isFinite)) return 'some numbers are not finite';
  const [[, related, unrelated], [, , alsoUnrelated]] = cosines;
  if (!(related > Math.max(unrelated, alsoUnrelated) + 0.1)) {
    return 'the two papers on one subject are not closer to each other than to the third';
  }
  const stray = TITLES.find(([, field], index) => fields[index]?.label !== field);
  if (stray) return `“${stray[0]}” should be of the field ${stray[1]}`;
  return null;
}

/** @param {string} address */
async function check(address) {
  const browser = await launch('chromium');
  try {
    const page = await browser.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.location().url?.endsWith('/favicon.ico')) {
        console.error(`page: ${message.text()} ${message.location().url ?? ''}`);
      }
    });
    page.on('pageerror', (error) => console.error(`page: ${error}`));

    const response = await page.goto(address);
    if (!response?.ok()) return `the demo page ${address} answered ${response?.status()}`;
    const result = await page.evaluate(computeInPage, PAPERS, TITLES.map(([title]) => title));
    if ('failure' in result) return `the page could not compute: ${result.failure}`;

    const { data, dims, fields, info, loadSeconds, embedSeconds } = result;
    const cosines = similarities(data, dims[1]);
    const { device } = info;
    console.log(`model    ${info.model} (${info.dtype}, ${info.layers} layers of ${info.hiddenSize})`);
    console.log(`device   ${device.adapter || device.vendor || 'unnamed'} (${device.kind}, ${device.features.join(', ') || 'nothing optional'})`);
    console.log(`         ${device.reason}`);
    console.log(`time     ${loadSeconds.toFixed(2)} s to load, ${embedSeconds.toFixed(2)} s to embed ${PAPERS.length} papers`);
    console.log('kernels');
    for (const { name, variant, dispatches } of info.kernels) {
      console.log(`  ${String(dispatches).padStart(5)} × ${name}${variant ? ` (${variant})` : ''}`);
    }
    console.log('cosine similarities');
    PAPERS.forEach(({ title }, row) => {
      console.log(`  ${cosines[row].map((cosine) => cosine.toFixed(3).padStart(6)).join(' ')}  ${title}`);
    });
    console.log('fields');
    TITLES.forEach(([title], index) => {
      console.log(`  ${fields[index].score.toFixed(3)} ${fields[index].label.padEnd(10)} ${title}`);
    });
    return complaint(data, dims, cosines, fields);
  } finally {
    await browser.close();
  }
}

const server = await serve({ isolate: true });
let wrong;
try {
  wrong = await check(new URL('demo/', server.url).href);
} catch (error) {
  wrong = String(error);
} finally {
  await server.close();
}
if (wrong) {
  console.error(`The demo does not work: ${wrong}.`);
  process.exitCode = 1;
} else {
  console.log('The demo works: related papers lie closer together than unrelated ones, and titles are sorted into their fields.');
}
