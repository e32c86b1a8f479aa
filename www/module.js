/**
 * Fetching WebAssembly, and saying what is wrong where that fails.
 *
 * @module
 */

import { SpecterError } from './errors.js';

/**
 * @template T
 * @param {URL} url
 * @param {(response: Response) => Promise<T>} compile
 * @returns {Promise<T>}
 * @throws {SpecterError} `network`, `internal`
 */
export async function fetchModule(url, compile) {
  const file = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  let response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new SpecterError('network', `The engine itself could not be read from ${url}. Check the connection.`, { file, cause });
  }
  if (!response.ok) {
    throw new SpecterError(
      'network',
      `The engine itself could not be read from ${url} (HTTP ${response.status}). Serve the folder wasm beside engine.js.`,
      { file },
    );
  }
  try {
    return await compile(response);
  } catch (cause) {
    throw new SpecterError(
      'internal',
      `The engine from ${url} could not be started (${cause instanceof Error ? cause.message : cause}). If the page has a Content-Security-Policy, its script-src needs 'wasm-unsafe-eval'.`,
      { file, cause },
    );
  }
}

/**
 * Compiling while it streams in is only allowed with the right type; some servers do not know it.
 *
 * @param {Response} response
 */
export const canStream = (response) => response.headers.get('content-type')?.startsWith('application/wasm') ?? false;
