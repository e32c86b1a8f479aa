/**
 * What the threads of a processor share beside its memory: words in which they wait and are counted.
 *
 * @module
 */

/** How many calls there were, the work of the last one, how many threads have left it, and how many words these are. */
export const WORDS = { calls: 0, work: 1, left: 2, count: 3 };

/** Which word of the work is the address of the one for failures; `kernels/src/crew.rs`. */
const FAILED = 3;

/**
 * Tells threads not to wait for one that has failed.
 *
 * @param {WebAssembly.Memory} memory
 * @param {number} work
 */
export function reportFailure(memory, work) {
  const [failed] = new Uint32Array(memory.buffer, work + FAILED * 4, 1);
  Atomics.store(new Int32Array(memory.buffer, failed, 1), 0, 1);
}
