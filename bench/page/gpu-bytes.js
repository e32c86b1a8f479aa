/**
 * Counts the bytes of GPU buffers that are alive in a page, whichever engine made them.
 *
 * @module
 */

/**
 * Runs in the page before anything else there. Leaves `globalThis.gpuBytes`: what is alive, and the most there was.
 */
export function countGpuBytes() {
  const count = { alive: 0, most: 0 };
  Object.assign(globalThis, { gpuBytes: count });
  if (typeof GPUDevice === 'undefined') return;
  /** @type {WeakMap<GPUBuffer, () => void>} */
  const endings = new WeakMap();
  /** @type {WeakMap<GPUDevice, Set<() => void>>} */
  const endingsOfDevice = new WeakMap();
  // A browser frees a forgotten buffer when it collects it.
  const forgotten = new FinalizationRegistry((/** @type {() => void} */ end) => end());

  const { createBuffer, destroy: destroyDevice } = GPUDevice.prototype;
  const { destroy: destroyBuffer } = GPUBuffer.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    const ofDevice = endingsOfDevice.get(this) ?? new Set();
    endingsOfDevice.set(this, ofDevice);
    const { size } = descriptor;
    const end = () => {
      if (ofDevice.delete(end)) count.alive -= size;
    };
    ofDevice.add(end);
    endings.set(buffer, end);
    forgotten.register(buffer, end);
    count.alive += size;
    count.most = Math.max(count.most, count.alive);
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    endings.get(this)?.();
    return destroyBuffer.call(this);
  };
  GPUDevice.prototype.destroy = function () {
    for (const end of [...(endingsOfDevice.get(this) ?? [])]) end();
    return destroyDevice.call(this);
  };
}
