/**
 * What an animation on the page feels of an engine's work: the time from one frame to the next.
 *
 * @module
 */

import { createRemote } from './remote.js';

/** @import { Document, Engine, Model, Settings } from '../types.js' */

/** How long the animation is watched with nothing else going on. */
const IDLE_MS = 2000;

/**
 * @param {object} work
 * @param {string} work.module
 * @param {Settings} work.settings
 * @param {boolean} work.remote   put the engine in a worker; else it goes there by itself
 * @param {Model} work.model
 * @param {string} work.inputs    address of inputs.json
 * @param {import('./page.js').Batches} work.batches
 * @returns {Promise<{ idle: number[], busy: number[], milliseconds: number }>} frame times in milliseconds
 */
export async function framesDuring({ module, settings, remote, model, inputs, batches }) {
  const sets = /** @type {Record<string, Document[]>} */ (await (await fetch(inputs)).json());
  const documents = batches.indices.map((batch) => batch.map((index) => sets[batches.set][index]));
  const engine = /** @type {Engine} */ (
    remote ? createRemote(module, settings) : (await import(module)).create(settings)
  );
  await engine.load(model);
  await engine.run([[sets['32'][0]]]);
  const animation = animate();
  try {
    await animation.watch(() => new Promise((resolve) => setTimeout(resolve, IDLE_MS)));
    const { frames: idle } = await animation.watch(() => new Promise((resolve) => setTimeout(resolve, IDLE_MS)));
    const { frames: busy, milliseconds } = await animation.watch(() => engine.run(documents));
    return { idle, busy, milliseconds };
  } finally {
    animation.stop();
    await engine.dispose();
  }
}

/** A square that runs to and fro, a step each frame. */
function animate() {
  const square = document.createElement('div');
  square.style.cssText = 'position: fixed; top: 40px; width: 80px; height: 80px; background: teal';
  document.body.append(square);
  /** @type {number[]} */
  let frames = [];
  let before = performance.now();
  /** @type {number} */
  let handle;
  const step = () => {
    const now = performance.now();
    frames.push(now - before);
    before = now;
    square.style.transform = `translateX(${200 + 200 * Math.sin(now / 300)}px)`;
    handle = requestAnimationFrame(step);
  };
  handle = requestAnimationFrame(step);
  return {
    /** @param {() => Promise<unknown>} work */
    async watch(work) {
      frames = [];
      const begin = performance.now();
      await work();
      const milliseconds = performance.now() - begin;
      // The frame that the end of the work falls into counts too.
      await new Promise(requestAnimationFrame);
      return { frames, milliseconds };
    },
    stop() {
      cancelAnimationFrame(handle);
      square.remove();
    },
  };
}
