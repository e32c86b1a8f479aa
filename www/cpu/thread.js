/**
 * A thread of the CPU: waits for work, does its part of it, and waits again, until it is ended from outside.
 *
 * @module
 */

import { reportFailure, WORDS } from './crew.js';

/** @import { Exports } from './modules.js' */

/**
 * @typedef {{ module: WebAssembly.Module, memory: WebAssembly.Memory, words: Int32Array, thread: number, stack: number }} ToThread
 * @typedef {{ ready: boolean }} FromThread
 */

addEventListener('message', ({ data }) => {
  const { module, memory, words, thread, stack } = /** @type {ToThread} */ (data);
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const exports = /** @type {Exports} */ (/** @type {unknown} */ (instance.exports));
  exports.__stack_pointer.value = stack;
  postMessage(/** @type {FromThread} */ ({ ready: true }));
  for (let calls = 0; ; ) {
    Atomics.wait(words, WORDS.calls, calls);
    calls = Atomics.load(words, WORDS.calls);
    Atomics.add(words, WORDS.inside, 1);
    if (Atomics.load(words, WORDS.open) === 1) join(exports, memory, Atomics.load(words, WORDS.work) >>> 0, thread);
    Atomics.sub(words, WORDS.inside, 1);
  }
}, { once: true });

/**
 * @param {Exports} exports
 * @param {WebAssembly.Memory} memory
 * @param {number} work
 * @param {number} thread
 */
function join(exports, memory, work, thread) {
  try {
    exports.join(work, thread);
  } catch {
    reportFailure(memory, work);
  }
}
