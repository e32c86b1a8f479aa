/**
 * Which of the CPU's modules this browser runs: with the integer products of relaxed SIMD or without, with a memory
 * that threads share or without.
 *
 * @module
 */

import { SpecterError } from '../errors.js';
import { canStream, fetchModule, notStarted } from '../module.js';

/** Addresses as bundlers know them; only one is ever fetched. */
const MODULES = {
  simd: () => new URL('../wasm/cpu_simd.wasm', import.meta.url),
  simdThreads: () => new URL('../wasm/cpu_simd_threads.wasm', import.meta.url),
  relaxed: () => new URL('../wasm/cpu_relaxed.wasm', import.meta.url),
  relaxedThreads: () => new URL('../wasm/cpu_relaxed_threads.wasm', import.meta.url),
};

/** Pages of a memory at first, more than a module asks for. */
export const FIRST_PAGES = 32;

/** Pages of a memory at last. The bytes of one more would not fit into 32 bits. */
export const MOST_PAGES = 65_535;

/** What a module says of itself where its integer products are not exact on this processor. */
const INEXACT = 3;

/**
 * @typedef {object} Exports  what `kernels/src/module.rs` exports
 * @property {() => number} arithmetic
 * @property {(work: number, thread: number) => number} join
 * @property {WebAssembly.Global} __heap_base
 * @property {WebAssembly.Global} __stack_pointer
 */

/** Of `(i32, i32) -> i32`, exported as `f`. */
const PROBES = {
  // i32x4.extract_lane(i8x16.splat(x))
  simd: [0x20, 0, 0xfd, 0x0f, 0xfd, 0x1b, 0],
  // i32x4.extract_lane(i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(x), i8x16.splat(y), i32x4.splat(0)))
  relaxed: [0x20, 0, 0xfd, 0x0f, 0x20, 1, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x11, 0xfd, 0x93, 0x02, 0xfd, 0x1b, 0],
};

/**
 * @param {number[]} code
 * @returns {((x: number, y: number) => number) | null} nothing where the browser does not know an instruction
 * @throws {SpecterError} `internal` where the page may run no WebAssembly
 */
function probe(code) {
  const bytes = new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f,
    3, 2, 1, 0,
    7, 5, 1, 1, 0x66, 0, 0,
    10, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b,
  ]);
  if (!WebAssembly.validate(bytes)) return null;
  try {
    return /** @type {(x: number, y: number) => number} */ (new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f);
  } catch (cause) {
    throw notStarted('WebAssembly', cause);
  }
}

/**
 * Whether products of 8 bits are exact here: with second operands above 127 taken for positive or for negative, which is
 * the processor's choice, but not cut at 16 bits. `kernels/src/simd/wasm.rs` asks the same, and which of the two it is.
 */
function hasExactProducts() {
  const product = probe(PROBES.relaxed);
  return product !== null && [4 * 127 * 255, -4 * 127].includes(product(127, 255));
}

/**
 * Starts the fastest module whose results are exact here.
 *
 * @param {WebAssembly.Memory | null} shared  the memory, if threads will share it
 * @returns {Promise<{ name: string, module: WebAssembly.Module, memory: WebAssembly.Memory, exports: Exports }>}
 * @throws {SpecterError} `wasm-unavailable` where the browser has no vector instructions
 */
export async function startModule(shared) {
  if (!probe(PROBES.simd)) {
    throw new SpecterError(
      'wasm-unavailable',
      'This browser has no vector instructions in WebAssembly, and without WebGPU nothing else can run a model. Use a current Chrome, Edge, Safari or Firefox.',
    );
  }
  const start = async (/** @type {string} */ name, /** @type {URL} */ url) => {
    const module = await fetchModule(url, async (response) =>
      canStream(response) ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()),
    );
    const memory = shared ?? new WebAssembly.Memory({ initial: FIRST_PAGES, maximum: MOST_PAGES });
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    return { name, module, memory, exports: /** @type {Exports} */ (/** @type {unknown} */ (exports)) };
  };
  if (hasExactProducts()) {
    const relaxed = await start('relaxed-simd', (shared ? MODULES.relaxedThreads : MODULES.relaxed)());
    if (relaxed.exports.arithmetic() !== INEXACT) return relaxed;
  }
  return start('simd', (shared ? MODULES.simdThreads : MODULES.simd)());
}
