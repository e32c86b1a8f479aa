/**
 * The static server of the demo and of the browser tests. It listens on the loopback interface only.
 *
 *     /           www/             (the page is /demo/)
 *     /examples/  examples/
 *     /models/    models/
 *     /fixtures/  tests/fixtures/
 */
import { existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { spawn } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import sirv from 'sirv';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** URL prefix and folder, the most specific first. */
const FOLDERS = [
  ['/examples/', 'examples'],
  ['/models/', 'models'],
  ['/fixtures/', 'tests/fixtures'],
  ['/', 'www'],
];

/** `SharedArrayBuffer` exists only in a page that is served with these. */
const ISOLATION_HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** What the server's own table has no type for; a browser sniffs a file that comes without one. */
const TYPES = { '.safetensors': 'application/octet-stream', '.bin': 'application/octet-stream' };

/**
 * @typedef {object} ServeOptions
 * @property {number} [port] 0, the default: any free one
 * @property {boolean} [isolate] make the pages cross-origin isolated; false by default
 * @property {string} [root] the folder that holds www/, examples/, models/ and tests/; this repository by default
 * @property {[prefix: string, folder: string][]} [folders] served besides; a folder is absolute or in `root`
 * @property {number} [maxAge] seconds for which a browser need not ask again; by default it always asks
 *
 * @typedef {object} Server
 * @property {string} url its address, with a slash at the end
 * @property {number} port
 * @property {() => Promise<void>} close
 */

/**
 * @param {ServeOptions} [options]
 * @returns {Promise<Server>}
 * @example
 * const server = await serve();
 * await page.goto(new URL('demo/', server.url).href);
 * await server.close();
 */
export async function serve({ port = 0, isolate = false, root = REPOSITORY, folders = [], maxAge } = {}) {
  const mounts = [...folders, ...FOLDERS].map(([prefix, folder]) => {
    const path = resolve(root, folder);
    const files = sirv(path, {
      // Look at the disk on each request: files change while the server runs.
      dev: true,
      etag: true,
      setHeaders(response, pathname) {
        const type = TYPES[/** @type {keyof typeof TYPES} */ (/\.\w+$/.exec(pathname)?.[0] ?? '')];
        if (type) response.setHeader('Content-Type', type);
        response.setHeader('Accept-Ranges', 'bytes');
        if (maxAge !== undefined) response.setHeader('Cache-Control', `max-age=${maxAge}`);
      },
    });
    return { prefix, path, files };
  });

  const server = createServer((request, response) => {
    if (isolate) {
      for (const [name, value] of Object.entries(ISOLATION_HEADERS)) response.setHeader(name, value);
    }
    const [pathname, query] = (request.url ?? '/').split(/(?=\?)/, 2);
    const mount = mounts.find(({ prefix }) => pathname.startsWith(prefix));
    if (!mount) {
      response.writeHead(400).end();
      return;
    }
    const missing = () => {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`No such file: ${pathname}\n`);
    };
    const inside = pathname.slice(mount.prefix.length - 1);
    if (inside === '/' && !existsSync(join(mount.path, 'index.html'))) {
      if (mount.prefix === '/') response.writeHead(302, { Location: '/demo/' }).end();
      else missing();
      return;
    }
    // Without its slash, a folder's page would resolve its relative links one level too high.
    if (!inside.endsWith('/') && isFolder(mount.path, inside)) {
      response.writeHead(301, { Location: `${pathname}/${query ?? ''}` }).end();
      return;
    }
    request.url = inside + (query ?? '');
    mount.files(request, response, missing);
  });

  await new Promise((listening, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', () => listening(undefined));
  });
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}/`,
    port: address.port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

/**
 * @param {string} root
 * @param {string} pathname
 */
function isFolder(root, pathname) {
  try {
    const path = join(root, decodeURIComponent(pathname));
    return path.startsWith(root) && statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** @param {string} address */
function openInBrowser(address) {
  const hasScreen = process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  const command =
    process.platform === 'darwin' ? ['open', address]
    : process.platform === 'win32' ? ['cmd', '/c', 'start', '', address]
    : hasScreen ? ['xdg-open', address]
    : null;
  if (!command) return;
  const opener = spawn(command[0], command.slice(1), { stdio: 'ignore', detached: true });
  // The address is printed: who has no opener opens it by hand.
  opener.on('error', () => {});
  opener.unref();
}

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      isolate: { type: 'boolean', default: false },
      open: { type: 'boolean', default: false },
    },
  });
  const port = Number(values.port);
  let server;
  try {
    server = await serve({ port, isolate: values.isolate });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EADDRINUSE') throw error;
    console.error(`Port ${port} is in use. Choose another one with --port, or --port 0 for any free one.`);
    process.exit(1);
  }
  const address = new URL('demo/', server.url).href;
  console.log(`The demo is at ${address} (Ctrl+C ends it)`);
  if (values.open) openInBrowser(address);
  process.once('SIGINT', () => process.exit(0));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
