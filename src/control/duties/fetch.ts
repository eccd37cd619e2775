/** HTTP requests of duties: one connection each, bounded in time and size, without redirects, with verified certificates. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { DutyFetchOptions, DutyReply } from '../../policies/contract.js';
import { reasonOf } from '../../reason.js';
import { gwVersion } from '../../version.js';

const TIMEOUT_MS = 10_000;
const MAX_REPLY = 1024 * 1024;
const MAX_HEAD = 16 * 1024;

/** The fetch of a duty's host. `signal`: the duty is closed, which ends the request. */
export type DutyFetch = (url: string, options: FetchOptions, signal: AbortSignal) => Promise<DutyReply>;

export interface FetchOptions extends DutyFetchOptions {
  /** PEM: the authorities that certificates are verified against. Default: those of Node. */
  readonly ca?: string;
}

/** Rejects with an Error whose message is a phrase: `connection refused`, `no reply within 10000 ms`. */
export const dutyFetch: DutyFetch = (text, options, signal) => {
  const { method = 'GET', headers = {}, body, ca, timeout = TIMEOUT_MS, maxReply = MAX_REPLY } = options;
  return new Promise((resolve, reject) => {
    const url = new URL(text);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`no http or https URL: ${text}`);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(url, {
      method,
      // Nothing of it is kept: a connection, a session, or a socket that waits for reuse.
      agent: false,
      maxHeaderSize: MAX_HEAD,
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
      headers: { 'user-agent': `gw/${gwVersion()}`, 'accept-encoding': 'identity', ...headers },
    });
    const timer = setTimeout(() => fail(new Error(`no reply within ${timeout} ms`)), timeout);
    const abort = (): void => fail(new Error('the duty was closed'));
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const fail = (error: unknown): void => {
      settle();
      request.destroy();
      reject(new Error(reasonOf(error), { cause: error }));
    };
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    request.on('error', fail);
    request.on('response', (reply) => {
      collect(reply, maxReply).then((bytes) => {
        settle();
        resolve({ status: reply.statusCode ?? 0, headers: fieldsOf(reply), body: bytes });
      }, fail);
    });
    request.end(body);
  });
};

async function collect(reply: IncomingMessage, max: number): Promise<Uint8Array> {
  const coding = reply.headers['content-encoding'] ?? 'identity';
  if (coding.toLowerCase() !== 'identity') throw new Error(`the reply has the content coding ${coding}`);
  const tooLarge = `the reply is larger than ${max} bytes`;
  if (Number(reply.headers['content-length'] ?? 0) > max) throw new Error(tooLarge);
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of reply as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > max) throw new Error(tooLarge);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function fieldsOf({ headers }: IncomingMessage): { readonly [name: string]: string } {
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) fields[name] = Array.isArray(value) ? value.join(', ') : value;
  return fields;
}
