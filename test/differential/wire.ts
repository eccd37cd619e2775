/** A client that writes raw pipelined requests, and an origin that reports the received heads. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { RandomRequest } from './random-request.js';

/** A request as the origin received it. */
export interface Seen {
  /** First line and fields as lines, names in lower case. */
  readonly head: readonly string[];
}

export interface WireReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Address of a listener. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const ECHO = 'x-echo';

/** Reports the received head in a reply field, because a reply to HEAD has no body. */
export async function startEcho(): Promise<{ server: Server; url: string }> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const head = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      head.push(`${request.rawHeaders[at]?.toLowerCase()}: ${request.rawHeaders[at + 1]}`);
    }
    const seen: Seen = { head };
    response.writeHead(200, { [ECHO]: Buffer.from(JSON.stringify(seen)).toString('base64'), 'content-length': 0 });
    response.end();
  });
  server.maxRequestsPerSocket = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

export function seenBy(reply: WireReply): Seen | undefined {
  const echo = reply.headers.get(ECHO);
  if (echo === undefined) return undefined;
  const { head } = JSON.parse(Buffer.from(echo, 'base64').toString('utf8')) as Seen;
  return { head: head.map((line) => Buffer.from(line, 'latin1').toString('utf8')) };
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
    socket.on('end', done);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      try {
        while (replies.length < requests.length) {
          const found = parser.next(text, requests[replies.length]?.method === 'HEAD');
          if (!found) return;
          text = text.slice(found.length);
          replies.push(found.reply);
          if (/\bclose\b/.test(found.reply.headers.get('connection') ?? '')) return done();
        }
        done();
      } catch (error) {
        const request = requests[replies.length];
        reject(new Error(`${request?.method} ${request?.url}: ${String(error)}`));
        socket.destroy();
      }
    });
  });
}

function writeAll(socket: Socket, requests: readonly RandomRequest[]): void {
  const lines = requests.map(
    ({ method, url, headers, version }) =>
      `${method} ${url} HTTP/${version}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  );
  socket.write(lines.join(''), 'utf8');
}

class ReplyParser {
  /** The first complete reply in `text` and its length; undefined if it is incomplete. */
  next(text: string, toHead: boolean): { reply: WireReply; length: number } | undefined {
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
    if (headers.has('transfer-encoding')) throw new Error(`an unexpected framing: ${text.slice(0, end)}`);
    const status = Number(first.split(' ')[1]);
    const bodiless = toHead || status === 204 || status === 304;
    const size = bodiless ? 0 : Number(headers.get('content-length') ?? Number.NaN);
    if (Number.isNaN(size)) throw new Error(`a reply without a length: ${text.slice(0, end)}`);
    const length = end + 4 + size;
    if (text.length < length) return undefined;
    return { reply: { status, headers, body: text.slice(end + 4, length) }, length };
  }
}
