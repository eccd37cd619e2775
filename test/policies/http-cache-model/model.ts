/**
 * A naive shared cache, written from the RFCs without the code that it checks: a list of replies, searched from the newest. It reads
 * only what histories contain. Its choices where the RFCs leave one:
 *
 * - What is stale on arrival and cannot be validated is not stored, unless it may be used stale.
 * - A full reply to a validation that is no error removes the reply that was validated, also if it is not stored itself.
 * - A request with no-store, or with credentials without a directive that allows to store the reply, changes nothing that is stored.
 * - Background validations are done at once, after the reply.
 */
import type { Fields, HistoryRequest, Origin, OriginReply } from './history.js';

export interface ModelOptions {
  readonly clientDirectives: boolean;
  /** Seconds; for status 200 only. */
  readonly ttl?: number;
}

/** What a client gets, and what the origin saw. */
export interface ModelAnswer {
  readonly status: number;
  readonly body: string;
  /** Seconds, for a reply from the store that was not validated. */
  readonly age?: number;
  /** The requests to the origin, in their order: 'plain', or the conditions. */
  readonly origin: readonly string[];
}

interface Kept {
  readonly path: string;
  readonly asked: Fields;
  readonly reply: OriginReply;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const seconds = (ms: number): number => ms / 1000;

/** The directives of a field without quoted strings. The first of two counts. */
function directivesOf(field: string | undefined): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of (field ?? '').split(',').map((one) => one.trim()))
    if (part !== '') {
      const [name, value = ''] = part.split('=');
      if (!found.has(name!)) found.set(name!, value);
    }
  return found;
}

/** A number of seconds; undefined if the directive is absent, 0 if its value is no number. */
function numberOf(directives: Map<string, string>, name: string): number | undefined {
  const value = directives.get(name);
  return value === undefined ? undefined : Number(value) >= 0 && value !== '' ? Number(value) : 0;
}

export class ModelCache {
  readonly #options: ModelOptions;
  readonly #origin: Origin;
  #kept: readonly Kept[] = [];

  constructor(origin: Origin, options: ModelOptions) {
    this.#origin = origin;
    this.#options = options;
  }

  answer(request: HistoryRequest): ModelAnswer {
    const asked = this.#options.clientDirectives ? directivesOf(request.fields['cache-control']) : new Map();
    if (request.method !== 'GET') return this.#unsafe(request);
    const found = this.#kept.findLast((one) => this.#matches(one, request));
    if (found === undefined) {
      if (asked.has('only-if-cached')) return { status: 504, body: '', origin: [] };
      return this.#forwarded(request, undefined);
    }
    const use = this.#use(found, asked, request.at);
    const age = Math.floor(this.#age(found, request.at));
    const { status, body } = found.reply;
    if (use === 'send') return { status, body, age, origin: [] };
    if (use === 'refresh' && asked.has('only-if-cached')) return { status, body, age, origin: [] };
    if (use === 'refresh') return { status, body, age, origin: this.#forwarded(request, found).origin };
    if (asked.has('only-if-cached')) return { status: 504, body: '', origin: [] };
    const answer = this.#forwarded(request, found);
    if (answer.status === 503 && this.#afterError(found, asked, request.at))
      return { status, body, age, origin: answer.origin };
    return answer;
  }

  #unsafe(request: HistoryRequest): ModelAnswer {
    const { status, body } = this.#origin(request);
    if (status < 400) this.#kept = this.#kept.filter(({ path }) => path !== request.path);
    return { status, body, origin: ['plain'] };
  }

  #matches({ path, asked, reply }: Kept, request: HistoryRequest): boolean {
    const names = (reply.fields['vary'] ?? '').split(', ').filter((name) => name !== '');
    return path === request.path && names.every((name) => asked[name] === request.fields[name]);
  }

  #lifetime(kept: Kept): number {
    const { status, fields } = kept.reply;
    if (this.#options.ttl !== undefined && status === 200) return this.#options.ttl + this.#age(kept, kept.at);
    const said = directivesOf(fields['cache-control']);
    const explicit = numberOf(said, 's-maxage') ?? numberOf(said, 'max-age');
    if (explicit !== undefined) return explicit;
    const expires = fields['expires'] === '0' ? Number.NaN : Date.parse(fields['expires'] ?? '');
    return Number.isNaN(expires) ? 0 : Math.max(0, seconds(expires - Date.parse(fields['date']!)));
  }

  /** A reply takes no time, and its Date is the second in which it was created. */
  #age({ reply, at }: Kept, now: number): number {
    const given = /^\d+$/.test(reply.fields['age'] ?? '') ? Number(reply.fields['age']) : 0;
    return Math.max(given, seconds(at - Date.parse(reply.fields['date']!))) + seconds(now - at);
  }

  #use(kept: Kept, asked: Map<string, string>, now: number): 'send' | 'refresh' | 'ask' {
    const said = directivesOf(kept.reply.fields['cache-control']);
    const [age, lifetime] = [this.#age(kept, now), this.#lifetime(kept)];
    if (said.has('no-cache') || asked.has('no-cache')) return 'ask';
    const stale = age - lifetime;
    const allowed = (by: number): boolean =>
      asked.has('max-stale') && (asked.get('max-stale') === '' || by <= numberOf(asked, 'max-stale')!);
    const minFresh = numberOf(asked, 'min-fresh');
    if (minFresh !== undefined && lifetime < age + minFresh) return 'ask';
    const maxAge = numberOf(asked, 'max-age');
    const immutable = said.has('immutable') && stale < 0;
    if (maxAge !== undefined && !immutable && (age > maxAge || maxAge === 0) && !allowed(age - maxAge)) return 'ask';
    if (stale < 0) return 'send';
    if (this.#strict(said)) return 'ask';
    if (stale < (numberOf(said, 'stale-while-revalidate') ?? 0)) return 'refresh';
    return allowed(stale) ? 'send' : 'ask';
  }

  #strict(said: Map<string, string>): boolean {
    return ['must-revalidate', 'proxy-revalidate', 's-maxage', 'no-cache'].some((name) => said.has(name));
  }

  #afterError(kept: Kept, asked: Map<string, string>, now: number): boolean {
    const said = directivesOf(kept.reply.fields['cache-control']);
    if (this.#strict(said) || asked.has('no-cache')) return false;
    const stale = Math.max(0, this.#age(kept, now) - this.#lifetime(kept));
    const own = numberOf(said, 'stale-if-error') ?? 0;
    const theirs = numberOf(asked, 'stale-if-error');
    return (own > 0 && stale <= own) || (theirs !== undefined && stale <= theirs);
  }

  /** Asks the origin, with the validators of `stored` if it is given. */
  #forwarded(request: HistoryRequest, stored: Kept | undefined): ModelAnswer {
    const { etag, 'last-modified': modified } = stored?.reply.fields ?? {};
    const conditions: { [name: string]: string } = {};
    if (etag !== undefined) conditions['if-none-match'] = etag;
    if (modified !== undefined) conditions['if-modified-since'] = modified;
    const seen = Object.entries(conditions).map(([name, value]) => `${name}: ${value}`);
    const origin = [seen.length === 0 ? 'plain' : seen.join(', ')];
    const reply = this.#origin({ ...request, fields: { ...request.fields, ...conditions } });
    if (reply.status === 304 && stored !== undefined) {
      const { age: _, ...fields } = stored.reply.fields;
      const updated = { ...stored.reply, fields: { ...fields, ...reply.fields } };
      if (!this.#isOwn(request, updated)) {
        this.#drop(stored);
        this.#keep(request, updated);
      }
      return { status: updated.status, body: updated.body, origin };
    }
    if (stored !== undefined && reply.status < 500 && !this.#isOwn(request, reply)) this.#drop(stored);
    this.#keep(request, reply);
    return { status: reply.status, body: reply.body, origin };
  }

  /** Whether a reply is for this request only. */
  #isOwn({ fields }: HistoryRequest, reply: OriginReply): boolean {
    if (this.#options.clientDirectives && directivesOf(fields['cache-control']).has('no-store')) return true;
    const said = directivesOf(reply.fields['cache-control']);
    const open = ['public', 'must-revalidate', 's-maxage'].some((name) => said.has(name));
    return fields['authorization'] !== undefined && !open;
  }

  #drop(stored: Kept): void {
    this.#kept = this.#kept.filter((one) => one !== stored);
  }

  #keep(request: HistoryRequest, reply: OriginReply): void {
    const said = directivesOf(reply.fields['cache-control']);
    if (said.has('no-store') || said.has('private') || reply.fields['vary'] === '*') return;
    if (this.#isOwn(request, reply)) return;
    const kept: Kept = { path: request.path, asked: request.fields, reply, at: request.at };
    const known = [200, 404].includes(reply.status) || said.has('public');
    const lasting = ['max-age', 's-maxage'].some((name) => said.has(name)) || reply.fields['expires'] !== undefined;
    if (!known && !lasting) return;
    const validated = reply.fields['etag'] !== undefined || reply.fields['last-modified'] !== undefined;
    const windows = ['stale-while-revalidate', 'stale-if-error'].map((name) => numberOf(said, name) ?? 0);
    const useful = this.#lifetime(kept) + (this.#strict(said) ? 0 : Math.max(...windows));
    if (!validated && (said.has('no-cache') || useful <= this.#age(kept, request.at))) return;
    // The newest of those that match counts; an older one of the same variant would come back if this one was removed.
    const rest = this.#kept.filter(
      (one) => !(this.#matches(kept, { ...request, fields: one.asked }) && one.path === kept.path),
    );
    this.#kept = [...rest, kept];
  }
}
