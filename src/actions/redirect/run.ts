/** redirect at run time. */
import type { ActionInstance, Exchange, Reply } from '../../policies/contract.js';
import {
  BytesReply,
  ConstantReply,
  fieldSafe,
  HeaderMap,
  problem,
  runAction,
  Template,
} from '../../policies/run-kit.js';
import { PROBLEMS } from './problems.js';
import type { RedirectSettings } from './schema.js';

export const create = runAction<RedirectSettings>((settings, host) => new Redirect(settings, host.constantReplies));

class Redirect implements ActionInstance {
  readonly #status: number;
  readonly #location: Template;
  readonly #keepQuery: boolean;
  readonly #needsHost: boolean;
  /** The reply for requests without a query, if it is always the same. */
  readonly #constant: Reply | undefined;

  constructor({ status, location, keepQuery }: RedirectSettings, constantReplies: boolean) {
    this.#status = status;
    this.#location = new Template(location);
    this.#keepQuery = keepQuery;
    this.#needsHost = location.some((part) => typeof part !== 'string' && part.var === 'request.host');
    const { constant } = this.#location;
    if (constant !== undefined && constantReplies)
      this.#constant = new ConstantReply(status, { headers: new HeaderMap([['location', constant]]) });
  }

  start(exchange: Exchange): Reply {
    if (this.#needsHost && exchange.host === '') return problem(exchange, PROBLEMS.host);
    const base = this.#location.renderUrl(exchange);
    const kept = this.#keepQuery && exchange.query !== '';
    const location = kept ? withQuery(base, fieldSafe(exchange.query)) : base;
    if (isSame(location, exchange)) return problem(exchange, PROBLEMS.loop);
    if (!kept && this.#constant !== undefined) return this.#constant;
    return new BytesReply(this.#status, { headers: new HeaderMap([['location', location]]) });
  }
}

/** Puts the query before the fragment, after the query that the URL has. */
function withQuery(url: string, query: string): string {
  const hash = url.indexOf('#');
  const [whole, fragment] = hash < 0 ? [url, ''] : [url.slice(0, hash), url.slice(hash)];
  const mark = !whole.includes('?') ? '?' : /[?&]$/.test(whole) ? '' : '&';
  return `${whole}${mark}${query}${fragment}`;
}

/** Whether the location is the URL of the request: a client would come back for ever. */
function isSame(location: string, { headers, host, path, query, scheme }: Exchange): boolean {
  const target = query === '' ? path : `${path}?${query}`;
  if (!location.endsWith(target)) return false;
  const before = location.slice(0, location.length - target.length);
  if (before === '') return true;
  if (!before.startsWith(`${scheme}://`)) return false;
  const port = /:\d+$/.exec(headers.get('host') ?? '')?.[0] ?? '';
  const isDefault = port === (scheme === 'https' ? ':443' : ':80');
  return before.slice(scheme.length + 3).toLowerCase() === (isDefault ? host : `${host}${port}`);
}
