/**
 * The calls of the admin API about consumers and their keys. They do what `gw keys` does, and answer when all workers use the
 * change. A key is in the reply to the call that creates it, and nowhere else.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InputError } from '../../input-file.js';
import { OutputError } from '../../output-file.js';
import { errnoCode, reasonOf } from '../../reason.js';
import { EditRefused } from '../../spec/edit/change.js';
import type { ReloadSnapshot } from '../../telemetry/snapshot.js';
import { type CreatedKey, KeysError, type KeyTools } from '../consumers/keys.js';
import { LockedError } from '../consumers/lock.js';
import type { ConsumerPlaces } from '../consumers/places.js';
import { addKey, listed, removeKey, replaceKey } from '../consumers/service.js';
import { bodyOf, flag, invalid, Refusal, refuseMethod, text, texts } from './body.js';
import { type Problem, sendJson, sendProblem } from './problem.js';

export interface ConsumersBackend extends KeyTools {
  /** Undefined: the gateway does not serve. */
  places(): ConsumerPlaces | undefined;
  /** A file was written: resolves when it is live, or with the reload that refused it. */
  written(file: string): Promise<ReloadSnapshot | undefined>;
}

export const CONSUMER_CALLS = '/consumers, /consumers/NAME/keys';

const MOST_LISTED = 1000;

const STATUS = {
  'unknown-consumer': [404, 'Unknown consumer'],
  'unknown-key': [404, 'Unknown credential'],
  exists: [409, 'Name taken'],
  invalid: [422, 'Invalid value'],
  elsewhere: [409, 'Not editable here'],
} as const satisfies Record<KeysError['reason'], readonly [number, string]>;

/** Answers a call under `/consumers`; false for any other path. */
export function answerConsumers(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  backend: ConsumersBackend,
): Promise<void> | false {
  const [first, consumer, keys, key, action, ...more] = url.pathname.slice(1).split('/').map(decoded);
  if (first !== 'consumers' || more.length > 0) return false;
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  const on = (allowed: string, work: () => Promise<void>): Promise<void> => {
    if (method === allowed) return answering(response, work);
    request.resume();
    return answering(response, () => Promise.reject(refuseMethod(url.pathname, request.method ?? '', allowed)));
  };
  if (consumer === undefined) return on('GET', async () => list(response, url, backend));
  if (keys === undefined) return on('GET', async () => one(response, consumer, backend));
  if (keys !== 'keys') return false;
  if (key === undefined) return on('POST', () => create(request, response, consumer, backend));
  if (action === undefined) return on('DELETE', () => revoke(response, consumer, key, backend));
  return action === 'rotate' && on('POST', () => rotate(request, response, consumer, key, backend));
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

async function answering(response: ServerResponse, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const problem = problemOf(error);
    if (problem === undefined) throw error;
    sendProblem(response, problem);
  }
}

function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Refusal) return error.problem;
  if (error instanceof KeysError) {
    const [status, title] = STATUS[error.reason];
    return { status, code: `admin/${error.reason}`, title, detail: error.message };
  }
  if (error instanceof EditRefused)
    return { status: 409, code: 'admin/elsewhere', title: 'Not editable here', detail: error.message };
  if (error instanceof LockedError) {
    const detail = `The file cannot be written: ${error.message}.`;
    return { status: 503, code: 'admin/locked', title: 'File locked', detail, headers: { 'retry-after': '5' } };
  }
  if (error instanceof InputError || error instanceof OutputError || errnoCode(error) !== undefined) {
    const detail = `The file cannot be written: ${reasonOf(error, 'write')}.`;
    return { status: 500, code: 'admin/file', title: 'File not writable', detail };
  }
  return undefined;
}

function placesOf(backend: ConsumersBackend): ConsumerPlaces {
  const places = backend.places();
  if (places) return places;
  throw new Refusal({ status: 503, code: 'admin/ending', title: 'Gateway not ready', detail: 'Nothing is live yet.' });
}

function list(response: ServerResponse, url: URL, backend: ConsumersBackend): void {
  const places = placesOf(backend);
  const asked = url.searchParams.get('limit');
  const limit = asked === null ? 100 : Number(asked);
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_LISTED) {
    throw invalid(`\`limit\` is a number from 1 to ${MOST_LISTED}.`);
  }
  const [prefix, after] = [url.searchParams.get('prefix') ?? '', url.searchParams.get('after') ?? ''];
  const names: string[] = [];
  for (const { entry } of places.all()) if (entry.name.startsWith(prefix)) names.push(entry.name);
  const total = names.length;
  const page = names
    .filter((name) => name > after)
    .sort()
    .slice(0, limit + 1);
  const now = backend.now();
  const consumers = page.slice(0, limit).flatMap((name) => {
    const found = places.find(name);
    return found ? listed(found.entry, now) : [];
  });
  sendJson(response, 200, { version: 1, total, consumers, next: page.length > limit ? page[limit - 1] : null });
}

function one(response: ServerResponse, name: string, backend: ConsumersBackend): void {
  const found = placesOf(backend).find(name);
  if (!found) throw new KeysError('unknown-consumer', `There is no consumer ${name.slice(0, 60)}.`);
  sendJson(response, 200, { version: 1, ...listed(found.entry, backend.now()) });
}

async function create(
  request: IncomingMessage,
  response: ServerResponse,
  consumer: string,
  backend: ConsumersBackend,
): Promise<void> {
  const values = await bodyOf(request, ['name', 'expires', 'addresses', 'create', 'plan', 'groups']);
  const input = {
    consumer,
    name: text(values, 'name'),
    expires: text(values, 'expires'),
    addresses: texts(values, 'addresses'),
    create: flag(values, 'create'),
    plan: text(values, 'plan'),
    groups: texts(values, 'groups'),
  };
  const made = await addKey(placesOf(backend), input, backend);
  await sendCreated(response, made, backend, { created: made.created });
}

async function rotate(
  request: IncomingMessage,
  response: ServerResponse,
  consumer: string,
  name: string,
  backend: ConsumersBackend,
): Promise<void> {
  const values = await bodyOf(request, ['overlap', 'expires']);
  const input = { consumer, name, overlap: text(values, 'overlap'), expires: text(values, 'expires') };
  const made = await replaceKey(placesOf(backend), input, backend);
  const old = made.old === undefined ? null : { name: made.old.name, expires: iso(made.old.expires) };
  await sendCreated(response, made, backend, { old });
}

const iso = (at: number): string => new Date(at).toISOString();

/** The file is written: the key is in the reply even if the gateway does not use it yet. */
async function sendCreated(
  response: ServerResponse,
  { key, consumer, name, file, expires }: CreatedKey,
  backend: ConsumersBackend,
  more: object,
): Promise<void> {
  const live = await liveAfter(backend, file);
  const end = expires === undefined ? null : iso(expires);
  sendJson(response, 201, { version: 1, key, consumer, name, expires: end, ...more, ...live });
}

async function revoke(
  response: ServerResponse,
  consumer: string,
  name: string,
  backend: ConsumersBackend,
): Promise<void> {
  const { file, left } = await removeKey(placesOf(backend), consumer, name, backend);
  const old =
    left === undefined ? null : { name: left.name, expires: left.expires === undefined ? null : iso(left.expires) };
  sendJson(response, 200, { version: 1, consumer, name, old, ...(await liveAfter(backend, file)) });
}

/** `live`: whether all workers use the change; if not, why. */
async function liveAfter(backend: ConsumersBackend, file: string): Promise<{ live: boolean; cause?: string }> {
  const reload = await backend.written(file);
  return reload?.outcome === 'rejected' ? { live: false, cause: reload.summary } : { live: true };
}
