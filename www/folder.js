/**
 * From what a caller names as a source to a folder that the engine can ask for files.
 *
 * `placeOf` runs in the page, where relative addresses and chosen files have their meaning, and gives a
 * `Place` that can be posted to a worker. `openFolder` runs beside the engine and does the reading.
 *
 * @module
 */

import { abortError } from './abort.js';
import { SpecterError } from './errors.js';

/** @import { OnProgress, Source } from './types.js' */

/**
 * A source after its address is settled; structured clone can carry it.
 *
 * @typedef {HttpPlace | FilesPlace | DirectoryPlace} Place
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
 * @property {Map<string, File>} files  by path inside the folder
 *
 * @typedef {object} DirectoryPlace
 * @property {'directory'} kind
 * @property {string} name
 * @property {FileSystemDirectoryHandle} handle
 */

/**
 * A model's files; the engine asks by name. `open` gives `null` where the folder has no such file.
 *
 * @typedef {object} Folder
 * @property {string} name
 * @property {(file: string) => Promise<Blob | null>} open
 */

/**
 * @typedef {object} PlaceOptions
 * @property {string | URL} hub
 * @property {string} [revision]
 * @property {Record<string, string>} [headers]
 */

const HUB_ID = /^(\w[\w.-]*(?:\/\w[\w.-]*)?)(?:@(\S+))?$/;
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:/i;

/**
 * @param {Source} source
 * @param {PlaceOptions} options
 * @returns {Place}
 * @throws {SpecterError} `invalid-input` where `source` is none of the kinds of source
 */
export function placeOf(source, { hub, revision = 'main', headers = {} }) {
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
    return filesPlace(Array.from(/** @type {Iterable<unknown>} */ (source)));
  }
  throw new SpecterError(
    'invalid-input',
    'A model or an adapter is read from a hub id, the address of a folder, an array of File, or a directory handle; this is none of them.',
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
  const name = decodeURIComponent(url.pathname.split('/').filter(Boolean).at(-1) ?? url.host);
  return { kind: 'http', name, base: url.href, headers };
}

/**
 * The folder is the one that holds the shallowest configuration file; a chosen directory's own name and
 * anything around the model fall away.
 *
 * @param {unknown[]} list
 * @returns {FilesPlace}
 */
function filesPlace(list) {
  const files = list.map((file, index) => {
    if (file instanceof File) return file;
    throw new SpecterError('invalid-input', `Entry ${index} of the list of files is not a File.`);
  });
  const paths = files.map((file) => file.webkitRelativePath || file.name);
  const depth = (/** @type {string} */ path) => path.split('/').length;
  const marker = paths
    .filter((path) => /(^|\/)(adapter_)?config\.json$/.test(path))
    .sort((a, b) => depth(a) - depth(b))[0];
  const root = marker ? marker.slice(0, marker.lastIndexOf('/') + 1) : '';
  /** @type {Map<string, File>} */
  const byPath = new Map();
  files.forEach((file, index) => {
    const path = /** @type {string} */ (paths[index]);
    if (!path.startsWith(root)) return;
    const inside = path.slice(root.length);
    if (byPath.has(inside)) {
      throw new SpecterError(
        'invalid-input',
        `Two of the chosen files are called ${inside}. Choose the files of one folder, or the folder itself.`,
        { file: inside },
      );
    }
    byPath.set(inside, file);
  });
  return { kind: 'files', name: root.split('/').filter(Boolean).at(-1) ?? 'files', files: byPath };
}

/**
 * @param {Place} place
 * @param {{ signal: AbortSignal, onProgress: OnProgress }} context
 * @returns {Folder}
 */
export function openFolder(place, context) {
  switch (place.kind) {
    case 'http':
      return { name: place.name, open: (file) => download(place, file, context) };
    case 'files':
      return { name: place.name, open: async (file) => place.files.get(file) ?? null };
    case 'directory':
      return { name: place.name, open: (file) => openInDirectory(place.handle, file) };
  }
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

/** Milliseconds between two progress reports of one download; a file arrives in thousands of pieces. */
const REPORT_EVERY = 50;

/** From this many bytes on, a body shorter than announced is a broken transfer and no compression header at work. */
const CHECK_LENGTH_FROM = 1 << 20;

/**
 * @param {HttpPlace} place
 * @param {string} file
 * @param {{ signal: AbortSignal, onProgress: OnProgress }} context
 * @returns {Promise<Blob | null>}
 */
async function download(place, file, { signal, onProgress }) {
  const url = new URL(place.base);
  url.pathname += file.split('/').map(encodeURIComponent).join('/');
  const address = url.origin === 'null' ? url.href : url.origin + url.pathname; // without a query, which may hold a key
  try {
    const response = await fetch(url, { headers: place.headers, signal });
    if (!response.ok) {
      await response.body?.cancel();
      return refusal(response.status, address, file);
    }
    // Single-page hosts answer any path with their start page; no file of a model is HTML.
    if (response.headers.get('content-type')?.startsWith('text/html')) {
      await response.body?.cancel();
      return null;
    }
    const length = Number(response.headers.get('content-length') ?? 0);
    const total = response.headers.has('content-encoding') ? 0 : length;
    let loaded = 0;
    let reported = 0;
    const report = () => onProgress({ phase: 'download', file, loaded, total, fromCache: false });
    const counter = new TransformStream({
      transform(/** @type {Uint8Array} */ chunk, controller) {
        loaded += chunk.byteLength;
        controller.enqueue(chunk);
        if (performance.now() - reported < REPORT_EVERY) return;
        reported = performance.now();
        report();
      },
    });
    // A Response collects the stream into a Blob, which browsers keep outside the script's memory.
    const blob = response.body ? await new Response(response.body.pipeThrough(counter)).blob() : await response.blob();
    if (total >= CHECK_LENGTH_FROM && blob.size < total) {
      throw new SpecterError('network', `${address} ended after ${blob.size} of ${total} bytes. Try again.`, { file });
    }
    loaded = blob.size;
    report();
    return blob;
  } catch (cause) {
    if (signal.aborted) throw abortError(signal);
    if (cause instanceof SpecterError) throw cause;
    throw new SpecterError(
      'network',
      `${address} could not be read. Check the connection, and that its server allows requests from this page (CORS).`,
      { file, cause },
    );
  }
}

/**
 * @param {number} status
 * @param {string} address
 * @param {string} file
 * @returns {null}
 */
function refusal(status, address, file) {
  if (status === 404 || status === 410) return null;
  if (status === 401 || status === 403) {
    throw new SpecterError(
      'model-not-found',
      `${address} may not be read (HTTP ${status}). Check that the model's name is right; a private or gated one needs an Authorization header in the option headers.`,
      { file },
    );
  }
  throw new SpecterError(
    'network',
    status === 429
      ? `${address} was refused for now because of too many requests (HTTP 429). Wait a little and try again.`
      : `${address} answered with HTTP ${status}. Try again later.`,
    { file },
  );
}
