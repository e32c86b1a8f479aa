/** Numbers as the page writes them. */

/** @param {number} milliseconds */
export function seconds(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/**
 * @param {number} count
 * @param {number} [total]
 */
export function bytes(count, total) {
  const megabytes = (/** @type {number} */ value) => (value / 1e6).toFixed(value < 1e8 ? 1 : 0);
  return total ? `${megabytes(count)} of ${megabytes(total)} MB` : `${megabytes(count)} MB`;
}

/** @param {number} similarity */
export const cosineText = (similarity) => similarity.toFixed(2).replace('-', '−');

/** Three of them, or as many as a whole number has. @param {number} value */
export function figures(value) {
  return (Math.abs(value) < 100 ? value.toPrecision(3) : value.toFixed(0)).replace('-', '−');
}

/** @param {number} share */
export function percent(share) {
  if (share > 0 && share < 0.005) return '< 1 %';
  return share > 0.995 && share < 1 ? '> 99 %' : `${Math.round(100 * share)} %`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
