/**
 * Is there a WebGPU here at all, and whose is it?
 *
 * @module
 */

/**
 * What an adapter is, and what it has that the engine cannot see: its own view is a description, which most browsers
 * leave empty, and no more features than wgpu knows by name.
 *
 * @typedef {{ name: string, vendor: string, software: boolean, subgroups: boolean, integerDot: boolean }} Adapter
 */

/** Adapters that are the CPU in disguise. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render|software/i;

/**
 * The adapter, or what keeps it from being there.
 *
 * @returns {Promise<Adapter | { missing: string }>}
 */
export async function findAdapter() {
  /** @type {GPU | undefined} */
  const gpu = Reflect.get(navigator, 'gpu');
  if (!gpu) {
    return {
      missing: globalThis.isSecureContext === false
        ? 'WebGPU is only offered to pages served over https or from localhost, and this page is neither. Serve it over https.'
        : 'This browser offers no WebGPU. Use a current Chrome, Edge, Safari or Firefox, and check that hardware acceleration is on in its settings.',
    };
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) {
    return { missing: 'This browser offers WebGPU but no graphics adapter for it. Check that hardware acceleration is on in its settings.' };
  }
  const told = (/** @type {keyof GPUAdapterInfo} */ key) => String(adapter.info?.[key] ?? '').trim();
  const vendor = told('vendor');
  const name = [told('description') || told('device'), told('architecture')].filter(Boolean).join(', ') || vendor;
  return {
    name,
    vendor,
    software: adapter.info?.isFallbackAdapter === true || SOFTWARE.test(name),
    subgroups: adapter.features.has('subgroups'),
    integerDot: gpu.wgslLanguageFeatures?.has('packed_4x8_integer_dot_product') ?? false,
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
