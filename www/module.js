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
    throw new SpecterError('network', `The engine itself could not be read from ${url}. Check the connection, and that connect-src of a Content-Security-Policy allows it.`, { file, cause });
  }
  const type = response.headers.get('content-type') ?? '';
  // Servers of single-page applications answer with the page where they have nothing.
  const isPage = type.startsWith('text/html');
  if (!response.ok || isPage) {
    throw new SpecterError(
      'network',
      `The engine itself could not be read from ${url} (${isPage ? 'the server sent a page' : `HTTP ${response.status}`}). Serve the folder wasm beside engine.js.`,
      { file },
    );
  }
  try {
    return await compile(response);
  } catch (cause) {
    throw notStarted(`The engine from ${url}`, cause, file);
  }
}

/**
 * A function that starts the module at an address when it is first called, once for this thread; after a failure, again.
 *
 * @param {() => URL} address  as bundlers know it, and not looked at before
 * @param {(options: { module_or_path: Response | ArrayBuffer }) => Promise<unknown>} init  of the module's bindings
 * @returns {() => Promise<unknown>}
 */
export function startedOnce(address, init) {
  const compile = async (/** @type {Response} */ response) =>
    init({ module_or_path: canStream(response) ? response : await response.arrayBuffer() });
  /** @type {Promise<unknown> | null} */
  let started = null;
  return () => {
    started ??= fetchModule(address(), compile).catch((error) => {
      started = null;
      throw error;
    });
    return started;
  };
}

/**
 * What to do where a browser refuses to compile or to start WebAssembly.
 *
 * @param {string} what
 * @param {unknown} cause
 * @param {string} [file]
 * @returns {SpecterError}
 */
export function notStarted(what, cause, file) {
  return new SpecterError(
    'internal',
    `${what} could not be started (${cause instanceof Error ? cause.message : cause}). If the page has a Content-Security-Policy, its script-src needs 'wasm-unsafe-eval'.`,
    { file, cause },
  );
}

/**
 * Compiling while it streams in is only allowed with the right type; some servers do not know it.
 *
 * @param {Response} response
 */
export const canStream = (response) => response.headers.get('content-type')?.startsWith('application/wasm') ?? false;
