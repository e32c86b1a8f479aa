/**
 * specter-web through its public interface: texts in, vectors out.
 *
 * @module
 */

/** @import { Engine, Settings } from '../types.js' */

/** Tokens kept of a document, as with the other engines. */
const MAX_LENGTH = 512;

/**
 * @param {Settings} settings  options of `Specter.load`
 * @returns {Engine}
 */
export function create(settings) {
  /** @type {import('../../www/specter.js').Specter} */
  let specter;
  /** @type {string | undefined} */
  let task;
  return {
    async load({ source, pooling, normalize, weights, task: asked }) {
      const { Specter } = await import(/** @type {string} */ ('/specter.js'));
      specter = await Specter.load(source, { ...settings, pooling, normalize, weights, maxLength: MAX_LENGTH });
      task = asked;
    },
    async run(batches) {
      const papers = batches.flat().map(({ text, title, abstract }) => (title ? { title, abstract } : text));
      return (await specter.embed(papers, { task })).data;
    },
    async version() {
      return specter.info().version;
    },
    dispose: () => specter.dispose(),
  };
}
