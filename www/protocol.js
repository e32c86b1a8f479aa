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
/** @import { Device, Dtype, Embeddings, Features, FitKind, HeadFunction, Info, OnProgress, Paper, Pooling, Progress, SavedHead, Similarity, Store, Task, TaskInfo, Tuned } from './types.js' */

/**
 * What the engine knows of itself; the page adds what it knows of presets and of similarities.
 *
 * @typedef {Omit<Info, 'preset' | 'similarity' | 'tasks'> & { tasks: Omit<TaskInfo, 'similarity'>[] }} EngineInfo
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
 * @property {HeadFunction} [function]
 * @property {Record<string, Omit<Task, 'similarity'>>} [tasks]
 * @property {string | Tuned} [tuning]
 * @property {Features} [features]
 */

/**
 * What to load for a head: a folder, or JSON.
 *
 * @typedef {object} HeadOrigin
 * @property {string} name
 * @property {Place | string} from
 * @property {{ task?: string, adapter?: string, function?: string }} options
 */

/**
 * What made some vectors, as the engine says it.
 *
 * @typedef {import('./wasm/specter_web.js').EngineInput} VectorInput
 */

/**
 * What is learned of each paper.
 *
 * @typedef {{ labels: string[] } | { labelSets: string[][] } | { values: number[] }} FitTargets
 *
 * @typedef {object} LearningChoices
 * @property {FitKind} [kind]
 * @property {number[]} [strength]
 * @property {number} [folds]
 * @property {'balanced' | Record<string, number>} [classWeights]
 */

/**
 * How papers become vectors.
 *
 * @typedef {{ task?: string, adapter?: string | null, pooling?: Pooling, normalize?: boolean }} VectorOptions
 */

/**
 * @typedef {object} LoadCall
 * @property {'load'} type
 * @property {Place} model
 * @property {[name: string, place: Place][]} adapters
 * @property {HeadOrigin[]} heads
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
 * @property {VectorOptions & { template?: string }} options
 * @property {boolean} [describes]  whether it is asked what made the vectors, for who keeps them
 *
 * @typedef {object} LoadHeadCall
 * @property {'loadHead'} type
 * @property {HeadOrigin} head
 *
 * @typedef {object} UnloadHeadCall
 * @property {'unloadHead'} type
 * @property {string} name
 *
 * @typedef {object} ClassifyCall
 * @property {'classify'} type
 * @property {(string | Paper)[]} papers
 * @property {{ head?: string, function?: HeadFunction, threshold?: number, thresholds?: Record<string, number>, topK?: number }} options
 *
 * @typedef {object} FitCall
 * @property {'fit'} type
 * @property {string} name
 * @property {(string | Paper)[]} papers
 * @property {FitTargets} targets
 * @property {VectorOptions} options
 * @property {LearningChoices} choices
 *
 * @typedef {object} RankLabelsCall
 * @property {'rankLabels'} type
 * @property {(string | Paper)[]} papers
 * @property {number} number
 * @property {VectorOptions & { topK: number }} options
 * @property {LabelContents} [contents]  of the set, where it turned out not to be on the device
 */

/**
 * A set of labels, with a vector for each.
 *
 * @typedef {{ labels: string[], vectors: Float32Array, input: VectorInput, similarity: Similarity }} LabelContents
 */

/**
 * For each paper how many labels it has; and all papers' labels and scores end to end.
 *
 * @typedef {{ counts: Uint32Array, labels: Uint32Array, scores: Float32Array }} Scores
 */

/**
 * Every call's result: what is known of the engine afterwards, and what was asked for: vectors and what made them, scores,
 * a head. There are no scores where the labels to be ranked are not on the device, because they never were, or because the
 * device was lost.
 *
 * @typedef {object} Outcome
 * @property {EngineInfo} info
 * @property {Embeddings} [embeddings]
 * @property {VectorInput} [input]
 * @property {Scores} [scores]
 * @property {SavedHead} [head]
 */

/**
 * @typedef {LoadCall | LoadAdapterCall | UnloadAdapterCall | LoadHeadCall | UnloadHeadCall | EmbedCall | ClassifyCall | FitCall | RankLabelsCall} Call
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
