/**
 * Whether somebody has agreed to a download, and what there is to say before they are asked.
 *
 * @module
 */

/** An agreement holds until the tab is closed. */
const KEY = 'specter-suggest:agreed:';

/** @param {string} model */
export function hasAgreed(model) {
  try {
    return sessionStorage.getItem(KEY + model) !== null;
  } catch {
    return false; // storage is switched off
  }
}

/** @param {string} model */
export function rememberAgreement(model) {
  try {
    sessionStorage.setItem(KEY + model, 'yes');
  } catch {
    // The component that was asked goes on; only others will ask again.
  }
}

/**
 * What a model is called, and the host that it comes from; nothing of the package is loaded yet that could say so.
 *
 * @param {string} model
 * @param {{ hub: string | null, base: string }} options  `base`: what relative addresses are relative to
 * @returns {{ name: string, host: string }}  the host is empty where it is the page's own
 */
export function originOf(model, { hub, base }) {
  const isAddress = /^[a-z][a-z0-9+.-]*:|^\.{0,2}\/|\/$/i.test(model);
  const address = isAddress ? model : (hub ?? 'https://huggingface.co');
  if (!URL.canParse(address, base)) return { name: model, host: address };
  const { host, pathname } = new URL(address, base);
  const folder = pathname.split('/').filter(Boolean).at(-1);
  return { name: isAddress && folder ? decodeURIComponent(folder) : model, host: host === new URL(base).host ? '' : host };
}
