/**
 * What the page and the worker say to each other. Types only: this file has no code.
 *
 * The worker says `ready` once. Each call has an id, chosen by the page; the worker answers it with any number of `progress` and exactly
 * one `done` or `failed`. A call the page has aborted may still be answered; the page has stopped listening.
 *
 * @module
 */

/** @import { PlainError } from './errors.js' */
/** @import { Place } from './folder.js' */
/** @import { Device, Dtype, Embeddings, Features, Info, OnProgress, Paper, Pooling, Progress, Store, Tuned } from './types.js' */

/**
 * What the engine knows of itself; the page adds what it knows of presets.
 *
 * @typedef {Omit<Info, 'preset' | 'similarity'>} EngineInfo
 */

/**
 * @typedef {object} EngineOptions
 * @property {Dtype} [dtype]
 * @property {Device} device
 * @property {number} [maxLength]
 * @property {number} [tokenBudget]
 * @property {number} [threads]
 * @property {string} [template]
 * @property {Pooling} [pooling]
 * @property {boolean} [normalize]
 * @property {string | Tuned[]} [tuning]
 * @property {Features} [features]
 */

/**
 * @typedef {object} LoadCall
 * @property {'load'} type
 * @property {Place} model
 * @property {[name: string, place: Place][]} adapters
 * @property {boolean | Store | MessagePort} cache  a store in the page is spoken to through a port
 * @property {EngineOptions} options
 *
 * @typedef {object} LoadAdapterCall
 * @property {'loadAdapter'} type
 * @property {string} name
 * @property {Place} place
 *
 * @typedef {object} UnloadAdapterCall
 * @property {'unloadAdapter'} type
 * @property {string} name
 *
 * @typedef {object} EmbedCall
 * @property {'embed'} type
 * @property {(string | Paper)[]} papers
 * @property {{ adapter?: string | null, pooling?: Pooling, normalize?: boolean }} options
 */

/**
 * Every call's result: what is known of the engine afterwards and, from `embed`, the vectors.
 *
 * @typedef {object} Outcome
 * @property {EngineInfo} info
 * @property {Embeddings} [embeddings]
 */

/**
 * @typedef {LoadCall | LoadAdapterCall | UnloadAdapterCall | EmbedCall} Call
 */

/**
 * @typedef {{ id: number, type: 'call', call: Call } | { id: number, type: 'abort' } | { type: 'dispose' }} ToWorker
 */

/**
 * @typedef {{ type: 'ready' }
 *   | { id: number, type: 'progress', progress: Progress }
 *   | { id: number, type: 'done', outcome: Outcome }
 *   | { id: number, type: 'failed', error: PlainError }
 *   | { type: 'crashed', error: PlainError }
 *   | { type: 'disposed' }} FromWorker
 */

/**
 * The engine as `Specter` sees it, whether in this thread or in a worker.
 *
 * @typedef {object} EngineHandle
 * @property {(call: Call, context: { signal: AbortSignal, onProgress: OnProgress }) => Promise<Outcome>} call
 * @property {() => Promise<void>} dispose
 */

export {};
