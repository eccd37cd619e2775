/** cors at run time, by the CORS protocol of the Fetch standard: the gateway sends fields, the browser enforces them. */
import type { Exchange, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { addToken, BytesReply, HeaderMap, runPolicy } from '../run-kit.js';
import type { CorsSettings } from './schema.js';

const FIELD_NAMES = /^[A-Za-z0-9!#$%&'*+.^_`|~, -]*$/;

/** The gateway's fields replace those of the target. */
const OWNED = ['access-control-allow-origin', 'access-control-allow-credentials', 'access-control-expose-headers'];

export const create = runPolicy<CorsSettings>((settings, host) => new CorsPolicy(settings, host));

class CorsPolicy implements PolicyInstance {
  readonly answersPreflight = true;
  readonly #settings: CorsSettings;
  readonly #host: PolicyHost;
  readonly #origins: ReadonlySet<string>;
  readonly #methods: string;

  constructor(settings: CorsSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#origins = new Set(settings.origins);
    this.#methods = settings.methods.join(', ');
  }

  permits(exchange: Exchange): boolean {
    const origin = exchange.received('origin');
    if (origin === undefined || !this.#allows(origin)) return false;
    const method = exchange.method === 'OPTIONS' ? exchange.received('access-control-request-method') : undefined;
    if (method === undefined) return true;
    if (!SAFELISTED_METHODS.has(method) && !this.#settings.methods.includes(method)) return false;
    const allowed = this.#settings.headers?.split(', ');
    return allowed === undefined || fieldsOf(askedFields(exchange)).every((name) => allowed.includes(name));
  }

  before(exchange: Exchange): Reply | undefined {
    if (exchange.method !== 'OPTIONS') return undefined;
    const origin = exchange.received('origin');
    const method = exchange.received('access-control-request-method');
    if (origin === undefined || method === undefined) return undefined;
    return this.#preflight(exchange, origin);
  }

  after(exchange: Exchange, reply: Reply): undefined {
    for (const name of OWNED) reply.headers.remove(name);
    this.#vary(reply);
    const origin = exchange.received('origin');
    if (origin === undefined) return;
    const allowed = this.#allows(origin);
    if (allowed) {
      this.#allow(reply, origin);
      if (this.#settings.expose !== '') reply.headers.set('access-control-expose-headers', this.#settings.expose);
    }
    this.#decide(exchange, 'edit', `origin ${origin} ${allowed ? 'allowed' : 'not allowed'}`);
  }

  #preflight(exchange: Exchange, origin: string): Reply {
    const reply = new BytesReply(204, { headers: new HeaderMap() });
    this.#vary(reply);
    addToken(reply.headers, 'vary', 'Access-Control-Request-Method');
    addToken(reply.headers, 'vary', 'Access-Control-Request-Headers');
    if (!this.#allows(origin)) {
      this.#decide(exchange, 'answer', `preflight: origin ${origin} not allowed`);
      return reply;
    }
    this.#allow(reply, origin);
    reply.headers.set('access-control-allow-methods', this.#methods);
    const headers = this.#settings.headers ?? askedFields(exchange);
    if (headers !== '') reply.headers.set('access-control-allow-headers', headers);
    reply.headers.set('access-control-max-age', String(this.#settings.maxAge));
    this.#decide(exchange, 'answer', `preflight: origin ${origin} allowed with ${this.#methods}`);
    return reply;
  }

  #allow(reply: Reply, origin: string): void {
    reply.headers.set('access-control-allow-origin', this.#settings.anyOrigin ? '*' : origin);
    if (this.#settings.credentials) reply.headers.set('access-control-allow-credentials', 'true');
  }

  /** Also without an Origin: a cache must not give a page the reply that was made for another page. */
  #vary(reply: Reply): void {
    if (!this.#settings.anyOrigin) addToken(reply.headers, 'vary', 'Origin');
  }

  #allows(origin: string): boolean {
    if (this.#settings.anyOrigin || this.#origins.has(origin)) return true;
    for (const { before, after } of this.#settings.wildcards) {
      if (!origin.startsWith(before) || !origin.endsWith(after)) continue;
      const labels = origin.slice(before.length, origin.length - after.length);
      if (/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(labels)) return true;
    }
    return false;
  }

  #decide(exchange: Exchange, outcome: 'edit' | 'answer', why: string): void {
    exchange.decisions?.push({ step: this.#host.name, use: 'cors', outcome, why });
  }
}

/** Methods that a browser allows without a preflight. */
const SAFELISTED_METHODS = new Set(['GET', 'HEAD', 'POST']);

const fieldsOf = (list: string): string[] =>
  list
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');

function askedFields(exchange: Exchange): string {
  const asked = exchange.received('access-control-request-headers') ?? '';
  return FIELD_NAMES.test(asked) ? asked : '';
}
