/**
 * What is in a store: pieces of files under their hashes, and manifests that say which pieces make a folder. Folders
 * share the pieces that are equal. Who writes a piece or removes some holds the lock on pieces meanwhile, so that none
 * goes away between being found in the store and being named by a manifest.
 *
 * @module
 */

/** @import { CachedModel, Dtype, Store } from '../types.js' */
/** @import { Place } from '../folder.js' */

/** Of manifests and of what conversions write. It is part of a manifest's key, so that no version meets another's. */
const VERSION = 2;

export const PIECE = 'piece/';

/**
 * @typedef {{ sha256: string, size: number }} Piece
 *
 * @typedef {CachedModel & {
 *   version: number,
 *   etag: string | null,
 *   files: Record<string, { size: number, pieces: Piece[] }>,
 * }} Manifest  `etag`: of the weights at the source
 */

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<string>}
 */
export async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Where a place is, without what may be secret; nothing for a place on this machine.
 *
 * @param {Place} place
 * @returns {string}
 */
export function addressOf(place) {
  if (place.kind !== 'http') return '';
  const url = new URL(place.base);
  url.search = url.username = url.password = '';
  return url.href;
}

/**
 * @param {Place} place
 * @param {Dtype | 'adapter' | 'head'} dtype
 * @returns {Promise<{ key: string, manifest: Manifest }>} its key, and a manifest that names nothing yet
 */
export async function newManifest(place, dtype) {
  const { behind, integrity = {}, weights } = place;
  const source = addressOf(place);
  const more = behind || weights !== undefined ? [behind ? addressOf(behind) : null, weights ?? null] : [];
  const identity = JSON.stringify([VERSION, source, dtype, Object.entries(integrity).sort(), ...more]);
  const used = new Date().toISOString();
  const manifest = { version: VERSION, source, name: place.name, dtype, etag: null, complete: false, bytes: 0, used, files: {} };
  return { key: `manifest/${await sha256(new TextEncoder().encode(identity))}`, manifest };
}

/**
 * @param {Store} store
 * @param {string} key
 * @returns {Promise<Manifest | null>}
 */
export async function readManifest(store, key) {
  const found = await store.get(key);
  if (!found) return null;
  try {
    return JSON.parse(await new Blob([found]).text());
  } catch {
    return null; // was not written to its end
  }
}

/**
 * @param {Store} store
 * @param {string} key
 * @param {Manifest} manifest
 * @returns {Promise<void>}
 */
export function writeManifest(store, key, manifest) {
  return store.put(key, new TextEncoder().encode(JSON.stringify(manifest)));
}

/**
 * @param {Store} store
 * @returns {Promise<Map<string, Manifest>>} by key
 */
export async function readManifests(store) {
  const manifests = new Map();
  for (const key of await store.keys()) {
    const manifest = key.startsWith('manifest/') && (await readManifest(store, key));
    if (manifest) manifests.set(key, manifest);
  }
  return manifests;
}

/**
 * @param {Map<string, Manifest>} manifests
 * @returns {Map<string, number>} the size of each piece that they name, by its key
 */
export function piecesOf(manifests) {
  const files = [...manifests.values()].flatMap(({ files }) => Object.values(files));
  return new Map(files.flatMap(({ pieces }) => pieces.map(({ sha256, size }) => [PIECE + sha256, size])));
}

/**
 * Deletes the pieces that no manifest names.
 *
 * @param {Store} store
 */
export function collectGarbage(store) {
  return locked('pieces', {}, async () => {
    const named = piecesOf(await readManifests(store));
    for (const key of await store.keys()) if (key.startsWith(PIECE) && !named.has(key)) await store.delete(key);
  });
}

/**
 * Runs `work` while nobody else of this origin holds a lock of that name.
 *
 * @template T
 * @param {string} name
 * @param {LockOptions} options
 * @param {(lock: Lock | null) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function locked(name, options, work) {
  return navigator.locks.request(`specter-web:${name}`, options, work);
}
