/**
 * Starts a headless browser that has WebGPU on a software adapter: Chromium on SwiftShader,
 * Firefox on lavapipe. Two engines and two shader compilers, neither of which needs a GPU.
 */
import puppeteer from 'puppeteer-core';

import { findBrowser, findSoftwareVulkan } from './find.mjs';

/** A software adapter may take minutes over what a GPU does at once. */
const PROTOCOL_TIMEOUT_MS = 15 * 60 * 1000;

const CHROMIUM_FLAGS = [
  // The sandbox does not start as root or in most containers; the pages opened here are our own.
  '--no-sandbox',
  // Containers often give /dev/shm 64 MB, less than one model.
  '--disable-dev-shm-usage',
  '--enable-unsafe-webgpu',
  // No request of the browser's own: a test watches the network for ours.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];

const SOFTWARE_FLAGS = ['--use-webgpu-adapter=swiftshader'];

/** A headless Chromium on Linux does not look for a GPU unless told to. */
const HARDWARE_FLAGS =
  process.platform === 'linux' ? ['--ignore-gpu-blocklist', '--enable-features=Vulkan', '--use-angle=vulkan'] : [];

const FIREFOX_PREFERENCES = {
  'dom.webgpu.enabled': true,
  'dom.webgpu.workers.enabled': true,
  // Firefox refuses software adapters unless told otherwise.
  'gfx.webgpu.ignore-blocklist': true,
};

/**
 * @param {import('./find.mjs').BrowserName} name
 * @param {object} [options]
 * @param {string[]} [options.args]  further command-line flags
 * @param {boolean} [options.hardware]  Chromium takes the machine's own GPU and not SwiftShader
 * @returns {Promise<import('puppeteer-core').Browser>} close it when done
 * @example
 * const browser = await launch('firefox');
 * const page = await browser.newPage();
 * await page.goto(address);
 * await browser.close();
 */
export async function launch(name, { args = [], hardware = false } = {}) {
  const executablePath = findBrowser(name);
  if (!executablePath) {
    throw new Error(
      `Found no ${name} on this machine. Install it, or set ${name.toUpperCase()} to its executable.`,
    );
  }
  if (name === 'chromium') {
    return puppeteer.launch({
      browser: 'chrome',
      executablePath,
      headless: true,
      args: [...CHROMIUM_FLAGS, ...(hardware ? HARDWARE_FLAGS : SOFTWARE_FLAGS), ...args],
      protocolTimeout: PROTOCOL_TIMEOUT_MS,
    });
  }
  const driver = findSoftwareVulkan();
  return puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    args,
    extraPrefsFirefox: FIREFOX_PREFERENCES,
    protocolTimeout: PROTOCOL_TIMEOUT_MS,
    env: driver ? { ...process.env, VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver } : process.env,
  });
}
