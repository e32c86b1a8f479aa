/**
 * Where bytes are kept between visits: the Cache API, which works alike in pages and workers and writes an entry as a
 * whole or not at all; or a store of the page's own, which a worker uses through a port.
 *
 * @module
 */

/** @import { Store } from '../types.js' */

/** The entries of a cache are requests. None is ever sent here. */
const ROOT = 'https://specter-web.invalid/';

/** Opened each time: a cache that somebody has deleted would go on to take bytes, and lose them. */
const open = () => caches.open('specter-web');

/** @type {Store} */
export const browserStore = {
  get: async (key) => (await (await open()).match(ROOT + key))?.arrayBuffer() ?? null,
  put: async (key, bytes) => (await open()).put(ROOT + key, new Response(bytes)),
  delete: async (key) => void (await (await open()).delete(ROOT + key)),
  keys: async () => (await (await open()).keys()).map(({ url }) => url.slice(ROOT.length)),
};

/**
 * @param {Store} store
 * @param {MessagePort} port
 */
export function serveStore(store, port) {
  port.onmessage = async ({ data: { id, method, values } }) => {
    try {
      const value = await store[/** @type {'get'} */ (method)](.../** @type {[string]} */ (values));
      // With a view, all the memory that it looks into would be sent.
      port.postMessage({ id, value: ArrayBuffer.isView(value) ? value.slice() : value });
    } catch (error) {
      port.postMessage({ id, error: error instanceof Error ? error : new Error(String(error)) });
    }
  };
}

/**
 * The other end of `serveStore`.
 *
 * @param {MessagePort} port
 * @returns {Store}
 */
export function storeBehind(port) {
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  const asked = new Map();
  let last = 0;
  port.onmessage = ({ data: { id, value, error } }) => {
    const { resolve, reject } = asked.get(id) ?? {};
    asked.delete(id);
    if (error) reject?.(error);
    else resolve?.(value);
  };
  const ask = (/** @type {string} */ method, /** @type {unknown[]} */ ...values) =>
    new Promise((resolve, reject) => {
      asked.set(++last, { resolve, reject });
      port.postMessage({ id: last, method, values });
    });
  return {
    get: (key) => ask('get', key),
    put: (key, bytes) => ask('put', key, bytes),
    delete: (key) => ask('delete', key),
    keys: () => ask('keys'),
  };
}
