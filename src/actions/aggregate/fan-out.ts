/** A call for each item of a list: bounded, and equal requests once. */
import * as crypto from 'node:crypto';
import type { JsonValue } from '../../policies/kits/json-text/index.js';
import type { Failure } from './outcome.js';
import type { RenderedRequest as Request } from './request.js';
import type { ReadAnswer, Sent } from './sender.js';

/** The items of a list. A single value is one item; none is no item. */
export function itemsOf(value: JsonValue | undefined): readonly JsonValue[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
}

/** Requests that are the same have the same key, which is short: bodies can be large. */
export const keyOf = ({ body, headers, method, path }: Request): string =>
  crypto.hash('sha256', JSON.stringify([method, path, headers, body ?? null]), 'base64url');

export interface FanOut {
  /** Number of items. */
  readonly count: number;
  readonly concurrency: number;
  readonly unique: boolean;
  /** The request of an item; a phrase if it cannot be sent. Only those in progress are in memory. */
  render(index: number): Promise<Request | string>;
  send(request: Request, index: number): Promise<Sent>;
  /** What an equal request was answered with, for a further item. */
  repeat(sent: Sent, index: number): Sent;
  /** An item that cannot be sent. */
  refuse(why: string, index: number): Failure;
  /** Whether no further request is sent after this failure. */
  ends(failure: Failure): boolean;
}

export type ItemOutcome = { readonly answer: ReadAnswer } | { readonly failure: Failure };

/** The outcome of each item; undefined for those that were not sent because an earlier failure ended the fan-out. */
export async function fanOut(work: FanOut): Promise<readonly (ItemOutcome | undefined)[]> {
  const { concurrency, count, unique } = work;
  const outcomes: (ItemOutcome | undefined)[] = new Array(count).fill(undefined);
  const sent = new Map<string, Promise<Sent>>();
  let next = 0;
  let ended = false;
  const worker = async (): Promise<void> => {
    while (next < count && !ended) {
      const index = next++;
      const outcome = await one(work, index, unique ? sent : undefined);
      outcomes[index] = outcome;
      if ('failure' in outcome && work.ends(outcome.failure)) ended = true;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  return outcomes;
}

async function one(work: FanOut, index: number, sent: Map<string, Promise<Sent>> | undefined): Promise<Sent> {
  const request = await work.render(index);
  if (typeof request === 'string') return { failure: work.refuse(request, index) };
  if (sent === undefined) return work.send(request, index);
  const key = keyOf(request);
  const known = sent.get(key);
  if (known !== undefined) return work.repeat(await known, index);
  const pending = work.send(request, index);
  sent.set(key, pending);
  return pending;
}
