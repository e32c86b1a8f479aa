/** What the package expects of a browser and Node.js has not, with the WebGPU of Dawn, which is that of Chromium. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { countGpuBytes } from '../page/gpu-bytes.js';

/** Dawn runs as long as something refers to it, and a process that it runs in does not end. */
export async function withDawn(/** @type {() => Promise<void>} */ work) {
  // Only this benchmark installs it.
  const { create, globals } = await import(/** @type {string} */ ('webgpu'));
  Object.assign(globalThis, globals);
  countGpuBytes();
  const told = globalThis.navigator;
  const fetchElsewhere = globalThis.fetch;
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu: create([]), userAgent: `Node.js ${process.version}`, hardwareConcurrency: told?.hardwareConcurrency ?? 1 },
    configurable: true,
  });
  Object.assign(globalThis, {
    // The engine looks for it to know that it runs in a page.
    Window: class Window {},
    fetch: (/** @type {string | URL | Request} */ input, /** @type {RequestInit} */ init) => {
      const address = new URL(input instanceof Request ? input.url : input);
      return address.protocol === 'file:' ? fetchFile(address) : fetchElsewhere(input, init);
    },
    addEventListener() {},
    removeEventListener() {},
  });
  try {
    await work();
  } finally {
    Object.defineProperty(globalThis, 'navigator', { value: told, configurable: true });
  }
}

/** @param {URL} address */
async function fetchFile(address) {
  const type = address.pathname.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream';
  return new Response(await readFile(fileURLToPath(address)), { headers: { 'Content-Type': type } });
}
