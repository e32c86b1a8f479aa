/** What the benchmarks are told on the command line. */
import { resolve } from 'node:path';

/**
 * The folder of what `cargo xtask bench` has made.
 *
 * @param {string | undefined} files
 */
export function folderOfFiles(files) {
  if (!files) throw new Error('--files is missing: the folder of what `cargo xtask bench` has made.');
  return resolve(files);
}

/**
 * A whole number of one or more.
 *
 * @param {string} option
 * @param {string | undefined} value
 */
export function countOf(option, value) {
  const count = Number(value);
  if (Number.isInteger(count) && count > 0) return count;
  throw new Error(`--${option} ${value} is not a number of one or more.`);
}
