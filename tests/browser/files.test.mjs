/** Files that are missing, damaged or not for this engine: each with its code, a sentence, and nothing left behind. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { BROWSER, changedHeader, changedJson, folderWith, foldersIn, stage, workersOf } from './stage.mjs';

const set = stage();
const WEIGHTS = 'model.safetensors';
const FIRST_NORM = /embeddings\.LayerNorm\.weight$/;
const WIDE = /layer\.0\.intermediate\.dense\.weight$/;

/** @param {Record<string, unknown>} header @param {RegExp} pattern */
const entryOf = (header, pattern) => {
  const name = Object.keys(header).find((key) => pattern.test(key));
  assert.ok(name, `no tensor matches ${pattern}`);
  return /** @type {{ shape: number[], data_offsets: [number, number], dtype: string }} */ (header[name]);
};

/** @type {[what: string, changes: Record<string, any>, code: string, file: string | null, says: RegExp][]} */
const BROKEN_MODELS = [
  ['no config.json', { 'config.json': null }, 'model-not-found', 'config.json', /config\.json/],
  ['no weights', { [WEIGHTS]: null }, 'model-not-found', WEIGHTS, /model\.safetensors.*pytorch_model\.bin/],
  ['a configuration that is no JSON', { 'config.json': () => '{"model_type": ' }, 'corrupt-file', 'config.json', /config\.json/],
  [
    'an unknown architecture',
    { 'config.json': changedJson((config) => Object.assign(config, { model_type: 'gpt2', architectures: ['GPT2Model'] })) },
    'unsupported-model',
    null,
    /gpt2/i,
  ],
  ['truncated weights', { [WEIGHTS]: (/** @type {Buffer} */ b) => b.subarray(0, b.length - 1000) }, 'corrupt-file', WEIGHTS, /model\.safetensors/],
  ['weights of five bytes', { [WEIGHTS]: (/** @type {Buffer} */ b) => b.subarray(0, 5) }, 'corrupt-file', WEIGHTS, /model\.safetensors/],
  [
    'a header longer than its file',
    {
      [WEIGHTS]: (/** @type {Buffer} */ bytes) => {
        const lying = Buffer.from(bytes);
        lying.writeBigUInt64LE(1n << 40n, 0);
        return lying;
      },
    },
    'corrupt-file',
    WEIGHTS,
    /header/i,
  ],
  [
    'a header that is no JSON',
    {
      [WEIGHTS]: (/** @type {Buffer} */ bytes) => {
        const lying = Buffer.from(bytes);
        lying.write('###', 8);
        return lying;
      },
    },
    'corrupt-file',
    WEIGHTS,
    /header/i,
  ],
  [
    'a tensor that ends outside the file',
    { [WEIGHTS]: changedHeader((header) => (entryOf(header, FIRST_NORM).data_offsets = [1e9, 1e9 + 128])) },
    'corrupt-file',
    WEIGHTS,
    /model\.safetensors/,
  ],
  [
    'a tensor with fewer bytes than its shape says',
    { [WEIGHTS]: changedHeader((header) => (entryOf(header, FIRST_NORM).shape = [64])) },
    'corrupt-file',
    WEIGHTS,
    /model\.safetensors/,
  ],
  [
    'a tensor of the wrong shape',
    { [WEIGHTS]: changedHeader((header) => entryOf(header, WIDE).shape.reverse()) },
    'corrupt-file',
    WEIGHTS,
    /intermediate\.dense\.weight.*(64.*32|32.*64)/s,
  ],
  [
    'a tensor missing',
    {
      [WEIGHTS]: changedHeader((header) => {
        const name = Object.keys(header).find((key) => WIDE.test(key)) ?? '';
        header['something.else'] = header[name];
        delete header[name];
      }),
    },
    'corrupt-file',
    WEIGHTS,
    /intermediate\.dense\.weight/,
  ],
];

describe(`a model with something wrong, in ${BROWSER}`, () => {
  test('the same files unbroken do load', async () => {
    const dims = await set.page.evaluate(async (contents) => {
      const specter = await Specter.load(filesOf(contents), { dtype: 'f32' });
      const { dims } = await specter.embed(['a text']);
      await specter.dispose();
      return dims;
    }, folderWith('tiny-bert'));
    assert.deepEqual(dims, [1, 32]);
  });

  for (const [what, changes, code, file, says] of BROKEN_MODELS) {
    test(`${what}: ${code}`, async () => {
      const failure = await set.page.evaluate(
        (contents) => failureOf(Specter.load(filesOf(contents))),
        folderWith('tiny-bert', changes),
      );
      assert.equal(failure.code, code, failure.message);
      if (file) assert.ok(failure.file?.endsWith(file), `${failure.file}: ${failure.message}`);
      assert.match(failure.message, says);
      assert.match(failure.message, /[.!]$/, 'a sentence');
      assert.equal(await workersOf(set.page, 0), 0, 'a worker is left');
    });
  }

  test('no vocabulary: model-not-found', async () => {
    const names = Object.keys(folderWith('tiny-bert')).filter((name) => /^(vocab\.txt|tokenizer\.json)$/.test(name));
    const failure = await set.page.evaluate(
      (contents) => failureOf(Specter.load(filesOf(contents))),
      folderWith('tiny-bert', Object.fromEntries(names.map((name) => [name, null]))),
    );
    assert.equal(failure.code, 'model-not-found', failure.message);
    assert.match(failure.message, /tokenizer\.json|vocab\.txt/);
  });

  test('an adapter that is not there fails the whole load', async () => {
    const failure = await set.page.evaluate(
      (contents) => failureOf(Specter.load(filesOf(contents), { adapters: { absent: '/fixtures/no-such-adapter/' } })),
      folderWith('tiny-bert'),
    );
    assert.equal(failure.code, 'model-not-found', failure.message);
    assert.match(failure.message, /adapter_config\.json/);
    assert.equal(await workersOf(set.page, 0), 0);
  });

  test('what is no source at all is refused', async () => {
    const failures = await set.page.evaluate(async () => [
      await failureOf(Specter.load(42)),
      await failureOf(Specter.load('two words')),
      await failureOf(Specter.load([new Blob()])),
      await failureOf(Specter.load([new File([], 'config.json'), new File([], 'config.json')])),
      await failureOf(Specter.load([])),
    ]);
    for (const failure of failures.slice(0, 4)) assert.equal(failure.code, 'invalid-input', failure.message);
    assert.equal(failures[4].code, 'model-not-found', failures[4].message);
    assert.equal(await workersOf(set.page, 0), 0);
  });
});

describe(`an adapter with something wrong, in ${BROWSER}`, () => {
  before(() =>
    set.page.evaluate(async (contents) => {
      globalThis.tiny = await Specter.load(filesOf(contents), { dtype: 'f32' });
      globalThis.plain = rowsOf(await tiny.embed(['a text']));
    }, folderWith('tiny-bert')),
  );
  after(() => set.page.evaluate(() => tiny.dispose()));

  /**
   * @param {Record<string, string>} contents
   */
  const failLoading = async (contents) => {
    const { failure, adapters, same } = await set.page.evaluate(async (contents) => {
      const failure = await failureOf(tiny.loadAdapter('broken', filesOf(contents)));
      const again = rowsOf(await tiny.embed(['a text']));
      return { failure, adapters: tiny.info().adapters, same: JSON.stringify(again) === JSON.stringify(plain) };
    }, contents);
    assert.deepEqual(adapters, [], 'the adapter is listed');
    assert.ok(same, 'the model computes something else than before');
    return failure;
  };

  test('made for another hidden size: unsupported-adapter', async () => {
    const change = changedJson((config) => (config.hidden_size = 768));
    const failure = await failLoading(folderWith('tiny-bert/adapters/seq_bn', { 'adapter_config.json': change }));
    assert.equal(failure.code, 'unsupported-adapter', failure.message);
    assert.match(failure.message, /768/);
    assert.match(failure.message, /32/);
  });

  test('truncated weights: corrupt-file', async () => {
    const change = (/** @type {Buffer} */ bytes) => bytes.subarray(0, bytes.length - 100);
    const failure = await failLoading(folderWith('tiny-bert/adapters/seq_bn', { 'adapter.safetensors': change }));
    assert.equal(failure.code, 'corrupt-file', failure.message);
    assert.ok(failure.file?.endsWith('adapter.safetensors'), failure.file);
  });

  test('no weights: model-not-found', async () => {
    const failure = await failLoading(folderWith('tiny-bert/adapters/seq_bn', { 'adapter.safetensors': null }));
    assert.equal(failure.code, 'model-not-found', failure.message);
    assert.match(failure.message, /adapter\.safetensors.*pytorch_adapter\.bin/);
  });

  for (const name of foldersIn('tiny-bert/refused')) {
    test(`${name} is refused by name`, async () => {
      const failure = await failLoading(folderWith(`tiny-bert/refused/${name}`));
      assert.equal(failure.code, 'unsupported-adapter', failure.message);
      assert.ok(failure.message.length > 20, failure.message);
    });
  }
});
