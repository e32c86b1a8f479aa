/**
 * The package as somebody who writes TypeScript meets it: compiled against the declarations that are
 * published, never run. A line marked as an error must be one.
 */
import { ModelCache, Specter, SpecterError } from 'specter-web';
import type {
  AdapterSource, CachedModel, Embeddings, EmbedOptions, Info, LabelSet, LoadOptions, Paper, Progress, Similarity, Source, SpecterErrorCode,
  Store, Task, TaskInfo,
} from 'specter-web';

declare const files: FileList;
declare const directory: FileSystemDirectoryHandle;
declare const file: File;

export async function everything(): Promise<void> {
  const controller = new AbortController();
  const options: LoadOptions = {
    adapters: {
      proximity: 'allenai/specter2',
      mine: directory,
      theirs: files,
      query: true,
      pinned: { source: 'allenai/specter2', revision: 'main', headers: new Headers(), integrity: { 'adapter_config.json': '00' } },
    },
    tasks: {
      search: { adapter: 'query', template: '{title}', similarity: 'euclidean' },
      experts: { experts: 2, pooling: 'mean', normalize: true },
    },
    base: 'microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract@main',
    weights: 'scimult_moe.ckpt',
    dtype: 'q4',
    device: 'auto',
    worker: false,
    maxLength: 256,
    tokenBudget: 4096,
    hub: new URL('https://hub.example/'),
    revision: 'main',
    headers: { authorization: 'Bearer …' },
    integrity: { 'model.safetensors': '00' },
    cache: false,
    template: '{title}. {abstract}',
    pooling: 'mean',
    normalize: true,
    signal: controller.signal,
    onProgress: ({ phase, file, loaded, total, fromCache }) => {
      const text: string = `${phase} ${file ?? ''} ${loaded}/${total} ${fromCache ?? false}`;
      void text;
    },
  };
  const specter: Specter = await Specter.load('allenai/specter2_base', options);

  const papers: readonly (string | Paper)[] = [
    { title: 'BERT', abstract: 'We introduce…' },
    { title: 'Only a title' },
    { abstract: null },
    'a plain string',
  ];
  const { data, dims }: Embeddings = await specter.embed(papers, {
    adapter: 'proximity',
    pooling: 'cls',
    normalize: false,
    signal: controller.signal,
    onProgress: (progress: Progress) => void progress.loaded,
  });
  const first: Float32Array = data.subarray(0, dims[1]);
  const count: number = dims[0];
  void [first, count];

  const query: Embeddings = await specter.embed('one string', { task: 'search' });
  const set: LabelSet = await specter.encodeLabels(['a', { name: 'b' }], { task: 'search', similarity: 'euclidean' });
  const compared: Similarity = set.similarity;
  await specter.rankLabels(papers, set, { task: 'search', topK: 3 });
  await specter.fit([{ paper: 'x', label: 'a' }], { task: 'search' });
  await specter.loadHead('head', './head/', { task: 'search' });
  await specter.loadHead('head', { source: './head/', task: 'search' });
  void [query, compared];

  await specter.embed('one string');
  await specter.embed({ title: 'one paper' }, { adapter: null });
  await specter.loadAdapter('later', new URL('https://example.org/adapter/'), { revision: 'main', integrity: {}, signal: controller.signal });
  await specter.unloadAdapter('later');

  const info: Info = specter.info();
  const software: boolean = info.device.software;
  const runs: number[] = info.kernels.map((kernel) => kernel.dispatches);
  const similarity: Similarity | null = info.similarity;
  const tasks: TaskInfo[] = info.tasks;
  const own: Task[] = tasks.map(({ template, pooling, normalize }) => ({ template, pooling, normalize }));
  void own;
  const preset: string | null = info.preset;
  const heap: number = info.memory.heap;
  void [software, runs, similarity, preset, heap, info.template];
  await specter.dispose();
}

export const sources: Source[] = [
  'specter2', 'allenai/specter2_base@main', './models/x/', new URL('https://example.org/m/'), [file], files, directory,
  { 'config.json': new Uint8Array(), 'vocab.txt': new ArrayBuffer(1), 'model.safetensors': file },
];

export async function storage(): Promise<number> {
  const entries = new Map<string, Uint8Array<ArrayBuffer>>();
  const store: Store = {
    get: async (key) => entries.get(key) ?? null,
    put: async (key, bytes) => void entries.set(key, bytes),
    delete: async (key) => void entries.delete(key),
    keys: async () => [...entries.keys()],
  };
  await Specter.load('specter2', { cache: store });
  const cached: CachedModel[] = await new ModelCache(store).list();
  const names: string[] = cached.map(({ source, name, dtype, complete, used }) => `${source} ${name} ${dtype} ${complete} ${used}`);
  void names;
  await Specter.cache.delete('allenai/specter2_base', { revision: 'main', hub: 'https://hub.example/' });
  return (await Specter.cache.size()) + (await Specter.cache.delete());
}

export function adviceFor(error: unknown): string {
  if (!(error instanceof SpecterError)) return 'not ours';
  const code: SpecterErrorCode = error.code;
  const where: string | undefined = error.file;
  switch (code) {
    case 'webgpu-unavailable':
      return 'another browser';
    case 'out-of-memory':
      return `a smaller tokenBudget ${where ?? ''}`;
    // @ts-expect-error There is no such code.
    case 'something-else':
      return '';
    default:
      return error.message;
  }
}

export async function mistakes(specter: Specter): Promise<void> {
  // @ts-expect-error A model is loaded, not constructed.
  new Specter();
  // @ts-expect-error A source is needed.
  await Specter.load();
  // @ts-expect-error A number is no source.
  await Specter.load(42);
  // @ts-expect-error There is no such dtype.
  await Specter.load('a/b', { dtype: 'q3' });
  // @ts-expect-error There is no such option.
  await Specter.load('a/b', { adaptors: {} });
  // @ts-expect-error Headers are strings.
  await Specter.load('a/b', { headers: { key: 1 } });
  // @ts-expect-error A store has four functions.
  await Specter.load('a/b', { cache: { get: async () => null } });
  // @ts-expect-error An adapter is not left out with false.
  const none: AdapterSource = false;
  // @ts-expect-error A number is no paper.
  await specter.embed([1]);
  // @ts-expect-error A title is text.
  await specter.embed([{ title: 1 }]);
  // @ts-expect-error A task is named.
  await specter.embed('x', { task: 1 });
  // @ts-expect-error There is no such similarity.
  await specter.encodeLabels(['a'], { similarity: 'manhattan' });
  // @ts-expect-error A task has no such part.
  await Specter.load('a/b', { tasks: { search: { adaptor: 'query' } } });
  // @ts-expect-error A paper has no such part.
  await specter.embed([{ heading: 'x' }]);
  // @ts-expect-error There is no such pooling.
  await specter.embed([], { pooling: 'max' });
  // @ts-expect-error An adapter is named.
  const wrong: EmbedOptions = { adapter: 1 };
  // @ts-expect-error Two numbers, no third.
  const { dims: [, , third] } = await specter.embed([]);
  // @ts-expect-error An adapter needs a source.
  await specter.loadAdapter('name');
  // @ts-expect-error The engine's own parts are private.
  specter.engine;
  void [wrong, third, none];
}
