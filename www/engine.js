/**
 * The engine in this thread: owns the WebAssembly `Engine`, lets one call in at a time, and knows when it
 * has crashed. A worker runs exactly this; with `worker: false` the page does.
 *
 * @module
 */

import init, { Engine, Sha256 } from './wasm/specter_web.js';
import { abortError, untilAborted } from './abort.js';
import { withFolder } from './cache/ready.js';
import { browserStore, storeBehind } from './cache/store.js';
import { isTrap, SpecterError } from './errors.js';
import { tuningIn } from './cache/tuning.js';
import { describeAdapter, requireWebGpu, withSubgroups } from './webgpu.js';

/** @import { Place } from './folder.js' */
/** @import { Call, EngineHandle, Outcome } from './protocol.js' */
/** @import { Dtype, OnProgress, Store } from './types.js' */

/** @typedef {{ signal: AbortSignal, onProgress: OnProgress }} CallContext */

/**
 * Fires when the engine has crashed in this thread, with the error that every call in it gets from then on. Its
 * one WebAssembly instance serves all models of the thread, and is in no known state after a trap.
 */
const crash = new AbortController();

/** @implements {EngineHandle} */
export class LocalEngine {
  /** @type {Engine | null} */
  #engine = null;
  /** @type {Store | null} */
  #store = null;
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
    if (!crash.signal.aborted) this.#engine?.free();
    this.#engine = null;
    globalThis.removeEventListener('error', this.#watch);
    globalThis.removeEventListener('unhandledrejection', this.#watch);
  }

  /**
   * @param {Call} call
   * @param {CallContext} context
   * @returns {Promise<Outcome>}
   */
  async #perform(call, context) {
    if (call.type === 'load') {
      this.#store = storeFor(call.cache);
      this.#engine = await loadEngine(call, this.#store, context);
      return { info: this.#engine.info() };
    }
    const engine = this.#engine;
    if (!engine) throw new SpecterError('internal', 'The engine was called before its model was loaded.');
    const shouldStop = () => context.signal.aborted;
    switch (call.type) {
      case 'loadAdapter':
        await loadAdapter(engine, call.name, call.place, this.#store, context);
        return { info: engine.info() };
      case 'unloadAdapter':
        engine.unloadAdapter(call.name);
        return { info: engine.info() };
      case 'embed': {
        const { data, dims } = await engine.embed(call.papers, {
          ...call.options,
          shouldStop,
          onProgress: (/** @type {number} */ loaded, /** @type {number} */ total) =>
            context.onProgress({ phase: 'embed', loaded, total }),
        });
        return { info: engine.info(), embeddings: { data, dims } };
      }
    }
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
 * @param {import('./protocol.js').LoadCall} call
 * @param {Store | null} store
 * @param {CallContext} context
 * @returns {Promise<Engine>}
 */
async function loadEngine({ model, adapters, options }, store, context) {
  const { signal, onProgress } = context;
  const shouldStop = () => signal.aborted;
  requireWebGpu(options.device);
  const [adapter] = await Promise.all([describeAdapter(options.device), startWasm()]);
  const measured = adapter && (options.tuning ?? 'measured') === 'measured';
  const tuning = measured ? tuningIn(store, { ...adapter, features: options.features ?? {}, version: Engine.version() }) : null;
  const known = (await tuning?.recall()) ?? [];
  const engine = await readyFolder(model, options.dtype ?? 'q8', store, context, (folder) => {
    const load = () => Engine.load(folder, { ...options, ...(tuning && { tuning: known }), adapter, onProgress, shouldStop });
    return adapter?.subgroups && options.features?.subgroups !== false ? withSubgroups(load) : load();
  });
  await tuning?.remember(known, engine.info().tuning);
  try {
    for (const [name, place] of adapters) await loadAdapter(engine, name, place, store, context);
    if (signal.aborted) throw abortError(signal);
    return engine;
  } catch (error) {
    // After a trap, of this call or another's, Rust's own state is not to be touched.
    if (!isTrap(error) && !crash.signal.aborted) engine.free();
    throw error;
  }
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
 * @template T
 * @param {Place} place
 * @param {Dtype | 'adapter'} dtype
 * @param {Store | null} store
 * @param {CallContext} context
 * @param {(folder: import('./wasm/specter_web.js').Folder) => Promise<T>} use
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

/** @type {Promise<unknown> | null} */
let started = null;

/** Compiles the engine once for this thread. */
function startWasm() {
  started ??= compile().catch((error) => {
    started = null;
    throw error;
  });
  return started;
}

async function compile() {
  const url = new URL('./wasm/specter_web_bg.wasm', import.meta.url);
  const file = 'specter_web_bg.wasm';
  let response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new SpecterError('network', `The engine itself could not be read from ${url}. Check the connection.`, { file, cause });
  }
  if (!response.ok) {
    throw new SpecterError(
      'network',
      `The engine itself could not be read from ${url} (HTTP ${response.status}). Serve the folder wasm beside engine.js.`,
      { file },
    );
  }
  try {
    // Compiling while it streams in is only allowed with the right type; some servers do not know it.
    const streams = response.headers.get('content-type')?.startsWith('application/wasm');
    return await init({ module_or_path: streams ? response : await response.arrayBuffer() });
  } catch (cause) {
    throw new SpecterError(
      'internal',
      `The engine from ${url} could not be started (${cause instanceof Error ? cause.message : cause}). If the page has a Content-Security-Policy, its script-src needs 'wasm-unsafe-eval'.`,
      { file, cause },
    );
  }
}
