/** Masks bodies that stream: JSON in lines, and server-sent events. */
import { isUtf8 } from 'node:buffer';
import type { BodyStage, Clock, HeaderFields, Reply, StageOut } from '../contract.js';
import {
  EventSplitter,
  eventText,
  LineSplitter,
  type MadeUnit,
  readEvent,
  Turns,
  UnitFault,
  UnitStage,
} from '../kits/events/index.js';
import { type DataMask, isUnreadable } from './data.js';

export interface StreamOptions {
  /** Bytes of a line, or of an event. */
  readonly max: number;
  readonly mask: DataMask;
  readonly out: StageOut;
  readonly clock: Clock;
  /** What trailers become. */
  trailers(fields: HeaderFields): void;
  /** The reply in place of one that cannot be masked. */
  refusal(cause: string): Reply;
}

export function maskStage(kind: 'lines' | 'events', options: StreamOptions): BodyStage {
  const { clock, mask, max, out, refusal, trailers } = options;
  const change = kind === 'lines' ? maskedLine : maskedEvent;
  return new UnitStage({
    splitter: kind === 'lines' ? new LineSplitter(max) : new EventSplitter(max),
    out,
    turns: new Turns(clock),
    change: (unit, first) => change(mask, unit, first),
    refusal,
    trailers,
  });
}

function textOf(unit: Buffer): string {
  if (!isUtf8(unit)) throw new UnitFault('it is not UTF-8');
  return unit.toString('utf8');
}

/** The text, or undefined if it stays; throws for what cannot be masked. */
function readable(result: ReturnType<DataMask['line']>): string | undefined {
  if (isUnreadable(result)) throw new UnitFault(result.fault);
  return result;
}

/** A line of JSON; also one of a JSON text sequence, which begins with a record separator (RFC 7464). */
function maskedLine(mask: DataMask, unit: Buffer): MadeUnit {
  const [, begin = '', json = '', end = ''] = /^(\x1e*)([\s\S]*?)(\r?\n?)$/.exec(textOf(unit)) ?? [];
  if (json.trim() === '') return unit;
  const masked = readable(mask.line(json));
  return masked === undefined ? unit : begin + masked + end;
}

function maskedEvent(mask: DataMask, unit: Buffer, first: boolean): MadeUnit {
  const event = readEvent(textOf(unit), first);
  const masked = event.data === undefined ? undefined : readable(mask.data(event.data));
  let changed = masked !== undefined;
  const text = eventText(event, masked, (line) => {
    const other = mask.text(line);
    if (other !== undefined) changed = true;
    return other;
  });
  return changed ? text : unit;
}
