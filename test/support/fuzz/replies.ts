/** Replies of the fuzzer's target: valid, invalid, ambiguous, too long, too short. Plain random data. */
import type { Dice } from './dice.js';
import { chunked, PIECES } from './requests.js';

export interface Step {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** The request is HTTP/1.0: no chunks, no interim replies. */
  readonly old: boolean;
  /** All bytes that the target writes, in latin1. `TOKEN` is replaced by the token of the request. */
  readonly text: string;
  readonly cuts: readonly number[];
  readonly finish: 'keep' | 'end' | 'reset';
  /** Certainly valid, without surplus bytes: gw must forward it. */
  readonly valid: boolean;
}

export interface ReplyCase {
  readonly steps: readonly Step[];
  /** Number of concurrent clients: client n modulo this number requests step n. */
  readonly clients: number;
  /** All requests are sent at once. */
  readonly ahead: boolean;
}

const STATUSES = [
  '200 OK',
  '200 ',
  '201 Created',
  '204 No Content',
  '304 Not Modified',
  '404 Not  Found',
  '500 \xe4h',
  '599 x',
];
const FIELDS = [
  'X-A: 1',
  'X-A:2',
  'X-Empty:',
  'x-b:  spaced\t',
  'X-Latin: \xe4\xff',
  'Set-Cookie: a=1',
  'Set-Cookie: b=2',
  'Date: Sun, 06 Nov 1994 08:49:37 GMT',
  'Server: x',
  'Connection: keep-alive',
  'Connection: x-a, Set-Cookie',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: close',
  'Trailer: X-T',
  'Upgrade: h2c',
  'X-Request-Id: theirs',
  'Via: 1.1 x',
  'X-Out: a%0d%0aX-Injected: 1',
  'X-Out: \xe5\x98\x8a\xe5\x98\x8dX-Injected:1',
  'Location: /a%0d%0aX-Injected:%201',
];
const NASTY = [
  'Content-Length: 3',
  'Content-Length: 0',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\x0bchunked',
  'Content-Length : 3',
  ' Folded: 1',
  'X-Fold: 1\r\n 2',
  'X-CR: a\rX-Injected: 1',
  'X-LF: a\nX-Injected: 1',
  'X-NUL: \0',
  'NoColon',
  ': empty',
  'X-\xe4: 1',
  'Connection: close',
  'Connection: close, content-length',
  'Connection: "',
  'HTTP/1.1 200 OK',
];
const STATUS_LINES = [
  'HTTP/1.1 200',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 +20 OK',
  'HTTP/1.1 000 OK',
  'HTTP/1.1 099 OK',
  'HTTP/1.1 600 OK',
  'HTTP/1.1 999 OK',
  'HTTP/1.1 200OK',
  'HTTP/1.1\t200 OK',
  'HTTP/1.1 200 O\rK',
  'HTTP/1.1 200 O\nK',
  'HTTP/1.1 200 \0',
  'HTTP/1.2 200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/0.9 200 OK',
  'http/1.1 200 OK',
  'ICY 200 OK',
  'HTTP/1.1',
  ' HTTP/1.1 200 OK',
  '\r\nHTTP/1.1 200 OK',
  'HTTP/1.1 101 Switching Protocols',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket',
  'HTTP/1.1 100 Continue',
  'HTTP/1.1 199 x',
];
/** A surplus reply that must never reach a client. */
const EVIL = 'HTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nEVIL';
const INTERIMS = [
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n',
  'HTTP/1.1 102 Processing\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nX-Empty:\r\nConnection: keep-alive\r\n\r\n',
];

interface Made {
  readonly text: string;
  /** The body ends with the connection. */
  readonly untilClose: boolean;
  readonly closes: boolean;
  readonly bodiless: boolean;
}

function makeValid(dice: Dice, method: Step['method'], old: boolean): Made {
  const status = dice.chance(0.6) ? '200 OK' : dice.pick(STATUSES);
  const bodiless = method === 'HEAD' || status.startsWith('204') || status.startsWith('304');
  // Without it a head can equal an earlier one.
  const fields = dice.chance(0.7) ? ['X-Token: TOKEN'] : ['X-Same: 1'];
  for (let i = dice.below(5); i > 0; i--) fields.splice(dice.below(fields.length + 1), 0, dice.pick(FIELDS));
  const body = 'TOKEN'.repeat(dice.pick([0, 0, 1, 3, 40, 40, 400, 20_000]));
  const framing = dice.below(10);
  let payload = body;
  let untilClose = false;
  if (status.startsWith('204')) payload = '';
  else if (framing < 5) fields.push(`Content-Length: ${body.length}`);
  else if (framing < 8) {
    fields.push('Transfer-Encoding: chunked');
    payload = chunked(dice, body);
  } else if (!bodiless) untilClose = true;
  const closes = untilClose || dice.chance(0.1);
  if (closes && dice.chance(0.7)) fields.splice(dice.below(fields.length + 1), 0, 'Connection: close');
  const interim = !old && dice.chance(0.15) ? dice.times(1 + dice.below(2), () => dice.pick(INTERIMS)).join('') : '';
  const version = untilClose && dice.chance(0.3) ? 'HTTP/1.0' : 'HTTP/1.1';
  const head = `${interim}${version} ${status}\r\n${fields.join('\r\n')}\r\n\r\n`;
  return { text: head + (bodiless ? '' : payload), untilClose, closes, bodiless };
}

/**
 * A second reply is surplus only if it arrives before the next request is written. Later bytes cannot be distinguished
 * from the reply to that request.
 */
const atOnce = (step: Step): Step => (step.text.includes('X-Evil') ? { ...step, cuts: [] } : step);

/** TOKEN is as long as every token of the target, so lengths stay correct after the replacement. */
function makeStep(dice: Dice, shared: boolean): Step {
  const method = dice.pick(['GET', 'GET', 'GET', 'HEAD', 'POST'] as const);
  const old = dice.chance(0.05);
  const made = makeValid(dice, method, old);
  const base = { method, old, cuts: dice.cuts(Math.min(made.text.length, 600)) };
  const ending = made.closes ? 'end' : 'keep';
  const kind = dice.below(100);
  if (kind < 45) return { ...base, text: made.text, finish: ending, valid: true };
  const wrong = { ...base, valid: false, finish: dice.chance(0.85) ? ('end' as const) : ('reset' as const) };
  // On a shared connection, bytes after a reply count as the next reply.
  if (kind < 55 && !shared) {
    // The surplus arrives together with the last byte of the reply.
    const surplus = dice.pick([EVIL, EVIL, 'x', '\r\n', '\0', 'HTTP/1.1 100 Continue\r\n\r\n', EVIL.slice(0, 20)]);
    const text = made.text + surplus;
    const cuts = base.cuts.filter((cut) => cut < made.text.length - 1);
    return { ...wrong, text, cuts, finish: made.untilClose ? 'end' : 'keep' };
  }
  if (kind < 60) return { ...wrong, text: made.text.slice(0, dice.below(made.text.length)) };
  if (kind < 66) return { ...wrong, text: made.text.replace(/HTTP\/1\.[01] [^\r]*/, () => dice.pick(STATUS_LINES)) };
  if (kind < 78) {
    const end = made.text.indexOf('\r\n');
    return { ...wrong, text: `${made.text.slice(0, end)}\r\n${dice.pick(NASTY)}${made.text.slice(end)}` };
  }
  return atOnce({ ...wrong, text: dice.mutate(made.text, shared ? PIECES : [...PIECES, EVIL]) });
}

/** The step with small changes: parsers may cache heads. */
function twinOf(dice: Dice, step: Step): Step {
  const kind = dice.below(3);
  if (kind === 0) return step;
  const { text } = step;
  const end = text.indexOf('\r\n\r\n') + 4;
  const wrong = { ...step, valid: false, finish: 'end' } as const;
  if (kind === 1) return atOnce({ ...wrong, text: text.slice(0, end) + dice.mutate(text.slice(end), PIECES) });
  const from = Math.max(0, end - 40);
  const head = text.slice(0, from) + dice.mutate(text.slice(from, end), PIECES);
  return atOnce({ ...wrong, text: head + text.slice(end) });
}

/** `shared`: several clients whose exchanges may share target connections. */
export function makeReplyCase(dice: Dice, shared: boolean): ReplyCase {
  const clients = shared ? 1 + dice.below(8) : 1;
  const steps = dice.times(clients + dice.below(4), () => makeStep(dice, clients > 1));
  if (dice.chance(0.35)) steps.push(twinOf(dice, dice.pick(steps)));
  return { steps, clients, ahead: dice.chance(0.4) };
}
