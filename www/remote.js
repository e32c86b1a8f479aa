/**
 * The engine in a worker, seen from the page.
 *
 * @module
 */

import { untilAborted } from './abort.js';
import { serveStore } from './cache/store.js';
import { SpecterError } from './errors.js';
import { importEngine, startWorker } from './start.js';

/** @import { Call, EngineHandle, FromWorker, LoadCall, Outcome, ToWorker } from './protocol.js' */
/** @import { OnProgress, Store } from './types.js' */

/**
 * What both ends of a worker have in common.
 *
 * @template Sent
 * @typedef {object} MessageEnd
 * @property {(message: Sent, transfer?: Transferable[]) => void} postMessage
 * @property {(type: 'message', listener: (event: MessageEvent) => void) => void} addEventListener
 */

/** Milliseconds a worker gets to free its device before it is ended as it stands. */
const GRACE = 1000;

/** Milliseconds without a word of the worker after which the page looks for itself what is wrong. */
const SILENCE = 4000;

/** @implements {EngineHandle} */
export class RemoteEngine {
  #worker = startWorker();
  /** @type {Map<number, { resolve: (outcome: Outcome) => void, reject: (error: SpecterError) => void, onProgress: OnProgress }>} */
  #calls = new Map();
  #lastId = 0;
  /** Whether the worker has ever answered: until then, an error event means that its script did not load. */
  #alive = false;
  /** @type {SpecterError | null} */
  #failure = null;
  #disposed = () => {};

  constructor() {
    this.#worker.addEventListener('message', (event) => this.#receive(event.data));
    this.#worker.addEventListener('messageerror', () => {
      this.#fail(new SpecterError('internal', 'A message of the worker could not be read. This is a defect worth reporting.'));
    });
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.#fail(
        this.#alive
          ? new SpecterError('internal', `The worker failed (${event.message}). Load the model again to go on; this is a defect worth reporting.`)
          : new SpecterError(
              'network',
              `The worker could not be started${event.message ? ` (${event.message})` : ''}. Serve worker.js and the folder wasm beside specter.js, and let worker-src in a Content-Security-Policy allow them; worker: false does without a worker.`,
            ),
      );
    });
    // Firefox (seen in 153) fires no error event for a module worker when one of several imports of a module
    // fails before the others have arrived, and the load would wait for ever. The same imports, made here,
    // do fail. To be deleted when the test that serves the package without its wasm folder passes without it.
    setTimeout(() => {
      if (!this.#alive && !this.#failure) importEngine().catch((error) => this.#fail(error));
    }, SILENCE);
  }

  /**
   * @param {Call} call
   * @param {{ signal: AbortSignal, onProgress: OnProgress }} context
   * @returns {Promise<Outcome>}
   */
  async call(call, { signal, onProgress }) {
    if (this.#failure) throw this.#failure;
    const id = ++this.#lastId;
    /** @type {Promise<Outcome>} */
    const answer = new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, onProgress });
      const store = call.type === 'load' && typeof call.cache === 'object' ? call.cache : null;
      if (!store) return this.#post({ id, type: 'call', call });
      const { port1, port2 } = new MessageChannel();
      serveStore(/** @type {Store} */ (store), port1);
      this.#post({ id, type: 'call', call: { .../** @type {LoadCall} */ (call), cache: port2 } }, [port2]);
    });
    try {
      return await untilAborted(answer, signal);
    } finally {
      // Still listed: aborted, not answered.
      if (this.#calls.delete(id)) this.#post({ id, type: 'abort' });
    }
  }

  /** @returns {Promise<void>} */
  async dispose() {
    if (!this.#failure) {
      const freed = new Promise((/** @type {(value: void) => void} */ resolve) => (this.#disposed = resolve));
      const late = new Promise((resolve) => setTimeout(resolve, GRACE));
      this.#post({ type: 'dispose' });
      await Promise.race([freed, late]);
    }
    this.#worker.terminate();
  }

  /** Ends the worker as it stands, with all it holds. */
  terminate() {
    this.#alive = true; // ended, and not to be asked after
    this.#worker.terminate();
  }

  /**
   * @param {ToWorker} message
   * @param {Transferable[]} [transfer]
   */
  #post(message, transfer = []) {
    this.#worker.postMessage(message, transfer);
  }

  /** @param {FromWorker} message */
  #receive(message) {
    this.#alive = true;
    if (message.type === 'ready') return;
    if (message.type === 'crashed') {
      this.#fail(SpecterError.fromPlain(message.error));
      return;
    }
    if (message.type === 'disposed') {
      this.#disposed();
      return;
    }
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.type === 'progress') {
      call.onProgress(message.progress);
      return;
    }
    this.#calls.delete(message.id);
    if (message.type === 'done') call.resolve(message.outcome);
    else call.reject(SpecterError.fromPlain(message.error));
  }

  /** @param {SpecterError} failure */
  #fail(failure) {
    if (this.#failure) return;
    this.#failure = failure;
    this.#worker.terminate();
    for (const { reject } of this.#calls.values()) reject(failure);
    this.#calls.clear();
    this.#disposed();
  }
}
