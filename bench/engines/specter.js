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
  return {
    async load({ source, pooling, normalize }) {
      const { Specter } = await import(/** @type {string} */ ('/specter.js'));
      specter = await Specter.load(source, { ...settings, pooling, normalize, maxLength: MAX_LENGTH });
    },
    async run(batches) {
      const papers = batches.flat().map(({ text, title, abstract }) => (title ? { title, abstract } : text));
      return (await specter.embed(papers)).data;
    },
    async version() {
      return specter.info().version;
    },
    dispose: () => specter.dispose(),
  };
}
