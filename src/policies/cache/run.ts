/**
 * cache at run time, RFC 9111:
 *
 *     before()  key -> store -> fresh, or stale and allowed: the stored reply
 *                            -> stale: the request becomes a validation
 *                            -> miss: one request to the origin for all that wait for the same reply
 *     after()   304 -> the stored reply; error -> the stale reply; otherwise the reply is stored while its body passes
 */
import type {
  Awaitable,
  BodyStage,
  ContentStore,
  Exchange,
  Json,
  PolicyHost,
  PolicyInstance,
  Reply,
  StageOut,
} from '../contract.js';
import type { CacheStatus, Forwarded } from '../kits/http-cache/cache-status.js';
import { CONDITIONS, validationFields } from '../kits/http-cache/conditional.js';
import { type Directives, hasDirective, NO_DIRECTIVES, requestDirectives } from '../kits/http-cache/directives.js';
import type { ReadField } from '../kits/http-cache/fields.js';
import { isSafe } from '../kits/http-cache/invalidate.js';
import { asksForValidation, currentAge, type Decision, decide } from '../kits/http-cache/reuse.js';
import { problem, runPolicy } from '../run-kit.js';
import { addStatus, answer, conditionsOf, sharedAnswer } from './answer.js';
import { Counts } from './counts.js';
import { FillStage } from './fill.js';
import type { Flight, SharedHead } from './flight.js';
import { Flights } from './flights.js';
import { Keeper } from './keeper.js';
import { contentOptions, type Key, KeyMaker } from './key.js';
import { PROBLEMS } from './problems.js';
import { Refresher } from './refresh.js';
import type { CacheSettings } from './schema.js';
import { type CacheData, expectedKey, type Found, type Lookup, StoredReplies, type StoredReply } from './stored.js';
import { snapshot, Visit } from './visit.js';

export const create = runPolicy<CacheSettings>((settings, host) => new CachePolicy(settings, host));

/** How often a request waits for others before it goes to the origin itself. */
const MOST_TURNS = 3;

/** Of an exchange that is not for the cache. */
class Bypass {
  readonly forwarded: Forwarded;
  /** What an unsafe method may change: the URL as it was before later steps have edited the query. */
  readonly changes: string | undefined;

  constructor(forwarded: Forwarded, changes?: string) {
    this.forwarded = forwarded;
    this.changes = changes;
  }
}

const METHOD = new Bypass('method');
const BYPASS = new Bypass('bypass');

class CachePolicy implements PolicyInstance {
  readonly #settings: CacheSettings;
  readonly #host: PolicyHost;
  readonly #keys: KeyMaker;
  readonly #store: ContentStore<CacheData>;
  readonly #replies: StoredReplies;
  readonly #keeper: Keeper;
  readonly #flights: Flights;
  readonly #refresher: Refresher;
  readonly #counts = new Counts();

  constructor(settings: CacheSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#keys = new KeyMaker(settings.key);
    const store = host.content<CacheData>(contentOptions(settings));
    const replies = new StoredReplies(store);
    this.#replies = replies;
    this.#store = store;
    this.#flights = new Flights(settings, host, store);
    const parts = { settings, host, keys: this.#keys, store, replies, flights: this.#flights, counts: this.#counts };
    this.#keeper = new Keeper(parts);
    this.#refresher = new Refresher(host, this.#keeper, replies);
  }

  // ---------------------------------------------------------------- request

  before(exchange: Exchange): Awaitable<Reply | undefined> {
    const { method } = exchange;
    if (method !== 'GET' && method !== 'HEAD') {
      const bypass = isSafe(method) ? METHOD : new Bypass('method', this.#keys.of(exchange).url);
      return this.#pass(exchange, bypass, `${method} is not cached`);
    }
    if (exchange.hasBody) return this.#pass(exchange, BYPASS, 'the request has a body');
    if (exchange.wantsUpgrade) return this.#pass(exchange, BYPASS, 'the request asks for an upgrade');
    const key = this.#keys.of(exchange);
    const lookup = this.#replies.find(key.text, (name) => exchange.header(name));
    if (!(lookup instanceof Promise)) return this.#decide(exchange, key, lookup, 0);
    const visit = new Visit(key, snapshot(exchange));
    exchange.note(this, visit);
    return lookup.then((late) => this.#decideLate(exchange, visit, late, 0));
  }

  /** The exchange may have ended meanwhile. */
  #decideLate(
    exchange: Exchange,
    visit: Visit,
    lookup: Lookup,
    turn: number,
    asked?: Directives,
  ): Awaitable<Reply | undefined> {
    if (!visit.ended) return this.#decide(exchange, visit.key, lookup, turn, asked);
    lookup.found?.content.release();
    return undefined;
  }

  /** `asked`: the directives of the request, if they are not those of its field. */
  #decide(
    exchange: Exchange,
    key: Key,
    lookup: Lookup,
    turn: number,
    asked?: Directives,
  ): Awaitable<Reply | undefined> {
    const read: ReadField = (name) => exchange.header(name);
    const { clientDirectives } = this.#settings;
    const directives = asked ?? (clientDirectives ? requestDirectives(read) : NO_DIRECTIVES);
    const { found } = lookup;
    if (found === undefined) {
      if (hasDirective(directives, 'only-if-cached')) return this.#unavailable(exchange, 'no reply is stored');
      const visit = this.#visit(exchange, key, lookup, directives);
      visit.forwarded = lookup.variants === undefined ? 'uri-miss' : 'vary-miss';
      return this.#forward(exchange, visit, turn);
    }
    const { reply, content } = found;
    const now = this.#host.clock.now();
    const { soft } = content;
    const decision = decide(reply.assessment, directives, now, {
      clientDirectives,
      soft,
      softForMs: reply.softFor(soft, now),
    });
    if (decision.use === 'unavailable') {
      content.release();
      return this.#unavailable(exchange, decision.why);
    }
    const conditions = conditionsOf(read);
    if (decision.use === 'validate' || isForOrigin(conditions)) {
      const visit = this.#visit(exchange, key, lookup, directives);
      const fresh = decision.ttlSeconds > 0 && !reply.assessment.noCache && !soft;
      visit.forwarded = fresh ? 'request' : 'stale';
      return this.#forward(exchange, visit, turn);
    }
    // The reply to a request with no-store would not be stored.
    const refreshes = exchange.method === 'GET' && !hasDirective(directives, 'no-store');
    if (decision.use === 'stale-while-revalidate' && refreshes) this.#refresh(exchange, key, found);
    return this.#hit(exchange, found, conditions, decision);
  }

  #hit(exchange: Exchange, found: Found, conditions: ReadField | undefined, decision: Decision): Reply {
    const { ageSeconds, ttlSeconds, use, why } = decision;
    if (use === 'fresh') this.#counts.hits++;
    else this.#counts.stale++;
    exchange.decisions?.push({ step: this.#host.name, use: 'cache', outcome: 'answer', why });
    const status = this.#status({ hit: true, ttl: ttlSeconds });
    const asked = { id: exchange.id, method: exchange.method, conditions };
    return answer(asked, found.reply, found.content, { ageSeconds, status });
  }

  #visit(exchange: Exchange, key: Key, { found, variants }: Lookup, directives: Directives): Visit {
    const noted = exchange.noted(this);
    const visit = noted instanceof Visit ? noted : new Visit(key, snapshot(exchange));
    if (visit !== noted) exchange.note(this, visit);
    visit.found = found;
    visit.variants = variants;
    visit.directives = directives;
    visit.conditions = conditionsOf(visit.request);
    return visit;
  }

  /** The request goes to the origin, or waits for another one that does. */
  #forward(exchange: Exchange, visit: Visit, turn: number): Awaitable<Reply | undefined> {
    const { conditions, key, found } = visit;
    if (isForOrigin(conditions)) visit.release();
    else if (this.#collapses(exchange, visit, turn)) {
      const { id, flight } = this.#flights.find(visit.flightKey, {
        url: key.url,
        route: exchange.route.name,
        tags: [],
      });
      if (flight !== undefined) return this.#wait(exchange, visit, flight, turn);
      // The reply to a condition of a client is for that client only.
      if (conditions === undefined || found?.reply.assessment.validators === true) {
        const opened = this.#flights.open(id);
        if (!opened.mine) return this.#wait(exchange, visit, opened.flight, turn);
        visit.flight = opened.flight;
        opened.flight.onWaiter = () => visit.prolong(exchange, true);
      }
    }
    this.#send(exchange, visit);
    return undefined;
  }

  #collapses(exchange: Exchange, visit: Visit, turn: number): boolean {
    const { conditions, key, directives, request } = visit;
    if (!this.#settings.collapse || exchange.method !== 'GET' || turn >= MOST_TURNS) return false;
    if (conditions?.('range') !== undefined || hasDirective(directives, 'no-store')) return false;
    const place = expectedKey(key.text, visit, request);
    // Most replies to credentials are for one request: no other request waits for them.
    visit.flightKey = this.#keeper.isAuthorized(exchange, request) ? `${place}\n\n*` : place;
    return !this.#flights.isAlone(visit.flightKey);
  }

  /** Prepares the request for the origin. */
  #send(exchange: Exchange, visit: Visit): void {
    this.#counts.misses++;
    const { found } = visit;
    visit.requestedAt = this.#host.clock.now();
    visit.moment = this.#store.moment();
    this.#keys.hideUnkeyed(exchange);
    if (found !== undefined) visit.validating = validate(exchange, found, visit.requestedAt);
    exchange.decisions?.push({
      step: this.#host.name,
      use: 'cache',
      outcome: 'pass',
      why: visit.validating ? 'validates the stored reply' : `no stored reply is used (${visit.forwarded})`,
    });
  }

  async #wait(exchange: Exchange, visit: Visit, flight: Flight, turn: number): Promise<Reply | undefined> {
    visit.release();
    const since = this.#host.clock.now();
    const landing = await this.#flights.wait(visit.flightKey, flight);
    if (visit.ended) return undefined;
    const { head } = flight;
    const fits = head?.fits(visit.request) === true;
    if (landing === 'join' && fits && this.#mayJoin(visit, head, since)) {
      const joined = this.#join(exchange, visit, flight, head);
      if (joined !== undefined) return joined;
    }
    const lookup = await this.#replies.find(visit.key.text, visit.request);
    // Requests for another variant wait for each other.
    const next = landing === 'again' || (landing === 'join' && !fits) ? turn + 1 : MOST_TURNS;
    return await this.#decideLate(exchange, visit, lookup, next, askedOf(visit, lookup.found?.reply, since));
  }

  /** Whether a reply that is on its way may answer a request: a long body may outlive its freshness. */
  #mayJoin(visit: Visit, { reply }: SharedHead, since: number): boolean {
    const options = { clientDirectives: this.#settings.clientDirectives, soft: false };
    const { use } = decide(reply.assessment, askedOf(visit, reply, since), this.#host.clock.now(), options);
    return use === 'fresh' || use === 'stale';
  }

  #join(exchange: Exchange, visit: Visit, flight: Flight, head: SharedHead): Reply | undefined {
    const body = flight.join();
    if (body === undefined) return undefined;
    this.#counts.collapsed++;
    const age = currentAge(head.reply.assessment, this.#host.clock.now());
    const why = 'the reply to another request that was on its way';
    exchange.decisions?.push({ step: this.#host.name, use: 'cache', outcome: 'answer', why });
    const status = this.#status({ fwd: visit.forwarded, collapsed: true });
    return sharedAnswer(visit.conditions, head.reply, body, { ageSeconds: Math.floor(age / 1000), status });
  }

  #refresh(exchange: Exchange, key: Key, found: Found): void {
    if (!this.#refresher.accepts(key.text)) return;
    const visit = new Visit(key, snapshot(exchange));
    visit.forwarded = 'stale';
    visit.requestedAt = this.#host.clock.now();
    visit.moment = this.#store.moment();
    this.#keys.hideUnkeyed(exchange);
    // With a condition of the client, the origin would say whether the client's reply is right, not the stored one.
    removeConditions(exchange);
    validate(exchange, found, visit.requestedAt);
    this.#refresher.begin(exchange, visit);
  }

  #pass(exchange: Exchange, bypass: Bypass, why: string): undefined {
    this.#counts.bypassed++;
    exchange.note(this, bypass);
    exchange.decisions?.push({ step: this.#host.name, use: 'cache', outcome: 'pass', why });
    return undefined;
  }

  #unavailable(exchange: Exchange, cause: string): Reply {
    return problem(exchange, { ...PROBLEMS.notStored, cause });
  }

  // ---------------------------------------------------------------- reply

  after(exchange: Exchange, reply: Reply): Awaitable<Reply | undefined> {
    const visit = exchange.noted(this);
    if (visit instanceof Visit) return this.#received(exchange, visit, reply);
    if (!(visit instanceof Bypass) || reply.code !== undefined) return undefined;
    this.#say(reply, { fwd: visit.forwarded });
    const { changes } = visit;
    return changes === undefined ? undefined : this.#invalidate(exchange, changes, reply);
  }

  #received(exchange: Exchange, visit: Visit, reply: Reply): Awaitable<Reply | undefined> {
    const other = this.#keeper.received(exchange, visit, reply);
    if (other !== undefined) return other;
    if (reply.code === undefined) this.#say(reply, { fwd: visit.forwarded, stored: visit.stores });
    return undefined;
  }

  #invalidate(exchange: Exchange, url: string, reply: Reply): Awaitable<undefined> {
    const pending = this.#keeper.invalidate(exchange, url, reply);
    return pending === undefined ? undefined : pending.then(() => undefined);
  }

  readsReply(exchange: Exchange, reply: Reply): boolean {
    const visit = exchange.noted(this);
    return visit instanceof Visit && visit.fill !== undefined && visit.reply === reply;
  }

  replyStage(exchange: Exchange, _reply: Reply, out: StageOut): BodyStage {
    const visit = exchange.noted(this) as Visit;
    visit.staged = true;
    return new FillStage(visit.fill!, out, (needed) => visit.prolong(exchange, needed));
  }

  finished(exchange: Exchange): void {
    const visit = exchange.noted(this);
    if (visit instanceof Visit) visit.end();
  }

  #status(status: CacheStatus): CacheStatus | undefined {
    return this.#settings.statusField ? status : undefined;
  }

  #say(reply: Reply, status: CacheStatus): void {
    if (this.#settings.statusField) addStatus(reply.headers, status);
  }

  counts(): { readonly [name: string]: number } {
    return { ...this.#counts };
  }

  stats(): Json {
    return { ...this.#counts, inFlight: this.#flights.count };
  }
}

/** Whether a condition is one that only the origin evaluates, RFC 9111 section 4.3.2. */
const isForOrigin = (conditions: ReadField | undefined): boolean =>
  conditions !== undefined && (conditions('if-match') !== undefined || conditions('if-unmodified-since') !== undefined);

/** The directives of a request that has waited `since` then: a reply that has come meanwhile is as good as a validation. */
const askedOf = ({ directives }: Visit, reply: StoredReply | undefined, since: number): Directives =>
  reply !== undefined && reply.assessment.receivedAt >= since && asksForValidation(directives)
    ? NO_DIRECTIVES
    : directives;

const CONDITIONS_AND_RANGES = [...CONDITIONS, 'range', 'if-range'];

function removeConditions({ headers }: Exchange): void {
  for (const name of CONDITIONS_AND_RANGES) headers.remove(name);
}

/** Makes a request ask whether the stored reply is still right. Returns false if that has no validator. */
function validate(exchange: Exchange, { reply }: Found, now: number): boolean {
  const fields = validationFields(reply.read, now);
  if (fields === undefined) return false;
  removeConditions(exchange);
  for (const [name, value] of fields) exchange.headers.set(name, value);
  return true;
}
