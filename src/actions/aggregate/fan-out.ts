/** A call for each item of a list: bounded, and equal requests once. */
import type { CallRequest } from '../../policies/contract.js';
import type { JsonValue } from '../../policies/kits/json-text/index.js';
import type { Failure } from './outcome.js';
import type { ReadAnswer, Sent } from './sender.js';

type Request = Pick<CallRequest, 'method' | 'path' | 'headers' | 'body'>;

/** The items of a list. A single value is one item; none is no item. */
export function itemsOf(value: JsonValue | undefined): readonly JsonValue[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
}

/** Requests that are the same have the same key. */
export const keyOf = ({ body, headers, method, path }: Request): string =>
  JSON.stringify([method, path, [...(headers ?? [])], body ?? null]);

export interface FanOut {
  /** For each item its request; a phrase if it cannot be sent. */
  readonly requests: readonly (Request | string)[];
  readonly concurrency: number;
  readonly unique: boolean;
  send(request: Request, index: number): Promise<Sent>;
  /** An item that cannot be sent. */
  refuse(why: string, index: number): Failure;
  /** Whether no further request is sent after this failure. */
  ends(failure: Failure): boolean;
}

export type ItemOutcome = { readonly answer: ReadAnswer } | { readonly failure: Failure };

/** The outcome of each item; undefined for those that were not sent because an earlier failure ended the fan-out. */
export async function fanOut(work: FanOut): Promise<readonly (ItemOutcome | undefined)[]> {
  const { concurrency, requests, unique } = work;
  const outcomes: (ItemOutcome | undefined)[] = new Array(requests.length).fill(undefined);
  const sent = new Map<string, Promise<Sent>>();
  let next = 0;
  let ended = false;
  const worker = async (): Promise<void> => {
    while (next < requests.length && !ended) {
      const index = next++;
      const outcome = await one(work, requests[index]!, index, unique ? sent : undefined);
      outcomes[index] = outcome;
      if ('failure' in outcome && work.ends(outcome.failure)) ended = true;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, requests.length) }, worker));
  return outcomes;
}

function one(
  work: FanOut,
  request: Request | string,
  index: number,
  sent: Map<string, Promise<Sent>> | undefined,
): Promise<Sent> {
  if (typeof request === 'string') return Promise.resolve({ failure: work.refuse(request, index) });
  if (sent === undefined) return work.send(request, index);
  const key = keyOf(request);
  const known = sent.get(key);
  if (known !== undefined) return known;
  const pending = work.send(request, index);
  sent.set(key, pending);
  return pending;
}
