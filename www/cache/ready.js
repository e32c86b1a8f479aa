/**
 * A place becomes a folder that is ready to load. Files of this machine are read as they are; what lies behind an
 * address is converted into the store the first time, and from then on read from there, with no request to its server.
 *
 * @module
 */

import { untilAborted } from '../abort.js';
import { SpecterError } from '../errors.js';
import { openFolder, WEIGHTS } from '../folder.js';
import { collectGarbage, locked, newManifest, readManifest, writeManifest } from './manifest.js';
import { PieceFolder, PieceSink } from './pieces.js';

/** @import { Folder, FolderContext, Place } from '../folder.js' */
/** @import { Dtype, Store } from '../types.js' */
/** @import { Manifest } from './manifest.js' */

/**
 * @typedef {object} StoreContext
 * @property {Store | null} store  null: nothing is stored
 * @property {(folder: Pick<Folder, 'name' | 'open'>, sink: PieceSink, options: ConvertOptions) => Promise<void>} convert
 *
 * @typedef {{ dtype?: string, part?: boolean, weights?: string, previous?: PieceFolder }} ConvertOptions
 */

/** Codes of what is wrong with a source itself: nothing of it is worth keeping. */
const BAD_SOURCE = ['corrupt-file', 'unsupported-model', 'unsupported-adapter', 'unsupported-head', 'model-not-found'];

/** What goes beside a model, and the file without which it is none. @type {Record<string, string>} */
const PARTS = { adapter: 'adapter_config.json', head: 'head_config.json' };

/** Milliseconds between two notes of the last use. */
const DAY = 24 * 60 * 60 * 1000;

/** Stores that a person has been told cannot be used. @type {WeakSet<Store>} */
const told = new WeakSet();

/**
 * @template T
 * @param {Place} place
 * @param {Dtype | 'adapter' | 'head'} dtype
 * @param {FolderContext & StoreContext} context
 * @param {(folder: Folder | PieceFolder) => Promise<T>} use  called again where what is stored turns out to be damaged
 * @returns {Promise<T>}
 */
export async function withFolder(place, dtype, context, use) {
  const { store, signal, onProgress } = context;
  const useSource = async () => {
    const folder = openFolder(place, context);
    try {
      return await use(folder);
    } finally {
      folder.close();
    }
  };
  // What a file of this machine was is not known of it on the next visit.
  const isRemote = place.kind === 'http' && (!place.behind || place.behind.kind === 'http');
  if (!isRemote || !store) return useSource();

  /** @type {Entry} */
  let entry;
  try {
    entry = { place, store, ...(await newManifest(place, dtype)) };
    await store.get(entry.key);
    await locked('pieces', { ifAvailable: true }, async () => {});
  } catch (error) {
    tellOfRefusal(store, error);
    return useSource();
  }

  /** @returns {Promise<{ value: T } | null>} null: it is damaged, and gone now */
  const attempt = async (/** @type {PieceFolder} */ folder) => {
    try {
      return { value: await use(folder) };
    } catch (error) {
      if (folder.damaged) {
        console.warn(`specter-web: What is stored of ${place.name} is damaged. It is loaded from its source again.`);
        await drop(entry, folder.damaged);
        return null;
      }
      if (BAD_SOURCE.includes(codeOf(error))) await drop(entry);
      throw error;
    }
  };
  /** @returns {Promise<{ value: T } | null>} null: it is not stored, or not to its end */
  const read = async () => {
    const manifest = await stored(entry);
    if (!manifest?.complete) return null;
    const done = await attempt(new PieceFolder(store, { ...manifest, name: place.name }, { onProgress }));
    const { used } = entry.manifest;
    if (done && Date.parse(used) - Date.parse(manifest.used) > DAY) {
      await writeManifest(store, entry.key, { ...manifest, used }).catch(() => {});
    }
    return done;
  };
  const make = async () => {
    const { memory, refusal } = await convertInto(entry, context);
    if (refusal) tellOfRefusal(store, refusal);
    try {
      return (await attempt(new PieceFolder(store, entry.manifest, { memory }))) ?? { value: await useSource() };
    } finally {
      if (refusal) await drop(entry);
    }
  };
  /** @type {<R>(mode: LockMode, work: () => Promise<R>) => Promise<R>} */
  const hold = async (mode, work) => {
    // After a crash, work never ends; the lock has to.
    const whenHeld = async () => ({ result: await untilAborted(work(), signal) });
    const at = (/** @type {number} */ loaded) => onProgress({ phase: 'waiting', loaded, total: 1 });
    const held =
      (await locked(entry.key, { mode, ifAvailable: true }, async (lock) => (lock ? whenHeld() : at(0)))) ??
      (await locked(entry.key, { mode, signal }, () => (at(1), whenHeld())));
    return held.result;
  };
  // Many may read at a time. Who finds nothing comes back alone, and looks whether another was faster.
  const done = (await hold('shared', read)) ?? (await hold('exclusive', async () => (await read()) ?? (await make())));
  return done.value;
}

/**
 * @typedef {{ place: Place, store: Store, key: string, manifest: Manifest }} Entry  with the manifest of a new conversion
 */

/**
 * @param {Entry} entry
 * @param {FolderContext & StoreContext} context
 * @returns {Promise<PieceSink>}
 */
async function convertInto(entry, context) {
  const { place, manifest } = entry;
  const { weights } = place;
  const named = weights === undefined ? WEIGHTS : [weights];
  const source = openFolder(place, context);
  /** What was opened once is not asked for again. @type {Map<string, ReturnType<Folder['open']>>} */
  const opened = new Map();
  const open = async (/** @type {string} */ name) => {
    if (!opened.has(name)) opened.set(name, source.open(name));
    const file = (await opened.get(name)) ?? null;
    if (file && named.includes(name)) manifest.etag = file.etag;
    return file;
  };
  try {
    const config = PARTS[manifest.dtype];
    // The engine tells the one from the other by this file, and would miss one of a model.
    if (config && !(await open(config))) throw missingPart(manifest.dtype, place.name, config);
    const begun = config ? null : await stored(entry);
    // Opening the weights tells whether they are still those that it was begun with.
    if (begun) for (const name of named) if (await open(name)) break;
    const previous = begun && new PieceFolder(entry.store, begun);
    const resumes = previous && manifest.etag && manifest.etag === begun.etag && (await previous.isWhole());
    if (previous && !resumes) await drop(entry, previous.damaged);
    const sink = new PieceSink({ ...entry, resumed: resumes ? begun.bytes : 0, signal: context.signal });
    const options = config ? { part: true } : { dtype: manifest.dtype, ...(weights !== undefined && { weights }) };
    await context.convert({ name: place.name, open }, sink, { ...options, ...(resumes && { previous }) });
    await sink.finish();
    return sink;
  } catch (error) {
    if ([...BAD_SOURCE, 'invalid-option'].includes(codeOf(error))) await drop(entry);
    else await collectGarbage(entry.store).catch(() => {});
    throw error;
  } finally {
    source.close();
  }
}

/** @param {Entry} entry */
function stored({ store, key }) {
  return readManifest(store, key).catch(() => null);
}

/**
 * @param {Entry} entry
 * @param {string | null} [damaged]  a piece that has to go, whoever else may name it
 */
async function drop({ store, key }, damaged) {
  for (const gone of [key, damaged]) if (gone) await store.delete(gone).catch(() => {});
  await collectGarbage(store).catch(() => {});
}

/**
 * @param {string} part
 * @param {string} name
 * @param {string} file
 */
function missingPart(part, name, file) {
  return new SpecterError('model-not-found', `${name} has no ${file}. Check the ${part}'s name and revision.`, { file });
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error ? Reflect.get(error, 'code') : undefined;
}

/**
 * @param {Store} store
 * @param {unknown} error
 */
function tellOfRefusal(store, error) {
  if (told.has(store)) return;
  told.add(store);
  const reason = isSecureContext ? error : 'the page is not served over https or from localhost';
  console.warn(`specter-web: Models cannot be stored here (${reason}). What is loaded stays in memory for this visit only.`);
}
