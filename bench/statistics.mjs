/** Numbers that stand for many. */

/**
 * @param {number[]} values  one at least
 */
export function median(values) {
  return quantile(values, 0.5);
}

/**
 * @param {number[]} values  one at least
 * @param {number} share     0 is the least of them, 1 the greatest; between two neighbours, in proportion
 */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at % 1);
}

/**
 * The mean cosine of rows with the rows that they should be.
 *
 * @param {ArrayLike<number>} rows
 * @param {ArrayLike<number>} expected  as many numbers
 * @param {number} width                of a row
 */
export function meanCosine(rows, expected, width) {
  if (rows.length !== expected.length) {
    throw new Error(`The engine gave ${rows.length} numbers and not ${expected.length}.`);
  }
  let sum = 0;
  for (let start = 0; start < rows.length; start += width) {
    let [product, left, right] = [0, 0, 0];
    for (let at = start; at < start + width; at++) {
      product += rows[at] * expected[at];
      left += rows[at] ** 2;
      right += expected[at] ** 2;
    }
    sum += product / Math.sqrt(left * right);
  }
  return sum / (rows.length / width);
}

/**
 * The line through points that leaves the least squares, and how much of their spread it explains.
 *
 * @param {{ x: number, y: number }[]} points  two at least
 */
export function fitLine(points) {
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map((point) => point.x)), mean(points.map((point) => point.y))];
  const products = (/** @type {(point: { x: number, y: number }) => number} */ of) =>
    points.reduce((sum, point) => sum + of(point), 0);
  const slope = products((point) => (point.x - x) * (point.y - y)) / products((point) => (point.x - x) ** 2);
  const intercept = y - slope * x;
  const left = products((point) => (point.y - intercept - slope * point.x) ** 2);
  return { slope, intercept, r2: 1 - left / products((point) => (point.y - y) ** 2) };
}
