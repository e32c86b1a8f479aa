/**
 * Where a model runs, and why. Asked before anything is downloaded.
 *
 * @module
 */

import { SpecterError } from './errors.js';
import { findAdapter } from './webgpu.js';

/** @import { Device } from './types.js' */
/** @import { Adapter } from './webgpu.js' */

/** @typedef {{ kind: 'webgpu', adapter: Adapter, reason: string } | { kind: 'wasm', reason: string }} Choice */

/**
 * A GPU where there is one. Software that stands in for one computes on the CPU too, many times slower than kernels
 * that are made for it.
 *
 * @param {Device} [asked]
 * @returns {Promise<Choice>}
 * @throws {SpecterError} `webgpu-unavailable` where it was asked for and there is none
 */
export async function chooseDevice(asked = 'auto') {
  if (asked === 'wasm') return { kind: 'wasm', reason: "It was asked for by device: 'wasm'." };
  const adapter = await findAdapter();
  if ('missing' in adapter) {
    if (asked === 'auto') return { kind: 'wasm', reason: adapter.missing };
    throw new SpecterError('webgpu-unavailable', `${adapter.missing} The option device: 'wasm' does without, on the CPU.`);
  }
  const name = adapter.name || 'The graphics adapter';
  if (!adapter.software) return { kind: 'webgpu', adapter, reason: `${name} is a GPU.` };
  if (asked === 'auto') return { kind: 'wasm', reason: `${name} is software, slower than the CPU by itself.` };
  console.warn(`specter-web runs on ${name}, which is software. The CPU by itself is many times faster: device: 'auto' or 'wasm'.`);
  return { kind: 'webgpu', adapter, reason: "It was asked for by device: 'webgpu'." };
}
