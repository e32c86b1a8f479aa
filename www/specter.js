/**
 * specter-web: transformer encoders for scientific papers on WebGPU. Text never leaves the machine.
 *
 * @module
 */

import { abortError, untilAborted } from './abort.js';
import { SpecterError } from './errors.js';
import { placeOf } from './folder.js';
import { RemoteEngine } from './remote.js';
import { importEngine } from './start.js';
import { requireWebGpu } from './webgpu.js';

/** @import { Call, EngineHandle, Outcome } from './protocol.js' */

export { SpecterError };

/** @typedef {import('./errors.js').SpecterErrorCode} SpecterErrorCode */
/** @typedef {import('./types.js').AdapterOptions} AdapterOptions */
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
/** @typedef {import('./types.js').Source} Source */

const DEFAULT_HUB = 'https://huggingface.co';

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
  /** @type {EngineHandle} */
  #engine;
  /** @type {Info} */
  #info;
  /** @type {string | URL} */
  #hub;
  #closing = new AbortController();
  /** @type {Promise<void> | null} */
  #disposal = null;

  /**
   * @private
   * @param {EngineHandle} engine
   * @param {Info} info
   * @param {string | URL} hub
   */
  constructor(engine, info, hub) {
    this.#engine = engine;
    this.#info = info;
    this.#hub = hub;
  }

  /**
   * Loads a model, and adapters with it. Fails as a whole: where anything cannot be loaded, nothing stays.
   *
   * @param {Source} source
   * @param {LoadOptions} [options]
   * @returns {Promise<Specter>}
   * @throws {SpecterError}
   */
  static async load(source, options = {}) {
    checkNames('Specter.load', options, [
      'adapters', 'dtype', 'device', 'worker', 'maxLength', 'tokenBudget', 'hub', 'revision', 'headers', 'onProgress', 'signal',
    ]);
    const { adapters = {}, dtype, device, worker = true, maxLength, tokenBudget, hub = DEFAULT_HUB, revision, headers } = options;
    const signal = options.signal ?? new AbortController().signal;
    if (signal.aborted) throw abortError(signal);
    checkKind('dtype', dtype, 'string');
    checkKind('device', device, 'string');
    checkCount('maxLength', maxLength);
    checkCount('tokenBudget', tokenBudget);
    const model = placeOf(source, { hub, revision, headers });
    /** @type {Call} */
    const call = {
      type: 'load',
      model,
      adapters: Object.entries(adapters).map(([name, from]) => {
        const place = placeOf(from, { hub });
        const sameOrigin = place.kind === 'http' && model.kind === 'http' && new URL(place.base).origin === new URL(model.base).origin;
        return [name, sameOrigin ? { ...place, headers: headers ?? {} } : place];
      }),
      options: withoutUndefined({ dtype, device, maxLength, tokenBudget }),
    };
    requireWebGpu(device);

    if (worker) {
      const engine = new RemoteEngine();
      try {
        const { info } = await engine.call(call, { signal, onProgress: reporter(options.onProgress) });
        if (signal.aborted) throw abortError(signal);
        return new Specter(engine, info, hub);
      } catch (error) {
        engine.terminate();
        throw error;
      }
    }
    const { LocalEngine } = await untilAborted(importEngine(), signal);
    const engine = new LocalEngine();
    try {
      const { info } = await engine.call(call, { signal, onProgress: reporter(options.onProgress) });
      return new Specter(engine, info, hub);
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
   * @param {Source} source
   * @param {AdapterOptions} [options]
   * @returns {Promise<void>}
   * @throws {SpecterError}
   */
  async loadAdapter(name, source, options = {}) {
    checkNames('loadAdapter', options, ['revision', 'headers', 'onProgress', 'signal']);
    const { revision, headers } = options;
    checkKind('name', name, 'string');
    await this.#call(options, () => ({
      type: 'loadAdapter',
      name,
      place: placeOf(source, { hub: this.#hub, revision, headers }),
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
    return this.#info;
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
 * A misspelt option would otherwise be ignored without a word.
 *
 * @param {string} where
 * @param {object} options
 * @param {string[]} known
 */
function checkNames(where, options, known) {
  if (typeof options !== 'object' || options === null) {
    throw new SpecterError('invalid-option', `The options of ${where} are an object.`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SpecterError('invalid-option', `${where} has no option “${unknown}”. It has ${known.join(', ')}.`);
  }
}

/**
 * @param {string} name
 * @param {number | undefined} value
 */
function checkCount(name, value) {
  if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
    throw new SpecterError('invalid-option', `${name} is a whole number of tokens, at least 1; ${String(value)} is not.`);
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {'string' | 'boolean'} kind
 */
function checkKind(name, value, kind) {
  if (value !== undefined && typeof value !== kind) {
    throw new SpecterError('invalid-option', `${name} is a ${kind}; it was given ${kindOf(value)}.`);
  }
}

/**
 * The papers as plain strings and objects with nothing but a title and an abstract, which a message can carry.
 *
 * @param {unknown} papers
 * @returns {(string | Paper)[]}
 */
function checkPapers(papers) {
  const list = Array.isArray(papers) ? papers : [papers];
  return list.map((paper, index) => {
    const which = Array.isArray(papers) ? `papers[${index}]` : 'The paper';
    if (typeof paper === 'string') return paper;
    if (typeof paper !== 'object' || paper === null || Array.isArray(paper)) {
      throw new SpecterError('invalid-input', `${which} is ${kindOf(paper)}. Give a string, or an object with a title and an abstract.`);
    }
    if (!('title' in paper) && !('abstract' in paper)) {
      throw new SpecterError('invalid-input', `${which} has neither a title nor an abstract. Give at least one of them, or a plain string.`);
    }
    const { title = null, abstract = null } = /** @type {{ title?: unknown, abstract?: unknown }} */ (paper);
    for (const [part, text] of Object.entries({ title, abstract })) {
      if (text !== null && typeof text !== 'string') {
        throw new SpecterError('invalid-input', `The ${part} of ${which} is ${kindOf(text)}. Give a string, or leave it out.`);
      }
    }
    return /** @type {Paper} */ ({ title, abstract });
  });
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function kindOf(value) {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
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
