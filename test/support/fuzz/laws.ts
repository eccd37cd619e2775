/**
 * The laws of requests. Node's parser defines the meaning of the bytes that a client sends. The n-th final reply
 * answers the n-th request that Node reads there, and gw forwards nothing but these requests.
 */
import { METHODS } from 'node:http';
import type { Bed } from './bed.js';
import { converse, HANG_MS, piecesOf, type Received } from './client.js';
import {
  answerOf,
  BrokenLaw,
  bodySize,
  difference,
  fieldsText,
  injected,
  isProblem,
  originForm,
  show,
  type Tally,
  tokenBody,
  tokenOf,
} from './meaning.js';
import { bytesOf, type NodeReader, type Reading } from './node.js';
import { type Behaviour, type ClientPlan, isRisky, type RequestCase } from './requests.js';
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

/** The record of one client connection. */
interface Conversation {
  readonly plan: ClientPlan;
  readonly text: string;
  readonly sent: NodeReader;
  readonly received: Received;
  readonly replies: WireMessage[];
}

/** An error reply sent before gw knows that the method is HEAD has a body and closes the connection. */
function isRefusalOfHead(last: WireMessage | undefined, rest: Buffer): boolean {
  if (last === undefined || !isProblem(last) || !valuesOf(last, 'connection').includes('close')) return false;
  return rest.length === Number(valuesOf(last, 'content-length')[0]);
}

export function readReplies(
  received: Received,
  methodOf: (index: number, reply: WireMessage) => string | undefined,
): WireMessage[] {
  const reader = new WireReader(new ReplyRules(methodOf));
  try {
    reader.push(received.bytes);
  } catch (error) {
    if (!(error instanceof NotCanonical)) throw error;
    const text = received.bytes.toString('latin1');
    if (reader.messages.length === 0 || !isRefusalOfHead(reader.messages.at(-1), reader.rest))
      throw new BrokenLaw('replies are canonical', `${error.message} in ${show(text)}`);
  }
  if (received.ended === 'fin') reader.end();
  const whole = reader.open === undefined && reader.rest.length === 0;
  if (
    received.ended === 'fin' &&
    !whole &&
    reader.open === undefined &&
    !isRefusalOfHead(reader.messages.at(-1), reader.rest)
  )
    throw new BrokenLaw('replies are complete', `${show(reader.rest.toString('latin1'))} is not a reply`);
  return reader.messages.filter((reply) => !isInterim(reply));
}

/** The method of the request that the target answered, for requests that Node did not read. */
function methodAtTarget(bed: Bed, reply: WireMessage): string | undefined {
  const token = tokenOf(reply);
  const arrival = bed.target.arrivals.find((known) => known.token === token);
  return arrival?.message.first.split(' ')[0];
}

/** The method of the message at this index: gw answered it itself if neither Node nor the target has read it. */
const methodWritten = (plan: ClientPlan, index: number): string | undefined =>
  /^(?:\r\n)?([A-Z]+) /.exec(plan.messages[index]?.text ?? '')?.[1];

async function talk(bed: Bed, plan: ClientPlan): Promise<Conversation> {
  const text = plan.messages.map((message) => message.text).join('');
  const sent = await bed.oracle.read(Buffer.from(text, 'latin1'));
  const received = await converse(bed.plane.port, {
    pieces: piecesOf(text, plan.cuts),
    ending: plan.ending,
    enough: (bytes) => count(bytes, 'x-request-id: ') >= plan.messages.length,
  });
  if (received.ended === 'hung')
    throw new BrokenLaw('gw closes finished connections', `no more bytes for ${show(text)}`);
  return {
    plan,
    text,
    sent,
    received,
    replies: readReplies(
      received,
      (index, reply) => sent.readings[index]?.method ?? methodAtTarget(bed, reply) ?? methodWritten(plan, index),
    ),
  };
}

function count(bytes: Buffer, word: string): number {
  let found = 0;
  for (let at = bytes.indexOf(word); at >= 0; at = bytes.indexOf(word, at + word.length)) found++;
  return found;
}

const asksUpgrade = (reading: Reading): boolean =>
  valuesOf(reading, 'upgrade').length > 0 && valuesOf(reading, 'connection').join().toLowerCase().includes('upgrade');

/** Node refuses these fields in trailers; gw drops them. */
const FRAMING_ERRORS = ['HPE_INVALID_CONTENT_LENGTH', 'HPE_INVALID_TRANSFER_ENCODING', 'HPE_UNEXPECTED_CONTENT_LENGTH'];

/** Node stopped in the trailers of a message whose head it read. */
function stoppedInTrailer({ sent }: Conversation): boolean {
  const last = sent.readings.at(-1);
  if (last === undefined || last.complete || valuesOf(last, 'transfer-encoding').length === 0) return false;
  return FRAMING_ERRORS.includes(sent.error ?? '');
}

/** Whether Node stopped where gw may continue: at an unknown method, or at an upgrade with a body. */
const nodeStopped = (one: Conversation): boolean =>
  one.sent.error === 'HPE_INVALID_METHOD' ||
  (one.sent.error === undefined && one.sent.readings.some(asksUpgrade)) ||
  stoppedInTrailer(one);

/** Runs one case and checks the laws. @throws BrokenLaw */
export async function runRequestCase(bed: Bed, given: RequestCase, tally: Tally): Promise<void> {
  const { target } = bed;
  const behaviours = given.behaviours;
  target.next();
  target.answer = (arrival, index) => {
    const method = arrival.message.first.slice(0, arrival.message.first.indexOf(' '));
    return answerOf(behaviours[index % behaviours.length]!, arrival.token, method);
  };
  const talks = await Promise.all(given.clients.map((plan) => talk(bed, plan)));
  await quiet(bed);
  await checkTarget(bed);
  const claimed = new Set<string>();
  let lost = 0;
  for (const one of talks) lost += checkReplies(bed, one, behaviours, claimed, tally);
  const ends = target.arrivals.filter((_, index) => isRisky(behaviours[index % behaviours.length]!)).length;
  if (lost > ends)
    throw new BrokenLaw('the end of a connection affects at most one exchange', `${lost} lost, ${ends} ended`);
  checkArrivals(bed, talks, claimed);
}

/** Waits until all exchanges of the case have ended, at the gateway and at the target. */
export async function quiet(bed: Bed): Promise<void> {
  const deadline = Date.now() + HANG_MS;
  // Bytes from gw may still be in transit, so the state must stay quiet for several turns.
  for (let turns = 0, still = 0; still < 4; turns++) {
    still = bed.quiet ? still + 1 : 0;
    if (Date.now() > deadline) {
      const left = bed.target.links.filter((link) => !link.quiet).map((link) => Buffer.concat(link.bytes));
      const text = show(Buffer.concat(left).toString('latin1'));
      throw new BrokenLaw('an unfinished request ends with its connection', text);
    }
    if (turns < 20 || still > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    else await new Promise<void>((resolve) => setTimeout(resolve, 2));
  }
}

/** Checks that the bytes at the target are canonical, and that Node and the strict reader agree on them. */
export async function checkTarget(bed: Bed): Promise<void> {
  for (const link of bed.target.links) {
    const bytes = (): string => show(Buffer.concat(link.bytes).toString('latin1'));
    if (link.broken !== undefined)
      throw new BrokenLaw('requests at the target are canonical', `${link.broken} in ${bytes()}`);
    const { readings, error } = link.shadow;
    for (const [index, { message }] of link.arrivals.entries()) {
      const reading = readings[index];
      if (injected(message)) throw new BrokenLaw('no field is injected', bytes());
      if (reading === undefined) {
        const [method = ''] = message.first.split(' ');
        if (error === 'HPE_INVALID_METHOD' && !METHODS.includes(method)) link.blind = true;
        if (link.blind) break;
        throw new BrokenLaw('Node reads as many requests at the target', `${error ?? 'nothing'} in ${bytes()}`);
      }
      const same = `${reading.method} ${reading.url} HTTP/${reading.version}` === message.first;
      if (!same || fieldsText(reading.fields) !== fieldsText(message.fields) || reading.complete !== message.complete)
        throw new BrokenLaw('Node reads the same request at the target', bytes());
      if (!bodyOf(message).equals(bytesOf(reading)))
        throw new BrokenLaw('Node reads the same body at the target', bytes());
    }
    if (!link.blind && readings.length > link.arrivals.length)
      throw new BrokenLaw('Node reads no more requests at the target', bytes());
  }
}

/** Checks the replies of one client; returns how many valid requests were lost with a target connection. */
function checkReplies(
  bed: Bed,
  one: Conversation,
  behaviours: readonly Behaviour[],
  claimed: Set<string>,
  tally: Tally,
): number {
  const { plan, sent, received, replies, text } = one;
  const risky = behaviours.some(isRisky);
  const messages = plan.messages;
  let valid = true;
  let lost = 0;
  for (const [index, reply] of replies.entries()) {
    valid &&= messages[index]?.valid ?? false;
    if (injected(reply)) throw new BrokenLaw('no field is injected', show(received.bytes.toString('latin1')));
    const reading = sent.readings[index];
    const token = tokenOf(reply);
    if (token !== undefined) {
      tally.forwarded++;
      checkForwarded(bed, one, reply, token, reading, claimed);
      continue;
    }
    // gw answers OPTIONS * and Max-Forwards: 0 itself: RFC 9110 sections 7.6.2 and 9.3.7.
    const { method, url, fields } = reading ?? { method: '', url: '', fields: [] };
    const lastHop =
      method === 'OPTIONS' && (originForm(method, url) === '*' || valuesOf({ fields }, 'max-forwards').length > 0);
    if (!isProblem(reply) && !lastHop && !nodeStopped(one))
      throw new BrokenLaw('a reply comes from the target or is a problem', show(reply.first));
    if (valid && !lastHop && !(risky && statusOf(reply.first) === 502))
      throw new BrokenLaw('valid requests are forwarded', `${reply.first} to request ${index + 1} of ${show(text)}`);
    if (valid && statusOf(reply.first) === 502) lost++;
    tally.refused++;
  }
  const complete = sent.readings.filter((reading) => reading.complete).length;
  if (replies.length > sent.readings.length + 1 && !nodeStopped(one))
    throw new BrokenLaw('no more replies than requests', `${replies.length} to ${show(text)}`);
  const whole = replies.every((reply) => reply.complete);
  // A reply created by gw does not have to wait for the request body.
  const own = replies.length > 0 && tokenOf(replies.at(-1)!) === undefined;
  const stopped = own && valuesOf(replies.at(-1)!, 'connection').includes('close');
  const mayStop = risky || stopped || received.ended === 'client' || messages.some((message) => !message.valid);
  if (!mayStop && (replies.length !== complete || !whole))
    throw new BrokenLaw('every valid request is answered', `${replies.length} of ${complete} of ${show(text)}`);
  if (!whole) tally.cut++;
  return lost;
}

function checkForwarded(
  bed: Bed,
  one: Conversation,
  reply: WireMessage,
  token: string,
  reading: Reading | undefined,
  claimed: Set<string>,
): void {
  if (claimed.has(token)) throw new BrokenLaw('no reply is sent twice', token);
  claimed.add(token);
  const arrival = bed.target.arrivals.find((known) => known.token === token);
  if (arrival === undefined)
    throw new BrokenLaw('a reply belongs to the current case', `${token} in ${show(one.text)}`);
  if (reading === undefined) {
    if (nodeStopped(one)) return;
    throw new BrokenLaw('requests that Node cannot read are not forwarded', `${one.sent.error}: ${show(one.text)}`);
  }
  const why = difference(arrival, reading, bed.kind === 'policies');
  if (why !== undefined)
    throw new BrokenLaw('a reply answers its own request, forwarded as sent', `${why} in ${show(one.text)}`);
  if (!arrival.message.complete && !arrival.answer?.early)
    throw new BrokenLaw('an unfinished request is not answered', show(one.text));
  if (arrival.message.complete && !reading.complete && !nodeStopped(one))
    throw new BrokenLaw(
      'requests that Node cannot read completely are not forwarded completely',
      `${one.sent.error}: ${show(one.text)}`,
    );
  const body = bodyOf(reply).toString('latin1');
  const { length } = body;
  if (body !== tokenBody(token, length)) throw new BrokenLaw('a body belongs to one reply', show(body));
  const size = bodySize(arrival, reading.method);
  if (reply.complete ? length !== size : length > size)
    throw new BrokenLaw('a body has the length that the target declared', `${length} of ${size}`);
}

/** Checks that the target received only requests that clients sent, and that their replies reached the clients. */
function checkArrivals(bed: Bed, talks: readonly Conversation[], claimed: ReadonlySet<string>): void {
  const policies = bed.kind === 'policies';
  if (talks.some(nodeStopped)) return;
  const readings = talks.flatMap(({ sent }) => sent.readings);
  const gone = talks.some(({ received }) => received.ended !== 'fin');
  for (const arrival of bed.target.arrivals) {
    if (!readings.some((reading) => difference(arrival, reading, policies) === undefined))
      throw new BrokenLaw(
        'the target receives only requests that a client sent',
        show(arrival.message.first + fieldsText(arrival.message.fields)),
      );
    const sure = arrival.answered && arrival.answer?.finish === 'keep' && arrival.message.complete;
    if (sure && !gone && !claimed.has(arrival.token))
      throw new BrokenLaw('every reply of the target reaches its client', show(arrival.message.first));
  }
}
