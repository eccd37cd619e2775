/**
 * The laws of replies. Node's client defines the meaning of the bytes that a target sends. A client of gw gets exactly
 * that reply, or a 502 or 504, or an aborted reply; never a different message or bytes of another reply.
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

/** Fields that gw sets on every reply, and hop-by-hop fields. */
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

/** A client that sends requests and waits for replies. */
class ReplyClient {
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

  get received(): Buffer {
    return Buffer.concat(this.#parts);
  }

  get replies(): WireMessage[] {
    return this.#reader.messages.filter(FINAL);
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** Waits until `count` replies are complete or the connection has ended. */
  async wait(count: number): Promise<void> {
    const deadline = Date.now() + HANG_MS;
    while (!this.ended && this.replies.filter(({ complete }) => complete).length < count) {
      if (Date.now() > deadline)
        throw new BrokenLaw('gw closes finished connections', show(this.received.toString('latin1')));
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
      throw new BrokenLaw('replies are canonical', `${this.broken} in ${show(this.received.toString('latin1'))}`);
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

/** Runs one case and checks the laws. @throws BrokenLaw */
export async function runReplyCase(bed: Bed, given: ReplyCase, tally: Tally): Promise<void> {
  const { steps } = given;
  const { target } = bed;
  target.next();
  target.answer = (arrival) => {
    const step = steps[stepOf(arrival)];
    if (step === undefined) throw new Error(`unexpected request: ${arrival.message.first}`);
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

/** Sends the requests of these steps until the connection ends; returns how many were sent. */
async function connection(bed: Bed, given: ReplyCase, left: readonly number[], tally: Tally): Promise<number> {
  const { steps, ahead } = given;
  const replyClient = new ReplyClient(bed.plane.port);
  const ask = (index: number): void => {
    replyClient.methods.push(steps[index]!.method);
    replyClient.send(requestOf(steps[index]!, index));
  };
  try {
    if (ahead) left.forEach(ask);
    for (const [nth, index] of left.entries()) {
      const step = steps[index]!;
      if (!ahead) ask(index);
      await replyClient.wait(nth + 1);
      const reply = replyClient.replies[nth];
      await checkReply(bed, replyClient, given, index, reply, tally);
      if (nth === 0) await checkByNode(replyClient, step, reply);
      const goesOn = reply?.complete === true && !step.old && !valuesOf(reply, 'connection').includes('close');
      if (goesOn) continue;
      // No bytes may follow the last reply of a connection.
      await replyClient.wait(Number.POSITIVE_INFINITY);
      if (replyClient.replies.length > nth + 1)
        throw new BrokenLaw('no reply follows the last one', show(replyClient.received.toString('latin1')));
      return nth + 1;
    }
    return left.length;
  } finally {
    replyClient.close();
  }
}

async function checkReply(
  bed: Bed,
  replyClient: ReplyClient,
  given: ReplyCase,
  index: number,
  reply: WireMessage | undefined,
  tally: Tally,
): Promise<void> {
  const step = given.steps[index]!;
  const arrivals = bed.target.arrivals.filter((arrival) => stepOf(arrival) === index);
  const described = `${show(step.text)} (${step.method}, then ${step.finish})`;
  // On a shared connection a bad reply affects the ones after it.
  const alone = given.clients === 1 || given.steps.every(({ valid }) => valid);
  const sure = alone && step.valid && step.finish !== 'reset' && arrivals.some(({ answered }) => answered);
  if (reply === undefined) {
    if (sure || arrivals.length === 0) throw new BrokenLaw('every request gets a reply or a problem', described);
    tally.refused++;
    return;
  }
  if (isProblem(reply)) {
    const status = statusOf(reply.first);
    if (sure) throw new BrokenLaw('a valid reply is forwarded', `${reply.first} for ${described}`);
    if (status !== 502 && status !== 504)
      throw new BrokenLaw('an invalid reply gives 502, 504 or an aborted reply', `${reply.first} for ${described}`);
    tally.refused++;
    return;
  }
  // Random mutation of a target reply can produce such a line.
  if (injected(reply) && !given.steps.some(({ text }) => /\r\nx-injected:/i.test(text)))
    throw new BrokenLaw('no field is injected', show(replyClient.received.toString('latin1')));
  const whys: string[] = [];
  for (const arrival of arrivals) {
    const text = step.text.replaceAll('TOKEN', arrival.token);
    // A close-delimited reply that ends with a reset is incomplete.
    const meant = await readReply(step.method, Buffer.from(text, 'latin1'), step.finish === 'end');
    const why = difference(meant, reply);
    if (why === undefined) {
      if (!reply.complete && sure) throw new BrokenLaw('a valid reply is forwarded completely', described);
      if (reply.complete) tally.forwarded++;
      else tally.cut++;
      return;
    }
    whys.push(why);
  }
  const bytes = show(replyClient.received.toString('latin1'));
  throw new BrokenLaw(
    'a reply equals the reply of the target, as Node reads it',
    `${whys.join('; ')}: ${bytes} for ${described}`,
  );
}

/** How the client's reply differs from the target's; undefined if it is equal or an aborted beginning of it. */
function difference(meant: ReplyReading, reply: WireMessage): string | undefined {
  if (!meant.head) return `Node finds no reply (${meant.error})`;
  const first = `HTTP/1.1 ${meant.status} ${meant.reason}`;
  if (reply.first !== first) return `${show(reply.first)} instead of ${show(first)}`;
  const listed = meant.fields
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((item) => item.trim().toLowerCase()));
  const dated = meant.fields.some(([name]) => name.toLowerCase() === 'date');
  const want = meant.fields.filter(([name]) => !OWN.has(name.toLowerCase()) && !listed.includes(name.toLowerCase()));
  const have = reply.fields.filter(([name]) => {
    const key = name.toLowerCase();
    // The policies of the `policies` bed add fields that begin with x-back.
    return !OWN.has(key) && (dated || key !== 'date') && !key.startsWith('x-back');
  });
  if (fieldsText(want) !== fieldsText(have))
    return `fields ${show(fieldsText(have))} instead of ${show(fieldsText(want))}`;
  const body = bodyOf(reply);
  if (!reply.complete)
    return body.equals(meant.body.subarray(0, body.length)) ? undefined : 'different bytes in the body';
  if (!meant.complete) return `Node finds no end (${meant.error})`;
  return body.equals(meant.body) ? undefined : `a body of ${body.length} bytes instead of ${meant.body.length}`;
}

/** Checks that Node and the strict reader agree on the bytes from gw. */
async function checkByNode(replyClient: ReplyClient, step: Step, reply: WireMessage | undefined): Promise<void> {
  if (reply === undefined) return;
  const read = await readReply(step.method, replyClient.received, replyClient.orderly);
  const first = `HTTP/1.1 ${read.status} ${read.reason}`;
  const same =
    read.head &&
    first === reply.first &&
    fieldsText(read.fields) === fieldsText(reply.fields) &&
    read.complete === reply.complete &&
    (!reply.complete || read.body.equals(bodyOf(reply)));
  if (!same)
    throw new BrokenLaw(
      'Node reads the same reply at the client',
      `${first}: ${show(replyClient.received.toString('latin1'))}`,
    );
}
