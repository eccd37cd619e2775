/**
 * The laws of replies. What Node's client reads in a target's bytes is what the target said; gw's client gets exactly that,
 * or a 502 or 504, or a connection that ends in the middle: never another message, never a byte of another reply.
 */
import { connect, type Socket } from 'node:net';
import type { Bed } from './bed.js';
import { endedInOrder, HANG_MS, piecesOf } from './client.js';
import { checkTarget, quiet } from './laws.js';
import { BrokenLaw, fieldsText, injected, isProblem, show, type Tally } from './meaning.js';
import { type ReplyReading, readReply } from './node.js';
import type { ReplyCase, Step } from './replies.js';
import type { Arrival } from './target.js';
import {
  bodyOf,
  isInterim,
  NotCanonical,
  ReplyRules,
  statusOf,
  valuesOf,
  type WireMessage,
  WireReader,
} from './wire.js';

/** gw's own on every reply, or of one hop alone. */
const OWN = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-request-id',
]);

const FINAL = (reply: WireMessage): boolean => !isInterim(reply);

/** A client that asks and waits. */
class Asker {
  readonly #socket: Socket;
  readonly #reader: WireReader;
  readonly #parts: Buffer[] = [];
  readonly methods: string[] = [];
  ended = false;
  orderly = false;
  broken: string | undefined;
  #wake: (() => void) | undefined;

  constructor(port: number) {
    this.#reader = new WireReader(new ReplyRules((index) => this.methods[index]));
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on('end', () => {
      if (!endedInOrder(this.#socket)) return;
      this.orderly = true;
      this.#reader.end();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.ended = true;
      this.#wake?.();
    });
  }

  #onData(chunk: Buffer): void {
    this.#parts.push(chunk);
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof NotCanonical)) throw error;
      this.broken ??= error.message;
      this.#socket.destroy();
    }
    this.#wake?.();
  }

  get heard(): Buffer {
    return Buffer.concat(this.#parts);
  }

  get replies(): WireMessage[] {
    return this.#reader.messages.filter(FINAL);
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** Until `count` replies are whole, or the connection is over. */
  async wait(count: number): Promise<void> {
    const deadline = Date.now() + HANG_MS;
    while (!this.ended && this.replies.filter(({ complete }) => complete).length < count) {
      if (Date.now() > deadline) throw new BrokenLaw('gw ends what is over', show(this.heard.toString('latin1')));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, HANG_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const { rest } = this.#reader;
    if (this.broken !== undefined || (this.ended && rest.length > 0))
      throw new BrokenLaw('replies are canonical', `${this.broken} in ${show(this.heard.toString('latin1'))}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

function requestOf(step: Step, index: number): string {
  const body = step.method === 'POST' ? 'Content-Length: 2\r\n\r\nab' : '\r\n';
  return `${step.method} /s/${index} HTTP/1.${step.old ? 0 : 1}\r\nHost: a.example\r\n${body}`;
}

const stepOf = (arrival: Arrival): number => Number(arrival.message.first.split(' ')[1]!.slice('/s/'.length));

/** Runs one case and holds it to the laws: throws BrokenLaw. */
export async function runReplyCase(bed: Bed, given: ReplyCase, tally: Tally): Promise<void> {
  const { steps } = given;
  const { target } = bed;
  target.next();
  target.answer = (arrival) => {
    const step = steps[stepOf(arrival)];
    if (step === undefined) throw new Error(`Not asked for: ${arrival.message.first}`);
    const text = step.text.replaceAll('TOKEN', arrival.token);
    return { pieces: piecesOf(text, step.cuts), early: false, finish: step.finish };
  };
  const client = async (nth: number): Promise<void> => {
    let left = steps.map((_, index) => index).filter((index) => index % given.clients === nth);
    while (left.length > 0) left = left.slice(await connection(bed, given, left, tally));
  };
  await Promise.all(Array.from({ length: given.clients }, (_, nth) => client(nth)));
  await quiet(bed);
  await checkTarget(bed);
}

/** Asks for these steps as far as one connection goes; returns how many were asked for. */
async function connection(bed: Bed, given: ReplyCase, left: readonly number[], tally: Tally): Promise<number> {
  const { steps, ahead } = given;
  const asker = new Asker(bed.plane.port);
  const ask = (index: number): void => {
    asker.methods.push(steps[index]!.method);
    asker.send(requestOf(steps[index]!, index));
  };
  try {
    if (ahead) left.forEach(ask);
    for (const [nth, index] of left.entries()) {
      const step = steps[index]!;
      if (!ahead) ask(index);
      await asker.wait(nth + 1);
      const reply = asker.replies[nth];
      await checkReply(bed, asker, given, index, reply, tally);
      if (nth === 0) await checkByNode(asker, step, reply);
      const goesOn = reply?.complete === true && !step.old && !valuesOf(reply, 'connection').includes('close');
      if (goesOn) continue;
      // The last word of a connection is its last byte.
      await asker.wait(Number.POSITIVE_INFINITY);
      if (asker.replies.length > nth + 1)
        throw new BrokenLaw('no reply after the last', show(asker.heard.toString('latin1')));
      return nth + 1;
    }
    return left.length;
  } finally {
    asker.close();
  }
}

async function checkReply(
  bed: Bed,
  asker: Asker,
  given: ReplyCase,
  index: number,
  reply: WireMessage | undefined,
  tally: Tally,
): Promise<void> {
  const step = given.steps[index]!;
  const arrivals = bed.target.arrivals.filter((arrival) => stepOf(arrival) === index);
  const said = `${show(step.text)} (${step.method}, then ${step.finish})`;
  // On a shared connection one bad reply takes those behind it along.
  const alone = given.clients === 1 || given.steps.every(({ valid }) => valid);
  const sure = alone && step.valid && step.finish !== 'reset' && arrivals.some(({ answered }) => answered);
  if (reply === undefined) {
    if (sure || arrivals.length === 0) throw new BrokenLaw('every request gets a reply, if only a problem', said);
    tally.refused++;
    return;
  }
  if (isProblem(reply)) {
    const status = statusOf(reply.first);
    if (sure) throw new BrokenLaw('a valid reply is passed on', `${reply.first} for ${said}`);
    if (status !== 502 && status !== 504)
      throw new BrokenLaw('a bad reply is 502, 504 or a cut', `${reply.first} for ${said}`);
    tally.refused++;
    return;
  }
  // Cut and joined at random, a target's reply may come to have such a line of its own.
  if (injected(reply) && !given.steps.some(({ text }) => /\r\nx-injected:/i.test(text)))
    throw new BrokenLaw('no field is injected', show(asker.heard.toString('latin1')));
  const whys: string[] = [];
  for (const arrival of arrivals) {
    const text = step.text.replaceAll('TOKEN', arrival.token);
    // Behind the reset nothing is read any more: an end that only the close would tell is none.
    const meant = await readReply(step.method, Buffer.from(text, 'latin1'), step.finish === 'end');
    const why = difference(meant, reply);
    if (why === undefined) {
      if (!reply.complete && sure) throw new BrokenLaw('a valid reply is passed on whole', said);
      if (reply.complete) tally.forwarded++;
      else tally.cut++;
      return;
    }
    whys.push(why);
  }
  const heard = show(asker.heard.toString('latin1'));
  throw new BrokenLaw('a reply is what the target said, as Node reads it', `${whys.join('; ')}: ${heard} for ${said}`);
}

/** Why the client's reply is not what the target meant; undefined when it is, or when it is a beginning that was cut. */
function difference(meant: ReplyReading, reply: WireMessage): string | undefined {
  if (!meant.head) return `Node reads none (${meant.error})`;
  const first = `HTTP/1.1 ${meant.status} ${meant.reason}`;
  if (reply.first !== first) return `${show(reply.first)} for ${show(first)}`;
  const listed = meant.fields
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((item) => item.trim().toLowerCase()));
  const dated = meant.fields.some(([name]) => name.toLowerCase() === 'date');
  const want = meant.fields.filter(([name]) => !OWN.has(name.toLowerCase()) && !listed.includes(name.toLowerCase()));
  const have = reply.fields.filter(([name]) => {
    const key = name.toLowerCase();
    // The beds with policies have them add what begins with x-back.
    return !OWN.has(key) && (dated || key !== 'date') && !key.startsWith('x-back');
  });
  if (fieldsText(want) !== fieldsText(have)) return `fields ${show(fieldsText(have))} for ${show(fieldsText(want))}`;
  const body = bodyOf(reply);
  if (!reply.complete) return body.equals(meant.body.subarray(0, body.length)) ? undefined : 'other bytes in the body';
  if (!meant.complete) return `Node reads no end of it (${meant.error})`;
  return body.equals(meant.body) ? undefined : `a body of ${body.length} bytes for one of ${meant.body.length}`;
}

/** Node reads in gw's bytes what the strict reader reads. */
async function checkByNode(asker: Asker, step: Step, reply: WireMessage | undefined): Promise<void> {
  if (reply === undefined) return;
  const read = await readReply(step.method, asker.heard, asker.orderly);
  const first = `HTTP/1.1 ${read.status} ${read.reason}`;
  const same =
    read.head &&
    first === reply.first &&
    fieldsText(read.fields) === fieldsText(reply.fields) &&
    read.complete === reply.complete &&
    (!reply.complete || read.body.equals(bodyOf(reply)));
  if (!same)
    throw new BrokenLaw('Node reads the same reply at the client', `${first}: ${show(asker.heard.toString('latin1'))}`);
}
