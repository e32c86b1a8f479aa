/**
 * Is there a WebGPU here at all? Asked before anything is downloaded.
 *
 * @module
 */

import { SpecterError } from './errors.js';

/**
 * @param {import('./types.js').Device} [device]
 * @returns {void}
 * @throws {SpecterError} `webgpu-unavailable`
 */
export function requireWebGpu(device) {
  if (device === 'wasm' || Reflect.get(navigator, 'gpu')) return;
  throw new SpecterError(
    'webgpu-unavailable',
    globalThis.isSecureContext === false
      ? 'WebGPU is only offered to pages served over https or from localhost, and this page is neither. Serve it over https.'
      : "This browser offers no WebGPU. Use a current Chrome, Edge, Safari or Firefox, and check that hardware acceleration is on in its settings. The option device: 'wasm' does without, and is much slower.",
  );
}
