/**
 * A file behind an address, read in pieces while it arrives.
 *
 * One connection serves the reads that go forward. A read elsewhere gets a short request of its own, and where the
 * next ones go on from there, the connection moves. Bytes come in blocks, of which the last few are kept. A server
 * that gives no parts of a file, or not its length, gives it whole, into a `Blob`: browsers keep that outside the
 * script's memory.
 *
 * @module
 */

import { blobFile } from './blob.js';
import { Connection, Resource } from './resource.js';

/** @import { SourceFile } from './folder.js' */
/** @import { ResourceOptions } from './resource.js' */
/** @import { OnProgress } from './types.js' */

/** Bytes of a block. */
const BLOCK = 1 << 20;

/** How many blocks are kept. A file of no more is fetched as it is opened. */
const KEPT = 8;

/** How many blocks the connection may pass to reach a read. Fewer than are kept: they may be asked for next. */
const PASSED = 4;

/** The most blocks of one answer: Firefox (seen in 153) takes in a whole answer at once, however slowly it is read. */
const WINDOW = 64;

/**
 * The blocks of the first answer after a jump away from one that was not read to its end, which double with every answer
 * that is: of a file that is read here and there, such as a training checkpoint, little more is sent than is read.
 */
const FIRST = 4;

/** Milliseconds between two progress reports; a file arrives in thousands of pieces. */
const REPORT_EVERY = 50;

/**
 * @typedef {object} FileOptions
 * @property {OnProgress} onProgress
 * @property {(bytes: Uint8Array) => void} [onBytes]  where given, sees the whole file before it is open
 * @property {number} [block]  instead of `BLOCK`, in tests
 */

/**
 * @param {URL} url
 * @param {ResourceOptions & FileOptions} options
 * @returns {Promise<SourceFile | null>} null: the server has no such file
 * @throws {SpecterError}
 */
export function openHttpFile(url, options) {
  return new HttpFile(new Resource(url, options), options).open();
}

/** @implements {SourceFile} */
class HttpFile {
  size = 0;
  #resource;
  #options;
  #block;
  #main;
  /** The number of the block that `#main` comes to next. */
  #next = 0;
  /** The number of the block after the last one that had its own request. */
  #aside = -1;
  /** How many blocks the next request of `#main` is for. */
  #ahead = WINDOW;
  /** Blocks by number, the one used last at the end. @type {Map<number, Uint8Array>} */
  #kept = new Map();
  /** In the place of all these, once the file had to be fetched whole. @type {SourceFile | null} */
  #whole = null;
  /** The last read in line. One that fails is the end of the file's use. @type {Promise<unknown>} */
  #line = Promise.resolve();
  /** How many bytes of the file have come or were passed over. */
  #loaded = 0;
  #reported = -1;
  #reportedAt = 0;

  /**
   * @param {Resource} resource
   * @param {ResourceOptions & FileOptions} options
   */
  constructor(resource, options) {
    this.#resource = resource;
    this.#options = options;
    this.#block = options.block ?? BLOCK;
    this.#main = new Connection(resource, 0, 0);
  }

  get etag() {
    return this.#resource.etag;
  }

  /** @returns {Promise<SourceFile | null>} */
  async open() {
    const resource = this.#resource;
    const first = await resource.open();
    if (!first) return null;
    const known = resource.size !== Infinity;
    if (known) this.size = resource.size;
    const most = KEPT * this.#block;
    if (this.size <= most || this.#options.onBytes) {
      const blob = await this.#collect(first);
      if (!known && blob.size > most) {
        this.#explain(resource.encoded ? 'its server compresses it' : 'its server does not say how long it is');
      }
      return { ...blobFile(blob, resource.name), etag: this.etag };
    }
    if (this.size > WINDOW * this.#block) first.close();
    else this.#main = first;
    return this;
  }

  /**
   * @param {number} start
   * @param {number} end
   * @returns {Promise<Uint8Array>}
   */
  read(start, end) {
    const bytes = this.#line.then(() => this.#read(start, end));
    this.#line = bytes;
    return bytes;
  }

  close() {
    // Where all went well, what was not asked for is not needed.
    if (this.#loaded) this.#line.then(() => this.#report(0, this.size), () => {});
  }

  /**
   * @param {number} start
   * @param {number} end
   * @returns {Promise<Uint8Array>}
   */
  async #read(start, end) {
    if (!(0 <= start && start <= end && end <= this.size)) throw new RangeError(`${this.#resource.name} has no bytes ${start} to ${end}.`);
    const bytes = new Uint8Array(end - start);
    const last = Math.floor((end - 1) / this.#block);
    for (let at = start; at < end && !this.#whole; ) {
      const index = Math.floor(at / this.#block);
      const block = this.#kept.get(index) ?? (await this.#fetch(index, last));
      if (!block) break;
      this.#keep(index, block);
      const [from, to] = this.#bounds(index);
      this.#report(from, to);
      const part = block.subarray(at - from, end - from);
      bytes.set(part, at - start);
      at += part.length;
    }
    return this.#whole ? this.#whole.read(start, end) : bytes;
  }

  /**
   * A block from the network, for a read that goes on to the block `last`.
   *
   * @param {number} index
   * @param {number} last
   * @returns {Promise<Uint8Array | undefined>} undefined: the file had to be fetched whole
   */
  async #fetch(index, last) {
    const ahead = index - this.#next;
    const near = ahead >= 0 && ahead <= PASSED;
    const [start] = this.#bounds(index);
    if (!near && index !== this.#aside && last <= index + 1) {
      const aside = await this.#connect(start, this.#bounds(last)[1]);
      if (!aside) return undefined;
      for (let i = index; i <= last; i++) await this.#take(aside, i);
      aside.close();
      this.#aside = last + 1;
    } else {
      if (!near || start >= this.#main.end) {
        if (near) this.#ahead = Math.min(2 * this.#ahead, WINDOW);
        else if (this.#bounds(this.#next)[0] < this.#main.end) this.#ahead = FIRST;
        this.#main.close();
        const main = await this.#connect(start, this.#bounds(index + this.#ahead - 1)[1]);
        if (!main) return undefined;
        this.#main = main;
        this.#next = index;
        this.#report(0, start);
      }
      while (this.#next <= index) await this.#take(this.#main, this.#next++);
    }
    return this.#kept.get(index);
  }

  /**
   * @param {number} index  of a block
   * @returns {[start: number, end: number]}
   */
  #bounds(index) {
    return [index * this.#block, Math.min((index + 1) * this.#block, this.size)];
  }

  /**
   * @param {number} index
   * @param {Uint8Array} block
   */
  #keep(index, block) {
    this.#kept.delete(index);
    this.#kept.set(index, block);
  }

  /**
   * @param {Connection} connection  which has come to this block
   * @param {number} index
   */
  async #take(connection, index) {
    const [start, end] = this.#bounds(index);
    const [oldest] = this.#kept.size === KEPT ? this.#kept : [];
    if (oldest) this.#kept.delete(oldest[0]);
    // Its memory is used again: a file has many blocks, and what is garbage is collected late.
    const block = oldest?.[1].length === end - start ? oldest[1] : new Uint8Array(end - start);
    await connection.fill(block, () => this.#report(start, connection.position));
    this.#keep(index, block);
  }

  /**
   * @param {number} start
   * @param {number} end
   * @returns {Promise<Connection | null>} null: the server gives no parts, and `#whole` has the file
   */
  async #connect(start, end) {
    const connection = new Connection(this.#resource, start, end);
    await connection.connect();
    if (!connection.skip) return connection;
    this.#explain('its server gives no parts of it');
    this.#main.close();
    this.#kept.clear();
    connection.position = connection.skip = 0;
    this.#whole = blobFile(await this.#collect(connection), this.#resource.name);
    return null;
  }

  /**
   * @param {Connection} connection  to the whole file
   * @returns {Promise<Blob>}
   */
  async #collect(connection) {
    let failure;
    const stream = new ReadableStream({
      pull: async (controller) => {
        try {
          const bytes = await connection.read();
          if (!bytes) return controller.close();
          this.#report(0, connection.position);
          this.#options.onBytes?.(bytes);
          controller.enqueue(bytes);
        } catch (error) {
          // Of a stream that fails, browsers make an error of their own.
          failure = error;
          controller.close();
        }
      },
    });
    const blob = await new Response(stream).blob();
    if (failure) throw failure;
    this.#report(0, this.size || blob.size, true);
    return blob;
  }

  /**
   * @param {number} from
   * @param {number} to  these bytes have come, or are not needed
   * @param {boolean} [done]
   */
  #report(from, to, done = to === this.size) {
    if (from > this.#loaded) return;
    const total = this.size;
    const loaded = (this.#loaded = Math.max(this.#loaded, total ? Math.min(to, total) : to));
    const now = performance.now();
    if (loaded === this.#reported || (!done && now - this.#reportedAt < REPORT_EVERY)) return;
    this.#reported = loaded;
    this.#reportedAt = now;
    this.#options.onProgress({ phase: 'download', file: this.#options.file, loaded, total, fromCache: false });
  }

  /** @param {string} reason */
  #explain(reason) {
    console.info(`specter-web: ${this.#resource.name} is downloaded as a whole, because ${reason}.`);
  }
}
