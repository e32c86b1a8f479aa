/**
 * Is there a WebGPU here at all, and whose is it? Asked before anything is downloaded.
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

/**
 * Who the adapter is. The engine's own view of it is the description alone, which most browsers leave empty.
 *
 * @param {import('./types.js').Device} [device]
 * @returns {Promise<{ name: string, vendor: string } | undefined>} `undefined` where the browser does not say
 * @throws {SpecterError} `webgpu-unavailable` where there is none
 */
export async function describeAdapter(device) {
  if (device === 'wasm') return undefined;
  /** @type {GPU | undefined} */
  const gpu = Reflect.get(navigator, 'gpu');
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) {
    throw new SpecterError(
      'webgpu-unavailable',
      "This browser offers WebGPU but no graphics adapter for it. Check that hardware acceleration is on in its settings. The option device: 'wasm' does without, and is much slower.",
    );
  }
  const told = (/** @type {keyof GPUAdapterInfo} */ key) => String(adapter.info?.[key] ?? '').trim();
  const vendor = told('vendor');
  const name = [told('description') || told('device'), told('architecture')].filter(Boolean).join(', ') || vendor;
  return name ? { name, vendor } : undefined;
}
