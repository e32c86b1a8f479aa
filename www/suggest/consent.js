/**
 * Whether somebody has agreed to a download, and what there is to say before they are asked.
 *
 * @module
 */

import { folderName } from '../address.js';

/** An agreement holds until the tab is closed. */
const KEY = 'specter-suggest:agreed to:';

/** @param {string} download  by its address */
export function hasAgreed(download) {
  try {
    return sessionStorage.getItem(KEY + download) !== null;
  } catch {
    return false; // storage is switched off
  }
}

/** @param {string} download  by its address */
export function rememberAgreement(download) {
  try {
    sessionStorage.setItem(KEY + download, 'yes');
  } catch {
    // The component that was asked goes on; only others will ask again.
  }
}

/**
 * What a model is called, the host that it comes from, and its address, by which this download is told from others. Nothing of
 * the package is loaded yet that could say so.
 *
 * @param {string} model
 * @param {{ hub: string | null, base: string }} options  `base`: what relative addresses are relative to
 * @returns {{ name: string, host: string, download: string }}  the host is empty where it is the page's own
 */
export function originOf(model, { hub, base }) {
  const isAddress = /^[a-z][a-z0-9+.-]*:|^\.{0,2}\/|\/$/i.test(model);
  const address = isAddress ? model : (hub ?? 'https://huggingface.co');
  if (!URL.canParse(address, base)) return { name: model, host: address, download: `${address} ${model}` };
  const url = new URL(address, base);
  return {
    name: (isAddress && folderName(url)) || model,
    host: url.host === new URL(base).host ? '' : url.host,
    download: isAddress ? url.href : `${url.href} ${model}`,
  };
}
