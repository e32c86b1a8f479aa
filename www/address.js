/**
 * What an address says of the folder that it leads to.
 *
 * @module
 */

/**
 * The name of the folder; empty where the address is that of a server alone.
 *
 * @param {URL} address
 * @returns {string}
 */
export function folderName({ pathname }) {
  const folder = pathname.split('/').filter(Boolean).at(-1) ?? '';
  try {
    return decodeURIComponent(folder);
  } catch {
    return folder; // a % that stands for itself
  }
}
