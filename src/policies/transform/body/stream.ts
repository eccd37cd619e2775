/** Bodies that are transformed while they stream: JSON in lines, and server-sent events with JSON. */
import type { Awaitable, BodyStage, Clock, Exchange, Reply, StageOut } from '../../contract.js';
import {
  EventSplitter,
  eventText,
  LineSplitter,
  type MadeUnit,
  readEvent,
  Turns,
  type UnitFault,
  UnitStage,
  withoutEnd,
} from '../../kits/events/index.js';
import { BodyFault } from './edits.js';
import type { BodySide } from './side.js';

export interface StreamOptions {
  readonly kind: 'lines' | 'events';
  readonly side: BodySide;
  readonly exchange: Exchange;
  /** Undefined: the request's. */
  readonly reply: Reply | undefined;
  readonly out: StageOut;
  readonly clock: Clock;
  refusal(cause: string, fault: UnitFault | undefined): Reply;
}

export function streamStage({ kind, side, exchange, reply, out, clock, refusal }: StreamOptions): BodyStage {
  const turns = new Turns(clock);
  const splitter = kind === 'lines' ? new LineSplitter(side.max) : new EventSplitter(side.max);
  let read = 0;
  const document = (bytes: Uint8Array, write: (made: string) => string): Awaitable<MadeUnit> => {
    read += bytes.length;
    if (reply === undefined && turns.used > WORK + read * WORK_FOR_BYTE + turns.elapsed * WORK_SHARE)
      throw new BodyFault('the lines take too much time for their size', TOO_MUCH);
    return written(side.document(bytes, exchange, reply), write);
  };
  /** What cannot be transformed passes, or ends the body. */
  const orUnchanged = (unit: Buffer, work: () => Awaitable<MadeUnit>): Awaitable<MadeUnit> => {
    if (!side.passesInvalid) return work();
    try {
      const made = work();
      return made instanceof Promise ? made.catch((error: unknown) => unchanged(unit, error)) : made;
    } catch (error) {
      return unchanged(unit, error);
    }
  };
  const line = (unit: Buffer): Awaitable<MadeUnit> => {
    const text = withoutEnd(unit);
    return isBlank(text) ? unit : orUnchanged(unit, () => document(text, (made) => `${made}\n`));
  };
  const event = (unit: Buffer, first: boolean, complete: boolean): Awaitable<MadeUnit> => {
    // Clients discard an event that is not complete.
    if (!complete) return undefined;
    const read = readEvent(unit.toString('utf8'), first);
    const data = read.data?.trim() ?? '';
    // Comments, and the `[DONE]` with which some streams end, are no documents.
    if (data === '' || data === '[DONE]') return unit;
    return orUnchanged(unit, () => document(Buffer.from(data), (made) => eventText(read, made)));
  };
  return new UnitStage({ splitter, out, turns, refusal, change: kind === 'lines' ? line : event });
}

function written(made: Awaitable<string | undefined>, write: (made: string) => string): Awaitable<MadeUnit> {
  if (made instanceof Promise) return made.then((late) => written(late, write));
  return made === undefined ? undefined : write(made);
}

function unchanged(unit: Buffer, error: unknown): Buffer {
  if (error instanceof BodyFault) return unit;
  throw error;
}

/** Whether a line has only what JSON takes for white space. */
const isBlank = (line: Uint8Array): boolean => line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);

/** Milliseconds of work for the lines of a request, and in addition for each byte, and a share of the time that it takes. */
const WORK = 5000;
const WORK_FOR_BYTE = 10 / 1024;
const WORK_SHARE = 0.1;
const TOO_MUCH = 'The body has too many lines.';
