/**
 * specter-web: transformer encoders for scientific papers on WebGPU. Text never leaves the machine.
 *
 * @module
 */

import { abortError, untilAborted } from './abort.js';
import { ModelCache } from './cache/models.js';
import {
  checkCache, checkChoice, checkCount, checkFeatures, checkKind, checkNames, checkPapers, checkTemplate, checkTuning,
} from './checks.js';
import { SpecterError } from './errors.js';
import { adapterPlace, HUB, placesOf, presetOf } from './places.js';
import { RemoteEngine } from './remote.js';
import { importEngine } from './start.js';

/** @import { NamedPreset } from './places.js' */
/** @import { Call, EngineHandle, EngineInfo, Outcome } from './protocol.js' */

export { ModelCache, SpecterError };

/** @typedef {import('./errors.js').SpecterErrorCode} SpecterErrorCode */
/** @typedef {import('./types.js').AdapterOptions} AdapterOptions */
/** @typedef {import('./types.js').AdapterSource} AdapterSource */
/** @typedef {import('./types.js').CachedModel} CachedModel */
/** @typedef {import('./types.js').Device} Device */
/** @typedef {import('./types.js').Dtype} Dtype */
/** @typedef {import('./types.js').Embeddings} Embeddings */
/** @typedef {import('./types.js').EmbedOptions} EmbedOptions */
/** @typedef {import('./types.js').Info} Info */
/** @typedef {import('./types.js').LoadOptions} LoadOptions */
/** @typedef {import('./types.js').OnProgress} OnProgress */
/** @typedef {import('./types.js').Paper} Paper */
/** @typedef {import('./types.js').Pooling} Pooling */
/** @typedef {import('./types.js').Progress} Progress */
/** @typedef {import('./types.js').Similarity} Similarity */
/** @typedef {import('./types.js').Source} Source */
/** @typedef {import('./types.js').Store} Store */

/**
 * A loaded model. Instances are independent: each has its own worker and device.
 *
 * @example
 * const specter = await Specter.load('allenai/specter2_base', {
 *   adapters: { proximity: 'allenai/specter2' },
 * });
 * const { data, dims } = await specter.embed(
 *   [{ title: 'BERT', abstract: 'We introduce…' }, 'a plain string'],
 *   { adapter: 'proximity' },
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
  /** For adapters that come later. */
  #origin;
  #closing = new AbortController();
  /** @type {Promise<void> | null} */
  #disposal = null;

  /**
   * @private
   * @param {EngineHandle} engine
   * @param {EngineInfo} info
   * @param {{ preset: NamedPreset | null, hub: string | URL }} origin
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
   */
  static async load(source, options = {}) {
    checkNames('Specter.load', options, [
      'adapters', 'dtype', 'device', 'worker', 'maxLength', 'tokenBudget', 'template', 'pooling', 'normalize',
      'threads', 'tuning', 'features', 'hub', 'revision', 'headers', 'integrity', 'cache', 'onProgress', 'signal',
    ]);
    const { dtype, device = 'auto', worker = true, maxLength, tokenBudget, threads, tuning, features, hub = HUB, cache = true } = options;
    const preset = presetOf(source);
    const { template = preset?.template, pooling = preset?.pooling, normalize = preset?.normalize } = options;
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
    checkTuning(tuning);
    checkFeatures(features);
    checkCache(cache);
    /** @type {Call} */
    const call = {
      type: 'load',
      ...placesOf(source, options),
      cache,
      options: withoutUndefined({
        dtype, device, maxLength, tokenBudget, threads, template, pooling, normalize, tuning, features,
      }),
    };

    if (worker) {
      const engine = new RemoteEngine();
      try {
        const { info } = await engine.call(call, { signal, onProgress: reporter(options.onProgress) });
        if (signal.aborted) throw abortError(signal);
        return new Specter(engine, info, { preset, hub });
      } catch (error) {
        engine.terminate();
        throw error;
      }
    }
    const { LocalEngine } = await untilAborted(importEngine(), signal);
    const engine = new LocalEngine();
    try {
      const { info } = await engine.call(call, { signal, onProgress: reporter(options.onProgress) });
      return new Specter(engine, info, { preset, hub });
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
   */
  async embed(papers, options = {}) {
    checkNames('embed', options, ['adapter', 'pooling', 'normalize', 'onProgress', 'signal']);
    const { adapter, pooling, normalize } = options;
    checkKind('adapter', adapter ?? undefined, 'string');
    checkKind('pooling', pooling, 'string');
    checkKind('normalize', normalize, 'boolean');
    const { embeddings } = await this.#call(options, () => ({
      type: 'embed',
      papers: checkPapers(papers),
      options: withoutUndefined({ adapter, pooling, normalize }),
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
    await this.#call(options, () => ({
      type: 'loadAdapter',
      name,
      place: adapterPlace(name, source, preset, { hub, revision, headers, integrity }),
    }));
  }

  /**
   * Forgets an adapter and frees its weights.
   *
   * @param {string} name
   * @returns {Promise<void>}
   * @throws {SpecterError}
   */
  async unloadAdapter(name) {
    checkKind('name', name, 'string');
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
    const { name = null, similarity = null } = this.#origin.preset ?? {};
    return { ...this.#info, preset: name, similarity };
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
