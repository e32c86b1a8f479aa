/**
 * Where the browsers and the software Vulkan driver are on this machine.
 *
 * Uses nothing outside Node, so that the build tool can ask before any package is installed:
 * `node find.mjs chromium|firefox|vulkan` prints a path, or fails.
 */
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { platform } from 'node:process';
import { pathToFileURL } from 'node:url';

/** @typedef {'chromium' | 'firefox'} BrowserName */

/** @type {Record<BrowserName, { variable: string, commands: string[], places: string[] }>} */
const BROWSERS = {
  chromium: {
    variable: 'CHROMIUM',
    commands: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'],
    places: {
      darwin: [
        '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
        '/Applications/Chromium.app/Contents/MacOS/Chromium',
      ],
      win32: [
        'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
        'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
      ],
    }[/** @type {string} */ (platform)] ?? [],
  },
  firefox: {
    variable: 'FIREFOX',
    commands: ['firefox-esr', 'firefox'],
    places: {
      darwin: ['/Applications/Firefox.app/Contents/MacOS/firefox'],
      win32: ['C:\\Program Files\\Mozilla Firefox\\firefox.exe'],
    }[/** @type {string} */ (platform)] ?? [],
  },
};

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * The executable of a browser: what the environment variable `CHROMIUM` or `FIREFOX` says,
 * else the first one found on the PATH or where its installer puts it.
 *
 * @param {BrowserName} name
 * @returns {string | null} null: there is none
 */
export function findBrowser(name) {
  const { variable, commands, places } = BROWSERS[name];
  const chosen = process.env[variable];
  if (chosen) {
    if (!isExecutable(chosen)) throw new Error(`${variable}=${chosen} is not an executable file.`);
    return chosen;
  }
  const folders = (process.env.PATH ?? '').split(delimiter);
  const suffix = platform === 'win32' ? '.exe' : '';
  const candidates = commands.flatMap((command) => folders.map((folder) => join(folder, command + suffix)));
  return [...candidates, ...places].find(isExecutable) ?? null;
}

/**
 * The manifest of lavapipe, Mesa's Vulkan driver on the CPU. The tests choose it over the machine's
 * own GPU, so that a result does not depend on who runs them.
 *
 * @returns {string | null} null: not installed, or not a Linux machine
 */
export function findSoftwareVulkan() {
  const folders = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
  for (const folder of folders) {
    try {
      // Where 32-bit drivers are installed too, the one of this process' architecture must win.
      const manifests = readdirSync(folder).filter((file) => /^lvp_icd.*\.json$/.test(file));
      const native = { x64: 'x86_64', arm64: 'aarch64' }[/** @type {string} */ (process.arch)] ?? process.arch;
      const file = manifests.find((name) => name.includes(native)) ?? manifests.find((name) => name === 'lvp_icd.json');
      if (file) return join(folder, file);
    } catch {
      // The folder does not exist here.
    }
  }
  return null;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const wanted = process.argv[2];
  const found =
    wanted === 'vulkan' ? findSoftwareVulkan()
    : wanted === 'chromium' || wanted === 'firefox' ? findBrowser(wanted)
    : null;
  if (!found) {
    console.error(`Found no ${wanted} on this machine.`);
    process.exit(1);
  }
  console.log(found);
}
