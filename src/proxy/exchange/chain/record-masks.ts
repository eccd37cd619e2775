/** Policies that edit what records of exchanges say. */
import type { PolicyInstance, RecordTexts } from '../../../policies/contract.js';
import type { RequestRecord } from '../../../telemetry/snapshot.js';

/** Edits what a record says: maskRecord() of a policy. */
export type RecordMask = (record: RecordTexts) => void;

/** Stands for the URL of a record that could not be masked. */
const HIDDEN = '-';

/** The record as these masks leave it. Never throws: what cannot be masked is left out. */
export function maskedRecord(record: RequestRecord, masks: readonly RecordMask[]): RequestRecord {
  if (masks.length === 0) return record;
  const { calls, cause, decisions, route, url } = record;
  const whys = (decisions ?? []).map(({ why }) => why);
  const callPaths = (calls ?? []).map(({ path }) => path);
  let texts: RecordTexts = { route, url, cause, whys, callPaths };
  try {
    for (const mask of masks) mask(texts);
    if (!isValid(texts)) texts = hidden(route);
  } catch {
    texts = hidden(route);
  }
  return {
    ...record,
    url: texts.url,
    cause: texts.cause,
    ...(decisions && { decisions: decisions.map((one, index) => ({ ...one, why: texts.whys[index] ?? HIDDEN })) }),
    ...(calls && { calls: calls.map((one, index) => ({ ...one, path: texts.callPaths[index] ?? HIDDEN })) }),
  };
}

const hidden = (route: string | null): RecordTexts => ({ route, url: HIDDEN, cause: null, whys: [], callPaths: [] });

/** A custom policy may leave anything. */
const isValid = ({ callPaths, cause, url, whys }: RecordTexts): boolean =>
  typeof url === 'string' && (cause === null || typeof cause === 'string') && isList(whys) && isList(callPaths);

const isList = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === 'string');

/** The masks of these policies. */
export const recordMasks = (policies: readonly { readonly instance: PolicyInstance }[]): readonly RecordMask[] =>
  policies.flatMap(({ instance }) =>
    instance.maskRecord === undefined ? [] : [(record: RecordTexts) => instance.maskRecord!(record)],
  );
