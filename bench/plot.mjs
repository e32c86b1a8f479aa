/** Time against tokens as a picture: measured points and the line of least squares. */

/** @import { Line } from './line.mjs' */

const WIDTH = 720;
const HEIGHT = 440;
const FONT = 'font-family="sans-serif" font-size="13"';
/** The picture's edge to the axes. */
const EDGE = { left: 84, right: 24, top: 64, bottom: 64 };

/**
 * @param {Line} line
 * @param {string} subtitle
 * @returns {string} SVG
 */
export function plot({ model, contender, points, fit }, subtitle) {
  const x = axis(Math.max(...points.map(({ tokens }) => tokens)), EDGE.left, WIDTH - EDGE.right);
  const y = axis(Math.max(...points.map(({ milliseconds }) => milliseconds)), HEIGHT - EDGE.bottom, EDGE.top);
  const at = (/** @type {number} */ tokens) => y.place(fit.intercept + fit.slope * tokens);
  const title = `${contender.name} ${contender.dtype}, ${model}: documents of ${points[0].tokens} tokens`;
  const equation =
    `${fit.intercept.toFixed(1)} ms + ${(1000 * fit.slope).toFixed(1)} µs × tokens, R² = ${fit.r2.toFixed(5)}`;
  const sideways = `transform="rotate(-90 22 ${HEIGHT / 2})"`;
  const [left, right, top, bottom] = [EDGE.left, WIDTH - EDGE.right, EDGE.top, HEIGHT - EDGE.bottom];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ${FONT}>`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(left, 26, title, 'font-size="16"'),
    text(left, 46, subtitle, 'fill="#555"'),
    ...x.ticks.flatMap((tick) => [
      stroke(x.place(tick), top, x.place(tick), bottom, 'stroke="#e4e4e4"'),
      text(x.place(tick), bottom + 20, tick, 'text-anchor="middle"'),
    ]),
    ...y.ticks.flatMap((tick) => [
      stroke(left, y.place(tick), right, y.place(tick), 'stroke="#e4e4e4"'),
      text(left - 8, y.place(tick) + 4, tick, 'text-anchor="end"'),
    ]),
    `<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="#333"/>`,
    text((left + right) / 2, HEIGHT - 18, 'tokens', 'text-anchor="middle"'),
    text(22, HEIGHT / 2, 'time in ms', `text-anchor="middle" ${sideways}`),
    stroke(x.place(0), at(0), x.place(x.end), at(x.end), 'stroke="#c2410c" stroke-width="1.5"'),
    ...points.map(({ tokens, milliseconds }) => {
      return `<circle cx="${x.place(tokens)}" cy="${y.place(milliseconds)}" r="4" fill="#0f766e"/>`;
    }),
    text(left + 16, top + 20, equation, 'fill="#c2410c"'),
    '</svg>\n',
  ].join('\n');
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string | number} words
 * @param {string} attributes
 */
function text(x, y, words, attributes) {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(String(words))}</text>`;
}

/**
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 * @param {string} attributes
 */
function stroke(x1, y1, x2, y2, attributes) {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" ${attributes}/>`;
}

/**
 * An axis from 0 to a round number that is not below `most`, with about six steps.
 *
 * @param {number} most
 * @param {number} from  where 0 is in the picture
 * @param {number} to
 */
function axis(most, from, to) {
  const rough = most / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const count = Math.ceil(most / step);
  const end = count * step;
  return {
    end,
    ticks: Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12))),
    place: (/** @type {number} */ value) => Number((from + ((to - from) * value) / end).toFixed(1)),
  };
}

/** @param {string} words */
function escaped(words) {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
