/** What the package expects of a browser and Node.js has not, with the WebGPU of Dawn, which is that of Chromium. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { countGpuBytes } from '../page/gpu-bytes.js';

/** Pipelines that were made, and how long Dawn took to compile them, which it does at once. */
export const pipelines = { count: 0, milliseconds: 0 };

/** Bytes of buffers on the GPU. */
export const gpuBytes = { alive: 0 };

/**
 * Does some work in such an environment.
 *
 * @param {() => Promise<void>} work
 */
export async function withDawn(work) {
  // Only this benchmark installs it.
  const { create, globals } = await import(/** @type {string} */ ('webgpu'));
  Object.assign(globalThis, globals);
  countGpuBytes();
  Object.defineProperty(gpuBytes, 'alive', { get: () => Reflect.get(globalThis, 'gpuBytes').alive });
  countPipelines();
  const { fetch, navigator } = globalThis;
  const become = (/** @type {object} */ value) => Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
  become({ gpu: create([]), userAgent: `Node.js ${process.version}`, hardwareConcurrency: navigator?.hardwareConcurrency ?? 1 });
  Object.assign(globalThis, {
    // The engine looks for it to know that it runs in a page.
    Window: class Window {},
    fetch: (/** @type {string | URL | Request} */ input, /** @type {RequestInit} */ init) => {
      const address = new URL(input instanceof Request ? input.url : input);
      return address.protocol === 'file:' ? fetchFile(address) : fetch(input, init);
    },
    addEventListener() {},
    removeEventListener() {},
  });
  try {
    await work();
  } finally {
    // Dawn runs as long as something refers to it, and a process that it runs in does not end.
    become(navigator);
  }
}

function countPipelines() {
  const { createComputePipeline } = GPUDevice.prototype;
  GPUDevice.prototype.createComputePipeline = function (descriptor) {
    const begin = performance.now();
    const pipeline = createComputePipeline.call(this, descriptor);
    pipelines.milliseconds += performance.now() - begin;
    pipelines.count += 1;
    return pipeline;
  };
}

/** @param {URL} address */
async function fetchFile(address) {
  const type = address.pathname.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream';
  return new Response(await readFile(fileURLToPath(address)), { headers: { 'Content-Type': type } });
}
