/** Files that are missing, damaged or not for this engine: each with its code, a sentence, and nothing left behind. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  test('an address with a % that stands for itself is one like any other', async () => {
    const failure = await set.page.evaluate(() => failureOf(Specter.load('./50%/')));
    assert.equal(failure.code, 'model-not-found', failure.message);
    assert.match(failure.message, /50%/);
  });

  test('null in the place of adapters and heads is none', async () => {
    const heads = await set.page.evaluate(async (contents) => {
      const specter = await Specter.load(filesOf(contents), { dtype: 'f32', adapters: null, heads: null });
      const { heads } = specter.info();
      await specter.dispose();
      return heads;
    }, folderWith('tiny-bert'));
    assert.deepEqual(heads, []);
  });

  test('what is no source at all is refused', async () => {
    const failures = await set.page.evaluate(async () => [
      await failureOf(Specter.load(42)),
      await failureOf(Specter.load('two words')),
      await failureOf(Specter.load([new Blob()])),
      await failureOf(Specter.load([new File([], 'config.json'), new File([], 'config.json')])),
      await failureOf(Specter.load({ 'config.json': '{}' })),
      await failureOf(Specter.load([])),
      await failureOf(Specter.load({})),
    ]);
    for (const failure of failures.slice(0, 5)) assert.equal(failure.code, 'invalid-input', failure.message);
    for (const failure of failures.slice(5)) assert.equal(failure.code, 'model-not-found', failure.message);
    assert.match(failures[4].message, /config\.json.*Uint8Array/);
    assert.equal(await workersOf(set.page, 0), 0);
  });
});

describe(`the files of a model, in ${BROWSER}`, () => {
  test('are read from bytes in memory, of every kind that holds bytes', async () => {
    const same = await set.page.evaluate(async (contents) => {
      const files = filesOf(contents);
      const embedFrom = async (source) => {
        const specter = await Specter.load(source, { dtype: 'f32' });
        const rows = rowsOf(await specter.embed(['a text']));
        await specter.dispose();
        return JSON.stringify(rows);
      };
      const source = {};
      for (const [index, file] of files.entries()) {
        const buffer = await file.arrayBuffer();
        // A view of a part of its buffer.
        const around = new Uint8Array(buffer.byteLength + 20);
        around.set(new Uint8Array(buffer), 10);
        source[file.name] = [new Blob([buffer]), buffer, around.subarray(10, 10 + buffer.byteLength)][index % 3];
      }
      return (await embedFrom(source)) === (await embedFrom(files));
    }, folderWith('tiny-bert'));
    assert.ok(same);
  });

  test('are read from a directory handle, folders inside and all', async () => {
    const outcome = await set.page.evaluate(async (contents) => {
      const root = await navigator.storage.getDirectory();
      const directory = await root.getDirectoryHandle('tiny', { create: true });
      const write = async (folder, file) => {
        const writable = await (await folder.getFileHandle(file.name, { create: true })).createWritable();
        await writable.write(file);
        await writable.close();
      };
      for (const file of filesOf(contents)) await write(directory, file);
      const inside = await directory.getDirectoryHandle('1_Pooling', { create: true });
      await write(inside, new File([JSON.stringify({ pooling_mode_mean_tokens: true })], 'config.json'));
      const modules = [
        { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
        { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
      ];
      await write(directory, new File([JSON.stringify(modules)], 'modules.json'));

      const specter = await Specter.load(directory, { dtype: 'f32' });
      const { dims } = await specter.embed(['a text']);
      const { pooling, model } = specter.info();
      await specter.dispose();
      await root.removeEntry('tiny', { recursive: true });
      const gone = await failureOf(Specter.load(directory));
      return { dims, pooling, gone, model };
    }, folderWith('tiny-bert'));
    assert.deepEqual([outcome.dims, outcome.pooling, outcome.model], [[1, 32], 'mean', 'tiny']);
    assert.equal(outcome.gone.code, 'model-not-found', outcome.gone.message);
  });

  test('are completed by those of another folder, in whichever ways the two were chosen', async () => {
    const { [WEIGHTS]: weights, ...beside } = folderWith('tiny-bert');
    const outcome = await set.page.evaluate(async (weights, beside, address) => {
      const own = filesOf(weights);
      const base = filesOf(beside);
      const root = await navigator.storage.getDirectory();
      const directoryOf = async (name, files) => {
        const directory = await root.getDirectoryHandle(name, { create: true });
        for (const file of files) {
          const writable = await (await directory.getFileHandle(file.name, { create: true })).createWritable();
          await writable.write(file);
          await writable.close();
        }
        return directory;
      };
      const bytesOf = async (files) => Object.fromEntries(await Promise.all(files.map(async (file) => [file.name, await file.arrayBuffer()])));
      const ways = [
        [own, base],
        [await bytesOf(own), await bytesOf(base)],
        [await directoryOf('own', own), await directoryOf('base', base)],
        [await directoryOf('own', own), base],
        [own, address],
        [await directoryOf('own', own), address],
      ];
      const rows = [];
      for (const [source, base] of [[address], ...ways]) {
        const specter = await Specter.load(source, { dtype: 'f32', tuning: 'usual', ...(base && { base }) });
        rows.push(JSON.stringify(rowsOf(await specter.embed(['a text']))));
        await specter.dispose();
      }
      const missing = await failureOf(Specter.load(own));
      return { rows, missing };
    }, { [WEIGHTS]: weights }, beside, '/fixtures/tiny-bert/');
    assert.equal(new Set(outcome.rows).size, 1);
    assert.equal(outcome.missing.code, 'model-not-found', outcome.missing.message);
    assert.equal(outcome.missing.file, 'config.json');
  });

  test('that belong together are of one folder: another has no part in a tokenizer or a configuration that is there', async () => {
    const { asked, failure } = await set.page.evaluate(async (contents) => {
      const { openFolder } = await import('/folder.js');
      const context = { signal: new AbortController().signal, onProgress: () => {}, Sha256: class {} };
      const bytes = new Blob(['{}']);
      /** Which of these files come of which folder, and how often each was looked for in the own one. */
      const ask = async (own, behind, files) => {
        const looked = [];
        const at = (name, list, notes) => {
          const files = new Map(list.map((file) => [file, bytes]));
          const get = files.get.bind(files);
          files.get = (file) => (notes.push(file), get(file));
          return { kind: 'files', name, files };
        };
        const others = [];
        const folder = openFolder({ ...at('own', own, looked), behind: at('base', behind, others) }, context);
        const found = [];
        for (const file of files) if (await folder.open(file)) found.push(file);
        folder.close();
        return { found, looked, others };
      };
      const BESIDE = ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'];
      const ORDER = ['config.json', BESIDE[0], 'modules.json', 'sentence_bert_config.json', 'tokenizer.json', 'vocab.txt', 'spm.model', BESIDE[1], BESIDE[2], '1_Pooling/config.json', 'README.md'];
      const asked = {
        sentencepiece: await ask(['config.json', 'spm.model'], ORDER, ORDER),
        checkpoint: await ask([], ORDER, ORDER),
        beside: await ask(['tokenizer_config.json'], ORDER, ORDER),
      };
      // For whole models: a folder with a vocabulary of its own, behind which there is a tokenizer that is none.
      const own = filesOf(contents).filter(({ name }) => name !== 'tokenizer.json' && name !== 'tokenizer_config.json');
      const specter = await Specter.load(own, { dtype: 'f32', base: { 'config.json': bytes, 'tokenizer.json': bytes, 'tokenizer_config.json': new Blob(['[]']), 'modules.json': new Blob(['[']) } });
      const failure = await failureOf(specter.embed('a text'));
      await specter.dispose();
      return { asked, failure };
    }, folderWith('tiny-bert'));
    const { sentencepiece, checkpoint, beside } = asked;
    assert.deepEqual([sentencepiece.found, sentencepiece.others], [['config.json', 'spm.model'], []]);
    const all = checkpoint.looked.filter((name) => name !== 'README.md');
    assert.deepEqual([checkpoint.found.toSorted(), checkpoint.others.toSorted()], [all.toSorted(), all.toSorted()]);
    assert.deepEqual(beside.others, checkpoint.others.filter((name) => name !== 'tokenizer_config.json'));
    for (const { looked } of Object.values(asked)) assert.equal(new Set(looked).size, looked.length, 'looked for once');
    assert.equal(failure.code, 'none', failure.message);
  });

  test('are found by the weights that were named where a chosen folder has no configuration', async () => {
    const { code, message, dims } = await set.page.evaluate(async (contents, base) => {
      // A folder that was chosen by its name, with something else around the model.
      const chosen = filesOf(contents).flatMap((file) => ['a folder/', 'a folder/old/'].map((path) => {
        const copy = new File([file], file.name);
        Object.defineProperty(copy, 'webkitRelativePath', { value: path + file.name });
        return copy;
      }));
      const specter = await Specter.load(chosen, { base, weights: 'scimult_moe.ckpt', dtype: 'f32' });
      const { dims } = await specter.embed(['a text'], { task: 'search' });
      await specter.dispose();
      return { ...(await failureOf(Specter.load(chosen, { base, weights: 'scimult.ckpt' }))), dims };
    }, folderWith('scimult/published'), '/fixtures/scimult/base/');
    assert.deepEqual(dims, [1, 32]);
    assert.equal(code, 'model-not-found', message);
    assert.match(message, /scimult\.ckpt/);
  });

  for (const [what, change] of /** @type {[string, (path: string) => void][]} */ ([
    ['cut', (path) => truncateSync(path, 1000)],
    ['deleted', (path) => rmSync(path)],
  ])) {
    test(`that was ${what} after it was chosen: corrupt-file, with its name`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'specter-web-'));
      try {
        const paths = Object.entries(folderWith('tiny-bert')).map(([name, contents]) => {
          writeFileSync(join(folder, name), Buffer.from(contents, 'base64'));
          return join(folder, name);
        });
        const input = await set.page.evaluateHandle(() => {
          const input = document.createElement('input');
          Object.assign(input, { type: 'file', multiple: true });
          document.documentElement.append(input);
          return input;
        });
        await /** @type {import('puppeteer-core').ElementHandle<HTMLInputElement>} */ (input).uploadFile(...paths);
        const load = () => input.evaluate((input) => failureOf(Specter.load(input.files)));
        assert.equal((await load()).code, 'none');
        change(join(folder, WEIGHTS));
        const failure = await load();
        assert.equal(failure.code, 'corrupt-file', failure.message);
        assert.ok(failure.file?.endsWith(WEIGHTS), `${failure.file}: ${failure.message}`);
        await input.evaluate((input) => input.remove());
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});

describe(`files whose hashes are known, in ${BROWSER}`, () => {
  /**
   * @param {Record<string, string>} contents
   * @param {unknown} integrity
   */
  const openAll = (contents, integrity) =>
    set.page.evaluate(
      async (contents, integrity) => {
        const inHere = (path) => import(new URL(path, location.href).href);
        const [{ placeOf, openFolder }, { default: init, Sha256 }] = await Promise.all([inHere('/folder.js'), inHere('/wasm/specter_web.js')]);
        await init();
        const { signal } = new AbortController();
        const opening = async () => {
          const place = structuredClone(placeOf(filesOf(contents), { hub: '', integrity }));
          const folder = openFolder(place, { signal, onProgress: () => {}, Sha256 });
          for (const file of new Set([...Object.keys(contents), ...Object.keys(place.integrity)])) await folder.open(file);
        };
        return failureOf(opening());
      },
      contents,
      integrity,
    );

  const known = (/** @type {Record<string, string>} */ contents) =>
    Object.fromEntries(
      Object.entries(contents).map(([name, base64]) => [name, createHash('sha256').update(Buffer.from(base64, 'base64')).digest('hex')]),
    );

  test('are given where all match', async () => {
    const contents = folderWith('tiny-bert');
    // More than is hashed at a time.
    contents['large.bin'] = Buffer.alloc(2_500_000, 7).toString('base64');
    assert.equal((await openAll(contents, known(contents))).code, 'none');
  });

  test('and are others: corrupt-file, with both hashes', async () => {
    const contents = folderWith('tiny-bert');
    const hashes = known(contents);
    const changed = folderWith('tiny-bert', { [WEIGHTS]: (bytes) => (bytes[bytes.length - 1] ^= 1, bytes) });
    const failure = await openAll(changed, hashes);
    assert.equal(failure.code, 'corrupt-file', failure.message);
    assert.match(failure.message, new RegExp(`${WEIGHTS}.*${known(changed)[WEIGHTS].slice(0, 12)}.*${hashes[WEIGHTS].slice(0, 12)}`));
  });

  test('and are missing: model-not-found', async () => {
    const contents = folderWith('tiny-bert');
    const failure = await openAll(contents, { ...known(contents), 'merges.txt': '0'.repeat(64) });
    assert.equal(failure.code, 'model-not-found', failure.message);
    assert.equal(failure.file, 'merges.txt');
  });

  test('by anything but 64 hexadecimal digits: invalid-option', async () => {
    for (const integrity of [null, 'a', [], { 'config.json': 1 }, { 'config.json': '0'.repeat(63) }, { 'config.json': 'g'.repeat(64) }]) {
      const failure = await openAll({}, integrity);
      assert.equal(failure.code, 'invalid-option', `${JSON.stringify(integrity)}: ${failure.message}`);
    }
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
