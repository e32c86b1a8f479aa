//! The types of what crosses the border, for the JavaScript side.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
/** A file, read in pieces. */
export interface SourceFile {
  readonly size: number;
  /** How many bytes from its beginning on can be read, where writing it was interrupted. */
  readonly available?: number;
  /** The bytes from `start` to before `end`, all of them. */
  read(start: number, end: number): Promise<Uint8Array>;
}
/** A model's files; the engine asks for them by name. */
export interface Folder {
  readonly name: string;
  /** Resolves with null where the folder has no such file. */
  open(file: string): Promise<SourceFile | null>;
}
/** Where a folder is written, one file after the other; a file is complete when `size` bytes were written. */
export interface FolderSink {
  begin(file: string, size: number): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
}
export interface EngineConvertOptions {
  /** Of a model's matrices. */
  dtype?: string;
  /** Whether the folder holds what goes beside a model: an adapter, a head or both. */
  part?: boolean;
  /** The file of the weights, where it has none of the usual names. */
  weights?: string;
  /** What an earlier, interrupted conversion of the same source has written. */
  previous?: Folder;
  onProgress?: (progress: { phase: 'weights', loaded: number, total: number }) => void;
  shouldStop?: () => boolean;
}
/** The CPU as a device of its own, as `www/cpu/processor.js` starts it. */
export interface Processor {
  /** The name of its instructions. */
  readonly instructions: string;
  readonly threads: number;
  /** How it rounds inputs, as its module says it. */
  readonly arithmetic: number;
  /** Where its own part of the memory ends. */
  readonly firstAddress: number;
  /** Makes the memory at least so long; false where there is no room for it. */
  grow(bytes: number): boolean;
  write(address: number, bytes: Uint8Array): void;
  /** Fills all of `bytes`. */
  read(address: number, bytes: Uint8Array): void;
  /** Does the work at an address. */
  execute(work: number): void;
}
export interface EngineLoadOptions {
  dtype?: string;
  /** Runs the model where it is given, and the GPU where it is not. */
  processor?: Processor;
  maxLength?: number;
  tokenBudget?: number;
  /** How a paper becomes a text: `{title}`, `{abstract}`, `{sep}`. */
  template?: string;
  /** What `embed` does where it is not told; default what the model's files say. */
  pooling?: string;
  normalize?: boolean;
  /** What becomes of the logits of the model's own head; default what its files say. */
  function?: string;
  /** Who the adapter is and what it has, which the page can see better than the engine. */
  adapter?: { name: string, vendor: string, subgroups: boolean, integerDot: boolean };
  /** Which of the device's optional features are used, where it has them; default all. */
  features?: { subgroups?: boolean, f16?: boolean, integerDot?: boolean };
  /** How kernels are chosen: `measured`, `usual`, the name of one, or what an earlier load found. */
  tuning?: string | EngineTuning;
  /** The file of the weights, where it has none of the usual names. */
  weights?: string;
  /** Tasks by name, beside those that the model's files name. */
  tasks?: Record<string, { adapter?: string, experts?: number, template?: string, pooling?: string, normalize?: boolean }>;
  onProgress?: (progress: { phase: 'weights' | 'pipelines', loaded: number, total: number }) => void;
  shouldStop?: () => boolean;
}
export interface EngineEmbedOptions {
  task?: string | null;
  adapter?: string | null;
  pooling?: string;
  normalize?: boolean;
  /** How a paper becomes a text, in the place of the model's own way. */
  template?: string;
  onProgress?: (done: number, total: number) => void;
  shouldStop?: () => boolean;
}
export interface EngineHeadOptions {
  /** The task whose vectors the head reads. */
  task?: string;
  /** A loaded adapter whose vectors the head reads. */
  adapter?: string;
  function?: string;
}
export interface EngineClassifyOptions {
  head?: string;
  function?: string;
  threshold?: number;
  /** Of single labels. */
  thresholds?: Record<string, number>;
  topK?: number;
  onProgress?: (done: number, total: number) => void;
  shouldStop?: () => boolean;
}
export interface EngineRankOptions {
  task?: string | null;
  adapter?: string | null;
  pooling?: string;
  normalize?: boolean;
  topK: number;
  onProgress?: (done: number, total: number) => void;
  shouldStop?: () => boolean;
}
/** What makes the vectors that a head or a set of labels belongs to. */
export interface EngineInput {
  model: string;
  fingerprint: string;
  dtype: string;
  adapter: { name: string, fingerprint: string } | null;
  experts?: number;
  pooling: 'cls' | 'mean';
  normalize: boolean;
  template: string;
  maxLength: number;
}
/** For each paper how many labels it has; and all papers' labels and scores end to end, the best first. */
export interface EngineScores { counts: Uint32Array; labels: Uint32Array; scores: Float32Array }
export interface EngineEmbeddings { data: Float32Array; dims: [number, number] }
/** Which kernels were found to be the fastest. */
export interface EngineTuning { linear: EngineTunedLinear[]; attention: { headSize: number; kernel: string }[] }
/** Those that multiply by matrices of a shape, for up to 32 rows, for up to 256, and for more. */
export interface EngineTunedLinear { outputs: number; inputs: number; dtype: string; few: string; several: string; many: string; rounding?: { several?: string, many?: string } }
export interface EngineInfo {
  version: string;
  model: string;
  architecture: string;
  dtype: 'f32' | 'f16' | 'q8' | 'q4';
  hiddenSize: number;
  layers: number;
  maxLength: number;
  pooling: 'cls' | 'mean';
  normalize: boolean;
  template: string;
  fingerprint: string;
  adapters: string[];
  /** By name; what a task does not say is as for the model. */
  tasks: {
    name: string, adapter: string | null, experts: number | null, pooling: 'cls' | 'mean', normalize: boolean, template: string,
  }[];
  heads: { name: string, labels: string[], function: 'sigmoid' | 'softmax' | 'none', adapter: string | null, layers: number }[];
  device: {
    kind: 'webgpu' | 'wasm', adapter: string, vendor: string, backend: string, software: boolean, features: string[],
  };
  kernels: { name: string, variant: string, dispatches: number }[];
  /** What was measured or known; empty where kernels are chosen by rule. */
  tuning: EngineTuning;
  memory: { weights: number, activations: number, heap: number };
}
";
