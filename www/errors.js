/**
 * The one error class, and how an error keeps its fields across the worker boundary.
 *
 * @module
 */

/**
 * What went wrong, for a program. The set is closed and stable; the message is for people and may change.
 *
 * - `webgpu-unavailable`: this browser, page or machine offers no WebGPU.
 * - `wasm-unavailable`: this browser has no vector instructions in WebAssembly.
 * - `model-not-found`: no model or adapter at the source, or no permission to read it.
 * - `network`: a request failed or was cut short; trying again may help.
 * - `unsupported-model`, `unsupported-adapter`, `unsupported-head`: read and understood, but not something this engine
 *   runs, or not with this model.
 * - `unknown-task`: the model has no task of that name.
 * - `unknown-adapter`, `unknown-head`: none of that name is loaded.
 * - `corrupt-file`: a file is damaged or does not fit the others.
 * - `invalid-input`: a paper or a source is not of a kind that can be used.
 * - `invalid-option`: an option's name or value is wrong.
 * - `out-of-memory`, `device-lost`: the device gave up.
 * - `aborted`: an `AbortSignal` said so.
 * - `disposed`: called after `dispose()`.
 * - `internal`: a defect of this package.
 *
 * @typedef {'webgpu-unavailable' | 'wasm-unavailable' | 'model-not-found' | 'network' | 'unsupported-model' | 'unsupported-adapter' | 'unsupported-head' | 'unknown-task' | 'unknown-adapter' | 'unknown-head' | 'corrupt-file' | 'invalid-input' | 'invalid-option' | 'out-of-memory' | 'device-lost' | 'aborted' | 'disposed' | 'internal'} SpecterErrorCode
 */

/**
 * A `SpecterError` as structured clone can carry it.
 *
 * @typedef {object} PlainError
 * @property {SpecterErrorCode} code
 * @property {string} message
 * @property {string} [file]
 * @property {string} [stack]
 * @property {{ name: string, message: string, stack?: string }} [cause]
 */

/**
 * Every failure of this package.
 *
 * @example
 * try {
 *   await Specter.load('./models/nothing-here/');
 * } catch (error) {
 *   if (error instanceof SpecterError && error.code === 'model-not-found') console.log(error.message);
 * }
 */
export class SpecterError extends Error {
  /**
   * @param {SpecterErrorCode} code
   * @param {string} message  one or two sentences: what was wrong with what, and what to do
   * @param {{ file?: string, cause?: unknown }} [details]
   */
  constructor(code, message, { file, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SpecterError';
    /** @type {SpecterErrorCode} */
    this.code = code;
    /**
     * Folder and name of the file at fault; of one that is missing or could not be fetched, the name alone.
     *
     * @type {string | undefined}
     */
    this.file = file;
  }

  /**
   * Anything thrown, as a `SpecterError`: one stays as it is, one from the engine is recognised by its
   * name, and anything else is a defect.
   *
   * @param {unknown} thrown
   * @returns {SpecterError}
   */
  static from(thrown) {
    if (thrown instanceof SpecterError) return thrown;
    if (isLikeSpecterError(thrown)) {
      return new SpecterError(thrown.code, thrown.message, { file: thrown.file, cause: thrown.cause });
    }
    if (isTrap(thrown)) {
      return new SpecterError(
        'internal',
        `The engine stopped unexpectedly (${thrown.message}). Load the model again to go on; this is a defect worth reporting.`,
        { cause: thrown },
      );
    }
    const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    return new SpecterError('internal', `Something failed that should not (${message}). This is a defect worth reporting.`, {
      cause: thrown,
    });
  }

  /** @returns {PlainError} */
  toPlain() {
    const { code, message, file, stack, cause } = this;
    /** @type {PlainError} */
    const plain = { code, message };
    if (file !== undefined) plain.file = file;
    if (stack !== undefined) plain.stack = stack;
    if (cause instanceof Error) plain.cause = { name: cause.name, message: cause.message, stack: cause.stack };
    else if (cause !== undefined) plain.cause = { name: 'Error', message: String(cause) };
    return plain;
  }

  /**
   * @param {PlainError} plain
   * @returns {SpecterError}
   */
  static fromPlain(plain) {
    let cause;
    if (plain.cause) {
      cause = new Error(plain.cause.message);
      cause.name = plain.cause.name;
      if (plain.cause.stack !== undefined) cause.stack = plain.cause.stack;
    }
    const error = new SpecterError(plain.code, plain.message, { file: plain.file, cause });
    if (plain.stack !== undefined) error.stack = plain.stack;
    return error;
  }
}

/**
 * @param {unknown} thrown
 * @returns {thrown is Error & { code: SpecterErrorCode, file?: string, cause?: unknown }}
 */
function isLikeSpecterError(thrown) {
  return thrown instanceof Error && thrown.name === 'SpecterError' && typeof Reflect.get(thrown, 'code') === 'string';
}

/**
 * Whether WebAssembly itself gave up. A stack overflow is a `RangeError` in V8 and JavaScriptCore and an
 * `InternalError` in SpiderMonkey.
 *
 * @param {unknown} thrown
 * @returns {thrown is Error}
 */
export function isTrap(thrown) {
  if (!(thrown instanceof Error)) return false;
  if (thrown instanceof WebAssembly.RuntimeError) return true;
  return ['RangeError', 'InternalError'].includes(thrown.name) && /call stack|recursion/i.test(thrown.message);
}
