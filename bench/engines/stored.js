/**
 * A file from the Cache API, where a page that is visited again has its model; from the network the first time.
 *
 * @module
 */

/**
 * @param {string} address
 * @returns {Promise<Uint8Array>}
 */
export async function openStored(address) {
  const cache = await caches.open('bench');
  const kept = await cache.match(address);
  if (kept) return new Uint8Array(await kept.arrayBuffer());
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  await cache.put(address, response.clone());
  return new Uint8Array(await response.arrayBuffer());
}
