/**
 * specter-web: transformer encoders and classifiers for scientific papers on WebGPU and the CPU. Text never leaves the
 * machine.
 *
 * @module
 */

import { abortError, untilAborted } from './abort.js';
import { ModelCache } from './cache/models.js';
import {
  checkCache, checkChoice, checkCount, checkExamples, checkFeatures, checkKind, checkNames, checkPapers, checkTask, checkTasks,
  checkTemplate, checkThreshold, checkTuning,
} from './checks.js';
import { SpecterError } from './errors.js';
import { Head, headOrigin } from './heads.js';
import { checkLabels, LabelSet, SIMILARITIES } from './labels.js';
import { adapterPlace, checkHeadTasks, HUB, placesOf, presetOf } from './places.js';
import { RemoteEngine } from './remote.js';
import { importEngine } from './start.js';

/** @import { NamedPreset } from './places.js' */
/** @import { Call, EngineHandle, EngineInfo, LabelContents, Outcome, Scores, VectorInput } from './protocol.js' */

export { Head, LabelSet, ModelCache, SpecterError };

/** @typedef {import('./errors.js').SpecterErrorCode} SpecterErrorCode */
/** @typedef {import('./types.js').AdapterOptions} AdapterOptions */
/** @typedef {import('./types.js').AdapterSource} AdapterSource */
/** @typedef {import('./types.js').CachedModel} CachedModel */
/** @typedef {import('./types.js').ClassifyOptions} ClassifyOptions */
/** @typedef {import('./types.js').Device} Device */
/** @typedef {import('./types.js').Dtype} Dtype */
/** @typedef {import('./types.js').Embeddings} Embeddings */
/** @typedef {import('./types.js').EmbedOptions} EmbedOptions */
/** @typedef {import('./types.js').EncodeLabelsOptions} EncodeLabelsOptions */
/** @typedef {import('./types.js').Example} Example */
/** @typedef {import('./types.js').FitKind} FitKind */
/** @typedef {import('./types.js').FitOptions} FitOptions */
/** @typedef {import('./types.js').HeadFunction} HeadFunction */
/** @typedef {import('./types.js').HeadInfo} HeadInfo */
/** @typedef {import('./types.js').HeadOptions} HeadOptions */
/** @typedef {import('./types.js').HeadSource} HeadSource */
/** @typedef {import('./types.js').Info} Info */
/** @typedef {import('./types.js').Label} Label */
/** @typedef {import('./types.js').LoadOptions} LoadOptions */
/** @typedef {import('./types.js').OnProgress} OnProgress */
/** @typedef {import('./types.js').Paper} Paper */
/** @typedef {import('./types.js').Pooling} Pooling */
/** @typedef {import('./types.js').Progress} Progress */
/** @typedef {import('./types.js').RankLabelsOptions} RankLabelsOptions */
/** @typedef {import('./types.js').SavedHead} SavedHead */
/** @typedef {import('./types.js').ScikitLearnHead} ScikitLearnHead */
/** @typedef {import('./types.js').Score} Score */
/** @typedef {import('./types.js').Similarity} Similarity */
/** @typedef {import('./types.js').Source} Source */
/** @typedef {import('./types.js').Store} Store */
/** @typedef {import('./types.js').Task} Task */
/** @typedef {import('./types.js').TaskInfo} TaskInfo */

/** What a head's logits can become. */
const FUNCTIONS = ['sigmoid', 'softmax', 'none'];

/** How many sets of labels are kept that were given as they are. */
const KEPT_LABELS = 4;

/**
 * A loaded model. Instances are independent: each has its own worker and device.
 *
 * @example
 * const specter = await Specter.load('specter2', { adapters: { proximity: true } });
 * const { data, dims } = await specter.embed(
 *   [{ title: 'BERT', abstract: 'We introduce…' }, 'a plain string'],
 *   { task: 'proximity' },
 * );
 * console.log(dims); // [2, 768]
 * await specter.dispose();
 */
export class Specter {
  /**
   * What earlier loads have stored here, unless they were given a store of their own.
   *
   * @example
   * for (const { name, bytes } of await Specter.cache.list()) console.log(name, bytes);
   * await Specter.cache.delete('specter2');
   */
  static cache = new ModelCache();

  /** @type {EngineHandle} */
  #engine;
  /** @type {EngineInfo} */
  #info;
  /** For adapters that come later, and for what the engine does not know. */
  #origin;
  #closing = new AbortController();
  /** @type {Promise<void> | null} */
  #disposal = null;
  /**
   * Labels that `rankLabels` was given as they are, by what they are encoded from; those used last come last.
   *
   * @type {Map<string, Promise<LabelSet>>}
   */
  #encoded = new Map();
  /** Names of heads that are on their way, each as its call has it. @type {Set<{ name: string }>} */
  #coming = new Set();

  /**
   * @private
   * @param {EngineHandle} engine
   * @param {EngineInfo} info
   * @param {{ preset: NamedPreset | null, tasks: Record<string, Task>, hub: string | URL }} origin
   */
  constructor(engine, info, origin) {
    this.#engine = engine;
    this.#info = info;
    this.#origin = origin;
  }

  /**
   * Loads a model, and adapters with it. Fails as a whole: where anything cannot be loaded, nothing stays.
   *
   * @param {Source} source  also the name of a preset, such as `'specter2'`
   * @param {LoadOptions} [options]
   * @returns {Promise<Specter>}
   * @throws {SpecterError}
   *
   * @example
   * const specter = await Specter.load('./mine/', {
   *   adapters: { citing: './citing/' },
   *   tasks: { 'find-citing': { adapter: 'citing', pooling: 'mean', similarity: 'cosine' } },
   * });
   * console.log(specter.info().tasks.map(({ name }) => name)); // ['find-citing']
   */
  static async load(source, options = {}) {
    checkNames('Specter.load', options, [
      'adapters', 'heads', 'tasks', 'base', 'weights', 'function', 'dtype', 'device', 'worker', 'maxLength', 'tokenBudget', 'template', 'pooling', 'normalize',
      'threads', 'tuning', 'features', 'hub', 'revision', 'headers', 'integrity', 'cache', 'onProgress', 'signal',
    ]);
    const { dtype, device = 'auto', worker = true, maxLength, tokenBudget, threads, tuning, features, hub = HUB, cache = true } = options;
    const preset = presetOf(source);
    const { template = preset?.template, pooling = preset?.pooling, normalize = preset?.normalize } = options;
    const { function: become = preset?.function, tasks: own = {} } = options;
    const signal = options.signal ?? new AbortController().signal;
    if (signal.aborted) throw abortError(signal);
    // All that can be known to be wrong before anything is downloaded.
    checkKind('dtype', dtype, 'string');
    checkChoice('device', device, ['auto', 'webgpu', 'wasm']);
    checkCount('maxLength', maxLength, 'tokens');
    checkCount('tokenBudget', tokenBudget, 'tokens');
    checkCount('threads', threads, 'threads');
    checkTemplate(template);
    checkChoice('pooling', pooling, ['cls', 'mean']);
    checkKind('normalize', normalize, 'boolean');
    checkChoice('function', become, FUNCTIONS);
    checkKind('weights', options.weights, 'string');
    const tasks = { ...preset?.tasks, ...checkTasks(own) };
    checkHeadTasks(options.heads, tasks, preset);
    checkTuning(tuning);
    checkFeatures(features);
    checkCache(cache);
    /** @type {Call} */
    const call = {
      type: 'load',
      ...placesOf(source, options),
      cache,
      options: withoutUndefined({
        dtype, device, maxLength, tokenBudget, threads, template, pooling, normalize, function: become, tasks: forEngine(tasks), tuning,
        features,
      }),
    };
    const origin = { preset, tasks, hub };

    if (worker) {
      const engine = new RemoteEngine();
      try {
        const { info } = await engine.call(call, { signal, onProgress: reporter(options.onProgress) });
        if (signal.aborted) throw abortError(signal);
        return new Specter(engine, info, origin);
      } catch (error) {
        engine.terminate();
        throw error;
      }
    }
    const { LocalEngine } = await untilAborted(importEngine(), signal);
    const engine = new LocalEngine();
    try {
      const { info } = await engine.call(call, { signal, onProgress: reporter(options.onProgress) });
      return new Specter(engine, info, origin);
    } catch (error) {
      // Frees an engine whose load an abort has overtaken, whenever it comes to its end.
      void engine.dispose();
      throw error;
    }
  }

  /**
   * Embeds papers: one vector each, in order. Calls wait for each other; the texts of one call are batched
   * as fits the device, so one call with many papers is faster than many calls.
   *
   * @param {string | Paper | readonly (string | Paper)[]} papers
   * @param {EmbedOptions} [options]
   * @returns {Promise<Embeddings>}
   * @throws {SpecterError}
   *
   * @example
   * const { data, dims } = await specter.embed({ title: 'On the origin of species' });
   * console.log(dims); // [1, 768]
   *
   * @example
   * const documents = await specter.embed(papers, { task: 'proximity' });
   * const query = await specter.embed('graph neural networks for chemistry', { task: 'query' });
   */
  async embed(papers, options = {}) {
    checkNames('embed', options, ['task', 'adapter', 'pooling', 'normalize', 'onProgress', 'signal']);
    const { task, adapter, pooling, normalize } = options;
    checkTask(task, adapter);
    checkKind('pooling', pooling, 'string');
    checkKind('normalize', normalize, 'boolean');
    const { embeddings } = await this.#call(options, () => ({
      type: 'embed',
      papers: checkPapers(papers),
      options: { ...wayOf(task, adapter), ...withoutUndefined({ pooling, normalize }) },
    }));
    return /** @type {Embeddings} */ (embeddings);
  }

  /**
   * Loads an adapter beside those that are loaded. Switching between loaded adapters costs nothing.
   *
   * @param {string} name  what `embed` will call it
   * @param {Source} source  also the name of an adapter of the preset that the model was loaded by
   * @param {AdapterOptions} [options]
   * @returns {Promise<void>}
   * @throws {SpecterError}
   */
  async loadAdapter(name, source, options = {}) {
    checkNames('loadAdapter', options, ['revision', 'headers', 'integrity', 'onProgress', 'signal']);
    const { revision, headers, integrity } = options;
    checkKind('name', name, 'string');
    const { preset, hub } = this.#origin;
    // Labels that were encoded by an adapter of that name are not this one's.
    this.#encoded.clear();
    await this.#call(options, () => ({
      type: 'loadAdapter',
      name,
      place: adapterPlace(name, source, preset, { hub, revision, headers, integrity }),
    }));
  }

  /**
   * Classifies papers: for each, in order, the labels that pass the threshold with their scores, the best first.
   *
   * @param {string | Paper | readonly (string | Paper)[]} papers
   * @param {ClassifyOptions} [options]
   * @returns {Promise<Score[][]>}
   * @throws {SpecterError} `unknown-head`
   *
   * @example
   * const [labels] = await specter.classify({ title: 'On the origin of species' }, { topK: 3 });
   * for (const { label, score } of labels) console.log(label, score);
   */
  async classify(papers, options = {}) {
    checkNames('classify', options, ['head', 'threshold', 'topK', 'function', 'onProgress', 'signal']);
    const { head, threshold, topK, function: become } = options;
    checkKind('head', head, 'string');
    checkCount('topK', topK, 'labels');
    checkChoice('function', become, FUNCTIONS);
    const { scores, info } = await this.#call(options, () => ({
      type: 'classify',
      papers: checkPapers(papers),
      options: withoutUndefined({ head, function: become, topK, ...checkThreshold(threshold) }),
    }));
    const used = info.heads.find(({ name }) => head === undefined || name === head);
    return labelled(/** @type {Scores} */ (scores), used?.labels ?? []);
  }

  /**
   * Loads a head beside those that are loaded: a folder of the adapters library, what `head.save()` gave, or a linear model
   * of scikit-learn.
   *
   * @param {string} name  what `classify` will call it
   * @param {HeadSource} source
   * @param {HeadOptions} [options]
   * @returns {Promise<Head>}
   * @throws {SpecterError} `unsupported-head`: for another model, another dtype, or of a kind that is not run
   *
   * @example
   * const head = await specter.loadHead('field', { coef_, intercept_, classes_ }, { task: 'classification' });
   * const [[best]] = await head.score('A survey of moraines', { topK: 1 });
   */
  async loadHead(name, source, options = {}) {
    checkNames('loadHead', options, ['task', 'adapter', 'function', 'revision', 'headers', 'integrity', 'onProgress', 'signal']);
    const { task, adapter, function: become, revision, headers, integrity } = options;
    checkKind('name', name, 'string');
    checkTask(task, adapter);
    checkChoice('function', become, FUNCTIONS);
    const origin = () => headOrigin(name, source, { hub: this.#origin.hub, revision, headers, integrity, function: become });
    return this.#bring(name, () => this.#call(options, () => {
      const head = origin();
      return { type: 'loadHead', head: { ...head, options: { ...head.options, ...withoutUndefined({ task, adapter, function: become }) } } };
    }));
  }

  /**
   * Forgets a head and frees its weights.
   *
   * @param {string} name
   * @returns {Promise<void>}
   * @throws {SpecterError} `unknown-head`
   */
  async unloadHead(name) {
    checkKind('name', name, 'string');
    await this.#call({}, () => ({ type: 'unloadHead', name }));
  }

  /**
   * Trains a head on examples, here: their vectors are computed and a linear model is learned from them, as scikit-learn's
   * `LogisticRegression` and `Ridge` would. It can be used at once.
   *
   * @param {readonly Example[]} examples  each a paper with a label, with labels, or with a value
   * @param {FitOptions} [options]
   * @returns {Promise<Head>}
   * @throws {SpecterError} `invalid-input`: no examples, one label only
   *
   * @example
   * const head = await specter.fit([
   *   { paper: { title: 'Sparse attention' }, label: 'computing' },
   *   { paper: { title: 'Glaciers of the Andes' }, label: 'earth' },
   * ]);
   * const [[best]] = await head.score('A survey of moraines', { topK: 1 });
   *
   * @example
   * const head = await specter.fit(examples, { task: 'classification' });
   */
  async fit(examples, options = {}) {
    checkNames('fit', options, ['name', 'kind', 'task', 'adapter', 'pooling', 'normalize', 'strength', 'folds', 'classWeights', 'onProgress', 'signal']);
    const { name = this.#freeName(), kind, task, adapter, pooling, normalize, strength, folds, classWeights } = options;
    checkKind('name', name, 'string');
    checkChoice('kind', kind, ['multinomial', 'one-vs-rest', 'ridge']);
    checkTask(task, adapter);
    checkChoice('pooling', pooling, ['cls', 'mean']);
    checkKind('normalize', normalize, 'boolean');
    checkCount('folds', folds, 'folds');
    if (typeof classWeights !== 'object') checkChoice('classWeights', classWeights, ['balanced']);
    return this.#bring(name, () => this.#call(options, () => ({
      type: 'fit',
      name,
      ...checkExamples(examples),
      options: { ...wayOf(task, adapter), ...withoutUndefined({ pooling, normalize }) },
      choices: withoutUndefined({ kind, strength: strength === undefined ? undefined : [strength].flat(), folds, classWeights }),
    })));
  }

  /**
   * Makes vectors of labels, once for all calls of `rankLabels`.
   *
   * @param {readonly (string | Label)[]} labels  up to 100,000 names, or names with definitions
   * @param {EncodeLabelsOptions} [options]
   * @returns {Promise<LabelSet>}
   * @throws {SpecterError}
   *
   * @example
   * const panels = await specter.encodeLabels([{ name: 'Earth', definition: 'Rocks, ice, oceans.' }, 'Law'], { task: 'query' });
   * localStorage.setItem('similarity', panels.similarity); // what they are ranked by: 'euclidean' with SPECTER2
   */
  async encodeLabels(labels, options = {}) {
    checkNames('encodeLabels', options, ['task', 'adapter', 'similarity', 'template', 'onProgress', 'signal']);
    const { task, adapter, similarity = this.#similarity(task), template = '{title}{sep}{abstract}' } = options;
    checkTask(task, adapter);
    checkChoice('similarity', similarity, SIMILARITIES);
    checkTemplate(template);
    const { names, papers } = checkLabels(labels);
    const { embeddings, input } = await this.#call(options, () => ({
      type: 'embed',
      papers,
      // Cosines need vectors of length 1; for the others, the task or the model says whether theirs are.
      options: { ...wayOf(task, adapter), template, ...(similarity === 'cosine' && { normalize: true }) },
      describes: true,
    }));
    return new LabelSet(names, /** @type {Embeddings} */ (embeddings).data, /** @type {VectorInput} */ (input), similarity);
  }

  /**
   * Reads labels that `labels.save()` gave. Whether they belong to this model is found when they are ranked.
   *
   * @param {Uint8Array | ArrayBuffer} bytes
   * @returns {LabelSet}
   * @throws {SpecterError} `corrupt-file`
   */
  loadLabels(bytes) {
    return LabelSet.read(bytes);
  }

  /**
   * Ranks labels by what they mean: for each paper, in order, those whose vectors are the closest to its own. Scores are
   * cosines, inner products or, of `euclidean`, minus distances: the best is first, and has the most.
   *
   * @param {string | Paper | readonly (string | Paper)[]} papers
   * @param {LabelSet | readonly (string | Label)[]} labels  what is not encoded yet is encoded now, and kept for later calls
   *   with the same labels
   * @param {RankLabelsOptions} [options]
   * @returns {Promise<Score[][]>}
   * @throws {SpecterError}
   *
   * @example
   * const [[best]] = await specter.rankLabels('Glaciers of the Andes', ['Earth science', 'Medicine']);
   *
   * @example
   * const [[best]] = await specter.rankLabels(paper, labels, { task: 'classification', topK: 1 });
   */
  async rankLabels(papers, labels, options = {}) {
    checkNames('rankLabels', options, ['topK', 'task', 'adapter', 'similarity', 'onProgress', 'signal']);
    const { topK = 10, task, adapter, similarity } = options;
    checkCount('topK', topK, 'labels');
    checkTask(task, adapter);
    checkChoice('similarity', similarity, SIMILARITIES);
    const set = labels instanceof LabelSet ? labels : await this.#encode(labels, options);
    if (similarity !== undefined && similarity !== set.similarity) {
      throw new SpecterError('invalid-option', `The labels were encoded for the similarity '${set.similarity}'. Encode them again for '${similarity}', or leave the option out.`);
    }
    const { number, names } = set;
    const rank = (/** @type {LabelContents | undefined} */ contents = undefined) => this.#call(options, () => ({
      type: 'rankLabels',
      number,
      papers: checkPapers(papers),
      options: { ...wayOf(task, adapter), topK },
      ...(contents && { contents }),
    }));
    const { scores } = await rank();
    return labelled(/** @type {Scores} */ (scores ?? (await rank(set.contents())).scores), names);
  }

  /**
   * Labels as they were given, encoded now or earlier.
   *
   * @param {readonly (string | Label)[]} labels
   * @param {RankLabelsOptions} options
   * @returns {Promise<LabelSet>}
   */
  async #encode(labels, { task, adapter, similarity, onProgress, signal }) {
    const key = JSON.stringify([labels, task ?? null, adapter ?? null, similarity ?? null]);
    const others = this.#encoded.get(key);
    const encoding = others ?? this.encodeLabels(labels, withoutUndefined({ task, adapter, similarity, onProgress, signal }));
    this.#encoded.delete(key);
    this.#encoded.set(key, encoding);
    for (const oldest of this.#encoded.keys()) {
      if (this.#encoded.size <= KEPT_LABELS) break;
      this.#encoded.delete(oldest);
    }
    try {
      return await (signal ? untilAborted(encoding, signal) : encoding);
    } catch (error) {
      // Who stops waiting for another call's labels does not stop their encoding.
      const goesOn = others !== undefined && signal?.aborted;
      if (!goesOn && this.#encoded.get(key) === encoding) this.#encoded.delete(key);
      // Another call may have been waiting for this one, which its own caller has stopped.
      if (signal?.aborted || !(error instanceof SpecterError && error.code === 'aborted')) throw error;
      return this.#encode(labels, { task, adapter, similarity, onProgress, signal });
    }
  }

  /** For a head that nobody has given a name. */
  #freeName() {
    const taken = [...this.#info.heads, ...this.#coming].map(({ name }) => name);
    let name = 'fitted';
    for (let count = 2; taken.includes(name); count++) name = `fitted ${count}`;
    return name;
  }

  /**
   * How vectors are meant to be compared.
   *
   * @param {string | null} [task]
   */
  #similarity(task) {
    return this.#knownSimilarity(task) ?? 'cosine';
  }

  /**
   * @param {string | null} [task]
   * @returns {Similarity | null} null: nobody has said it
   */
  #knownSimilarity(task) {
    const { preset, tasks } = this.#origin;
    const own = typeof task === 'string' && Object.hasOwn(tasks, task) ? tasks[task]?.similarity : undefined;
    return own ?? preset?.similarity ?? null;
  }

  /**
   * A head that a call brings. Until it is there, its name is given to no other.
   *
   * @param {string} name
   * @param {() => Promise<Outcome>} call
   * @returns {Promise<Head>}
   */
  async #bring(name, call) {
    const coming = { name };
    this.#coming.add(coming);
    try {
      const { head, info } = await call();
      const loaded = /** @type {HeadInfo} */ (info.heads.find((head) => head.name === name));
      return new Head(this, loaded, head ?? null);
    } finally {
      this.#coming.delete(coming);
    }
  }

  /**
   * Forgets an adapter and frees its weights, and with it the heads that read its vectors.
   *
   * @param {string} name
   * @returns {Promise<void>}
   * @throws {SpecterError}
   */
  async unloadAdapter(name) {
    checkKind('name', name, 'string');
    this.#encoded.clear();
    await this.#call({}, () => ({ type: 'unloadAdapter', name }));
  }

  /**
   * What is loaded and where it runs, as of the last call that ended well.
   *
   * @returns {Info}
   * @throws {SpecterError} `disposed`
   */
  info() {
    if (this.#closing.signal.aborted) throw abortError(this.#closing.signal);
    const tasks = this.#info.tasks.map((task) => ({ ...task, similarity: this.#knownSimilarity(task.name) }));
    return { ...this.#info, tasks, preset: this.#origin.preset?.name ?? null, similarity: this.#knownSimilarity() };
  }

  /**
   * Frees the device, the memory and the worker. Calls that are under way reject with code `disposed`, and
   * so does every later one. Disposing again is harmless.
   *
   * @returns {Promise<void>}
   */
  dispose() {
    this.#closing.abort(new SpecterError('disposed', 'This Specter has been disposed of. Load the model again to use it.'));
    this.#disposal ??= this.#engine.dispose();
    return this.#disposal;
  }

  /**
   * @param {{ signal?: AbortSignal, onProgress?: OnProgress }} options
   * @param {() => Call} call  made here, so that its checks come after those for a disposed or aborted call
   * @returns {Promise<Outcome>}
   */
  async #call({ signal: asked, onProgress }, call) {
    const closing = this.#closing.signal;
    const signal = asked ? AbortSignal.any([closing, asked]) : closing;
    if (signal.aborted) throw abortError(signal);
    const outcome = await this.#engine.call(call(), { signal, onProgress: reporter(onProgress) });
    if (signal.aborted) throw abortError(signal);
    this.#info = outcome.info;
    return outcome;
  }
}

/**
 * @param {Scores} scores
 * @param {readonly string[]} names
 * @returns {Score[][]}
 */
function labelled({ counts, labels, scores }, names) {
  let at = 0;
  return Array.from(counts, (count) => Array.from({ length: count }, () => {
    const score = { label: names[/** @type {number} */ (labels[at])] ?? '', score: /** @type {number} */ (scores[at]) };
    at += 1;
    return score;
  }));
}

/**
 * By which way of the model papers become vectors, as the engine is told it.
 *
 * @param {string | null | undefined} task
 * @param {string | null | undefined} adapter
 * @returns {{ task?: string, adapter?: string | null }}
 */
function wayOf(task, adapter) {
  if (typeof task === 'string') return { task };
  return adapter === undefined ? {} : { adapter };
}

/**
 * What the engine knows of tasks; how vectors are compared is the page's to know.
 *
 * @param {Record<string, Task>} tasks
 */
function forEngine(tasks) {
  return Object.fromEntries(Object.entries(tasks).map(([name, { similarity: _, ...task }]) => [name, withoutUndefined(task)]));
}

/**
 * @template {object} T
 * @param {T} options
 * @returns {T}
 */
function withoutUndefined(options) {
  return /** @type {T} */ (Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
}

/**
 * A caller's mistake in its own callback is the caller's to see, and no reason for the engine to fail.
 *
 * @param {OnProgress | undefined} onProgress
 * @returns {OnProgress}
 */
function reporter(onProgress) {
  if (!onProgress) return () => {};
  return (progress) => {
    try {
      onProgress(progress);
    } catch (error) {
      reportError(error);
    }
  };
}
