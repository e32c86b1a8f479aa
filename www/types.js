/**
 * The shapes that cross the public interface. Types only: this file has no code.
 *
 * @module
 */

/**
 * A paper to embed. The engine joins title and abstract the way the model was trained:
 * `title [SEP] abstract`. Either may be missing. A plain string is embedded as it is.
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
 * - a `FileSystemDirectoryHandle`.
 *
 * @typedef {string | URL | readonly File[] | FileList | FileSystemDirectoryHandle} Source
 */

/**
 * How weights are kept on the device. `q8`: 8-bit integers in groups of 32 with a scale each.
 *
 * @typedef {'f32' | 'f16' | 'q8'} Dtype
 */

/**
 * Where to compute. `auto` means `webgpu` today: where there is none, it rejects with `webgpu-unavailable` and
 * does not fall back. `wasm` computes in the slow scalar reference that the GPU is checked against.
 *
 * @typedef {'auto' | 'webgpu' | 'wasm'} Device
 */

/**
 * How the rows of a document's tokens become its vector: the row of its first token, or the mean of all.
 *
 * @typedef {'cls' | 'mean'} Pooling
 */

/**
 * A step of a load or an embed. `loaded` and `total` count bytes in `download`, the model's layers in `weights`,
 * 0 of 1 and then 1 of 1 in `pipelines`, and documents in `embed`.
 *
 * @typedef {object} Progress
 * @property {'download' | 'weights' | 'pipelines' | 'embed'} phase
 * @property {string} [file]  the file being downloaded, as it is called in its folder
 * @property {number} loaded  how much is done, in the phase's unit
 * @property {number} total   of how much; 0 where the server does not say how long a file is
 * @property {boolean} [fromCache]  whether a download came from a cache of this package
 */

/**
 * @callback OnProgress
 * @param {Progress} progress
 * @returns {void}
 */

/**
 * @typedef {object} LoadOptions
 * @property {Record<string, Source>} [adapters]  adapters to load with the model, by the name `embed` will use
 * @property {Dtype} [dtype]        default `'q8'`
 * @property {Device} [device]      default `'auto'`
 * @property {boolean} [worker]     run in a worker of its own; default `true`
 * @property {number} [maxLength]   tokens kept of a document; default what the model's files say, at most 512
 * @property {number} [tokenBudget] tokens in one batch on the device
 * @property {string | URL} [hub]   base address for hub ids; default `https://huggingface.co`
 * @property {string} [revision]    revision of the model, where `source` is a hub id that names none; default `main`
 * @property {Record<string, string>} [headers]  sent with requests to the model's own origin, and nowhere else
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} AdapterOptions
 * @property {string} [revision]    revision, where `source` is a hub id that names none; default `main`
 * @property {Record<string, string>} [headers]  sent with requests for this adapter
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} EmbedOptions
 * @property {string | null} [adapter]  name of a loaded adapter; default none
 * @property {Pooling} [pooling]        default what the model's files say, else `'cls'`
 * @property {boolean} [normalize]      scale each vector to length 1; default what the model's files say, else `false`
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
 * @property {string[]} adapters    names of the loaded adapters
 * @property {DeviceInfo} device
 * @property {KernelInfo[]} kernels
 * @property {MemoryInfo} memory
 */

/**
 * @typedef {object} DeviceInfo
 * @property {'webgpu' | 'wasm'} kind
 * @property {string} adapter     the GPU adapter's name
 * @property {string} vendor
 * @property {string} backend
 * @property {boolean} software   whether the adapter runs on the CPU
 * @property {string[]} features  optional device features in use
 */

/**
 * @typedef {object} KernelInfo
 * @property {string} name
 * @property {string} variant
 * @property {number} dispatches  how often it has run
 */

/**
 * Bytes on the device.
 *
 * @typedef {object} MemoryInfo
 * @property {number} weights
 * @property {number} activations
 */

export {};
