/**
 * The engine in this thread: owns the WebAssembly `Engine`, lets one call in at a time, and knows when it
 * has crashed. A worker runs exactly this; with `worker: false` the page does.
 *
 * @module
 */

import init, { Engine, Sha256 } from './wasm/specter_web.js';
import { abortError, untilAborted } from './abort.js';
import { learn } from './fit.js';
import { byOwnRows, FORMAT } from './heads.js';
import { withFolder } from './cache/ready.js';
import { browserStore, storeBehind } from './cache/store.js';
import { isTrap, SpecterError } from './errors.js';
import { tuningIn } from './cache/tuning.js';
import { CpuProcessor } from './cpu/processor.js';
import { chooseDevice } from './device.js';
import { startedOnce } from './module.js';
import { withSubgroups } from './webgpu.js';

/** @import { Choice } from './device.js' */
/** @import { Place } from './folder.js' */
/** @import { Call, EngineHandle, EngineInfo, FitCall, HeadOrigin, LoadCall, Outcome } from './protocol.js' */
/** @import { Dtype, OnProgress, SavedHead, Store } from './types.js' */

/** @typedef {{ signal: AbortSignal, onProgress: OnProgress }} CallContext */

/**
 * A loaded model.
 *
 * @typedef {object} Loaded
 * @property {Engine} engine
 * @property {CpuProcessor | null} processor  what it runs on, where that is not the GPU
 * @property {string} reason                  why it runs there
 * @property {Set<number>} labels             the sets of labels that are on the device
 */

/**
 * What it takes to load all of a model again: how it was loaded, what came later, and which heads went.
 *
 * @typedef {LoadCall & { unloaded: string[] }} Origin
 */

/** How many sets of labels stay on the device. */
const KEPT_LABELS = 4;

/** How often a GPU is lost before the CPU takes over. */
const LOSSES = 2;

/**
 * Fires when the engine has crashed in this thread, with the error that every call in it gets from then on. Its
 * one WebAssembly instance serves all models of the thread, and is in no known state after a trap.
 */
const crash = new AbortController();

/** @implements {EngineHandle} */
export class LocalEngine {
  /** @type {Loaded | null} */
  #loaded = null;
  /** @type {Store | null} */
  #store = null;
  /** How the model was loaded, and the adapters and heads that came later: what it takes to load all of it again. */
  /** @type {Origin | null} */
  #origin = null;
  /** How often the GPU was lost. */
  #losses = 0;
  /** @type {string | null}  why the GPU is not to be tried again */
  #givenUp = null;
  /** Settles when the last call in line has left the engine. */
  #line = Promise.resolve();
  /** Fires when the engine is disposed of. */
  #closing = new AbortController();
  /** Fires when no call can be answered any more, with the error that every one gets from then on. */
  #ended = AbortSignal.any([this.#closing.signal, crash.signal]);
  /** @type {((error: SpecterError) => void) | undefined} */
  #onCrash;

  /** @param {(error: SpecterError) => void} [onCrash]  given in a worker of ours, which a crash is the end of */
  constructor(onCrash) {
    this.#onCrash = onCrash;
    globalThis.addEventListener('error', this.#watch);
    globalThis.addEventListener('unhandledrejection', this.#watch);
  }

  /**
   * @param {Call} call
   * @param {CallContext} context
   * @returns {Promise<Outcome>}
   */
  call(call, { signal, onProgress }) {
    return this.#inTurn(signal, (/** @type {AbortSignal} */ stop) => {
      const context = {
        signal: stop,
        /** @type {OnProgress} */
        onProgress: (progress) => {
          if (!stop.aborted) onProgress(progress);
        },
      };
      return this.#perform(call, context);
    });
  }

  /** @returns {Promise<void>} */
  async dispose() {
    this.#closing.abort(new SpecterError('disposed', 'This Specter has been disposed of. Load the model again to use it.'));
    // Rust still holds the engine while a call is inside. One that has trapped never leaves.
    await untilAborted(this.#line, crash.signal).catch(() => {});
    this.#free();
    globalThis.removeEventListener('error', this.#watch);
    globalThis.removeEventListener('unhandledrejection', this.#watch);
  }

  /** Frees what is loaded, unless a trap has left it in no known state. */
  #free() {
    if (!crash.signal.aborted) this.#loaded?.engine.free();
    this.#loaded?.processor?.dispose();
    this.#loaded = null;
  }

  /**
   * @param {Call} call
   * @param {CallContext} context
   * @returns {Promise<Outcome>}
   */
  async #perform(call, context) {
    if (call.type === 'load') {
      this.#store = storeFor(call.cache);
      this.#origin = { ...call, adapters: [...call.adapters], heads: [...call.heads], unloaded: [] };
    }
    const origin = this.#origin;
    if (!origin) throw new SpecterError('internal', 'The engine was called before its model was loaded.');
    for (;;) {
      try {
        this.#loaded ??= await load(origin, await this.#choose(origin), this.#store, context);
        const answer = await this.#answer(call, this.#loaded, origin, context);
        return { ...answer, info: this.#info(this.#loaded) };
      } catch (error) {
        const goesOn = origin.options.device === 'auto' && !this.#givenUp && this.#fails(SpecterError.from(error));
        if (!goesOn) throw error;
        this.#free();
      }
    }
  }

  /**
   * Whether an error is the GPU's fault, and whether it is the last one.
   *
   * @param {SpecterError} error
   */
  #fails({ code, message }) {
    if (code === 'device-lost' && ++this.#losses >= LOSSES) this.#givenUp = `The GPU was lost ${this.#losses} times.`;
    if (code === 'webgpu-unavailable') this.#givenUp = message;
    return code === 'device-lost' || code === 'webgpu-unavailable';
  }

  /**
   * @param {Origin} origin
   * @returns {Promise<Choice>}
   */
  async #choose({ options }) {
    /** @type {Choice} */
    const choice = this.#givenUp ? { kind: 'wasm', reason: this.#givenUp } : await chooseDevice(options.device);
    const goesOver = choice.kind === 'wasm' && (this.#losses > 0 || this.#givenUp);
    if (goesOver) console.warn(`specter-web goes on on the CPU. ${choice.reason}`);
    return choice;
  }

  /**
   * @param {Call} call
   * @param {Loaded} loaded
   * @param {Origin} origin  in which it is noted what is loaded and unloaded
   * @param {CallContext} context
   * @returns {Promise<Omit<Outcome, 'info'>>}
   */
  async #answer(call, { engine, labels }, origin, context) {
    const { adapters, heads } = origin;
    const callbacks = callbacksOf(context);
    switch (call.type) {
      case 'load':
        return {};
      case 'loadAdapter':
        await loadAdapter(engine, call.name, call.place, this.#store, context);
        origin.adapters = [...adapters.filter(([name]) => name !== call.name), [call.name, call.place]];
        this.#noteHeads(engine, origin, call.name);
        return {};
      case 'unloadAdapter':
        engine.unloadAdapter(call.name);
        origin.adapters = adapters.filter(([name]) => name !== call.name);
        this.#noteHeads(engine, origin);
        return {};
      case 'loadHead': {
        const { head } = call;
        await loadHead(engine, head, this.#store, context);
        origin.heads = [...heads.filter(({ name }) => name !== head.name), head];
        this.#noteHeads(engine, origin);
        return typeof head.from === 'string' ? { head: JSON.parse(head.from) } : {};
      }
      case 'unloadHead':
        engine.unloadHead(call.name);
        // One that came with the model or an adapter would come with it again.
        origin.unloaded = [...origin.unloaded, call.name];
        this.#noteHeads(engine, origin);
        return {};
      case 'embed': {
        const { data, dims } = await engine.embed(call.papers, { ...call.options, ...callbacks });
        return { embeddings: { data, dims }, ...(call.describes && { input: engine.input(call.options) }) };
      }
      case 'classify':
        return { scores: await engine.classify(call.papers, { ...byOwnRows(call.options, heads, engine.info().heads), ...callbacks }) };
      case 'fit': {
        const head = await fit(engine, call, context);
        const from = JSON.stringify(head);
        await engine.loadHead(call.name, from, {});
        origin.heads = [...heads.filter(({ name }) => name !== call.name), { name: call.name, from, options: {} }];
        this.#noteHeads(engine, origin);
        return { head };
      }
      case 'rankLabels': {
        const { number, contents } = call;
        if (!labels.has(number)) {
          if (!contents) return {};
          await engine.loadLabels(number, contents.labels, contents.vectors, contents.input, contents.similarity);
        }
        // The one used last comes last.
        labels.delete(number);
        labels.add(number);
        for (const oldest of labels) {
          if (labels.size <= KEPT_LABELS) break;
          engine.unloadLabels(oldest);
          labels.delete(oldest);
        }
        return { scores: await engine.rankLabels(call.papers, number, { ...call.options, ...callbacks }) };
      }
    }
  }

  /**
   * Heads go with the adapters that they read, and an adapter's own head takes the place of one of its name.
   *
   * @param {Engine} engine
   * @param {Origin} origin
   * @param {string} [adapter]  that has just been loaded
   */
  #noteHeads(engine, origin, adapter) {
    const heads = new Map(engine.info().heads.map((head) => [head.name, head.adapter]));
    const isOwn = (/** @type {string} */ name) => name === adapter && heads.get(name) === adapter;
    origin.heads = origin.heads.filter(({ name }) => heads.has(name) && !isOwn(name));
    origin.unloaded = origin.unloaded.filter((name) => !heads.has(name));
  }

  /**
   * @param {Loaded} loaded
   * @returns {EngineInfo}
   */
  #info({ engine, reason }) {
    const info = engine.info();
    return { ...info, device: { ...info.device, reason } };
  }

  /**
   * Runs `work` when every call before it has left. A call that is aborted while it waits leaves the line at
   * once; one that is aborted inside is answered at once, and the next one waits until the engine has stopped.
   *
   * @param {AbortSignal} asked
   * @param {(stop: AbortSignal) => Promise<Outcome>} work
   * @returns {Promise<Outcome>}
   */
  async #inTurn(asked, work) {
    const stop = AbortSignal.any([asked, this.#ended]);
    const before = this.#line;
    /** @type {() => void} */
    let leave = () => {};
    const left = new Promise((/** @type {(value: void) => void} */ resolve) => (leave = resolve));
    this.#line = before.then(() => left);
    try {
      await untilAborted(before, stop);
    } catch (error) {
      leave();
      throw error;
    }
    const inside = work(stop).catch((error) => {
      throw isTrap(error) ? this.#crash(error) : SpecterError.from(error);
    });
    inside.then(leave, leave);
    return untilAborted(inside, stop);
  }

  /**
   * A trap inside an asynchronous Rust function surfaces here: the promise that JavaScript holds never
   * settles, because the code that would settle it is what trapped.
   *
   * @param {Event} event
   */
  #watch = (event) => {
    const error = event instanceof ErrorEvent ? event.error : /** @type {PromiseRejectionEvent} */ (event).reason;
    if (!isTrap(error)) return;
    // A page may run other WebAssembly; a worker of ours runs only this.
    if (!this.#onCrash && !error.stack?.includes('specter_web')) return;
    this.#crash(error);
  };

  /**
   * @param {Error} trap
   * @returns {SpecterError}
   */
  #crash(trap) {
    if (crash.signal.aborted) return abortError(crash.signal);
    const error = this.#onCrash
      ? SpecterError.from(trap)
      : new SpecterError(
          'internal',
          `The engine crashed on this page (${trap.message}). Reload the page, or use worker: true; this is a defect worth reporting.`,
          { cause: trap },
        );
    crash.abort(error);
    this.#onCrash?.(error);
    return error;
  }
}

/**
 * @param {import('./protocol.js').LoadCall['cache']} cache
 * @returns {Store | null}
 */
function storeFor(cache) {
  if (typeof cache === 'boolean') return cache ? browserStore : null;
  return cache instanceof MessagePort ? storeBehind(cache) : cache;
}

/**
 * @param {Origin} origin
 * @param {Choice} choice
 * @param {Store | null} store
 * @param {CallContext} context
 * @returns {Promise<Loaded>}
 */
async function load({ model, adapters, heads, unloaded, options }, choice, store, context) {
  const { signal } = context;
  const { threads, device, ...rest } = options;
  const starting = choice.kind === 'wasm' ? CpuProcessor.start(threads) : undefined;
  /** @type {Engine | null} */
  let engine = null;
  try {
    const [processor] = await Promise.all([starting, startWasm()]);
    engine = choice.kind === 'wasm'
      ? await loadModel(model, { ...rest, processor }, store, context)
      : await loadOnGpu(model, rest, choice.adapter, store, context);
    for (const [name, place] of adapters) await loadAdapter(engine, name, place, store, context);
    for (const head of heads) await loadHead(engine, head, store, context);
    for (const name of unloaded) {
      // What brought it may have gone as well.
      if (engine.info().heads.some((head) => head.name === name)) engine.unloadHead(name);
    }
    if (signal.aborted) throw abortError(signal);
    return { engine, processor: processor ?? null, reason: choice.reason, labels: new Set() };
  } catch (error) {
    // After a trap, of this call or another's, Rust's own state is not to be touched.
    if (!isTrap(error) && !crash.signal.aborted) engine?.free();
    void starting?.then((processor) => processor.dispose(), () => {});
    throw error;
  }
}

/**
 * With the kernels that were found to be the fastest before, or finding them now.
 *
 * @param {Place} model
 * @param {Omit<LoadCall['options'], 'device'>} options
 * @param {import('./webgpu.js').Adapter} adapter
 * @param {Store | null} store
 * @param {CallContext} context
 * @returns {Promise<Engine>}
 */
async function loadOnGpu(model, options, adapter, store, context) {
  const { features = {}, tuning = 'measured' } = options;
  const found = tuning === 'measured' ? tuningIn(store, { ...adapter, features, version: Engine.version() }) : null;
  const known = await found?.recall();
  const load = () => loadModel(model, { ...options, ...(known && { tuning: known }), adapter }, store, context);
  const engine = await (adapter.subgroups && features.subgroups !== false ? withSubgroups(load) : load());
  if (known) await found?.remember(known, engine.info().tuning);
  return engine;
}

/**
 * @param {Place} model
 * @param {import('./wasm/specter_web.js').EngineLoadOptions} options
 * @param {Store | null} store
 * @param {CallContext} context
 * @returns {Promise<Engine>}
 */
function loadModel(model, options, store, context) {
  const { onProgress, signal } = context;
  const shouldStop = () => signal.aborted;
  const dtype = /** @type {Dtype} */ (options.dtype ?? 'q8');
  return readyFolder(model, dtype, store, context, (folder) => {
    // In a folder that was converted, weights are called as usual.
    const named = folder.weights === undefined ? {} : { weights: folder.weights };
    return Engine.load(folder, { ...options, ...named, onProgress, shouldStop });
  });
}

/**
 * @param {Engine} engine
 * @param {string} name
 * @param {Place} place
 * @param {Store | null} store
 * @param {CallContext} context
 * @returns {Promise<void>}
 */
function loadAdapter(engine, name, place, store, context) {
  return readyFolder(place, 'adapter', store, context, (folder) => engine.loadAdapter(name, folder, () => context.signal.aborted));
}

/**
 * @param {Engine} engine
 * @param {HeadOrigin} head
 * @param {Store | null} store
 * @param {CallContext} context
 * @returns {Promise<void>}
 */
function loadHead(engine, { name, from, options }, store, context) {
  if (typeof from === 'string') return engine.loadHead(name, from, options);
  return readyFolder(from, 'head', store, context, (folder) => engine.loadHead(name, folder, options));
}

/**
 * What the engine asks and tells while papers become vectors.
 *
 * @param {CallContext} context
 */
function callbacksOf({ signal, onProgress }) {
  return {
    shouldStop: () => signal.aborted,
    onProgress: (/** @type {number} */ loaded, /** @type {number} */ total) => onProgress({ phase: 'embed', loaded, total }),
  };
}

/**
 * Papers become vectors here, and what is learned of them in a module of its own.
 *
 * @param {Engine} engine
 * @param {FitCall} call
 * @param {CallContext} context
 * @returns {Promise<SavedHead>}
 */
async function fit(engine, { papers, targets, options, choices }, context) {
  const vectors = await engine.embed(papers, { ...options, ...callbacksOf(context) });
  const learned = await learn(vectors, targets, choices, context);
  if (context.signal.aborted) throw abortError(context.signal);
  return { format: FORMAT, ...learned, input: engine.input(options) };
}

/**
 * @template T
 * @param {Place} place
 * @param {Dtype | 'adapter' | 'head'} dtype
 * @param {Store | null} store
 * @param {CallContext} context
 * @param {(folder: import('./wasm/specter_web.js').Folder & { weights?: string }) => Promise<T>} use
 * @returns {Promise<T>}
 */
function readyFolder(place, dtype, store, context, use) {
  const shouldStop = () => context.signal.aborted;
  const convert = (
    /** @type {import('./wasm/specter_web.js').Folder} */ folder,
    /** @type {import('./wasm/specter_web.js').FolderSink} */ sink,
    /** @type {import('./wasm/specter_web.js').EngineConvertOptions} */ options,
  ) => Engine.convert(folder, sink, { ...options, shouldStop });
  return withFolder(place, dtype, { ...context, Sha256, store, convert }, use);
}

const startWasm = startedOnce(() => new URL('./wasm/specter_web_bg.wasm', import.meta.url), init);
