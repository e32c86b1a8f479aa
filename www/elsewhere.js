/**
 * Workers of a package that is of another origin than its page, such as a package CDN.
 *
 * @module
 */

/**
 * A page may not start a worker from another origin (browsers differ in whether that throws), but its own worker may
 * import from there. Bundlers that rewrite `import.meta.url` to the file's place on disk are not meant; nor is this
 * written with `new URL`, which they would take for a second worker.
 *
 * @param {string} script  from the package's root
 * @returns {Worker | null} nothing where the package is of the page's own origin
 */
export function startFromElsewhere(script) {
  const here = import.meta.url;
  if (!/^https?:/.test(here) || new URL(here).origin === location.origin) return null;
  const code = `import ${JSON.stringify(here.replace(/[^/]*$/, script))};`;
  const address = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
  const worker = new Worker(address, { type: 'module' });
  worker.addEventListener('message', () => URL.revokeObjectURL(address), { once: true });
  return worker;
}
