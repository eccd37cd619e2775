/** Node's parser as the oracle: its server for requests, its client for replies. */
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Duplex } from 'node:stream';
import { turn } from '../until.js';
import type { Field } from './wire.js';

/** An in-memory connection: Node reads the pushed bytes; bytes that Node writes are discarded. */
class Wire extends Duplex {
  constructor() {
    super({ allowHalfOpen: true });
  }

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done();
  }

  override _final(done: () => void): void {
    done();
  }

  /** Methods that Node calls on its sockets. */
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

export interface Reading {
  readonly method: string;
  readonly url: string;
  readonly version: string;
  readonly fields: readonly Field[];
  readonly parts: Buffer[];
  /** Whether Node found the end. */
  complete: boolean;
}

export const bytesOf = (reading: Reading): Buffer => Buffer.concat(reading.parts);

const fieldsOf = (raw: readonly string[]): Field[] =>
  Array.from({ length: raw.length / 2 }, (_, index): Field => [raw[2 * index]!, raw[2 * index + 1]!]);

/** Node refuses minor versions above 1; gw reads them as 1.1 (RFC 9110 section 2.5). */
const knownMinor = (bytes: Buffer): Buffer =>
  Buffer.from(bytes.toString('latin1').replace(/( HTTP\/1\.)[2-9](?=\r\n)|^(HTTP\/1\.)[2-9](?= )/g, '$1$21'), 'latin1');

/** One connection as Node's server reads it. */
export class NodeReader {
  readonly readings: Reading[] = [];
  /** Messages whose end has not been reported yet. */
  readonly open = new Map<IncomingMessage, Reading>();
  /** Node's error code; nothing after the error was read. */
  error: string | undefined;
  readonly #wire = new Wire();

  constructor(oracle: NodeOracle) {
    oracle.admit(this.#wire, this);
  }

  feed(bytes: Buffer): void {
    // Node passes the bytes on by reference, and the caller may reuse them.
    this.#wire.push(Buffer.from(bytes));
  }

  /** Waits until all pushed bytes are read. */
  async settle(): Promise<this> {
    await turn();
    await turn();
    this.#wire.destroy();
    return this;
  }
}

/** A Node server without a listening socket: connections are injected. */
export class NodeOracle {
  readonly #server: Server;
  readonly #readers = new WeakMap<Duplex, NodeReader>();

  constructor() {
    const take = (message: IncomingMessage, response: ServerResponse): void => this.#take(message, response);
    this.#server = createServer(
      { insecureHTTPParser: false, requireHostHeader: false, maxHeaderSize: 1 << 20, keepAliveTimeout: 0 },
      take,
    );
    this.#server.maxHeadersCount = 0;
    this.#server.on('checkContinue', take);
    this.#server.on('checkExpectation', take);
    this.#server.on('clientError', (error: Error, socket) => {
      const reader = this.#readers.get(socket);
      if (reader !== undefined) {
        reader.error = 'code' in error ? String(error.code) : error.message;
        // Data read before the error counts, but Node would no longer report it.
        for (const [message, reading] of reader.open) {
          while (message.read() !== null);
          reading.complete = message.complete;
        }
      }
      socket.destroy();
    });
    this.#server.on('connect', (_request, socket) => socket.destroy());
  }

  admit(wire: Duplex, reader: NodeReader): void {
    this.#readers.set(wire, reader);
    this.#server.emit('connection', wire);
  }

  /** Reads all bytes of a connection at once. */
  async read(bytes: Buffer): Promise<NodeReader> {
    const reader = new NodeReader(this);
    reader.feed(knownMinor(bytes));
    return await reader.settle();
  }

  #take(message: IncomingMessage, response: ServerResponse): void {
    const reader = this.#readers.get(message.socket);
    const { method = '', url = '', httpVersion: version } = message;
    const reading: Reading = { method, url, version, fields: fieldsOf(message.rawHeaders), parts: [], complete: false };
    reader?.readings.push(reading);
    reader?.open.set(message, reading);
    message.on('data', (part: Buffer) => reading.parts.push(part));
    message.on('end', () => {
      reading.complete = message.complete;
      reader?.open.delete(message);
      response.end();
    });
    // An end within a message shows in `complete`.
    message.on('error', () => {});
    response.on('error', () => {});
  }
}

export interface ReplyReading {
  status: number;
  reason: string;
  version: string;
  fields: readonly Field[];
  body: Buffer;
  /** Interim replies before it. */
  interims: number[];
  /** A final head was read. */
  head: boolean;
  /** Whether Node found the end without an error. */
  complete: boolean;
  error: string | undefined;
}

/**
 * The first final reply in a target's (or gw's) bytes, as Node's client reads it. `ended`: the connection closes after
 * them.
 */
export async function readReply(method: string, bytes: Buffer, ended: boolean): Promise<ReplyReading> {
  const wire = new Wire();
  const client = request({
    method,
    host: 'oracle',
    maxHeaderSize: 1 << 20,
    insecureHTTPParser: false,
    createConnection: () => wire,
  });
  client.maxHeadersCount = 0;
  const parts: Buffer[] = [];
  const reading = readingOf(client, parts);
  client.end();
  await turn();
  if (bytes.length > 0) wire.push(knownMinor(bytes));
  await turn();
  if (ended) wire.push(null);
  await turn();
  await turn();
  client.destroy();
  wire.destroy();
  reading.body = Buffer.concat(parts);
  return reading;
}

/** Collects the events of Node's client; body parts go into `parts`. */
function readingOf(client: ClientRequest, parts: Buffer[]): ReplyReading {
  const reading: ReplyReading = {
    status: 0,
    reason: '',
    version: '',
    fields: [],
    body: Buffer.alloc(0),
    interims: [],
    head: false,
    complete: false,
    error: undefined,
  };
  client.on('information', ({ statusCode }) => reading.interims.push(statusCode));
  client.on('upgrade', () => {
    reading.error = 'upgrade';
  });
  client.on('error', (error) => {
    if (!reading.complete) reading.error ??= error.message;
  });
  client.on('response', (message) => {
    reading.head = true;
    reading.status = message.statusCode ?? 0;
    reading.reason = message.statusMessage ?? '';
    reading.version = message.httpVersion;
    reading.fields = fieldsOf(message.rawHeaders);
    message.on('data', (part: Buffer) => parts.push(part));
    message.on('error', () => {});
    message.on('end', () => {
      reading.complete = message.complete;
    });
  });
  return reading;
}
