/**
 * Folders that lie in a store in pieces: writing one, and reading one.
 *
 * @module
 */

import { abortError } from '../abort.js';
import { SpecterError } from '../errors.js';
import { locked, PIECE, sha256, writeManifest } from './manifest.js';

/** @import { SourceFile } from '../folder.js' */
/** @import { OnProgress, Store } from '../types.js' */
/** @import { Manifest, Piece } from './manifest.js' */

/**
 * Takes a folder, one file after the other, each from its first byte to its last. A piece is stored as soon as it is
 * full, and the manifest after it, so that what is interrupted can be taken up again. Once the store refuses
 * something, all that follows is kept in memory.
 */
export class PieceSink {
  /** Bytes of a piece; the last one of a file has what is left. */
  static size = 4 << 20;

  /** What the store has refused first. @type {unknown} */
  refusal = null;
  /** The pieces that are not in the store, by hash. @type {Map<string, Blob>} */
  memory = new Map();
  #options;
  /** @type {Piece[]} */
  #pieces = [];
  #left = 0;
  #piece = new Uint8Array();
  #filled = 0;

  /**
   * @param {{ store: Store, key: string, manifest: Manifest, resumed: number, signal: AbortSignal }} options
   *   `resumed`: bytes named by the manifest in the store, which stays until the new one names more
   */
  constructor(options) {
    this.#options = options;
  }

  /**
   * @param {string} file
   * @param {number} size
   */
  async begin(file, size) {
    this.#pieces = [];
    this.#options.manifest.files[file] = { size, pieces: this.#pieces };
    this.#left = size;
    this.#next();
  }

  /** @param {Uint8Array} bytes */
  async write(bytes) {
    for (let at = 0; at < bytes.length; ) {
      if (!this.#piece.length) throw new SpecterError('internal', 'More was written to a file than it was said to have.');
      const part = bytes.subarray(at, at + this.#piece.length - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#piece.length) return;
      await this.#keep(this.#piece);
      this.#next();
    }
  }

  /** Says that the folder is whole. */
  finish() {
    this.#options.manifest.complete = true;
    return this.#save(null);
  }

  #next() {
    this.#piece = new Uint8Array(Math.min(this.#left, PieceSink.size));
    this.#left -= this.#piece.length;
    this.#filled = 0;
  }

  /** @param {Uint8Array<ArrayBuffer>} piece */
  async #keep(piece) {
    const hash = await sha256(piece);
    this.#pieces.push({ sha256: hash, size: piece.length });
    this.#options.manifest.bytes += piece.length;
    await this.#save(piece, PIECE + hash);
    if (this.refusal) this.memory.set(hash, new Blob([piece]));
  }

  /**
   * @param {Uint8Array<ArrayBuffer> | null} piece
   * @param {string} [pieceKey]
   */
  async #save(piece, pieceKey = '') {
    const { store, key, manifest, resumed, signal } = this.#options;
    if (this.refusal) return;
    try {
      await locked('pieces', {}, async () => {
        if (signal.aborted) return; // and the lock on the folder is gone
        if (piece && !(await store.keys()).includes(pieceKey)) await store.put(pieceKey, piece);
        if (manifest.bytes > resumed || manifest.complete) await writeManifest(store, key, manifest);
      });
    } catch (error) {
      this.refusal = error;
    }
    if (signal.aborted) throw abortError(signal);
  }
}

/** How many pieces are kept at hand. Weights and their scales are read in turn, across the ends of pieces, and ahead. */
const KEPT = 5;

/** Reads a folder. Each piece is checked against its hash, and the next one fetched while one is in use. */
export class PieceFolder {
  /** The key of a piece that is missing or damaged, once one was found. @type {string | null} */
  damaged = null;
  #store;
  #manifest;
  #memory;
  #onProgress;
  /** Pieces by hash, the one used last at the end. @type {Map<string, Promise<Uint8Array>>} */
  #kept = new Map();

  /**
   * @param {Store} store
   * @param {Manifest} manifest
   * @param {{ memory?: Map<string, Blob>, onProgress?: OnProgress }} [options]  `memory`: pieces that are not in the store
   */
  constructor(store, manifest, { memory = new Map(), onProgress = () => {} } = {}) {
    this.name = manifest.name;
    this.#store = store;
    this.#manifest = manifest;
    this.#memory = memory;
    this.#onProgress = onProgress;
  }

  /**
   * @param {string} file
   * @returns {Promise<SourceFile & { available: number } | null>}
   */
  async open(file) {
    const { size, pieces } = this.#manifest.files[file] ?? {};
    if (size === undefined || !pieces) return null;
    let loaded = 0;
    const available = pieces.reduce((sum, piece) => sum + piece.size, 0);
    const read = async (/** @type {number} */ start, /** @type {number} */ end) => {
      if (end > available) throw new SpecterError('internal', `${file} was read behind what is stored of it.`, { file });
      const bytes = new Uint8Array(end - start);
      let at = 0;
      for (const [index, piece] of pieces.entries()) {
        const [from, to] = [Math.max(start - at, 0), Math.min(end - at, piece.size)];
        if (from < to) bytes.set((await this.#take(pieces, index)).subarray(from, to), at + from - start);
        at += piece.size;
      }
      loaded = Math.max(loaded, end);
      this.#onProgress({ phase: 'download', file, loaded, total: size, fromCache: true });
      return bytes;
    };
    return { size, available, etag: null, read };
  }

  /** Whether every piece is there, and undamaged. */
  async isWhole() {
    for (const piece of Object.values(this.#manifest.files).flatMap(({ pieces }) => pieces)) {
      await this.#load(piece).catch(() => {});
    }
    return !this.damaged;
  }

  /**
   * @param {Piece[]} pieces
   * @param {number} index
   * @returns {Promise<Uint8Array>}
   */
  async #take(pieces, index) {
    const [piece] = pieces.slice(index, index + 2).map((piece) => {
      const loading = this.#kept.get(piece.sha256) ?? this.#load(piece);
      loading.catch(() => {}); // the next one may never be asked for
      this.#kept.delete(piece.sha256);
      this.#kept.set(piece.sha256, loading);
      return loading;
    });
    for (const [hash] of [...this.#kept].slice(0, -KEPT)) this.#kept.delete(hash);
    return /** @type {Promise<Uint8Array>} */ (piece);
  }

  /** @param {Piece} piece */
  async #load({ sha256: hash, size }) {
    const found = this.#memory.get(hash) ?? (await this.#store.get(PIECE + hash).catch(() => null));
    const bytes = new Uint8Array(found instanceof Blob ? await found.arrayBuffer() : (found ?? []));
    if (bytes.length === size && (await sha256(bytes)) === hash) return bytes;
    this.damaged = PIECE + hash;
    throw new SpecterError('corrupt-file', `What is stored of ${this.name} is damaged. Delete it from the cache and load it again.`);
  }
}
