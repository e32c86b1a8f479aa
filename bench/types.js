/**
 * What the parts of the benchmark tell each other. Types only: this file has no code.
 *
 * @module
 */

/**
 * A text with the ids that its model's published tokenizer makes of it, `[CLS]` and `[SEP]` among them. A paper has
 * its parts besides.
 *
 * @typedef {object} Document
 * @property {string} text
 * @property {number[]} ids
 * @property {string} [title]
 * @property {string} [abstract]
 */

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} source  path of the published files, which specter-web reads
 * @property {string} hub     path of a folder that is laid out like a model hub, which the others read
 * @property {'cls' | 'mean'} pooling
 * @property {boolean} normalize
 * @property {number} layers
 * @property {number} hidden
 * @property {number} intermediate
 * @property {string} [weights]  the file of the weights, where it is none of the usual ones
 * @property {string} [task]     that is asked for, where one has to be
 */

/**
 * One engine with one setting in a page or a worker. The same five for everybody, so that what is around the
 * measured call is the same too.
 *
 * @typedef {object} Engine
 * @property {(model: Model) => Promise<void>} load  from nothing to where a document can be embedded
 * @property {(batches: Document[][]) => Promise<Float32Array>} run  one vector a document, in order, pooled as the
 *   model says. An engine that pads pads a batch to its longest; one that does not is free to batch as it likes
 * @property {() => Promise<string>} version
 * @property {() => Promise<void>} dispose
 */

/**
 * @typedef {Record<string, any>} Settings  of an engine, as its module reads them
 */

export {};
