/**
 * Which of the CPU's modules this browser runs: with the integer products of relaxed SIMD or without, with a memory
 * that threads share or without.
 *
 * @module
 */

import { SpecterError } from '../errors.js';
import { canStream, fetchModule } from '../module.js';

/** Addresses as bundlers know them; only one is ever fetched. */
const MODULES = {
  simd: () => new URL('../wasm/cpu_simd.wasm', import.meta.url),
  simdThreads: () => new URL('../wasm/cpu_simd_threads.wasm', import.meta.url),
  relaxed: () => new URL('../wasm/cpu_relaxed.wasm', import.meta.url),
  relaxedThreads: () => new URL('../wasm/cpu_relaxed_threads.wasm', import.meta.url),
};

/** What a module says of itself where its integer products are not exact on this processor. */
const INEXACT = 3;

/**
 * @typedef {object} Exports  what `kernels/src/module.rs` exports
 * @property {() => number} arithmetic
 * @property {(work: number, thread: number) => number} join
 * @property {WebAssembly.Global} __heap_base
 * @property {WebAssembly.Global} __stack_pointer
 */

/**
 * Functions of one instruction each, which only a browser that has it takes for valid: `i8x16.splat`, and
 * `i32x4.relaxed_dot_i8x16_i7x16_add_s`.
 */
const PROBES = {
  simd: [0x41, 0, 0xfd, 0x0f],
  relaxed: [0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x93, 0x02],
};

/** @param {number[]} code */
function isValid(code) {
  const body = [0, ...code, 0x0b];
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const type = [1, 5, 1, 0x60, 0, 1, 0x7b];
  return WebAssembly.validate(new Uint8Array([...header, ...type, 3, 2, 1, 0, 10, body.length + 2, 1, body.length, ...body]));
}

/**
 * Starts the fastest module whose results are exact here.
 *
 * @param {(shared: boolean) => WebAssembly.Memory} makeMemory
 * @param {boolean} shared  whether threads will share its memory
 * @returns {Promise<{ name: string, module: WebAssembly.Module, memory: WebAssembly.Memory, exports: Exports }>}
 * @throws {SpecterError} `wasm-unavailable` where the browser has no vector instructions
 */
export async function startModule(makeMemory, shared) {
  if (!isValid(PROBES.simd)) {
    throw new SpecterError(
      'wasm-unavailable',
      'This browser has no vector instructions in WebAssembly, and without WebGPU nothing else can run a model. Use a current Chrome, Edge, Safari or Firefox.',
    );
  }
  const start = async (/** @type {string} */ name, /** @type {URL} */ url) => {
    const module = await fetchModule(url, async (response) =>
      canStream(response) ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()),
    );
    const memory = makeMemory(shared);
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    return { name, module, memory, exports: /** @type {Exports} */ (/** @type {unknown} */ (exports)) };
  };
  if (isValid(PROBES.relaxed)) {
    const relaxed = await start('relaxed-simd', (shared ? MODULES.relaxedThreads : MODULES.relaxed)());
    if (relaxed.exports.arithmetic() !== INEXACT) return relaxed;
  }
  return start('simd', (shared ? MODULES.simdThreads : MODULES.simd)());
}
