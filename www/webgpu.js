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
 * Who the adapter is, and what it has that the engine cannot see: its own view is a description, which most browsers
 * leave empty, and no more features than wgpu knows by name.
 *
 * @param {import('./types.js').Device} [device]
 * @returns {Promise<{ name: string, vendor: string, subgroups: boolean, integerDot: boolean } | undefined>}
 *   `undefined` where no adapter is needed
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
  return {
    name,
    vendor,
    subgroups: adapter.features.has('subgroups'),
    integerDot: gpu?.wgslLanguageFeatures?.has('packed_4x8_integer_dot_product') ?? false,
  };
}

/** How many loads are under way that want subgroups. */
let wanting = 0;

/**
 * Runs a load whose device has subgroups, where its adapter has them.
 *
 * wgpu 30 asks a browser for the features that it has a name for, and subgroups are not among them: its
 * `FEATURES_MAPPING` lacks the entry. So while such a load runs, adapters are ones whose `requestDevice` adds it; a page
 * that asks for a device of its own meanwhile gets one feature more. To be deleted when wgpu has the entry.
 *
 * @template T
 * @param {() => Promise<T>} load
 * @returns {Promise<T>}
 */
export async function withSubgroups(load) {
  const gpu = navigator.gpu;
  if (wanting++ === 0) {
    gpu.requestAdapter = async (options) => {
      const adapter = await Object.getPrototypeOf(gpu).requestAdapter.call(gpu, options);
      if (adapter?.features.has('subgroups')) {
        const requestDevice = adapter.requestDevice.bind(adapter);
        adapter.requestDevice = (/** @type {GPUDeviceDescriptor} */ descriptor = {}) =>
          requestDevice({ ...descriptor, requiredFeatures: [...(descriptor.requiredFeatures ?? []), 'subgroups'] });
      }
      return adapter;
    };
  }
  try {
    return await load();
  } finally {
    if (--wanting === 0) Reflect.deleteProperty(gpu, 'requestAdapter');
  }
}
