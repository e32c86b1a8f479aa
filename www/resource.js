/**
 * The bytes behind an address, over a network that fails now and then: what breaks is taken up where it broke, and
 * each answer must be of the file that the first one was of.
 *
 * @module
 */

import { abortError, untilAborted } from './abort.js';
import { SpecterError } from './errors.js';

/** How often in a row the network may fail. */
const ATTEMPTS = 5;

/** Milliseconds to wait after a failure, doubled with each that follows; the longest that a server may ask for. */
const PAUSE = 200;
const LONGEST_PAUSE = 60_000;

/** From this many bytes on, the length that another origin announces is taken for that of the file. */
const TRUSTED_FROM = 1 << 20;

/**
 * @typedef {object} ResourceOptions
 * @property {string} folder  its name, for messages
 * @property {string} file    as it is called in the folder
 * @property {Record<string, string>} headers
 * @property {AbortSignal} signal  also closes the connections
 * @property {number} [pause]      instead of `PAUSE`, in tests
 */

/** @typedef {ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>} Reader */

export class Resource {
  /** Folder and file, for messages. */
  name;
  /** In bytes; Infinity where the server does not say, and so cannot be asked for a part. */
  size = Infinity;
  /** How often in a row the network has failed. */
  failures = 0;
  #url;
  #options;
  /** Without the query, which may hold a key. */
  #address;
  /** Of the first answer. */
  #headers = new Headers();

  /**
   * @param {URL} url
   * @param {ResourceOptions} options
   */
  constructor(url, options) {
    this.#url = url;
    this.#options = options;
    this.#address = url.origin === 'null' ? url.href : url.origin + url.pathname;
    this.name = `${options.folder}/${options.file}`;
  }

  get etag() {
    return this.#headers.get('etag');
  }

  /** Whether the server is seen to compress what it sends. */
  get encoded() {
    return this.#headers.has('content-encoding');
  }

  /** @returns {Promise<Connection | null>} to the whole file; null: there is none */
  async open() {
    const { body, headers, ok, status, type } = await this.#request();
    if (!ok || !body || isPage(headers)) {
      drop(body);
      if (ok || status === 404 || status === 410) return null;
      throw this.#refusal(status);
    }
    this.#headers = headers;
    const length = headers.get('content-length');
    if (length !== null && !this.encoded) this.size = Number(length);
    // Another origin need not show that it compresses, and the length is then not that of the file.
    const doubtful = type === 'cors' && this.size < TRUSTED_FROM;
    return new Connection(this, 0, doubtful ? Infinity : this.size, body.getReader());
  }

  /**
   * Asks for the bytes from `position` to `end`; for all, where `end` is Infinity.
   *
   * @param {number} position
   * @param {number} end
   * @returns {Promise<{ reader: Reader, partial: boolean }>} not partial: the whole file all the same
   */
  async ask(position, end) {
    const known = end !== Infinity;
    // No If-Range: for that, a browser asks another origin's leave first.
    const { body, headers, ok, status } = await this.#request(known ? { Range: `bytes=${position}-${end - 1}` } : {});
    const partial = status === 206;
    const [, start = position, total = this.size] = /^bytes (\d+)-\d+\/(\d+)/.exec(headers.get('content-range') ?? '') ?? [];
    const length = Number(headers.get('content-length') ?? NaN);
    const same = partial
      ? Number(start) === position && Number(total) === this.size && !(length > end - position)
      : !known || isNaN(length) || length === this.size;
    if (ok && body && same && !isPage(headers) && sameVersion(this.#headers, headers)) return { reader: body.getReader(), partial };
    drop(body);
    throw ok || [404, 410, 416].includes(status) ? this.changed() : this.#refusal(status);
  }

  /**
   * An answer: good, or bad in a way that asking again does not change.
   *
   * @param {Record<string, string>} [range]
   * @returns {Promise<Response>}
   */
  async #request(range) {
    const { headers, signal } = this.#options;
    for (;;) {
      let response;
      try {
        // What is worth storing, this package stores itself, and a stored part may be of another version.
        response = await fetch(this.#url, { headers: { ...headers, ...range }, signal, cache: 'no-store' });
      } catch (cause) {
        await this.pause(cause);
        continue;
      }
      const { status } = response;
      if (status < 500 && status !== 429 && status !== 408) return response;
      drop(response.body);
      await this.pause(this.#refusal(status), response.headers.get('retry-after'));
    }
  }

  /**
   * Waits before another attempt, if there is one left.
   *
   * @param {unknown} cause
   * @param {string | null} [retryAfter]  seconds, or a date
   */
  async pause(cause, retryAfter = null) {
    const { signal, file, pause = PAUSE } = this.#options;
    if (signal.aborted) throw abortError(signal);
    this.failures++;
    if (this.failures === ATTEMPTS) {
      if (cause instanceof SpecterError) throw cause;
      throw new SpecterError(
        'network',
        `${this.#address} could not be read. Check the connection, that its server allows requests from this page (CORS), and that connect-src of a Content-Security-Policy names it.`,
        { file, cause },
      );
    }
    const asked = retryAfter ? [Number(retryAfter) * 1000, Date.parse(retryAfter) - Date.now()] : [];
    const wait = asked.find((time) => time >= 0) ?? pause * 2 ** (this.failures - 1);
    await untilAborted(new Promise((resolve) => setTimeout(resolve, Math.min(wait, LONGEST_PAUSE))), signal);
  }

  changed() {
    return new SpecterError(
      'corrupt-file',
      `${this.#address} changed while it was downloaded: its server now answers with another version, length or part. Load it again.`,
      { file: this.name },
    );
  }

  /**
   * @param {number} status
   * @returns {SpecterError}
   */
  #refusal(status) {
    const { file } = this.#options;
    if (status === 401 || status === 403) {
      return new SpecterError(
        'model-not-found',
        `${this.#address} may not be read (HTTP ${status}). Check that the model's name is right; a private or gated one needs an Authorization header in the option headers.`,
        { file },
      );
    }
    return new SpecterError(
      'network',
      status === 429
        ? `${this.#address} was refused for now because of too many requests (HTTP 429). Wait a little and try again.`
        : `${this.#address} answered with HTTP ${status}. Try again later.`,
      { file },
    );
  }
}

/** Bytes of a resource on their way, in order. */
export class Connection {
  /** Where the next bytes belong in the file. */
  position;
  /** Where they end, unless the server hides that it compresses; Infinity: wherever the body does. */
  end;
  /** How many bytes come before those at `position`, where a server does not give the part alone. */
  skip = 0;
  #resource;
  /** undefined before it is made, and where it broke. */
  #reader;
  /** @type {Uint8Array<ArrayBuffer> | undefined} */
  #rest;

  /**
   * @param {Resource} resource
   * @param {number} position
   * @param {number} end
   * @param {Reader} [reader]
   */
  constructor(resource, position, end, reader) {
    this.#resource = resource;
    this.position = position;
    this.end = end;
    this.#reader = reader;
  }

  /** Makes the connection, for the first time or anew. */
  async connect() {
    const { reader, partial } = await this.#resource.ask(this.position, this.end);
    this.#reader = reader;
    this.skip = partial ? 0 : this.position;
    if (!partial && this.end !== Infinity) this.end = this.#resource.size;
    return reader;
  }

  /** @returns {Promise<Uint8Array<ArrayBuffer> | null>} the next bytes, as many as there are; null at the end */
  async read() {
    for (;;) {
      const reader = this.#reader ?? (await this.connect());
      try {
        const { done, value } = await reader.read();
        if (done) {
          if (this.end === Infinity || this.position >= this.end) return null;
          throw new TypeError(`The answer ended after ${this.position} of ${this.end} bytes.`);
        }
        const bytes = value.subarray(this.skip);
        this.skip -= value.length - bytes.length;
        if (!bytes.length) continue;
        this.#resource.failures = 0;
        this.position += bytes.length;
        return bytes;
      } catch (cause) {
        this.#reader = undefined;
        await this.#resource.pause(cause);
      }
    }
  }

  /**
   * @param {Uint8Array} bytes  gets the next ones
   * @param {() => void} onBytes  told after each arrival
   */
  async fill(bytes, onBytes) {
    for (let filled = 0; filled < bytes.length; ) {
      const chunk = this.#rest ?? (await this.read());
      if (!chunk) throw this.#resource.changed();
      onBytes();
      const part = chunk.subarray(0, bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = part.length < chunk.length ? chunk.subarray(part.length) : undefined;
    }
  }

  close() {
    drop(this.#reader);
  }
}

/**
 * Single-page hosts answer any path with their start page; no file of a model is HTML.
 *
 * @param {Headers} headers
 */
function isPage(headers) {
  return headers.get('content-type')?.startsWith('text/html') ?? false;
}

/**
 * By the first mark that both carry. Another origin need not show any.
 *
 * @param {Headers} first
 * @param {Headers} later
 */
function sameVersion(first, later) {
  for (const name of ['etag', 'last-modified']) {
    const [a, b] = [first, later].map((headers) => headers.get(name)?.replace(/^W\//, ''));
    if (a && b) return a === b;
  }
  return true;
}

/** @param {{ cancel: () => Promise<void> } | null | undefined} body  of no more use; its connection closes */
function drop(body) {
  body?.cancel().catch(() => {});
}
