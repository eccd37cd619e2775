/** Requests to the APIs of sources: bounded in time and size, no redirects, with verified certificates. */
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { reasonOf } from '../../../reason.js';
import { gwVersion } from '../../../version.js';

/** Milliseconds for a whole reply, unless the request says otherwise. */
const TIMEOUT = 10_000;
/** Bytes: of a reply; of a line of a stream; of a head. */
const MAX_REPLY = 32 * 1024 * 1024;
const MAX_LINE = 4 * 1024 * 1024;
const MAX_HEAD = 32 * 1024;

export interface ApiPlace {
  /** `http://`, `https://` with an optional base path, or `unix:/path/of/socket`. */
  readonly address: string;
  readonly signal: AbortSignal;
  /** Read again for each request. */
  readonly headers?: () => { readonly [name: string]: string };
  /** PEM; read again for each request. */
  readonly ca?: () => string | undefined;
}

export interface ApiReply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Undefined if the reply has another status than 200. */
  readonly body: unknown;
}

/** Whether an API is on this machine. */
export function isLocal(address: string): boolean {
  if (address.startsWith('unix:')) return true;
  const { hostname } = new URL(address);
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}

export class Api {
  readonly #place: ApiPlace;

  constructor(place: ApiPlace) {
    this.#place = place;
  }

  /** Rejects with an Error whose message is a phrase, also for a reply of 200 that is not JSON. */
  async json(path: string, { timeout = TIMEOUT }: { readonly timeout?: number } = {}): Promise<ApiReply> {
    const ending = AbortSignal.any([this.#place.signal, AbortSignal.timeout(timeout)]);
    const reply = await this.#ask(path, ending);
    const { statusCode: status = 0, headers } = reply;
    const parts: Buffer[] = [];
    let size = 0;
    try {
      for await (const part of reply as AsyncIterable<Buffer>) {
        size += part.length;
        if (size > MAX_REPLY) throw new Error(`the reply is larger than ${MAX_REPLY} bytes`);
        parts.push(part);
      }
    } catch (error) {
      throw this.#phrase(error, ending);
    } finally {
      reply.destroy();
    }
    return { status, headers, body: status === 200 ? parsed(Buffer.concat(parts).toString()) : undefined };
  }

  /**
   * Reads a stream of lines of JSON. `opened` is called when the reply has begun with 200, `line` with each value until it
   * returns false. Resolves when the stream ends, or nothing has come for `idle` milliseconds. Rejects with another status.
   */
  async lines(
    path: string,
    { idle, opened, line }: { idle: number; opened: () => Promise<void>; line: (value: unknown) => boolean },
  ): Promise<number> {
    const quiet = new AbortController();
    const ending = AbortSignal.any([this.#place.signal, quiet.signal]);
    let timer = setTimeout(() => quiet.abort(), TIMEOUT);
    let reply: IncomingMessage | undefined;
    try {
      reply = await this.#ask(path, ending);
      if (reply.statusCode !== 200) return reply.statusCode ?? 0;
      clearTimeout(timer);
      await opened();
      timer = setTimeout(() => quiet.abort(), idle);
      let held = '';
      for await (const part of reply as AsyncIterable<Buffer>) {
        timer.refresh();
        held += part.toString('utf8');
        if (held.length > MAX_LINE) throw new Error(`a line is longer than ${MAX_LINE} bytes`);
        const complete = held.split('\n');
        held = complete.pop() ?? '';
        for (const text of complete) if (text.trim() !== '' && !line(parsed(text))) return 200;
      }
      return 200;
    } catch (error) {
      if (quiet.signal.aborted && reply !== undefined && !this.#place.signal.aborted) return 200;
      throw this.#phrase(error, ending);
    } finally {
      clearTimeout(timer);
      reply?.destroy();
    }
  }

  #ask(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => reject(this.#phrase(error, signal));
      try {
        const request = this.#request(path, signal);
        request.on('error', fail);
        request.on('response', resolve);
        request.end();
      } catch (error) {
        fail(error);
      }
    });
  }

  #request(path: string, signal: AbortSignal): ClientRequest {
    const { address, headers, ca } = this.#place;
    const options: RequestOptions = {
      signal,
      agent: false,
      maxHeaderSize: MAX_HEAD,
      headers: { accept: 'application/json', 'user-agent': `gw/${gwVersion()}`, ...headers?.() },
    };
    if (address.startsWith('unix:'))
      return httpRequest({ ...options, socketPath: address.slice('unix:'.length), path, host: 'localhost' });
    const url = new URL(`${address.replace(/\/+$/, '')}${path}`);
    if (url.protocol !== 'https:') return httpRequest(url, options);
    const authorities = ca?.();
    return httpsRequest(url, { ...options, ...(authorities === undefined ? {} : { ca: authorities }) });
  }

  #phrase(error: unknown, signal: AbortSignal): Error {
    if (this.#place.signal.aborted) return new Error('the source is not used any more', { cause: error });
    if (signal.aborted) return new Error('no reply in time', { cause: error });
    return new Error(reasonOf(error), { cause: error });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error('the reply is not JSON', { cause: error });
  }
}

/** A value of an unknown document: a table's entry, or undefined. */
export function field(value: unknown, ...path: readonly (string | number)[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as { readonly [key: string | number]: unknown })[key];
  }
  return at;
}

export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
/** `http://10.0.0.1:80`, `http://[::1]:80`. */
export const urlOf = (scheme: string, host: string, port: unknown): string =>
  `${scheme}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${String(port)}`;
