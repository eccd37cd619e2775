/** Messages for the tests of the kit. */
import {
  type AssessedReply,
  type Assessment,
  type AssessOptions,
  assess,
} from '../../../../src/policies/kits/http-cache/assess.js';
import type { ReadField } from '../../../../src/policies/kits/http-cache/fields.js';

export const NOW = Date.UTC(2026, 10, 6, 8, 49, 37);
export const AT_ONCE = { requestedAt: NOW, receivedAt: NOW };
export const SHARED: AssessOptions = { shared: true, targets: ['cdn-cache-control'], clientDirectives: true };
export const OWN: AssessOptions = { ...SHARED, shared: false };

export type Fields = { readonly [name: string]: string };

export const fields =
  (given: Fields = {}): ReadField =>
  (name) =>
    given[name];

export const cc = (value: string, more: Fields = {}): ReadField => fields({ 'cache-control': value, ...more });

export const httpDate = (ms: number): string => new Date(ms).toUTCString();

export interface Case {
  readonly method?: string;
  readonly request?: ReadField;
  readonly authorized?: boolean;
  readonly status?: number;
  readonly times?: { readonly requestedAt: number; readonly receivedAt: number };
}

/** Assesses a reply to a plain GET. */
export function assessed(reply: ReadField, one: Case = {}, options: AssessOptions = SHARED): Assessment {
  const { method = 'GET', request = fields(), status = 200, times = AT_ONCE, authorized = false } = one;
  const answer: AssessedReply = { status, fields: reply };
  return assess({ method, fields: request, authorized }, answer, times, options);
}
