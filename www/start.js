/**
 * Getting the engine's script to run: in this thread, or in a worker.
 *
 * @module
 */

import { startFromAnywhere } from './elsewhere.js';
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
 * @throws {SpecterError} `invalid-option` where there are none, `network`
 */
export function startWorker() {
  if (typeof Worker === 'undefined') {
    throw new SpecterError(
      'invalid-option',
      'Nothing can start a worker here: this is a service worker, or no browser. Load the model in a page; an extension opens an offscreen document for it.',
    );
  }
  try {
    return startFromAnywhere(() => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }));
  } catch (cause) {
    throw new SpecterError(
      'network',
      `The worker could not be started (${cause instanceof Error ? cause.message : cause}). Let worker-src in the Content-Security-Policy allow it, or use worker: false.`,
      { cause },
    );
  }
}
