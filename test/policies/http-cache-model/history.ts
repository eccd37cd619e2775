/**
 * Random histories for a cache, the same for the same seed: an origin whose replies depend on nothing but the time and the request,
 * and requests at times that a test sets its clock to.
 */
import { seeded } from '../../support/random.js';

export type Fields = { readonly [name: string]: string };

export interface HistoryRequest {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly fields: Fields;
}

export interface OriginReply {
  readonly status: number;
  /** Names in lower case. */
  readonly fields: Fields;
  readonly body: string;
}

/** Answers a request with these fields, at a time in milliseconds since 1970. */
export type Origin = (request: HistoryRequest) => OriginReply;

export interface History {
  readonly origin: Origin;
  readonly requests: readonly HistoryRequest[];
}

export const BEGIN = Date.UTC(2026, 10, 6, 8, 49, 37);

/** What the origin says of a path during some time. */
interface Phase {
  readonly until: number;
  readonly status: number;
  readonly fields: Fields;
  readonly version: number;
}

type Pick = <T>(from: readonly T[]) => T;

const LIFETIMES = ['max-age=0', 'max-age=5', 'max-age=20', 's-maxage=10', 'max-age=30, s-maxage=5', 'max-age=x', ''];
const OTHERS = [
  ...['', '', '', '', 'no-cache', 'no-store', 'private', 'public', 'must-revalidate', 'proxy-revalidate'],
  ...['stale-while-revalidate=10', 'stale-if-error=30', 'stale-while-revalidate=5, stale-if-error=20', 'immutable'],
];
const ASKED = [
  ...['', '', '', '', '', '', 'no-cache', 'no-store', 'max-age=0', 'max-age=8', 'max-age=10, max-stale=5'],
  ...['min-fresh=5', 'max-stale', 'max-stale=10', 'only-if-cached', 'stale-if-error=15'],
];
/** Each path has its own Vary, since what becomes of other variants when it changes is left to a cache. */
const PATHS = { '/one': '', '/two': 'x-a', '/three?q=1': 'x-b, x-a' };
const NAMES = Object.keys(PATHS) as readonly (keyof typeof PATHS)[];

/** A history of `length` requests. Bodies name the path, version and variant, so that a wrong one is seen. */
export function history(seed: number, length: number): History {
  const next = seeded(seed);
  const pick: Pick = (from) => from[Math.floor(next() * from.length)]!;
  const span = BEGIN + length * 5000;
  const phases = new Map<string, readonly Phase[]>(NAMES.map((path) => [path, phasesOf(pick, span, PATHS[path])]));
  const origin: Origin = (request) => answer(phases.get(request.path)!, request);
  let at = BEGIN;
  const requests = Array.from({ length }, () => {
    at += pick([0, 1, 500, 1000, 3000, 5000, 9000]);
    return requestAt(at, pick);
  });
  return { origin, requests };
}

function phasesOf(pick: Pick, end: number, vary: string): readonly Phase[] {
  const phases: Phase[] = [];
  for (let until = BEGIN; until < end; ) {
    until += pick([4000, 15_000, 40_000]);
    const version = phases.length;
    const fields = fieldsOf(pick, version, pick([true, true, true, true, true, false]) ? vary : '*');
    phases.push({ until, version, status: pick([200, 200, 200, 200, 404, 503, 302]), fields });
  }
  return phases;
}

/** Expires is relative to the request: see answer(). */
function fieldsOf(pick: Pick, version: number, vary: string): Fields {
  const fields: { [name: string]: string } = {};
  const directives = [pick(LIFETIMES), pick(OTHERS)].filter((one) => one !== '').join(', ');
  if (directives !== '') fields['cache-control'] = directives;
  if (pick([true, false])) fields['etag'] = pick([`"${version}"`, `W/"${version}"`, '"same"']);
  if (pick([true, false])) fields['last-modified'] = new Date(BEGIN - 86_400_000 + version * 1000).toUTCString();
  if (pick([true, false, false])) fields['expires'] = pick(['+10', '-10', '0']);
  if (pick([true, false, false])) fields['age'] = pick(['3', '12', 'x']);
  if (vary !== '') fields['vary'] = vary;
  return fields;
}

function requestAt(at: number, pick: Pick): HistoryRequest {
  const fields: { [name: string]: string } = {};
  const asked = pick(ASKED);
  if (asked !== '') fields['cache-control'] = asked;
  for (const name of ['x-a', 'x-b']) {
    const value = pick(['', '1', '2']);
    if (value !== '') fields[name] = value;
  }
  if (pick([true, false, false, false, false, false])) fields['authorization'] = 'Bearer t';
  return { at, method: pick(['GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'POST']), path: pick(NAMES), fields };
}

function answer(phases: readonly Phase[], { at, method, path, fields }: HistoryRequest): OriginReply {
  const phase = phases.find(({ until }) => at < until) ?? phases.at(-1)!;
  const date = new Date(at).toUTCString();
  if (method !== 'GET') return { status: phase.status, fields: { date }, body: '' };
  const own: { [name: string]: string } = { ...phase.fields, date };
  if (own['expires']?.startsWith('+')) own['expires'] = new Date(at + 10_000).toUTCString();
  if (own['expires']?.startsWith('-')) own['expires'] = new Date(at - 10_000).toUTCString();
  // An error says nothing about the content.
  if (phase.status === 503) return { status: 503, fields: { date }, body: 'error' };
  if (phase.status === 200 && isUnchanged(fields, own)) return { status: 304, fields: own, body: '' };
  const variant = (own['vary'] ?? '').split(', ').map((name) => fields[name] ?? '-');
  return { status: phase.status, fields: own, body: `${path} ${phase.version} ${variant.join('')}` };
}

const isUnchanged = (request: Fields, reply: Fields): boolean => {
  const tag = reply['etag']?.replace('W/', '');
  const asked = request['if-none-match'];
  if (asked !== undefined) return tag !== undefined && asked.replaceAll('W/', '').split(', ').includes(tag);
  const since = request['if-modified-since'];
  return since !== undefined && reply['last-modified'] === since;
};
