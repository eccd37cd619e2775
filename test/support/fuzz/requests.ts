/** Requests of the fuzzer's clients and behavior of its target, as plain random data. */
import { METHODS } from 'node:http';
import type { Ending } from './client.js';
import type { Dice } from './dice.js';
import { VECTORS } from './vectors.js';

export interface Message {
  /** latin1. */
  readonly text: string;
  /** Certainly valid: gw must forward it. */
  readonly valid: boolean;
}

export interface ClientPlan {
  readonly messages: readonly Message[];
  /** Offsets in the concatenated text at which a new write begins. */
  readonly cuts: readonly number[];
  readonly ending: Ending;
}

export type ReplyFraming = 'length' | 'chunked' | 'close';

/** How the target replies to one request. */
export interface Behaviour {
  readonly interim: 0 | 100 | 102 | 103;
  readonly framing: ReplyFraming;
  readonly size: number;
  readonly cuts: readonly number[];
  readonly early: boolean;
  /** `say`: close with Connection: close. `end`: close without it. `drop`: close without a reply. */
  readonly after: 'keep' | 'say' | 'end' | 'reset' | 'drop';
}

export interface RequestCase {
  readonly clients: readonly ClientPlan[];
  /** In order of arrival; starts again after the last one. */
  readonly behaviours: readonly Behaviour[];
}

/** Whether a reply can be lost because of the target. */
export const isRisky = ({ early, after }: Behaviour): boolean =>
  after === 'end' || after === 'reset' || after === 'drop' || (early && after !== 'keep');

const COMMON = ['GET', 'GET', 'GET', 'POST', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];
const OTHER = ['QUERY', 'PROPFIND', 'PURGE', 'REPORT', 'LINK'].filter((method) => METHODS.includes(method));
const PATHS = [
  '/',
  '/a',
  '/a/b?c=d',
  '/a%20b',
  '/?x=%2F&y=%',
  '/very/long/path/with/many/segments',
  '/a;b=c',
  '/~u',
  '/a//b',
  '/a/./b/../c',
  '/%7eu/%c3%a4',
  '/q?a=%0d%0aX-Injected:%201',
  '/q?a=b%0AX-Injected%3A1&c=%00',
  '/q?{}|^"<>`\\',
  '/p/%C4%8D%C4%8Ax-injected:1',
  '//host/path',
  '/a?b?c=/d',
];
const HOSTS = ['a.example', 'A.Example:8080', 'xn--b.example', '127.0.0.1:1', '[::1]:8080', 'a_b.example', 'smuggled'];
const FIELDS = [
  'X-A: 1',
  'X-A:2',
  'x-b:  spaced  ',
  'X-Empty:',
  'X-Blank: \t ',
  'Accept: */*',
  'Cookie: a=1; b=2',
  'Content-Type: a/b',
  'content-type:  a/b ',
  'Authorization: Basic eDp5',
  'X-Latin: \xe4\xf6\xff',
  'X-Tab: a\tb',
  'X-Colon:: a:b',
  "!#$%&'*+-.^`|~: token",
  'Connection: keep-alive',
  'Connection: x-a',
  'Connection: X-A , , x-in',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: keep-alive',
  'TE: trailers',
  'Trailer: X-Trailer',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'Upgrade: h2c',
  'X-Forwarded-For: 1.2.3.4',
  'X-Forwarded-Host: evil.example',
  'X-Forwarded-Proto: https',
  'Forwarded: for=1.2.3.4',
  'Via: 1.0 fred',
  'X-Request-Id: mine',
  'X-In: plain',
  'X-In: %0d%0aX-Injected: 1',
  'X-In: \xe5\x98\x8a\xe5\x98\x8dX-Injected: 1',
  'X-In: {request.header.x-in}\\r\\nX-Injected: 1',
  'X-In: a, b\t"c"; d',
  'Proxy-Authorization: Basic eA==',
  'Max-Forwards: 5',
];
/** Fields that make a head ambiguous or invalid, some only in certain places. */
const NASTY = [
  'Content-Type: c/d',
  'Authorization: Basic eDp6',
  'Content-Length: 3',
  'Content-Length: 0',
  'Content-Length: 00',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: \tchunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding: chunked\r\n\tx',
  'Transfer-Encoding: gzip, chunked',
  'TRANSFER-ENCODING: CHUNKED',
  ' Folded: 1',
  'X-Bad\x00: 1',
  'X-CR: a\rb',
  'X-LF: a\nContent-Length: 5',
  'Host: other.example',
  'NoColon',
  ': empty',
  'Expect: 100-continue',
  'Expect: 200-ok',
  'Max-Forwards: 0',
  'Connection: content-length, transfer-encoding',
  'Connection: host, x-forwarded-for, x-request-id',
  'Connection: close, content-length',
  'Connection: close',
  'Connection: upgrade\r\nUpgrade: echo/1',
  'Connection: "x"',
  'X_Forwarded_For: 1.1.1.1',
  'Content_Length: 5',
  'X-Under_score: 1',
];
/** Inserted at random places by a mutation. */
export const PIECES = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '0',
  'x',
  '#',
  '\x7f',
  '\x80',
  '\xff',
  '0\r\n\r\n',
  'HTTP/1.1',
  'HTTP/1.0',
  'GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Connection: close\r\n',
  'http://b.example',
  '*',
];

function payloadOf(dice: Dice, id: number): string {
  const kind = dice.below(10);
  if (kind < 4) return '';
  if (kind === 9) return `${id}:${'0123456789abcdef'.repeat(dice.below(2000))}`;
  return `${id}:${'abc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n'.repeat(dice.below(20))}`;
}

export function chunked(dice: Dice, body: string): string {
  let out = '';
  for (let at = 0; at < body.length; ) {
    const piece = body.slice(at, at + 1 + dice.below(dice.chance(0.8) ? 40 : 9000));
    const size = piece.length.toString(16).padStart(1 + dice.below(3), '0');
    out += `${dice.chance(0.3) ? size.toUpperCase() : size}${dice.chance(0.2) ? ';e=1' : ''}\r\n${piece}\r\n`;
    at += piece.length;
  }
  const trailer = dice.chance(0.15) ? `${dice.pick(['X-Trailer: 1', 'X-Trailer:', 'X-Sum: a b'])}\r\n` : '';
  return `${out}${dice.chance(0.2) ? '000' : '0'}\r\n${trailer}\r\n`;
}

function targetOf(dice: Dice, method: string): string {
  if (method === 'OPTIONS' && dice.chance(0.3)) return '*';
  const path = dice.pick(PATHS);
  return dice.chance(0.08) ? `http://${dice.pick(HOSTS)}${path}` : path;
}

/** A valid request in one of several correct forms. */
function makeValid(dice: Dice, id: number): string {
  const method = dice.chance(0.9) ? dice.pick(COMMON) : dice.pick(OTHER);
  const fields = [`${dice.pick(['Host', 'host', 'HOST'])}: ${dice.pick(HOSTS)}`, `X-Id: ${id}`];
  for (let i = dice.below(5); i > 0; i--) fields.splice(dice.below(fields.length + 1), 0, dice.pick(FIELDS));
  const body = payloadOf(dice, id);
  let payload = body;
  if (body !== '' || dice.chance(0.2)) {
    if (dice.chance(0.5)) fields.splice(dice.below(fields.length + 1), 0, `Content-Length: ${body.length}`);
    else {
      fields.push('Transfer-Encoding: chunked');
      payload = chunked(dice, body);
    }
    if (dice.chance(0.1)) fields.push('Expect: 100-continue');
  }
  const before = dice.chance(0.05) ? '\r\n' : '';
  return `${before}${method} ${targetOf(dice, method)} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${payload}`;
}

/** A possibly invalid request: a bad field, a mutation, or a known vector. */
function makeDoubtful(dice: Dice, id: number): Message {
  const kind = dice.below(40);
  const text = makeValid(dice, id);
  if (kind < 9) return { text: withField(dice, text, dice.pick(NASTY)), valid: false };
  if (kind < 18) return { text: dice.mutate(text, PIECES), valid: false };
  if (kind < 25) {
    const head = `POST /c HTTP/1.1\r\nHost: a.example\r\nX-Id: ${id}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const body = chunked(dice, `${id}:${'0\r\n\r\nx'.repeat(dice.below(9))}`);
    return { text: head + (dice.chance(0.5) ? dice.breakEnd(body) : dice.mutate(body, PIECES)), valid: false };
  }
  const vector = dice.pick(VECTORS).text;
  const short = vector.length > 4000 && dice.chance(0.9) ? vector.slice(0, 4000) : vector;
  return { text: kind < 30 ? dice.mutate(short, PIECES) : short, valid: false };
}

export function makeMessage(dice: Dice, id: number): Message {
  return dice.chance(0.62) ? { text: makeValid(dice, id), valid: true } : makeDoubtful(dice, id);
}

function withField(dice: Dice, text: string, field: string): string {
  const lines: number[] = [];
  const end = text.indexOf('\r\n\r\n');
  for (let at = text.indexOf('\r\n', 2); at >= 0 && at <= end; at = text.indexOf('\r\n', at + 2)) lines.push(at);
  const at = lines.length === 0 ? 0 : dice.pick(lines);
  return `${text.slice(0, at)}\r\n${field}${text.slice(at)}`;
}

/** A message with almost the same fields as another one: parsers may cache heads. */
function twinOf(dice: Dice, { text, valid }: Message): Message {
  const kind = dice.below(3);
  if (kind === 0) return { text, valid };
  const lineEnd = text.indexOf(' HTTP/1.1\r\n');
  if (kind === 1 && lineEnd > 0) {
    return { text: `${dice.pick(COMMON)} ${dice.pick(PATHS)}${text.slice(lineEnd)}`, valid };
  }
  const end = text.indexOf('\r\n\r\n') + 4;
  const from = Math.max(0, end - 40);
  return { text: text.slice(0, from) + dice.mutate(text.slice(from, end), PIECES) + text.slice(end), valid: false };
}

function makeClient(dice: Dice, firstId: number): ClientPlan {
  const count = 1 + dice.below(dice.chance(0.1) ? 12 : 4);
  const messages = dice.times(count, (index) => makeMessage(dice, firstId + index));
  if (dice.chance(0.3)) {
    const at = dice.below(messages.length);
    messages.splice(at + 1, 0, twinOf(dice, messages[at]!));
  }
  // Nothing after a refused message is read, so most invalid messages come first.
  if (dice.chance(0.35)) messages.unshift(makeDoubtful(dice, firstId + count));
  const { length } = messages.map(({ text }) => text).join('');
  const ending = dice.below(10);
  return {
    messages,
    cuts: dice.cuts(length),
    ending: ending === 9 ? 'gone' : ending > 6 ? 'late' : 'fin',
  };
}

function makeBehaviour(dice: Dice, risk: number): Behaviour {
  const interims = [100, 102, 103] as const;
  const afters = ['end', 'reset', 'drop', 'say', 'end'] as const;
  return {
    interim: dice.chance(0.12) ? dice.pick(interims) : 0,
    framing: dice.pick(['length', 'length', 'chunked', 'close'] as const),
    size: dice.pick([0, 1, 5, 60, 60, 700, 9000, 70_000]),
    cuts: dice.cuts(200),
    early: dice.chance(0.1),
    after: dice.chance(risk) ? dice.pick(afters) : dice.chance(0.15) ? 'say' : 'keep',
  };
}

/** Number of clients, and how often the target closes or resets at a bad moment. */
export interface Crowd {
  readonly clients: readonly number[];
  /** Share of the cases with such a target, and of its bad replies. */
  readonly risky: number;
  readonly risk: number;
}

export function makeRequestCase(dice: Dice, crowd: Crowd): RequestCase {
  const clients = dice.times(dice.pick(crowd.clients), (index) => makeClient(dice, index * 100));
  const risk = dice.chance(crowd.risky) ? crowd.risk : 0;
  return { clients, behaviours: dice.times(1 + dice.below(6), () => makeBehaviour(dice, risk)) };
}
