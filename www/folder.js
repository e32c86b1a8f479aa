/**
 * From what a caller names as a source to a folder that the engine can ask for files.
 *
 * `placeOf` runs in the page, where relative addresses and chosen files have their meaning, and gives a
 * `Place` that can be posted to a worker. `openFolder` runs beside the engine and does the reading.
 *
 * @module
 */

import { abortError } from './abort.js';
import { folderName } from './address.js';
import { blobFile } from './blob.js';
import { SpecterError } from './errors.js';
import { openHttpFile } from './http.js';

/** @import { OnProgress, Source } from './types.js' */

/**
 * A source after its address is settled; structured clone can carry it.
 *
 * @typedef {(HttpPlace | FilesPlace | DirectoryPlace) & PlaceParts} Place
 *
 * @typedef {object} PlaceParts
 * @property {Record<string, string>} [integrity]
 * @property {string} [weights]  name of the file with a model's weights, where it is none of the usual
 * @property {Place} [behind]    where a file is looked for that the model's own folder does not have
 *
 * @typedef {object} HttpPlace
 * @property {'http'} kind
 * @property {string} name
 * @property {string} base  absolute address of the folder, ending with a slash before any query
 * @property {Record<string, string>} headers
 *
 * @typedef {object} FilesPlace
 * @property {'files'} kind
 * @property {string} name
 * @property {Map<string, Blob>} files  by path inside the folder
 *
 * @typedef {object} DirectoryPlace
 * @property {'directory'} kind
 * @property {string} name
 * @property {FileSystemDirectoryHandle} handle
 */

/**
 * A model's files; the engine asks by name. `open` gives `null` where the folder has no such file, `close` ends
 * what is still being downloaded.
 *
 * @typedef {object} Folder
 * @property {string} name
 * @property {string} [weights]  name of the file with a model's weights, where it is none of the usual
 * @property {(file: string) => Promise<SourceFile | null>} open
 * @property {() => void} close
 */

/**
 * A file that is read in pieces, in any order.
 *
 * @typedef {object} SourceFile
 * @property {number} size
 * @property {string | null} etag  the server's mark of this version of it, where it gives one
 * @property {(start: number, end: number) => Promise<Uint8Array>} read  exactly these bytes, or a `SpecterError`
 * @property {() => void} [close]  says that no more will be read
 */

/**
 * What opening a folder needs of the engine's side.
 *
 * @typedef {object} FolderContext
 * @property {AbortSignal} signal
 * @property {OnProgress} onProgress
 * @property {new () => { update(bytes: Uint8Array): void, hex(): string, free(): void }} Sha256
 */

/**
 * @typedef {object} PlaceOptions
 * @property {string | URL} hub
 * @property {string} [revision]
 * @property {Record<string, string> | Headers} [headers]
 * @property {Record<string, string>} [integrity]
 * @property {string} [weights]
 */

/** What files of weights are usually called: those of a model, in the order in which they are looked for. */
export const WEIGHTS = ['model.safetensors', 'pytorch_model.bin'];

const HUB_ID = /^(\w[\w.-]*(?:\/\w[\w.-]*)?)(?:@(\S+))?$/;
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:/i;

/**
 * @param {Source} source
 * @param {PlaceOptions} options
 * @returns {Place}
 * @throws {SpecterError} `invalid-input` where `source` is none of the kinds of source, `invalid-option` where an option is wrong
 */
export function placeOf(source, { integrity, headers, ...options }) {
  const { weights } = options;
  return {
    ...placeAt(source, { ...options, headers: checkedHeaders(headers) }),
    ...(integrity !== undefined && { integrity: checkedIntegrity(integrity) }),
    ...(weights !== undefined && { weights }),
  };
}

/**
 * Whether one place is on the server of the other, to which alone headers are sent: they may hold a key.
 *
 * @param {Place} one
 * @param {Place} other
 */
export function isSameOrigin(one, other) {
  return one.kind === 'http' && other.kind === 'http' && new URL(one.base).origin === new URL(other.base).origin;
}

/**
 * Headers as a message can carry them. Their names come in small letters, so that what an adapter is sent of its own takes the
 * place of the model's.
 *
 * @param {unknown} headers
 * @returns {Record<string, string>}
 * @throws {SpecterError} `invalid-option`
 */
function checkedHeaders(headers) {
  if (headers === undefined || headers === null) return {};
  const isRecord = isPlainObject(headers) && Object.values(headers).every((value) => typeof value === 'string');
  if (!isRecord && !(headers instanceof Headers)) {
    throw new SpecterError('invalid-option', 'headers is an object of strings by name, or a Headers.');
  }
  try {
    return Object.fromEntries(new Headers(/** @type {Record<string, string> | Headers} */ (headers)));
  } catch (cause) {
    throw new SpecterError('invalid-option', 'headers has a name or a value in it that no request can carry.', { cause });
  }
}

/**
 * @param {unknown} integrity
 * @returns {Record<string, string>}
 * @throws {SpecterError} `invalid-option`
 */
function checkedIntegrity(integrity) {
  if (!isPlainObject(integrity)) {
    throw new SpecterError('invalid-option', 'integrity is an object: names of files with their SHA-256 hashes.');
  }
  const hashes = Object.entries(integrity).map(([file, hash]) => {
    if (typeof hash === 'string' && /^[0-9a-f]{64}$/i.test(hash)) return [file, hash.toLowerCase()];
    throw new SpecterError('invalid-option', `integrity has no SHA-256 hash for ${file}: that is a string of 64 hexadecimal digits.`);
  });
  return Object.fromEntries(hashes);
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isPlainObject(value) {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/**
 * @param {Source} source
 * @param {PlaceOptions & { headers: Record<string, string> }} options
 * @returns {Place}
 */
function placeAt(source, { hub, revision = 'main', headers, weights }) {
  if (typeof source === 'string') {
    if (ABSOLUTE.test(source) || /^\.{0,2}\//.test(source) || source.endsWith('/')) {
      return httpPlace(source, headers);
    }
    const match = HUB_ID.exec(source);
    if (match) {
      const [, id, named] = match;
      const root = String(hub).replace(/\/+$/, '');
      const at = encodeURIComponent(named ?? revision);
      return { ...httpPlace(`${root}/${id}/resolve/${at}/`, headers), name: /** @type {string} */ (id) };
    }
    throw new SpecterError(
      'invalid-input',
      `“${source}” is neither a hub id such as allenai/specter2_base nor an address. A relative address begins with ./, ../ or /.`,
    );
  }
  if (source instanceof URL) return httpPlace(source.href, headers);
  if (typeof FileSystemDirectoryHandle !== 'undefined' && source instanceof FileSystemDirectoryHandle) {
    return { kind: 'directory', name: source.name, handle: source };
  }
  if (Array.isArray(source) || (typeof FileList !== 'undefined' && source instanceof FileList)) {
    return filesPlace(Array.from(/** @type {Iterable<unknown>} */ (source), namedFile), weights);
  }
  if (isPlainObject(source)) return filesPlace(Object.entries(source).map(namedBytes), weights);
  throw new SpecterError(
    'invalid-input',
    'A model or an adapter is read from a hub id, the address of a folder, an array of File, an object of bytes by name, or a directory handle; this is none of them.',
  );
}

/**
 * @param {string} address
 * @param {Record<string, string>} headers
 * @returns {HttpPlace}
 */
function httpPlace(address, headers) {
  let url;
  try {
    url = new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch (cause) {
    throw new SpecterError('invalid-input', `“${address}” is not an address that can be read from.`, { cause });
  }
  url.hash = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return { kind: 'http', name: folderName(url) || url.host, base: url.href, headers };
}

/**
 * @param {unknown} file
 * @param {number} index
 * @returns {[path: string, contents: Blob]}
 */
function namedFile(file, index) {
  if (file instanceof File) return [file.webkitRelativePath || file.name, file];
  throw new SpecterError('invalid-input', `Entry ${index} of the list of files is not a File.`);
}

/**
 * @param {[path: string, bytes: unknown]} entry
 * @returns {[path: string, contents: Blob]}
 */
function namedBytes([path, bytes]) {
  if (bytes instanceof Blob) return [path, bytes];
  const buffer = ArrayBuffer.isView(bytes) ? bytes.buffer : bytes;
  if (buffer instanceof ArrayBuffer) return [path, new Blob([/** @type {ArrayBuffer | ArrayBufferView<ArrayBuffer>} */ (bytes)])];
  throw new SpecterError('invalid-input', `${path} in the object of files is not a Uint8Array, an ArrayBuffer or a Blob.`);
}

/**
 * The folder is the one that holds the shallowest configuration file, or the weights that were named; a chosen
 * directory's own name and anything around the model fall away.
 *
 * @param {[path: string, contents: Blob][]} list
 * @param {string} [weights]
 * @returns {FilesPlace}
 */
function filesPlace(list, weights) {
  const depth = (/** @type {string} */ path) => path.split('/').length;
  const shallowest = (/** @type {(path: string) => boolean} */ isOne) =>
    list.map(([path]) => path).filter(isOne).sort((a, b) => depth(a) - depth(b))[0];
  const marker =
    (weights && shallowest((path) => `/${path}`.endsWith(`/${weights}`))) ||
    shallowest((path) => /(^|\/)(adapter_)?config\.json$/.test(path));
  const root = marker ? marker.slice(0, marker.lastIndexOf('/') + 1) : '';
  /** @type {Map<string, Blob>} */
  const files = new Map();
  for (const [path, contents] of list) {
    if (!path.startsWith(root)) continue;
    const inside = path.slice(root.length);
    if (files.has(inside)) {
      throw new SpecterError(
        'invalid-input',
        `Two of the chosen files are called ${inside}. Choose the files of one folder, or the folder itself.`,
        { file: inside },
      );
    }
    files.set(inside, contents);
  }
  return { kind: 'files', name: root.split('/').filter(Boolean).at(-1) ?? 'files', files };
}

/**
 * @param {Place} place
 * @param {FolderContext} context
 * @returns {Folder}
 */
export function openFolder(place, context) {
  const closing = new AbortController();
  const signal = AbortSignal.any([context.signal, closing.signal]);
  const { behind, name, integrity = {} } = place;
  /** @type {Set<SourceFile>} */
  const opened = new Set();
  const openAt = async (/** @type {Place} */ at, /** @type {string} */ file) => {
    const source = await openFile(at, file, { ...context, signal, integrity });
    if (source) opened.add(source);
    return source;
  };
  /** What says whose the other files are, each asked for once. @type {Map<string, Promise<SourceFile | null>>} */
  const telling = new Map();
  const openOwn = (/** @type {string} */ file) => {
    if (!behind || !TELLING.includes(file)) return openAt(place, file);
    const known = telling.get(file) ?? openAt(place, file);
    telling.set(file, known);
    return known;
  };
  const hasOneOf = async (/** @type {string[]} */ files) => {
    for (const file of files) if (await openOwn(file)) return true;
    return false;
  };
  /** Whether a file that this folder does not have may be the other one's. */
  const mayBeBehind = async (/** @type {string} */ file) => {
    if (file === place.weights || NEVER_BEHIND.includes(file)) return false;
    if (TOKENIZERS.includes(file) || BESIDE_TOKENIZER.includes(file)) return !(await hasOneOf(TOKENIZERS));
    if (POOLING.includes(file) || file.endsWith('/config.json')) return !(await hasOneOf(['config.json']));
    return true;
  };
  return {
    name,
    ...(place.weights !== undefined && { weights: place.weights }),
    async open(file) {
      const source = (await openOwn(file)) ?? (behind && (await mayBeBehind(file)) ? await openAt(behind, file) : null);
      if (source || !Object.hasOwn(integrity, file)) return source;
      throw new SpecterError('model-not-found', `${name} has no ${file}, which integrity has a hash for.`, { file });
    },
    close() {
      for (const source of opened) source.close?.();
      closing.abort();
    },
  };
}

/** The files of a tokenizer, of which one is enough, and what may stand beside it. All are of one folder, or of the other. */
const TOKENIZERS = ['tokenizer.json', 'vocab.txt', 'spm.model'];
const BESIDE_TOKENIZER = ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'];

/** With the `config.json` of each module, these say how a model that is configured elsewhere was used there. */
const POOLING = ['modules.json', 'sentence_bert_config.json'];

/** What says whose the other files are. */
const TELLING = ['config.json', ...TOKENIZERS];

/** Weights of another model are no answer, and its card tells of another. */
const NEVER_BEHIND = [...WEIGHTS, 'README.md'];

/** Bytes of a file that are hashed at a time. */
const HASHED = 1 << 20;

/**
 * A file of a folder. One whose hash is known has been read and compared as a whole before it is given out.
 *
 * @param {Place} place
 * @param {string} file
 * @param {FolderContext & { integrity: Record<string, string> }} context
 * @returns {Promise<SourceFile | null>}
 */
async function openFile(place, file, { integrity, ...context }) {
  const { name } = place;
  const expected = Object.hasOwn(integrity, file) ? integrity[file] : undefined;
  if (expected === undefined) return openUnchecked(place, file, context);
  const hash = new context.Sha256();
  try {
    const source = await openUnchecked(place, file, { ...context, onBytes: (bytes) => hash.update(bytes) });
    if (!source) return null;
    const found = hash.hex();
    if (found === expected) return source;
    throw new SpecterError(
      'corrupt-file',
      `${name}/${file} is not the file that integrity names: its SHA-256 begins with ${found.slice(0, 12)} and not with ${expected.slice(0, 12)}. Nothing of it was used.`,
      { file: `${name}/${file}` },
    );
  } finally {
    hash.free();
  }
}

/**
 * @param {Place} place
 * @param {string} file
 * @param {FolderContext & { onBytes?: (bytes: Uint8Array) => void }} context  `onBytes` is told the whole file first
 * @returns {Promise<SourceFile | null>}
 */
async function openUnchecked(place, file, context) {
  const { name: folder } = place;
  if (place.kind === 'http') {
    const url = new URL(place.base);
    url.pathname += file.split('/').map(encodeURIComponent).join('/');
    return openHttpFile(url, { ...context, folder, file, headers: place.headers });
  }
  const blob = place.kind === 'files' ? place.files.get(file) : await openInDirectory(place.handle, file);
  if (!blob) return null;
  const source = blobFile(blob, `${folder}/${file}`);
  if (context.onBytes) {
    for (let at = 0; at < blob.size; at += HASHED) {
      if (context.signal.aborted) throw abortError(context.signal);
      context.onBytes(await source.read(at, Math.min(at + HASHED, blob.size)));
    }
  }
  return source;
}

/**
 * @param {FileSystemDirectoryHandle} handle
 * @param {string} file
 * @returns {Promise<File | null>}
 */
async function openInDirectory(handle, file) {
  const segments = file.split('/');
  const name = /** @type {string} */ (segments.pop());
  try {
    let directory = handle;
    for (const segment of segments) directory = await directory.getDirectoryHandle(segment);
    return await (await directory.getFileHandle(name)).getFile();
  } catch (cause) {
    const reason = cause instanceof DOMException ? cause.name : '';
    if (reason === 'NotFoundError' || reason === 'TypeMismatchError') return null;
    throw new SpecterError('model-not-found', `${file} in the folder ${handle.name} may not be read. Choose the folder again.`, {
      file,
      cause,
    });
  }
}
