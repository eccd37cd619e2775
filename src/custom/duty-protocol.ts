/** Messages between a custom duty in its thread and the control thread. */
import type { Json } from '../bundle/types.js';
import type { DutyFetchOptions, DutyReply } from '../contract/index.js';

export interface DutySetup {
  readonly text: string;
  readonly use: string;
  readonly name: string;
  readonly settings: Json;
  readonly last: Json | undefined;
}

/** The end of what a message with this id asked for. */
export type Settled<T> = { readonly id: number } & ({ readonly value: T } | { readonly cause: string });

export type ToDuty =
  | { readonly run: number }
  | { readonly ask: number; readonly question: Json }
  | { readonly fetched: Settled<DutyReply> }
  /** The next value may be published. */
  | { readonly published: true }
  /** Close the instance, and end. */
  | { readonly close: true };

export type FromDuty =
  | { readonly settled: Settled<Json | undefined> }
  | { readonly fetch: number; readonly url: string; readonly options: DutyFetchOptions }
  | { readonly publish: Json }
  | {
      readonly log: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: { readonly [key: string]: unknown };
    };
