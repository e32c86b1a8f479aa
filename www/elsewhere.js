/**
 * Workers of a package that is of another origin than its page: on a package CDN, or in a bundle on a server for assets.
 *
 * @module
 */

/**
 * A page may not start a worker from another origin (browsers differ in whether that throws), but a worker of its own may
 * import from there. Only `start` knows from where: in its `new Worker(new URL(…))`, which has to stand there as it is,
 * bundlers put the address that they chose. So the address is seen by what `Worker` means while `start` runs.
 *
 * @param {() => Worker} start
 * @returns {Worker}
 */
export function startFromAnywhere(start) {
  const Plain = globalThis.Worker;
  globalThis.Worker = class extends Plain {
    /**
     * @param {string | URL} script
     * @param {WorkerOptions} [options]
     */
    constructor(script, options) {
      const { href, protocol, origin } = new URL(script);
      if (!/^https?:$/.test(protocol) || origin === location.origin) {
        super(script, options);
        return;
      }
      const address = JSON.stringify(href);
      // Of the two kinds of workers, either knows but one way; bundlers may make a classic one of a module.
      const code = options?.type === 'module' ? `import ${address};` : `importScripts(${address});`;
      const own = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
      super(own, options);
      this.addEventListener('message', () => URL.revokeObjectURL(own), { once: true });
    }
  };
  try {
    return start();
  } finally {
    globalThis.Worker = Plain;
  }
}
