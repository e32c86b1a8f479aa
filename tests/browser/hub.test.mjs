/** Loading over the network, from a server that answers as a hub does, on another origin than the page's. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { BROWSER, folderWith, stage, workersOf } from './stage.mjs';

const set = stage();

/** @type {Record<string, Record<string, string>>} */
const REPOSITORIES = {
  'org/tiny': folderWith('tiny-bert'),
  'org/adapter': folderWith('tiny-bert/adapters/seq_bn'),
};

/** @typedef {{ method: string, path: string, authorization: string | undefined }} Asked */

/** @type {Asked[]} */
let asked = [];

/** A hub on the loopback interface. Some of its organisations misbehave, each in its own way. */
const hub = createServer((request, response) => {
  const { method = '', url = '', headers } = request;
  const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'authorization' };
  if (method === 'OPTIONS') {
    response.writeHead(204, cors).end();
    return;
  }
  asked.push({ method, path: url, authorization: headers.authorization });
  const answer = (/** @type {number} */ status, /** @type {Record<string, string | number>} */ more = {}, /** @type {Buffer | string} */ body = '') =>
    response.writeHead(status, { ...cors, ...more }).end(body);

  const [, organisation, name, place, revision, ...rest] = url.split('/');
  const file = rest.join('/');
  const contents = REPOSITORIES[`${organisation}/${name}`]?.[file];
  if (organisation === 'private') return answer(401, {}, 'Invalid username or password.');
  if (organisation === 'gated' && headers.authorization !== 'Bearer key') return answer(403);
  if (organisation === 'broken') return answer(503);
  if (organisation === 'busy') return answer(429);
  if (organisation === 'app') return answer(200, { 'Content-Type': 'text/html; charset=utf-8' }, '<!doctype html>');
  if (organisation === 'gone') return request.socket.destroy();
  if (organisation === 'short') {
    // Announces more than it sends.
    const bytes = Buffer.from(REPOSITORIES['org/tiny']?.['config.json'] ?? '', 'base64');
    response.writeHead(200, { ...cors, 'Content-Length': 4_000_000 });
    response.write(bytes, () => request.socket.destroy());
    return;
  }
  if (organisation === 'stored') {
    const stored = REPOSITORIES[`org/${name}`]?.[decodeURIComponent(url.split('/').at(-1) ?? '')];
    return stored ? answer(200, {}, Buffer.from(stored, 'base64')) : answer(404);
  }
  if (organisation === 'gated') {
    const open = REPOSITORIES[`org/${name}`]?.[file];
    return open ? answer(200, {}, Buffer.from(open, 'base64')) : answer(404);
  }
  if (contents === undefined || place !== 'resolve' || !['main', 'v1'].includes(revision ?? '')) return answer(404, {}, 'Entry not found');
  // A hub sends large files from elsewhere.
  if (file.endsWith('.safetensors')) return answer(302, { Location: `/stored/${name}/${file}` });
  const bytes = Buffer.from(contents, 'base64');
  answer(200, { 'Content-Length': bytes.length, 'Content-Type': 'text/plain' }, bytes);
});

/** @type {string} */
let address;
before(async () => {
  await new Promise((listening) => hub.listen(0, '127.0.0.1', () => listening(undefined)));
  address = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (hub.address()).port}`;
});
after(() => {
  hub.close();
  hub.closeAllConnections();
});

/**
 * Loads, embeds once, disposes.
 *
 * @param {string} source
 * @param {Record<string, unknown>} [options]
 */
async function loadOnce(source, options = {}) {
  asked = [];
  return set.page.evaluate(
    async (source, options) => {
      const steps = [];
      const specter = await Specter.load(source, { dtype: 'f32', ...options, onProgress: (step) => steps.push(step) });
      const { dims } = await specter.embed(['a text']);
      const info = specter.info();
      await specter.dispose();
      return { dims, steps, info };
    },
    source,
    options,
  );
}

/**
 * @param {string} source
 * @param {Record<string, unknown>} [options]
 */
async function failOnce(source, options = {}) {
  const failure = await set.page.evaluate((source, options) => failureOf(Specter.load(source, options)), source, { hub: address, ...options });
  assert.equal(await workersOf(set.page, 0), 0, 'a worker is left');
  return failure;
}

describe(`a model from a hub, in ${BROWSER}`, () => {
  test('is read by its id, redirects and all, with an adapter', async () => {
    const { dims, info } = await loadOnce('org/tiny', { hub: address, adapters: { proximity: 'org/adapter' } });
    assert.deepEqual(dims, [1, 32]);
    assert.deepEqual(info.adapters, ['proximity']);
    assert.ok(asked.some(({ path }) => path === '/org/tiny/resolve/main/config.json'));
    assert.ok(asked.some(({ path }) => path === '/stored/tiny/model.safetensors'));
    assert.ok(asked.every(({ method }) => method === 'GET'));
  });

  test('tells how each download proceeds, to its last byte', async () => {
    const { steps } = await loadOnce('org/tiny', { hub: `${address}/` });
    for (const file of ['config.json', 'model.safetensors']) {
      const downloads = steps.filter((step) => step.phase === 'download' && step.file === file);
      assert.ok(downloads.length > 0, `no progress of ${file}`);
      const size = Buffer.from(REPOSITORIES['org/tiny']?.[file] ?? '', 'base64').length;
      assert.equal(downloads.at(-1).loaded, size);
      assert.equal(downloads.at(-1).fromCache, false);
      downloads.reduce((before, { loaded }) => (assert.ok(loaded >= before), loaded), 0);
    }
    const counts = (/** @type {string} */ phase) =>
      steps.filter((step) => step.phase === phase).map(({ loaded, total }) => [loaded, total]);
    assert.deepEqual(counts('weights').at(-1), [3, 3], 'the layers of the model');
    assert.deepEqual(counts('pipelines'), [[0, 1], [1, 1]]);
  });

  test('is read at a revision, named in the id or as an option', async () => {
    await loadOnce('org/tiny@v1', { hub: address });
    assert.ok(asked.some(({ path }) => path === '/org/tiny/resolve/v1/config.json'));
    await loadOnce('org/tiny', { hub: address, revision: 'v1', adapters: { a: 'org/adapter' } });
    assert.ok(asked.some(({ path }) => path === '/org/tiny/resolve/v1/config.json'));
    assert.ok(asked.some(({ path }) => path === '/org/adapter/resolve/main/adapter_config.json'));
  });

  test('is read from the address of a folder, with or without its last slash', async () => {
    for (const end of ['', '/']) {
      const { dims } = await loadOnce(`${address}/org/tiny/resolve/main${end}`);
      assert.deepEqual(dims, [1, 32]);
    }
  });

  test('gets the given headers, which go to no other origin', async () => {
    const headers = { authorization: 'Bearer key' };
    const { dims } = await loadOnce('gated/tiny', { hub: address, headers });
    assert.deepEqual(dims, [1, 32]);
    assert.ok(asked.every(({ authorization }) => authorization === 'Bearer key'));

    await loadOnce('/fixtures/tiny-bert/', { headers, adapters: { other: `${address}/org/adapter/resolve/main/` } });
    assert.ok(asked.length > 0 && asked.every(({ authorization }) => authorization === undefined));
  });
});

describe(`a server that gives no model, in ${BROWSER}`, () => {
  test('404: model-not-found', async () => {
    const failure = await failOnce('org/nothing');
    assert.equal(failure.code, 'model-not-found', failure.message);
    assert.equal(failure.file, 'config.json');
  });

  for (const [organisation, status] of /** @type {const} */ ([['private', 401], ['gated', 403]])) {
    test(`${status}: model-not-found, with the address and what to do`, async () => {
      const failure = await failOnce(`${organisation}/tiny`);
      assert.equal(failure.code, 'model-not-found', failure.message);
      assert.match(failure.message, new RegExp(`${address}/${organisation}/tiny/resolve/main/`));
      assert.match(failure.message, new RegExp(`${status}.*Authorization`, 's'));
    });
  }

  for (const [organisation, status] of /** @type {const} */ ([['broken', 503], ['busy', 429]])) {
    test(`${status}: network, with the address`, async () => {
      const failure = await failOnce(`${organisation}/tiny`);
      assert.equal(failure.code, 'network', failure.message);
      assert.match(failure.message, new RegExp(`${address}/${organisation}/tiny/.*HTTP ${status}`));
    });
  }

  test('a connection that breaks: network, with the address', async () => {
    for (const organisation of ['gone', 'short']) {
      const failure = await failOnce(`${organisation}/tiny`);
      assert.equal(failure.code, 'network', failure.message);
      assert.match(failure.message, new RegExp(`${address}/${organisation}/tiny/`));
    }
  });

  test('a start page in place of every file: model-not-found', async () => {
    const failure = await failOnce('app/tiny');
    assert.equal(failure.code, 'model-not-found', failure.message);
  });

  test('the same in the page itself', async () => {
    const failure = await failOnce('private/tiny', { worker: false });
    assert.equal(failure.code, 'model-not-found', failure.message);
  });
});
