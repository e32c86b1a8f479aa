/**
 * A file that lies in a `Blob`: chosen by a person, given in memory, or downloaded as a whole.
 *
 * @module
 */

import { SpecterError } from './errors.js';

/** @import { SourceFile } from './folder.js' */

/**
 * @param {Blob} blob
 * @param {string} name  folder and file, for messages
 * @returns {SourceFile}
 */
export function blobFile(blob, name) {
  return {
    size: blob.size,
    etag: null,
    async read(start, end) {
      let cause;
      try {
        const bytes = await blob.slice(start, end).arrayBuffer();
        if (bytes.byteLength === end - start) return new Uint8Array(bytes);
      } catch (error) {
        cause = error;
      }
      throw new SpecterError('corrupt-file', `${name} was changed, moved or deleted while it was read. Load it again.`, { file: name, cause });
    },
  };
}
