/**
 * Stopping: what an `AbortSignal` means to a promise.
 *
 * @module
 */

import { SpecterError } from './errors.js';

/**
 * The error of an aborted call. A signal that was given one of our errors as its reason passes it on.
 *
 * @param {AbortSignal} signal
 * @returns {SpecterError}
 */
export function abortError(signal) {
  if (signal.reason instanceof SpecterError) return signal.reason;
  return new SpecterError('aborted', 'The call was stopped by its AbortSignal.', { cause: signal.reason });
}

/**
 * `promise`, or a rejection the moment `signal` fires. The work behind the promise is not stopped by this.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
export function untilAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(abortError(signal));
    if (signal.aborted) {
      promise.catch(() => {}); // its outcome has no reader left
      stop();
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
