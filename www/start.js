/**
 * Getting the engine's script to run: in this thread, or in a worker.
 *
 * @module
 */

import { SpecterError } from './errors.js';

/**
 * Fetches the engine into this thread. Not imported at the top, so that a page that leaves the engine to a
 * worker does not fetch it for itself.
 *
 * @returns {Promise<typeof import('./engine.js')>}
 */
export async function importEngine() {
  try {
    return await import('./engine.js');
  } catch (cause) {
    throw new SpecterError(
      'network',
      `The engine's script could not be read (${cause instanceof Error ? cause.message : cause}). Serve engine.js and the folder wasm beside specter.js.`,
      { cause },
    );
  }
}

/**
 * The worker that the engine runs in.
 *
 * @returns {Worker}
 */
export function startWorker() {
  try {
    return startFromElsewhere('worker.js') ?? new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  } catch (cause) {
    throw new SpecterError(
      'network',
      `The worker could not be started (${cause instanceof Error ? cause.message : cause}). Let worker-src in the Content-Security-Policy allow it, or use worker: false.`,
      { cause },
    );
  }
}

/**
 * A worker for a thread of the CPU.
 *
 * @returns {Worker}
 */
export function startThread() {
  return startFromElsewhere('cpu/thread.js') ?? new Worker(new URL('./cpu/thread.js', import.meta.url), { type: 'module' });
}

/**
 * A page may not start a worker from another origin, such as a package CDN (browsers differ in whether that throws),
 * but its own worker may import from there. Bundlers that rewrite `import.meta.url` to the file's place on disk are
 * not meant; nor is this written with `new URL`, which they would take for a second worker.
 *
 * @param {string} script
 * @returns {Worker | null} nothing where the package is of the page's own origin
 */
function startFromElsewhere(script) {
  const here = import.meta.url;
  if (!/^https?:/.test(here) || new URL(here).origin === location.origin) return null;
  const code = `import ${JSON.stringify(here.replace(/[^/]*$/, script))};`;
  const address = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
  const worker = new Worker(address, { type: 'module' });
  worker.addEventListener('message', () => URL.revokeObjectURL(address), { once: true });
  return worker;
}
