/**
 * The shapes that cross the public interface. Types only: this file has no code.
 *
 * @module
 */

/**
 * A paper to embed. The engine joins title and abstract by the model's template. Either may be missing. A plain
 * string is embedded as it is.
 *
 * @typedef {object} Paper
 * @property {string | null} [title]
 * @property {string | null} [abstract]
 */

/**
 * Where a model or an adapter is read from:
 *
 * - a hub id, `'allenai/specter2_base'`, optionally with a revision, `'allenai/specter2_base@main'`;
 * - the address of a folder: a `URL`, `'https://…'`, or a relative address, which begins with
 *   `./`, `../` or `/`, or ends with `/`;
 * - files a person chose: an array of `File` or a `FileList`, with or without `webkitRelativePath`;
 * - files in memory: an object of bytes by file name;
 * - a `FileSystemDirectoryHandle`.
 *
 * @typedef {string | URL | readonly File[] | FileList | FileSystemDirectoryHandle | Record<string, Uint8Array | ArrayBuffer | Blob>} Source
 */

/**
 * Where an adapter is read from: a source, or one with what is particular to it. With a model that is a preset, also
 * the name of one of the preset's adapters, or `true` for the one of the same name.
 *
 * @typedef {Source | true | { source: Source, revision?: string, headers?: Record<string, string> | Headers, integrity?: Record<string, string> }} AdapterSource
 */

/**
 * A model that is known by a short name, with how it was trained to be used.
 *
 * @typedef {object} Preset
 * @property {string} description
 * @property {string} id           on the hub
 * @property {string} revision     a commit; the branch `main`, which may change, where no commit is known
 * @property {string} [weights]    name of the file with its weights, where it is none of the usual
 * @property {{ id: string, revision: string }} [base]  where the files are that its own repository lacks
 * @property {Record<string, { id: string, revision: string }>} adapters
 * @property {Record<string, Task>} tasks  what it can be asked for by name
 * @property {string} template
 * @property {Pooling} pooling
 * @property {boolean} normalize
 * @property {Similarity} similarity
 * @property {HeadFunction} [function]  what becomes of the logits of its own head, where its files do not say so
 * @property {string} license      SPDX identifier
 * @property {string} citation
 */

/**
 * One of the things that a model was trained for: the adapter or the set of experts that does it, and how it is to be used
 * where that is not as for the model.
 *
 * @typedef {object} Task
 * @property {string} [adapter]        name of an adapter, which may be loaded later
 * @property {number} [experts]        number of a set of experts among the model's weights
 * @property {string} [template]       default that of the model; so for the rest
 * @property {Pooling} [pooling]
 * @property {boolean} [normalize]
 * @property {Similarity} [similarity]
 */

/**
 * How vectors of a model are meant to be compared: by their distance (closer is more similar), the angle between
 * them, or their dot product. A score of `euclidean` is minus the distance, so that more is better of all of them.
 *
 * @typedef {'euclidean' | 'cosine' | 'dot'} Similarity
 */

/**
 * What becomes of a head's logits: a probability of each label on its own, one distribution over all labels, or nothing.
 *
 * @typedef {'sigmoid' | 'softmax' | 'none'} HeadFunction
 */

/**
 * Where a head is read from: a folder of the adapters library (`head_config.json`), what `head.save()` gave, or the
 * numbers of a linear model of scikit-learn; or one of these with what is particular to it.
 *
 * @typedef {Source | SavedHead | ScikitLearnHead | { source: Source | SavedHead | ScikitLearnHead, task?: string, adapter?: string, function?: HeadFunction, revision?: string, headers?: Record<string, string> | Headers, integrity?: Record<string, string> }} HeadSource
 */

/**
 * A linear head, for JSON.
 *
 * @typedef {object} SavedHead
 * @property {string} format
 * @property {string[]} labels
 * @property {HeadFunction} function
 * @property {number[][]} weight  a row for each label, a number for each component of a vector
 * @property {number[]} bias
 * @property {object} [input]     what made the vectors that it reads
 * @property {{ kind: FitKind, examples: number, strength: number, validation: Validation[] }} [training]
 */

/**
 * A linear model of scikit-learn that was trained on vectors of this model, as `tolist()` makes JSON of its parts.
 * `function` is `'softmax'` where it is left out, and `'none'` of a regressor, which has no classes; a
 * `OneVsRestClassifier` of many labels is a `'sigmoid'`. Of two classes with one row of `coef_`, both give the same scores.
 *
 * @typedef {object} ScikitLearnHead
 * @property {number[] | number[][]} coef_
 * @property {number | number[]} intercept_
 * @property {(string | number)[]} [classes_]
 * @property {HeadFunction} [function]
 */

/**
 * What is learned: one label each (softmax), any number of labels each (sigmoid), or a value.
 *
 * @typedef {'multinomial' | 'one-vs-rest' | 'ridge'} FitKind
 */

/**
 * A paper and what is known of it: one label, a set of labels, or a value; the same of all examples.
 *
 * @typedef {{ paper: string | Paper } & ({ label: string } | { labels: readonly string[] } | { value: number })} Example
 */

/**
 * A strength of regularization, and how well it did on examples left out: macro-F1, or R² of values.
 *
 * @typedef {{ strength: number, score: number }} Validation
 */

/**
 * A label and how well it fits a paper.
 *
 * @typedef {{ label: string, score: number }} Score
 */

/**
 * A label with what it means.
 *
 * @typedef {{ name: string, definition?: string | null }} Label
 */

/**
 * How weights are kept on the device. `q8`, `q4`: integers of 8 and 4 bits in groups of 32 with a scale each.
 *
 * @typedef {'f32' | 'f16' | 'q8' | 'q4'} Dtype
 */

/**
 * Where to compute. `wasm` is the CPU, with vector instructions and, in a page that is cross-origin isolated, on several
 * threads. `auto` is `webgpu` where there is a GPU, and `wasm` where there is none, or only software that stands in for
 * one; a GPU that is lost is tried once more, and then left for the CPU, with a warning on the console.
 *
 * @typedef {'auto' | 'webgpu' | 'wasm'} Device
 */

/**
 * How the rows of a document's tokens become its vector: the row of its first token, or the mean of all.
 *
 * @typedef {'cls' | 'mean'} Pooling
 */

/**
 * A step of a load or an embed. `loaded` and `total` count bytes in `download`, the model's tensors in `weights`,
 * documents in `embed`, and runs of the solver in `fit`, which may be broken numbers. `waiting` for another tab that loads the same model, and `pipelines`, are 0 of 1 and then
 * 1 of 1.
 *
 * @typedef {object} Progress
 * @property {'waiting' | 'download' | 'weights' | 'pipelines' | 'embed' | 'fit'} phase
 * @property {string} [file]  the file being downloaded, as it is called in its folder
 * @property {number} loaded  how much is done, in the phase's unit
 * @property {number} total   of how much; 0 where the server does not say how long a file is
 * @property {boolean} [fromCache]  whether a download comes from what an earlier load has stored
 */

/**
 * @callback OnProgress
 * @param {Progress} progress
 * @returns {void}
 */

/**
 * Where loads keep models between visits, in the place of the browser's own storage. What rejects is taken for
 * a store that has no room or is not to be used; it never fails a load.
 *
 * @typedef {object} Store
 * @property {(key: string) => Promise<Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | null>} get
 * @property {(key: string, bytes: Uint8Array<ArrayBuffer>) => Promise<void>} put
 * @property {(key: string) => Promise<void>} delete
 * @property {() => Promise<string[]>} keys
 */

/**
 * A model, an adapter or a head that is stored.
 *
 * @typedef {object} CachedModel
 * @property {string} source     its address
 * @property {string} name
 * @property {Dtype | 'adapter' | 'head'} dtype
 * @property {number} bytes
 * @property {boolean} complete  false: a load was interrupted, and the next one goes on from there
 * @property {string} used       when it was last used, ISO 8601, to the day
 */

/**
 * The kernels that multiply by matrices of one shape: for up to 32 rows of activations, for up to 256, and for more; and
 * faster ones that round activations, which are taken where that keeps the model's vectors.
 *
 * @typedef {object} TunedLinear
 * @property {number} outputs
 * @property {number} inputs
 * @property {string} dtype
 * @property {string} few
 * @property {string} several
 * @property {string} many
 * @property {{ several?: string, many?: string }} [rounding]
 */

/**
 * The kernels that were found to be the fastest: of dense layers by the shapes of their matrices, of attention by the size
 * of its heads, where there is a choice.
 *
 * @typedef {object} Tuned
 * @property {TunedLinear[]} linear
 * @property {{ headSize: number, kernel: string }[]} attention
 */

/**
 * What only some GPUs have. Each can be switched off, to find out whether it is at fault.
 *
 * @typedef {object} Features
 * @property {boolean} [subgroups]
 * @property {boolean} [f16]
 * @property {boolean} [integerDot]
 */

/**
 * @typedef {object} LoadOptions
 * @property {Record<string, AdapterSource>} [adapters]  adapters to load with the model, by the name `embed` will
 *   use; default those of the preset, if it is one, else none
 * @property {Record<string, HeadSource>} [heads]  heads to load with the model, by the name `classify` will use. A model
 *   that is a classifier brings one called `classifier`, and an adapter with a head one of its own name
 * @property {Record<string, Task>} [tasks]  what calls may ask for by name, besides the tasks of the preset and those of a model
 *   with experts; one of the same name replaces the preset's. A task whose adapter is not loaded is known, and refused with a sentence that says so
 * @property {Source} [base]        where files are read from that the model's own folder does not have, such as
 *   `config.json` and the tokenizer; never weights. Also the name of a preset. Default that of the preset, else none. A hub
 *   id may name a revision
 * @property {string} [weights]     name of the file with the weights, where it is neither `model.safetensors` nor
 *   `pytorch_model.bin`; default that of the preset
 * @property {HeadFunction} [function]  what becomes of the logits of the model's own head; default that of the preset,
 *   else what the model's files say
 * @property {Dtype} [dtype]        default `'q8'`
 * @property {Device} [device]      default `'auto'`
 * @property {boolean} [worker]     run in a worker of its own; default `true`
 * @property {number} [maxLength]   tokens kept of a document, at most as many as the model has positions; default what its files
 *   say, else all of its positions
 * @property {number} [tokenBudget] tokens in one batch on the device
 * @property {number} [threads]     of the CPU, at most; default as many as it has, up to 8; one in a page that is not
 *   cross-origin isolated
 * @property {string | Tuned} [tuning]  how the GPU's kernels are chosen: `'measured'` (default) by a short run while the
 *   model loads, which is remembered beside the model where `cache` allows; `'usual'` by rule; the name of a kernel
 *   (`registers`, `split`, `quads`, `small-tiles`, `tiles`, `half-tiles`, `dot`), wherever it runs; or what `info().tuning` was
 * @property {Features} [features]  which optional features of the GPU are used, where it has them; default all
 * @property {string} [template]    how a paper becomes a text: `{title}`, `{abstract}`, and `{sep}` for the tokenizer's
 *   separator; default that of the preset, else `{title}{sep}{abstract}`
 * @property {Pooling} [pooling]    where `embed` is not told; default that of the preset, else what the model's files say
 * @property {boolean} [normalize]  the same
 * @property {string | URL} [hub]   base address for hub ids; default `https://huggingface.co`
 * @property {string} [revision]    revision of the model, where `source` is a hub id that names none; default that of
 *   the preset, else `main`
 * @property {Record<string, string> | Headers} [headers]  for the model's own origin; where that sends a request elsewhere, browsers leave out Authorization and pass on any other
 * @property {Record<string, string>} [integrity]  SHA-256 of the model's files, by name: those that differ are refused
 * @property {boolean | Store} [cache]  keep what is downloaded for the next visit; default `true`, in the browser's
 *   own storage. Then the source is not asked again, not even whether it has changed
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} AdapterOptions
 * @property {string} [revision]    revision, where `source` is a hub id that names none; default `main`
 * @property {Record<string, string> | Headers} [headers]  sent with requests for this adapter
 * @property {Record<string, string>} [integrity]  SHA-256 of its files, by name
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} HeadOptions
 * @property {string} [task]        the task whose vectors the head reads, in the place of `adapter`
 * @property {string} [adapter]     a loaded adapter whose vectors the head reads; default the one that a saved head
 *   names, else none
 * @property {HeadFunction} [function]  default what its files say
 * @property {string} [revision]    revision, where `source` is a hub id that names none; default `main`
 * @property {Record<string, string> | Headers} [headers]  sent with requests for this head
 * @property {Record<string, string>} [integrity]  SHA-256 of its files, by name
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} ClassifyOptions
 * @property {string} [head]        name of a loaded head; may be left out where there is one only
 * @property {number | Record<string, number>} [threshold]  labels with a smaller score are left out; by label where it is
 *   an object. Default 0.5 where scores are sigmoids, and for others nothing is left out; 0 gives all scores
 * @property {number} [topK]        at most so many labels a paper; default all
 * @property {HeadFunction} [function]  in the place of the head's own
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} FitOptions
 * @property {string} [name]        of the head, for `classify`; one of the same name is replaced. Default `'fitted'`, and
 *   `'fitted 2'` where there is one
 * @property {FitKind} [kind]       default by what the examples have
 * @property {string | null} [task]     the task whose vectors it reads, in the place of `adapter`
 * @property {string | null} [adapter]  name of a loaded adapter whose vectors it reads; default none
 * @property {Pooling} [pooling]    default as for `embed`
 * @property {boolean} [normalize]  default as for `embed`
 * @property {number | readonly number[]} [strength]  scikit-learn's `C` (larger: weaker regularization), for `ridge` its
 *   `alpha`; of several, cross-validation chooses; default seven that suit the vectors
 * @property {number} [folds]       of cross-validation; default 5, and fewer where a label has fewer examples
 * @property {'balanced' | Record<string, number>} [classWeights]  how much examples of a label count
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} EncodeLabelsOptions
 * @property {string | null} [task]     name of a task, in the place of `adapter`
 * @property {string | null} [adapter]  name of a loaded adapter; default none
 * @property {Similarity} [similarity]  what they will be ranked by; default what the task or the preset says, else `'cosine'`
 * @property {string} [template]    how a name and a definition become a text, `{title}` and `{abstract}`; default
 *   `{title}{sep}{abstract}`
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} RankLabelsOptions
 * @property {number} [topK]        how many labels a paper; default 10
 * @property {string | null} [task]     name of a task for the papers, and for labels that are not encoded yet, in the place of
 *   `adapter`
 * @property {string | null} [adapter]  name of a loaded adapter for them; default none
 * @property {Similarity} [similarity]  default what the labels were encoded for
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} EmbedOptions
 * @property {string | null} [task]     name of a task, in the place of `adapter`; default none, which a model with experts refuses
 * @property {string | null} [adapter]  name of a loaded adapter; default none
 * @property {Pooling} [pooling]        default what the task says, else what was said at load, else what the model's files say, else
 *   `'cls'`
 * @property {boolean} [normalize]      scale each vector to length 1; default the same, else `false`
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * Vectors, one row a paper, in the order the papers came in: row `i` is
 * `data.subarray(i * dims[1], (i + 1) * dims[1])`.
 *
 * @typedef {object} Embeddings
 * @property {Float32Array} data
 * @property {[number, number]} dims  papers, components
 */

/**
 * What is loaded, where it runs and what has run.
 *
 * @typedef {object} Info
 * @property {string} version       of this package's engine
 * @property {string} model
 * @property {string} architecture
 * @property {Dtype} dtype
 * @property {number} hiddenSize    components of a vector
 * @property {number} layers
 * @property {number} maxLength     tokens kept of a document
 * @property {Pooling} pooling      used where `embed` is not told
 * @property {boolean} normalize    used where `embed` is not told
 * @property {string} template      how a paper becomes a text
 * @property {string | null} preset
 * @property {Similarity | null} similarity  how vectors of the preset are meant to be compared
 * @property {string} fingerprint   of the weights, the same in every dtype
 * @property {TaskInfo[]} tasks     what calls may ask for, by name in order; of an adapter that is not loaded as well
 * @property {string[]} adapters    names of the loaded adapters
 * @property {HeadInfo[]} heads     the loaded heads
 * @property {DeviceInfo} device
 * @property {KernelInfo[]} kernels
 * @property {Tuned} tuning  what was measured; empty lists where kernels are chosen by rule
 * @property {MemoryInfo} memory
 */

/**
 * @typedef {object} TaskInfo
 * @property {string} name
 * @property {string | null} adapter  that does it
 * @property {number | null} experts  the number of the set of experts that does it
 * @property {Pooling} pooling
 * @property {boolean} normalize
 * @property {string} template
 * @property {Similarity | null} similarity  how its vectors are meant to be compared, where that is known
 */

/**
 * @typedef {object} HeadInfo
 * @property {string} name
 * @property {string[]} labels
 * @property {HeadFunction} function
 * @property {string | null} adapter  whose vectors it reads
 * @property {number} layers
 */

/**
 * @typedef {object} DeviceInfo
 * @property {'webgpu' | 'wasm'} kind
 * @property {string} reason      why it was chosen
 * @property {string} adapter     the GPU adapter's name; of a CPU, how many threads run
 * @property {string} vendor
 * @property {string} backend
 * @property {boolean} software   whether the adapter runs on the CPU
 * @property {string[]} features  optional device features in use; of a CPU, its kind of vector instructions
 */

/**
 * @typedef {object} KernelInfo
 * @property {string} name
 * @property {string} variant
 * @property {number} dispatches  how often it has run
 */

/**
 * In bytes.
 *
 * @typedef {object} MemoryInfo
 * @property {number} weights      on the device
 * @property {number} activations  on the device
 * @property {number} heap         of WebAssembly, all models of one worker or page together
 */

export {};
