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
    const work = Atomics.load(words, WORDS.work);
    try {
      exports.join(work, thread);
    } catch {
      reportFailure(memory, work);
    }
    Atomics.add(words, WORDS.left, 1);
  }
}, { once: true });
