/**
 * What a load reads: the places of a model, of its adapters and of heads, from what a caller names and what presets know.
 *
 * @module
 */

import { checkNames } from './checks.js';
import { SpecterError } from './errors.js';
import { isSameOrigin, placeOf } from './folder.js';
import { headOrigin } from './heads.js';
import { presets } from './presets.js';

/** @import { Place, PlaceOptions } from './folder.js' */
/** @import { HeadOrigin } from './protocol.js' */
/** @import { AdapterSource, LoadOptions, Preset, Source, Task } from './types.js' */

/** Where hub ids lead unless a caller says otherwise. */
export const HUB = 'https://huggingface.co';

/** @typedef {Preset & { name: string }} NamedPreset */

/**
 * @param {unknown} name
 * @returns {NamedPreset | null}
 */
export function presetOf(name) {
  const all = /** @type {Record<string, Preset>} */ (presets);
  const preset = typeof name === 'string' && Object.hasOwn(all, name) && all[name];
  return preset ? { name, ...preset } : null;
}

/**
 * A task that neither a preset nor the caller knows is a misspelt one, unless a model's own files may name it.
 *
 * @param {string} task
 * @param {Record<string, Task>} tasks  those that are known before the model is
 * @param {Preset | null} preset
 * @throws {SpecterError} `unknown-task`
 */
export function checkKnownTask(task, tasks, preset) {
  const ofFiles = !preset || Object.values(tasks).some(({ experts }) => experts !== undefined);
  if (ofFiles || Object.hasOwn(tasks, task)) return;
  const names = Object.keys(tasks).sort().join(', ');
  throw new SpecterError('unknown-task', `The model has no task “${task}”; ${names ? `it has ${names}` : 'it has none. Leave the task out'}.`);
}

/**
 * @param {LoadOptions['heads']} heads
 * @param {Record<string, Task>} tasks
 * @param {Preset | null} preset
 * @throws {SpecterError} `unknown-task`
 */
export function checkHeadTasks(heads, tasks, preset) {
  for (const from of Object.values(heads ?? {})) {
    // What has no source in it is a source itself, whose own parts are not options.
    const task = typeof from === 'object' && from !== null && 'source' in from ? from.task : undefined;
    if (typeof task === 'string') checkKnownTask(task, tasks, preset);
  }
}

/**
 * @param {Source} source
 * @param {Pick<LoadOptions, 'adapters' | 'heads' | 'base' | 'weights' | 'hub' | 'revision' | 'headers' | 'integrity'>} [options]
 * @returns {{ model: Place, adapters: [name: string, place: Place][], heads: HeadOrigin[] }}
 */
export function placesOf(source, { adapters, heads, base, weights, hub = HUB, revision, headers, integrity } = {}) {
  const preset = presetOf(source);
  const own = placeOf(preset?.id ?? source, {
    hub, revision: revision ?? preset?.revision, headers, integrity, weights: weights ?? preset?.weights,
  });
  // The model's headers may hold a key, which is for its own server alone.
  const withHeaders = (/** @type {Place} */ place) =>
    (place.kind === 'http' && own.kind === 'http' && isSameOrigin(place, own) ? { ...place, headers: { ...own.headers, ...place.headers } } : place);
  const headAt = (/** @type {HeadOrigin} */ head) => (typeof head.from === 'string' ? head : { ...head, from: withHeaders(head.from) });
  const other = presetOf(base) ?? preset?.base;
  const behind = base === undefined || presetOf(base) ? other && placeOf(other.id, { hub, revision: other.revision }) : placeOf(base, { hub });
  const model = behind ? { ...own, behind: withHeaders(behind) } : own;
  const chosen = adapters ?? Object.fromEntries(Object.keys(preset?.adapters ?? {}).map((name) => [name, true]));
  return {
    model,
    adapters: Object.entries(chosen).map(([name, from]) => [name, withHeaders(adapterPlace(name, from, preset, { hub }))]),
    heads: Object.entries(heads ?? {}).map(([name, from]) => headAt(headOrigin(name, from, { hub }))),
  };
}

/**
 * @param {string} name
 * @param {AdapterSource} from
 * @param {Preset | null} preset  of the model
 * @param {PlaceOptions} options
 * @returns {Place}
 */
export function adapterPlace(name, from, preset, options) {
  if (typeof from === 'object' && from !== null && Object.hasOwn(from, 'source')) {
    checkNames(`The adapter ${name}`, from, ['source', 'revision', 'headers', 'integrity']);
    const { source, ...more } = /** @type {{ source: Source }} */ (from);
    return adapterPlace(name, source, preset, { ...options, ...more });
  }
  const known = preset?.adapters ?? {};
  const key = from === true ? name : from;
  if (typeof key === 'string' && Object.hasOwn(known, key)) {
    const { id, revision } = /** @type {{ id: string, revision: string }} */ (known[key]);
    return placeOf(id, { ...options, revision: options.revision ?? revision });
  }
  if (from !== true) return placeOf(/** @type {Source} */ (from), options);
  const names = Object.keys(known).join(', ') || 'none';
  throw new SpecterError('invalid-option', `The preset knows no adapter “${name}”, so its source cannot be true. It knows ${names}.`);
}
