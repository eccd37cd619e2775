/** The meaning of a request at the client and at the target, and the reply of the target. */
import { normalizePath } from '../../../src/bundle/normalize.js';
import { piecesOf } from './client.js';
import { bytesOf, type Reading } from './node.js';
import type { Behaviour } from './requests.js';
import type { Answer, Arrival } from './target.js';
import { bodyOf, type Field, valuesOf, type WireMessage } from './wire.js';

export class BrokenLaw extends Error {
  readonly law: string;

  constructor(law: string, detail: string) {
    super(`${law}: ${detail}`);
    this.law = law;
  }
}

export const show = (text: string): string => JSON.stringify(text.length > 600 ? `${text.slice(0, 600)}...` : text);

/** Counts of outcomes. */
export interface Tally {
  forwarded: number;
  refused: number;
  cut: number;
  /** Largest number of requests pipelined on one target connection. */
  deepest: number;
}

export const newTally = (): Tally => ({ forwarded: 0, refused: 0, cut: 0, deepest: 0 });

/** The body of the reply to the request with this token; no other reply contains a part of it. */
export const tokenBody = (token: string, size: number): string =>
  size === 0 ? '' : token.repeat(Math.ceil(size / token.length)).slice(0, size);

const NAMES = { 100: 'Continue', 102: 'Processing', 103: 'Early Hints' } as const;

/** The reply bytes of a behaviour for one request. */
export function answerOf(behaviour: Behaviour, token: string, method: string): Answer {
  const { interim, framing, after, early } = behaviour;
  if (after === 'drop') return { pieces: [], early, finish: 'end' };
  const body = tokenBody(token, behaviour.size);
  const closes = after === 'say' || framing === 'close';
  let text = interim === 0 ? '' : `HTTP/1.1 ${interim} ${NAMES[interim]}\r\nX-Hint: ${token}\r\n\r\n`;
  text += `HTTP/1.1 200 OK\r\nX-Token: ${token}\r\nX-Out: a%0d%0aX-Injected: 1\r\n${closes ? 'Connection: close\r\n' : ''}`;
  const sent = method === 'HEAD' ? '' : body;
  if (framing === 'length') text += `Content-Length: ${body.length}\r\n\r\n${sent}`;
  else if (framing === 'close') text += `\r\n${sent}`;
  else if (method === 'HEAD') text += 'Transfer-Encoding: chunked\r\n\r\n';
  else {
    const half = body.slice(0, body.length >> 1);
    const rest = body.slice(half.length);
    text += 'Transfer-Encoding: chunked\r\n\r\n';
    for (const part of [half, rest]) if (part !== '') text += `${part.length.toString(16)}\r\n${part}\r\n`;
    text += '0\r\n\r\n';
  }
  const finish = after === 'reset' ? 'reset' : after === 'keep' && !closes ? 'keep' : 'end';
  return { pieces: piecesOf(text, behaviour.cuts), early, finish };
}

/** A request as sent by the client and as the target must receive it. */
interface Meant {
  readonly method: string;
  readonly url: string | undefined;
  readonly fields: readonly Field[];
}

/** Fields that gw sets or removes in every request to a target. */
const OWN = new Set([
  'connection',
  'content-length',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'max-forwards',
  'proxy',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-real-ip',
  'x-request-id',
]);
/** Singleton fields: equal repetitions are merged, different ones are refused. */
const SINGLE = new Set(['authorization', 'content-type']);
const isOwn = (name: string): boolean => OWN.has(name) || name.startsWith('x-forwarded-');
/** Fields that the policies of the bed set or remove. */
const ofPolicies = (name: string): boolean => name.startsWith('x-copy') || name === 'cookie';

const RULES = {
  dotSegments: 'resolve',
  doubleSlashes: 'merge',
  encodedSlashes: 'refuse',
  trailingSlash: 'strict',
} as const;

/** The origin form of a request target; undefined if gw accepts none. */
export function originForm(method: string, url: string): string | undefined {
  if (url === '*') return url;
  let rest = url;
  const scheme = url.indexOf('://');
  if (!url.startsWith('/')) {
    const from = scheme + 3;
    const end = [url.indexOf('/', from), url.indexOf('?', from)].filter((at) => at >= 0);
    if (end.length === 0 && method === 'OPTIONS') return '*';
    rest = end.length === 0 ? '/' : url.slice(Math.min(...end));
    if (rest.startsWith('?')) rest = `/${rest}`;
  }
  const question = rest.indexOf('?');
  const path = normalizePath(question < 0 ? rest : rest.slice(0, question), RULES);
  // An empty query is dropped.
  if (path === undefined || question < 0 || question === rest.length - 1) return path;
  return path + rest.slice(question);
}

function meantBy({ method, url, fields }: Reading, policies: boolean): Meant {
  const listed = fields
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((item) => item.trim().toLowerCase()));
  const seen = new Set<string>();
  const kept = fields.filter(([name]) => {
    const key = name.toLowerCase();
    if (SINGLE.has(key) && seen.size === seen.add(key).size) return false;
    return !isOwn(key) && !listed.includes(key) && !(policies && ofPolicies(key));
  });
  return { method, url: originForm(method, url), fields: kept };
}

export const fieldsText = (fields: readonly Field[]): string =>
  fields.map(([name, value]) => `${name}: ${value}`).join('\n');

/** The host of a request in the form that targets receive; undefined if there are two or none. */
function hostOf({ url, fields }: Reading): string | undefined {
  const hosts = valuesOf({ fields }, 'host');
  const from = url.startsWith('/') ? -1 : url.indexOf('://');
  if (hosts.length > 1) return undefined;
  const rest = from < 0 ? undefined : url.slice(from + 3);
  const end = rest === undefined ? -1 : Math.min(...['/', '?'].map((char) => `${rest}${char}`.indexOf(char)));
  const host = (rest?.slice(0, end) ?? hosts[0])?.toLowerCase();
  const colon = host?.lastIndexOf('.:') ?? -1;
  if (host === undefined || colon < 0) return host?.endsWith('.') ? host.slice(0, -1) : host;
  return host.slice(0, colon) + host.slice(colon + 1);
}

/** How a received request differs from the sent one; undefined if it is equal. */
export function difference(arrival: Arrival, reading: Reading, policies: boolean): string | undefined {
  const { message } = arrival;
  const meant = meantBy(reading, policies);
  const first = `${meant.method} ${meant.url} HTTP/1.1`;
  if (message.first !== first) return `${show(message.first)} for ${show(first)}`;
  const host = hostOf(reading);
  const sent = valuesOf(message, 'host')[0];
  // HTTP/1.0 requests may lack Host: gw then sends the name of the target.
  if (sent !== host && (host !== undefined || reading.version !== '1.0')) return `the host ${sent} for ${host}`;
  const codings = valuesOf(reading, 'transfer-encoding').join(', ');
  if (codings !== '' && codings.toLowerCase() !== 'chunked') return `the transfer codings ${show(codings)} were lost`;
  // Upgrades are written by different code, which joins fields of the same name.
  if (valuesOf(message, 'connection').length === 0) {
    const came = fieldsText(
      message.fields.filter(([name]) => {
        const key = name.toLowerCase();
        return !isOwn(key) && !(policies && ofPolicies(key));
      }),
    );
    if (came !== fieldsText(meant.fields)) return `fields ${show(came)} for ${show(fieldsText(meant.fields))}`;
  }
  const body = bodyOf(message);
  const sentBody = bytesOf(reading);
  if (message.complete && reading.complete && !body.equals(sentBody))
    return `a body of ${body.length} bytes instead of ${sentBody.length}`;
  if (!body.equals(sentBody.subarray(0, body.length))) return 'a body that is not a prefix of the sent one';
  return undefined;
}

export const isProblem = (reply: WireMessage): boolean =>
  valuesOf(reply, 'content-type').includes('application/problem+json');
export const tokenOf = (reply: WireMessage): string | undefined => valuesOf(reply, 'x-token')[0];
export const injected = (message: WireMessage): boolean => valuesOf(message, 'x-injected').length > 0;

/** Bytes of the body that the target sent with a reply of `answerOf`. */
export function bodySize(arrival: Arrival, method: string): number {
  const text = arrival.answer!.pieces.join('');
  // An interim head may precede the head.
  const head = text.indexOf('\r\n\r\n', text.indexOf('HTTP/1.1 200')) + 4;
  if (method === 'HEAD') return 0;
  const token = arrival.token;
  if (!text.includes('Transfer-Encoding: chunked')) return text.length - head;
  let size = 0;
  for (let at = head; at < text.length; ) {
    const end = text.indexOf('\r\n', at);
    const chunk = Number.parseInt(text.slice(at, end), 16);
    if (Number.isNaN(chunk)) throw new Error(`the fuzzer created an invalid reply: ${token}`);
    if (chunk === 0) break;
    size += chunk;
    at = end + 2 + chunk + 2;
  }
  return size;
}
