/**
 * The CPU as a device of its own: a WebAssembly module beside the engine's with a memory of its own, which the engine
 * fills and gives lists of commands to; and threads, where the page may share memory.
 *
 * @module
 */

import { SpecterError } from '../errors.js';
import { startFromAnywhere } from '../elsewhere.js';
import { reportFailure, WORDS } from './crew.js';
import { FIRST_PAGES, MOST_PAGES, startModule } from './modules.js';

/** @import { Exports } from './modules.js' */
/** @import { Processor } from '../wasm/specter_web.js' */
/** @import { FromThread, ToThread } from './thread.js' */

const PAGE = 65_536;


/** Bytes of a thread's stack, as much as a module reserves for its own. */
const STACK = 65_536;

/** Threads that are started unless the caller says how many: more gain little, and leave nothing for others. */
const USUAL_THREADS = 8;

/** Milliseconds in which a thread has to come to work. */
const START = 10_000;

/** @implements {Processor} */
export class CpuProcessor {
  /** @type {Exports} */
  #exports;
  #memory;
  /** Of all memory, as long as it does not grow. */
  #bytes = new Uint8Array();
  /** @type {Worker[]} */
  #workers = [];
  /** @type {Int32Array} */
  #words = new Int32Array(0);

  /**
   * @private
   * @param {Awaited<ReturnType<typeof startModule>>} started
   */
  constructor({ name, memory, exports }) {
    this.#exports = exports;
    this.#memory = memory;
    this.instructions = name;
    this.arithmetic = exports.arithmetic();
    this.firstAddress = exports.__heap_base.value;
    this.threads = 1;
  }

  /**
   * @param {number} [most]  threads that are started, at most and never more than the processor runs at a time
   * @returns {Promise<CpuProcessor>}
   * @throws {SpecterError} `wasm-unavailable`, `network`, `internal`
   */
  static async start(most = USUAL_THREADS) {
    const threads = Math.min(most, navigator.hardwareConcurrency || 1);
    const shared = threads > 1 && globalThis.crossOriginIsolated === true ? makeSharedMemory() : null;
    const started = await startModule(shared);
    const processor = new CpuProcessor(started);
    if (shared) await processor.#startThreads(started.module, threads - 1);
    return processor;
  }

  /**
   * Starts threads, and goes on with those that come.
   *
   * @param {WebAssembly.Module} module
   * @param {number} count
   */
  async #startThreads(module, count) {
    this.#words = new Int32Array(new SharedArrayBuffer(WORDS.count * 4));
    const stacks = this.firstAddress;
    this.firstAddress += count * STACK;
    if (!this.grow(this.firstAddress)) return;
    const come = Array.from({ length: count }, async (_, index) => {
      const worker = startFromAnywhere(() => new Worker(new URL('./thread.js', import.meta.url), { type: 'module' }));
      /** @type {ToThread} */
      const message = {
        module, memory: this.#memory, words: this.#words, thread: index + 1, stack: stacks + (index + 1) * STACK,
      };
      worker.postMessage(message);
      const ready = await new Promise((resolve) => {
        worker.addEventListener('message', (/** @type {MessageEvent<FromThread>} */ { data }) => resolve(data.ready));
        worker.addEventListener('error', (event) => {
          event.preventDefault();
          resolve(false);
        });
        setTimeout(() => resolve(false), START);
      });
      if (!ready) return worker.terminate();
      this.#workers.push(worker);
      this.threads = Math.max(this.threads, index + 2);
    });
    await Promise.allSettled(come);
  }

  /** @param {number} bytes */
  grow(bytes) {
    const missing = bytes - this.#memory.buffer.byteLength;
    if (missing <= 0) return true;
    try {
      this.#memory.grow(Math.ceil(missing / PAGE));
      return true;
    } catch {
      return false;
    }
  }

  /**
   * @param {number} address
   * @param {Uint8Array} bytes
   */
  write(address, bytes) {
    this.#all().set(bytes, address);
  }

  /**
   * @param {number} address
   * @param {Uint8Array} bytes
   */
  read(address, bytes) {
    bytes.set(this.#all().subarray(address, address + bytes.length));
  }

  /**
   * @param {number} work
   * @throws {SpecterError} `internal`
   */
  execute(work) {
    const words = this.#words;
    const alone = this.#workers.length === 0;
    if (!alone) {
      Atomics.store(words, WORDS.work, work);
      Atomics.store(words, WORDS.open, 1);
      Atomics.add(words, WORDS.calls, 1);
      Atomics.notify(words, WORDS.calls);
    }
    let trap = null;
    try {
      if (!this.#exports.join(work, 0)) trap = new Error('in a thread');
    } catch (error) {
      trap = error;
      if (!alone) reportFailure(this.#memory, work);
    }
    if (!alone) {
      Atomics.store(words, WORDS.open, 0);
      // What they read must not change until all have left.
      while (Atomics.load(words, WORDS.inside) > 0);
    }
    if (trap) {
      throw new SpecterError('internal', `A kernel stopped (${trap}). Load the model again to go on; this is a defect worth reporting.`, { cause: trap });
    }
  }

  /** Ends the threads; the memory goes with whoever holds this. */
  dispose() {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
  }

  #all() {
    const { buffer } = this.#memory;
    if (this.#bytes.length !== buffer.byteLength) this.#bytes = new Uint8Array(buffer);
    return this.#bytes;
  }
}

/**
 * A memory that may grow to all that can be addressed, or to as much as the browser promises; nothing where it promises
 * none.
 */
function makeSharedMemory() {
  for (let maximum = MOST_PAGES; maximum > 8192; maximum = Math.floor(maximum / 2)) {
    try {
      return new WebAssembly.Memory({ initial: FIRST_PAGES, maximum, shared: true });
    } catch {
      // Less, then.
    }
  }
  return null;
}
