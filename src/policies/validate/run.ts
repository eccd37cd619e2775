/** validate at run time: checks parameters and bodies, and replies if asked. */
import { isUtf8 } from 'node:buffer';
import type { BodyStage, Exchange, Json, PolicyHost, PolicyInstance, Reply, StageOut } from '../contract.js';
import { type JsonFault, readJson, shortened } from '../kits/json.js';
import { matchesMediaRange, mediaType } from '../kits/negotiate.js';
import { type Failure, MAX_FAILURES, SchemaCompiler, type Validator } from '../kits/schema-validator.js';
import { problem, runPolicy } from '../run-kit.js';
import { ObservedReply } from './observe.js';
import { pairsOf, queryValues, valuesOf } from './parameters.js';
import { PROBLEMS } from './problems.js';
import type { ContentEntry, PlaceEntry, ValidateSettings } from './schema.js';

type Located = Failure & { readonly in: string };

const MISSING_BODY: Located = { in: 'body', pointer: '', detail: 'is required' };

interface Refusal {
  readonly errors: readonly Located[];
  readonly detail?: string;
  readonly headers?: { readonly [name: string]: string };
}

/** Replies that do not match are logged at most so often, in milliseconds. */
const LOG_EVERY = 60_000;
/** Bytes of reply bodies that one policy of a worker keeps to observe them. */
const MAX_OBSERVED = 32 * 1024 * 1024;

export const create = runPolicy<ValidateSettings>((settings, host) => new ValidatePolicy(settings, host));

class ValidatePolicy implements PolicyInstance {
  readonly #settings: ValidateSettings;
  readonly #host: PolicyHost;
  readonly #validators = new Map<string, Validator>();
  readonly #accepted: string;
  readonly #counts = { requests: 0, invalidRequests: 0, replies: 0, invalidReplies: 0, uncheckedReplies: 0 };
  #observed = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;
  readonly after?: NonNullable<PolicyInstance['after']>;
  readonly onReplyBody?: NonNullable<PolicyInstance['onReplyBody']>;
  readonly replyStage?: NonNullable<PolicyInstance['replyStage']>;

  constructor(settings: ValidateSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    const compiler = new SchemaCompiler(settings.set, { formats: settings.formats });
    const contents = [...(settings.body?.content ?? []), ...Object.values(settings.replies?.content ?? {}).flat()];
    for (const { schema } of [...settings.places, ...contents]) {
      if (schema !== undefined && !this.#validators.has(schema)) this.#validators.set(schema, compiler.compile(schema));
    }
    this.#accepted = (settings.body?.content ?? []).map(({ type }) => type).join(', ');
    if (settings.replies === undefined) return;
    this.after = (exchange, reply) => this.#afterReply(exchange, reply);
    if (settings.replies.mode === 'enforce') {
      this.onReplyBody = (exchange, reply, body) => this.#enforce(exchange, reply, body);
    } else this.replyStage = (exchange, reply, out) => this.#observe(exchange, reply, out);
  }

  before(exchange: Exchange): Reply | undefined {
    this.#counts.requests++;
    const found: Located[] = [];
    for (const place of this.#settings.places) this.#checkPlace(exchange, place, found);
    const { body } = this.#settings;
    if (body === undefined || !exchange.hasBody) {
      if (body?.required) found.push(MISSING_BODY);
      return this.#answer(exchange, found);
    }
    const type = exchange.headers.get('content-type');
    const entry = entryOf(body.content, type);
    if (entry === undefined) {
      // Without a type and a declared length, an optional body may turn out to be empty.
      if (type !== undefined || body.required) return this.#refuseMediaType(exchange, found);
    } else if (entry.kind === undefined || found.length >= MAX_FAILURES) return this.#answer(exchange, found);
    // The failures of the body come into the same list.
    if (found.length > 0) exchange.note(this, found);
    return undefined;
  }

  readsRequest(exchange: Exchange): boolean {
    const content = this.#settings.body?.content;
    if (content === undefined) return false;
    const entry = entryOf(content, exchange.headers.get('content-type'));
    return entry === undefined || entry.kind !== undefined;
  }

  onRequestBody(exchange: Exchange, bytes: Uint8Array): Reply | undefined {
    const body = this.#settings.body!;
    const found = [...((exchange.noted(this) as readonly Located[] | undefined) ?? [])];
    if (bytes.length === 0) {
      if (body.required) found.push(MISSING_BODY);
      return this.#answer(exchange, found);
    }
    const entry = entryOf(body.content, exchange.headers.get('content-type'));
    if (entry === undefined) return this.#refuseMediaType(exchange, found);
    const read = readBody(entry, bytes);
    if ('fault' in read) return this.#refuseJson(exchange, read.fault, found);
    const failures =
      'failure' in read ? [{ pointer: '', detail: read.failure }] : (this.#failuresOf(entry, read.value) ?? []);
    for (const failure of failures) found.push({ in: 'body', ...failure });
    return this.#answer(exchange, found);
  }

  readsReply(exchange: Exchange, reply: Reply): boolean {
    if (exchange.method === 'HEAD' || reply.body === null || reply.body instanceof Uint8Array || isOwn(reply))
      return false;
    return this.#replyEntry(reply)?.schema !== undefined;
  }

  stats(): Json {
    return { ...this.#counts };
  }

  #checkPlace(exchange: Exchange, place: PlaceEntry, found: Located[]): void {
    const failures = this.#validators.get(place.schema)!.failures(valuesOf(exchange, place));
    for (const failure of failures ?? []) found.push({ in: place.place, ...failure });
  }

  #failuresOf({ schema }: ContentEntry, value: Json): readonly Failure[] | undefined {
    return schema === undefined ? undefined : this.#validators.get(schema)!.failures(value);
  }

  // ---------------------------------------------------------------- answers

  #answer(exchange: Exchange, failures: readonly Located[]): Reply | undefined {
    const [first] = failures;
    if (first === undefined) {
      this.#decide(exchange, 'pass', 'the request matches its schema');
      return undefined;
    }
    const more = failures.length > 1 ? ` and ${failures.length - 1} more` : '';
    const why = `${first.in} ${shortened(first.pointer)} ${first.detail}${more}`;
    return this.#refuse(exchange, why, PROBLEMS.request, { errors: failures });
  }

  #refuseJson(exchange: Exchange, { kind, detail }: JsonFault, found: readonly Located[]): Reply {
    const errors = [...found.slice(0, MAX_FAILURES - 1), { in: 'body', pointer: '', detail }];
    return this.#refuse(exchange, `the body is not valid JSON (${kind})`, PROBLEMS.json, { detail, errors });
  }

  #refuseMediaType(exchange: Exchange, errors: readonly Located[]): Reply {
    const accept = this.#accepted;
    const more = { detail: `Accepted: ${accept}.`, headers: { accept }, errors };
    return this.#refuse(exchange, 'the media type of the body is not accepted', PROBLEMS.mediaType, more);
  }

  /** `errors` are listed up to MAX_FAILURES. */
  #refuse(
    exchange: Exchange,
    why: string,
    { code, status, title }: (typeof PROBLEMS)[keyof typeof PROBLEMS],
    { errors, ...more }: Refusal,
  ): Reply {
    this.#counts.invalidRequests++;
    this.#decide(exchange, 'answer', why);
    const listed = errors
      .slice(0, MAX_FAILURES)
      .map(({ in: place, pointer, detail }) => ({ in: place, pointer, detail }));
    const extensions = listed.length === 0 ? {} : { extensions: { errors: listed } };
    return problem(exchange, { code, status, title, ...more, ...extensions });
  }

  // ---------------------------------------------------------------- replies

  /** The content that describes a reply; undefined if none does. */
  #replyEntry(reply: Reply): ContentEntry | undefined {
    const content = this.#contentOf(reply.status);
    return content && entryOf(content, reply.headers.get('content-type'));
  }

  #contentOf(status: number): readonly ContentEntry[] | undefined {
    const { content } = this.#settings.replies!;
    return content[String(status)] ?? content[`${Math.floor(status / 100)}XX`] ?? content['default'];
  }

  /** What is wrong with status and media type, before the body is read. */
  #headFault(exchange: Exchange, reply: Reply): string | undefined {
    const { status } = reply;
    if (status < 200 || status === 304) return undefined;
    const content = this.#contentOf(status);
    if (content === undefined) return this.#settings.closed ? `status ${status} is not described` : undefined;
    const empty = exchange.method === 'HEAD' || reply.body === null || status === 204 || status === 205;
    if (empty || content.length === 0 || reply.headers.get('content-length') === '0') return undefined;
    if (entryOf(content, reply.headers.get('content-type')) !== undefined) return undefined;
    const type = mediaType(reply.headers.get('content-type'));
    return type === '' ? 'the reply has no media type' : `the media type ${shortened(type, 60)} is not described`;
  }

  #afterReply(exchange: Exchange, reply: Reply): Reply | undefined {
    if (isOwn(reply)) return undefined;
    this.#counts.replies++;
    const fault = this.#headFault(exchange, reply);
    if (fault !== undefined) return this.#badReply(exchange, [fault]);
    // The body of a stream is checked when it is read.
    if (!(reply.body instanceof Uint8Array)) return undefined;
    const entry = this.#replyEntry(reply);
    const faults = entry?.schema === undefined ? undefined : this.#replyFaults(entry, reply.body);
    return faults === undefined ? undefined : this.#badReply(exchange, faults);
  }

  #enforce(exchange: Exchange, reply: Reply, body: Uint8Array): Reply | undefined {
    const entry = this.#replyEntry(reply);
    const faults = entry === undefined ? undefined : this.#replyFaults(entry, body);
    return faults === undefined ? undefined : this.#badReply(exchange, faults);
  }

  #observe(exchange: Exchange, reply: Reply, out: StageOut): BodyStage | undefined {
    const entry = this.#replyEntry(reply);
    if (entry === undefined || this.#observed >= MAX_OBSERVED) return this.#uncheckedReply();
    return new ObservedReply(out, reply.headers.get('content-encoding'), {
      max: this.#settings.replies!.max,
      held: (bytes) => {
        this.#observed += bytes;
      },
      done: (body) => {
        const faults = body === undefined ? undefined : this.#replyFaults(entry, body);
        if (body === undefined) this.#uncheckedReply();
        else if (faults !== undefined) this.#badReply(exchange, faults);
      },
    });
  }

  #uncheckedReply(): undefined {
    this.#counts.uncheckedReplies++;
  }

  #replyFaults(entry: ContentEntry, body: Uint8Array): string[] | undefined {
    const read = readBody(entry, body);
    if ('fault' in read) return [read.fault.detail];
    if ('failure' in read) return [read.failure];
    return this.#failuresOf(entry, read.value)?.map(({ pointer, detail }) => `${pointer} ${detail}`.trim());
  }

  /** Counts, logs and records; answers 502 if replies are enforced. */
  #badReply(exchange: Exchange, faults: readonly string[]): Reply | undefined {
    this.#counts.invalidReplies++;
    const enforced = this.#settings.replies!.mode === 'enforce';
    const why = `the reply does not match its schema: ${shortened(faults.slice(0, 3).join('; '), 300)}`;
    this.#log(exchange, why);
    this.#decide(exchange, enforced ? 'answer' : 'pass', enforced ? why : `${why} (observed)`);
    if (!enforced) return undefined;
    const { code, status, title } = PROBLEMS.reply;
    return problem(exchange, { code, status, title, cause: why });
  }

  #log(exchange: Exchange, cause: string): void {
    const now = this.#host.clock.monotonic();
    if (now - this.#loggedAt < LOG_EVERY) {
      this.#unlogged++;
      return;
    }
    const fields = { policy: this.#host.name, route: exchange.route.name, request: exchange.id, cause };
    this.#host.logger.warn('reply does not match its schema', { ...fields, since: this.#unlogged });
    this.#loggedAt = now;
    this.#unlogged = 0;
  }

  #decide(exchange: Exchange, outcome: 'pass' | 'answer', why: string): void {
    exchange.decisions?.push({ step: this.#host.name, use: 'validate', outcome, why });
  }
}

/** Whether gw itself made the reply: an error of gw is not described by the schema of a service. */
const isOwn = (reply: Reply): boolean => reply.code !== undefined;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** Quoted, or what clients send unquoted: URLs, for example. */
const VALUE = '(?:"(?:[^"\\\\]|\\\\.)*"[ \\t]*|[^",;]*)';
/** One value: two fields would be joined by a comma, and targets read the first or the last. RFC 9110 section 8.3. */
const CONTENT_TYPE = new RegExp(`^${TOKEN}/${TOKEN}[ \\t]*(?:;[ \\t]*(?:${TOKEN}=${VALUE})?)*$`);
const PARAMETER = new RegExp(`;[ \\t]*(?:(${TOKEN})=(${VALUE}))?`, 'g');

/** Whether every charset that a Content-Type names is UTF-8. */
function namesUtf8(field: string): boolean {
  if (!/charset/i.test(field)) return true;
  for (const [, name = '', value = ''] of field.matchAll(PARAMETER)) {
    if (name.toLowerCase() === 'charset' && !/^"?utf-?8"?[ \t]*$/i.test(value)) return false;
  }
  return true;
}

/** The most specific content for a Content-Type; text in another charset than UTF-8 has none. RFC 8259 section 8.1. */
function entryOf(content: readonly ContentEntry[], field: string | undefined): ContentEntry | undefined {
  const known = content.find((each) => each.type === field);
  if (known !== undefined) return known;
  if (field === undefined || !CONTENT_TYPE.test(field)) return undefined;
  const type = mediaType(field);
  const entry =
    content.find((each) => each.type === type) ?? content.find((each) => matchesMediaRange(type, each.type));
  return entry?.kind !== undefined && !namesUtf8(field) ? undefined : entry;
}

/** Members of a form; more than any form has. */
const MAX_FORM_PAIRS = 10_000;

/** `failure`: what is wrong with a body that is not JSON. */
type BodyRead = { readonly value: Json } | { readonly fault: JsonFault } | { readonly failure: string };

function readBody(entry: ContentEntry, bytes: Uint8Array): BodyRead {
  if (entry.kind !== 'form') {
    const { fault, ...read } = readJson(bytes);
    return fault === undefined ? (read as { readonly value: Json }) : { fault };
  }
  if (!isUtf8(bytes)) return { failure: 'must be UTF-8' };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const pairs = pairsOf(text);
  if (pairs.length > MAX_FORM_PAIRS) return { failure: `must not have more than ${MAX_FORM_PAIRS} members` };
  return { value: queryValues(pairs, entry.parameters ?? [], true) };
}
