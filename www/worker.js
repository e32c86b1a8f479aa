/**
 * The worker's entry: one engine, spoken to in the messages of `protocol.js`.
 *
 * @module
 */

import { LocalEngine } from './engine.js';
import { SpecterError } from './errors.js';

/** @import { FromWorker, ToWorker } from './protocol.js' */

const scope = /** @type {import('./remote.js').MessageEnd<FromWorker>} */ (/** @type {unknown} */ (globalThis));

/** @type {Map<number, AbortController>} */
const running = new Map();

const engine = new LocalEngine((error) => scope.postMessage({ type: 'crashed', error: error.toPlain() }));

scope.addEventListener('message', async (/** @type {MessageEvent<ToWorker>} */ { data: message }) => {
  switch (message.type) {
    case 'abort':
      running.get(message.id)?.abort();
      return;
    case 'dispose':
      await engine.dispose();
      scope.postMessage({ type: 'disposed' });
      return;
    case 'call':
      await answer(message.id, message.call);
  }
});
scope.postMessage({ type: 'ready' });

/**
 * @param {number} id
 * @param {import('./protocol.js').Call} call
 */
async function answer(id, call) {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const outcome = await engine.call(call, {
      signal: controller.signal,
      onProgress: (progress) => scope.postMessage({ id, type: 'progress', progress }),
    });
    const buffer = outcome.embeddings?.data.buffer;
    // A view of memory that belongs to something else is copied instead.
    const whole = buffer && buffer.byteLength === outcome.embeddings?.data.byteLength && buffer instanceof ArrayBuffer;
    scope.postMessage({ id, type: 'done', outcome }, whole ? [buffer] : []);
  } catch (error) {
    scope.postMessage({ id, type: 'failed', error: SpecterError.from(error).toPlain() });
  } finally {
    running.delete(id);
  }
}
