/**
 * What the threads of a processor share beside its memory: words in which they wait and are counted.
 *
 * @module
 */

/**
 * How many calls there were, which threads wait for another one of; the work of the last one; whether it may be joined;
 * how many threads are at it; and how many words these are.
 *
 * A thread goes inside before it looks whether it may, and the call is closed before anybody counts who is inside: so
 * nobody is at a work that is over, however late a thread wakes up, and no call waits for one that has not come.
 */
export const WORDS = { calls: 0, work: 1, open: 2, inside: 3, count: 4 };

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
