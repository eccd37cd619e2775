/** A client that writes raw pipelined requests, and an origin that reports the received heads. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { RandomRequest } from './random-request.js';
import { replyTo } from './replies.js';

/** A request as the origin received it. */
export interface Seen {
  /** First line and fields as lines, names in lower case. */
  readonly head: readonly string[];
  readonly body: string;
}

export interface WireReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes as latin1. */
  readonly body: string;
}

/** Address of a listener. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Field that numbers the requests. */
export const NUMBER = 'x-nr';

/** A target that keeps what it gets, by number of the request, and answers as replies.ts says. */
export class Origin {
  readonly seen = new Map<string, Seen>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
      const fields: [string, string][] = [];
      for (let at = 0; at < request.rawHeaders.length; at += 2)
        fields.push([request.rawHeaders[at]!.toLowerCase(), request.rawHeaders[at + 1]!]);
      for (const [name, value] of fields) lines.push(`${name}: ${value}`);
      const head = lines.map((line) => Buffer.from(line, 'latin1').toString('utf8'));
      let body = '';
      request.setEncoding('latin1');
      request.on('data', (part: string) => {
        body += part;
      });
      request.on('end', () => {
        this.seen.set(String(request.headers[NUMBER]), { head, body });
        const { status = 200, headers = {}, body: text = '' } = replyTo(fields);
        const framing = status === 204 || status === 304 ? {} : { 'content-length': text.length };
        response.writeHead(status, { ...headers, ...framing });
        response.end(text);
      });
    });
    this.#server.maxRequestsPerSocket = 0;
  }

  static async start(): Promise<Origin> {
    const origin = new Origin();
    await new Promise<void>((resolve) => origin.#server.listen(0, '127.0.0.1', resolve));
    return origin;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Sends all requests pipelined on one connection, and on a new one after each reply that closes it. */
export async function exchangeAll(at: Address, requests: readonly RandomRequest[]): Promise<WireReply[]> {
  const replies: WireReply[] = [];
  while (replies.length < requests.length) replies.push(...(await oneConnection(at, requests.slice(replies.length))));
  return replies;
}

function oneConnection(at: Address, requests: readonly RandomRequest[]): Promise<WireReply[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(at);
    const replies: WireReply[] = [];
    const parser = new ReplyParser();
    let text = '';
    const done = (): void => {
      socket.destroy();
      if (replies.length > 0) resolve(replies);
      else reject(new Error(`no reply to ${requests[0]?.method} ${requests[0]?.url}: ${JSON.stringify(text)}`));
    };
    socket.setTimeout(10_000, () => {
      const next = requests[replies.length];
      reject(new Error(`no further reply within 10 s; next was ${next?.method} ${next?.url}`));
      socket.destroy();
    });
    socket.on('connect', () => writeAll(socket, requests));
    socket.on('error', done);
    const read = (ended: boolean): void => {
      try {
        while (replies.length < requests.length) {
          const found = parser.next(text, requests[replies.length]?.method === 'HEAD', ended);
          if (!found) return;
          text = text.slice(found.length);
          replies.push(found.reply);
          if (/\bclose\b/.test(found.reply.headers.get('connection') ?? '')) break;
        }
        done();
      } catch (error) {
        const request = requests[replies.length];
        reject(new Error(`${request?.method} ${request?.url}: ${String(error)}`));
        socket.destroy();
      }
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      read(false);
    });
    socket.on('end', () => {
      read(true);
      done();
    });
  });
}

function writeAll(socket: Socket, requests: readonly RandomRequest[]): void {
  const lines = requests.map(
    ({ method, url, headers, version, body }) =>
      `${method} ${url} HTTP/${version}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
  );
  socket.write(lines.join(''), 'utf8');
}

class ReplyParser {
  /** The first complete reply in `text` and its length; undefined if it is incomplete. `ended`: no more will come. */
  next(text: string, toHead: boolean, ended: boolean): { reply: WireReply; length: number } | undefined {
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [first = '', ...lines] = text.slice(0, end).split('\r\n');
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const before = headers.get(name);
      const value = Buffer.from(line.slice(colon + 1).trim(), 'latin1').toString('utf8');
      headers.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    const status = Number(first.split(' ')[1]);
    const bodiless = toHead || status === 204 || status === 304;
    if (!bodiless && headers.get('transfer-encoding') === 'chunked') {
      const whole = chunked(text, end + 4);
      return whole && { reply: { status, headers, body: whole.body }, length: whole.end };
    }
    if (!bodiless && !headers.has('content-length') && headers.get('connection') === 'close')
      return ended ? { reply: { status, headers, body: text.slice(end + 4) }, length: text.length } : undefined;
    const size = bodiless ? 0 : Number(headers.get('content-length') ?? Number.NaN);
    if (Number.isNaN(size)) throw new Error(`a reply without a length: ${text.slice(0, end)}`);
    const length = end + 4 + size;
    if (text.length < length) return undefined;
    return { reply: { status, headers, body: text.slice(end + 4, length) }, length };
  }
}

/** A chunked body from `at` on; undefined if it is incomplete. */
function chunked(text: string, at: number): { body: string; end: number } | undefined {
  let body = '';
  for (let from = at; ; ) {
    const line = text.indexOf('\r\n', from);
    if (line < 0) return undefined;
    const size = Number.parseInt(text.slice(from, line), 16);
    if (Number.isNaN(size)) throw new Error(`not a chunk: ${text.slice(from, line)}`);
    const end = line + 2 + size + 2;
    if (text.length < end) return undefined;
    if (size === 0) return { body, end };
    body += text.slice(line + 2, line + 2 + size);
    from = end;
  }
}
