/**
 * An engine in a worker, behind the interface of one in the page.
 *
 * @module
 */

/** @import { Engine, Settings } from '../types.js' */

/**
 * @param {string} module
 * @param {Settings} settings
 * @returns {Engine}
 */
export function createRemote(module, settings) {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  /**
   * One call at a time: the measurement waits for each.
   *
   * @param {keyof Engine | 'create'} method
   * @param {...unknown} values
   * @returns {Promise<any>}
   */
  const call = (method, ...values) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => ('failure' in data ? reject(new Error(data.failure)) : resolve(data.value));
      worker.onerror = ({ message }) => reject(new Error(message || 'the worker could not be started'));
      worker.postMessage({ method, values });
    });
  return {
    async load(model) {
      await call('create', module, settings);
      await call('load', model);
    },
    run: (batches) => call('run', batches),
    version: () => call('version'),
    async dispose() {
      await call('dispose');
      worker.terminate();
    },
  };
}
