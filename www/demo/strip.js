/**
 * A vector as a strip of coloured cells, one a component, low to high in two diverging colours. The canvas
 * carries a text alternative, and its cells can be walked with the arrow keys.
 */

/** Smallest width of a cell in CSS pixels. */
const CELL = 6;
const CELL_HEIGHT = 18;

export class Strip {
  #canvas;
  #output;
  #low;
  #high;
  /** @type {Float32Array | null} */
  #vector = null;
  #limit = 1;
  #columns = 1;
  #selected = -1;

  /**
   * @param {{ canvas: HTMLCanvasElement, output: HTMLElement, low: HTMLElement, high: HTMLElement }} elements
   */
  constructor({ canvas, output, low, high }) {
    this.#canvas = canvas;
    this.#output = output;
    this.#low = low;
    this.#high = high;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
    canvas.addEventListener('pointermove', (event) => this.#select(this.#cellAt(event)));
    canvas.addEventListener('pointerdown', (event) => this.#select(this.#cellAt(event)));
    canvas.addEventListener('keydown', (event) => this.#walk(event));
  }

  /** @param {Float32Array} vector */
  show(vector) {
    this.#vector = vector;
    // A few components of a transformer's vector are far out; the scale is set by the rest.
    const sizes = Array.from(vector, Math.abs).sort((a, b) => a - b);
    this.#limit = sizes[Math.floor(0.98 * (sizes.length - 1))] || 1;
    this.#low.textContent = `≤ −${this.#limit.toFixed(2)}`;
    this.#high.textContent = `≥ ${this.#limit.toFixed(2)}`;

    let lowest = 0;
    let highest = 0;
    let squares = 0;
    vector.forEach((value, index) => {
      if (value < at(vector, lowest)) lowest = index;
      if (value > at(vector, highest)) highest = index;
      squares += value * value;
    });
    this.#canvas.setAttribute(
      'aria-label',
      `The vector: ${vector.length} components, the lowest ${signed(at(vector, lowest))} (component ${lowest + 1}), ` +
        `the highest ${signed(at(vector, highest))} (component ${highest + 1}); its length is ${Math.sqrt(squares).toFixed(2)}.`,
    );
    if (this.#selected >= vector.length) this.#selected = -1;
    this.#draw();
    if (this.#selected >= 0) this.#select(this.#selected);
  }

  #draw() {
    const vector = this.#vector;
    const width = this.#canvas.clientWidth;
    if (!vector || !width) return;
    this.#columns = columnsFor(vector.length, Math.floor(width / CELL));
    const rows = Math.ceil(vector.length / this.#columns);
    const scale = devicePixelRatio;
    this.#canvas.height = Math.round(rows * CELL_HEIGHT * scale);
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.style.height = `${rows * CELL_HEIGHT}px`;
    const context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext('2d'));
    const style = getComputedStyle(document.documentElement);
    const [low, zero, high] = ['--low', '--zero', '--high'].map((name) => rgb(style.getPropertyValue(name)));
    const across = this.#canvas.width / this.#columns;
    const down = this.#canvas.height / rows;
    vector.forEach((value, index) => {
      const share = Math.min(1, Math.abs(value) / this.#limit);
      context.fillStyle = mix(/** @type {Rgb} */ (zero), /** @type {Rgb} */ (value < 0 ? low : high), share);
      const x = Math.floor((index % this.#columns) * across);
      const y = Math.floor(Math.floor(index / this.#columns) * down);
      context.fillRect(x, y, Math.ceil(across), Math.ceil(down) - 1);
    });
    if (this.#selected >= 0) {
      context.strokeStyle = style.getPropertyValue('--ink');
      context.lineWidth = 2 * scale;
      const x = (this.#selected % this.#columns) * across;
      const y = Math.floor(this.#selected / this.#columns) * down;
      context.strokeRect(x, y, across, down - 1);
    }
  }

  /**
   * @param {PointerEvent} event
   * @returns {number}
   */
  #cellAt({ offsetX, offsetY }) {
    const column = Math.floor((offsetX / this.#canvas.clientWidth) * this.#columns);
    return Math.floor(offsetY / CELL_HEIGHT) * this.#columns + column;
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const last = (this.#vector?.length ?? 0) - 1;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns }[event.key];
    const target = event.key === 'Home' ? 0 : event.key === 'End' ? last : step && Math.max(0, Math.min(last, this.#selected + step));
    if (target === undefined) return;
    event.preventDefault();
    this.#select(target);
  }

  /** @param {number} index */
  #select(index) {
    const value = this.#vector?.[index];
    if (value === undefined) return;
    this.#selected = index;
    this.#output.textContent = `Component ${index + 1}: ${signed(value, 4)}`;
    this.#draw();
  }
}

/**
 * As many columns as fit, so that all rows are full where the length allows.
 *
 * @param {number} length
 * @param {number} fit
 */
function columnsFor(length, fit) {
  const most = Math.max(1, Math.min(length, fit));
  for (let columns = most; columns > most / 2; columns--) if (length % columns === 0) return columns;
  return most;
}

/**
 * @param {Float32Array} vector
 * @param {number} index
 */
const at = (vector, index) => /** @type {number} */ (vector[index]);

/**
 * @param {number} value
 * @param {number} [digits]
 */
const signed = (value, digits = 2) => `${value < 0 ? '−' : ''}${Math.abs(value).toFixed(digits)}`;

/** @typedef {[number, number, number]} Rgb */

/**
 * @param {string} hex
 * @returns {Rgb}
 */
function rgb(hex) {
  const number = Number.parseInt(hex.trim().slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/**
 * @param {Rgb} from
 * @param {Rgb} to
 * @param {number} share
 */
function mix(from, to, share) {
  const [r, g, b] = from.map((value, index) => Math.round(value + (/** @type {number} */ (to[index]) - value) * share));
  return `rgb(${r} ${g} ${b})`;
}
