/**
 * The other side of `remote.js`: runs an engine in a worker.
 *
 * @module
 */

/** @type {Record<string, (...values: any[]) => Promise<unknown>>} */
let engine = {};

addEventListener('message', async ({ data: { method, values } }) => {
  try {
    if (method === 'create') {
      const [module, settings] = values;
      engine = (await import(module)).create(settings);
      postMessage({ value: undefined });
    } else {
      postMessage({ value: await engine[method](...values) });
    }
  } catch (error) {
    postMessage({ failure: error instanceof Error ? error.message : String(error) });
  }
});
