/**
 * A hub of models on the loopback interface, and its CDN on another origin: large files are redirected there, as
 * hubs do it. A repository can be told to misbehave.
 *
 *     /{organisation}/{name}/resolve/{revision}/{file}
 *
 * The revisions are `main` and `v1`. Requests across origins are allowed as hubs allow them, with no header but
 * `Authorization`, so that whatever makes a browser ask for more leave than that fails.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

/** @typedef {Buffer | { size: number, slice: (start: number, end: number) => Buffer }} Contents */

/**
 * What a repository does to the files that match.
 *
 * @typedef {object} Manners
 * @property {RegExp} [files]  all where not given
 * @property {string} [token]  answers 401 without it
 * @property {number} [status] answers with this alone; 0: closes the connection
 * @property {number} [times]  only so many answers have that `status`
 * @property {string | (() => string)} [retryAfter]  sent with that `status`
 * @property {boolean} [direct]   sends large files itself
 * @property {number[]} [cuts]    positions in the file at which a connection is cut, each once
 * @property {number} [cutEvery]  cuts each connection after so many bytes
 * @property {boolean} [ranges]   false: knows no ranges
 * @property {boolean} [length]   false: does not say how long a file is
 * @property {boolean} [gzip]     compresses
 * @property {number} [lie]       adds this to the length that it says; may be negative
 * @property {boolean} [html]     answers with a page
 * @property {string[]} [expose]  headers that other origins may read
 * @property {(part: Part) => void} [part]  changes what is answered to a request for a range
 * @property {number} [delay]     milliseconds between two chunks
 *
 * @typedef {{ status: number, headers: Record<string, string | number>, start: number, end: number }} Part
 */

/**
 * @typedef {object} Asked
 * @property {'hub' | 'cdn'} server
 * @property {string} method
 * @property {string} path
 * @property {string | undefined} range
 * @property {string | undefined} authorization
 * @property {number} status   of the answer; 0 where there was none
 * @property {number} sent     bytes of the body that were handed to the system
 * @property {boolean} closed  whether the connection or the answer has come to its end
 */

const CHUNK = 1 << 16;

/** What huggingface.co lets other origins read. */
const EXPOSED = ['X-Repo-Commit', 'X-Linked-Size', 'X-Linked-ETag', 'ETag', 'Accept-Ranges', 'Content-Range', 'Retry-After'];

/** A file too large to be at hand, whose every byte is known: the byte at `i` depends on all of `i`. */
export const synthetic = (/** @type {number} */ size) => ({
  size,
  slice: (/** @type {number} */ start, /** @type {number} */ end) => {
    const bytes = Buffer.alloc(end - start);
    for (let i = start; i < end; i++) bytes[i - start] = byteAt(i);
    return bytes;
  },
});

/** Used here and, by its source text, in pages. */
export function byteAt(/** @type {number} */ i) {
  return (Math.imul(i + 1, 0x9e3779b1) ^ (i >>> 7)) >>> 24;
}

export async function startHub() {
  /** @type {Map<string, { files: Record<string, Contents>, manners: Manners }>} */
  const repositories = new Map();
  /** @type {Asked[]} */
  const log = [];

  /** @param {'hub' | 'cdn'} server */
  const listen = async (server) => {
    const listener = createServer((request, response) => {
      // Browsers leave in the middle, which is what the tests are about.
      answer(server, request, response).catch(() => response.destroy());
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return listener;
  };

  /**
   * @param {'hub' | 'cdn'} server
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  const answer = async (server, request, response) => {
    const { method = '', url = '', headers } = request;
    const { pathname } = new URL(url, 'http://hub');
    /** @type {Asked} */
    const asked = { server, method, path: pathname, range: headers.range, authorization: headers.authorization, status: 0, sent: 0, closed: false };
    log.push(asked);
    response.on('close', () => (asked.closed = true));
    const send = (/** @type {number} */ status, /** @type {Record<string, string | number>} */ more = {}, body = '') => {
      asked.status = status;
      response.writeHead(status, { 'Access-Control-Allow-Origin': '*', ...more }).end(body);
    };
    if (method === 'OPTIONS') return send(204, { 'Access-Control-Allow-Headers': 'authorization' });

    const [, organisation, name, place, revision, ...rest] = pathname.split('/');
    const file = decodeURIComponent(rest.join('/'));
    const repository = repositories.get(`${organisation}/${name}`);
    const contents = place === 'resolve' && ['main', 'v1'].includes(revision ?? '') ? repository?.files[file] : undefined;
    const manners = !repository || (repository.manners.files && !repository.manners.files.test(file)) ? {} : repository.manners;
    const exposed = { 'Access-Control-Expose-Headers': (manners.expose ?? EXPOSED).join(', ') };

    if (manners.token && server === 'hub' && headers.authorization !== `Bearer ${manners.token}`) return send(401, {}, 'Invalid username or password.');
    if (manners.status !== undefined && (manners.times === undefined || manners.times-- > 0)) {
      const { status, retryAfter } = manners;
      if (status === 0) return request.socket.destroy();
      return send(status, { ...exposed, ...(retryAfter && { 'Retry-After': typeof retryAfter === 'string' ? retryAfter : retryAfter() }) });
    }
    if (manners.html) return send(200, { 'Content-Type': 'text/html; charset=utf-8' }, '<!doctype html>');
    if (contents === undefined) return send(404, {}, 'Entry not found');

    const size = Buffer.isBuffer(contents) ? contents.length : contents.size;
    const etag = `"${createHash('sha256').update(`${pathname} ${size}`).digest('hex')}"`;
    if (server === 'hub' && !manners.direct && /\.(safetensors|bin|ckpt)$/.test(file)) {
      return send(302, { ...exposed, Location: `${hub.cdn}${pathname}?signature=secret`, 'X-Linked-Size': size, 'X-Linked-ETag': etag });
    }

    /** @type {Part} */
    const part = { status: 200, headers: { ...exposed, ETag: etag, 'Content-Type': 'application/octet-stream' }, start: 0, end: size };
    part.headers['Accept-Ranges'] = manners.ranges === false ? 'none' : 'bytes';
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
    if (from && manners.ranges !== false) {
      part.start = Number(from);
      part.end = Math.min(to ? Number(to) + 1 : size, size);
      if (part.start >= part.end) return send(416, { ...exposed, 'Content-Range': `bytes */${size}` });
      part.status = 206;
      part.headers['Content-Range'] = `bytes ${part.start}-${part.end - 1}/${size}`;
      manners.part?.(part);
    }
    const packed = manners.gzip && part.status === 200 ? gzipSync(contents.slice(0, size)) : null;
    if (packed) part.headers['Content-Encoding'] = 'gzip';
    const body = packed ?? contents;
    const { start } = part;
    const end = packed ? packed.length : part.end;
    if (manners.length !== false) part.headers['Content-Length'] = end - start + (manners.lie ?? 0);
    response.strictContentLength = false;
    asked.status = part.status;
    response.writeHead(part.status, { 'Access-Control-Allow-Origin': '*', ...part.headers });

    const pieces = async function* () {
      for (let at = start; at < end; ) {
        const cut = Math.min(...(manners.cuts ?? []).filter((position) => position > at), start + (manners.cutEvery ?? Infinity));
        const next = Math.min(at + CHUNK, end, cut);
        asked.sent += next - at;
        yield body.slice(at, next);
        at = next;
        if (at === cut) {
          if (manners.cuts?.includes(cut)) manners.cuts.splice(manners.cuts.indexOf(cut), 1);
          // What is written arrives first, so that a cut lies where it was put.
          await setTimeout(20);
          request.socket.destroy();
          return;
        }
        if (manners.delay) await setTimeout(manners.delay);
      }
      // Closing is all that ends a body which is shorter than announced.
      if (manners.lie && manners.lie > 0) request.socket.end();
    };
    await pipeline(Readable.from(pieces(), { highWaterMark: 1 }), response);
  };

  const servers = { hub: await listen('hub'), cdn: await listen('cdn') };
  const addressOf = (/** @type {import('node:http').Server} */ server) =>
    `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;

  const hub = {
    url: addressOf(servers.hub),
    cdn: addressOf(servers.cdn),
    /** Every request since it was last emptied. */
    log,

    /**
     * @param {string} id
     * @param {Record<string, Contents>} files
     * @param {Manners} [manners]
     * @returns {string} the address of the repository's folder
     */
    add(id, files, manners = {}) {
      repositories.set(id, { files, manners });
      return `${addressOf(servers.hub)}/${id}/resolve/main/`;
    },

    close() {
      for (const server of Object.values(servers)) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
  return hub;
}
