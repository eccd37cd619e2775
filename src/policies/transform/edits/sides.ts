/** The edits of the head of a message, in their order. */
import type { Exchange, Reply } from '../../contract.js';
import { type EditsSettings, FieldEdits } from '../../kits/field-edits.js';
import { CookieEdits, type CookieSettings } from './cookies.js';
import { Links, type LinksSettings } from './links.js';
import { PathRewrite, type PathRuleSettings } from './path.js';
import { QueryEdits, type QuerySettings } from './query.js';
import { SetCookieEdits, type SetCookieSettings } from './set-cookies.js';
import { StatusMap } from './status.js';

/** Absent parts: nothing to do. */
export type RequestSettings = {
  readonly path?: readonly PathRuleSettings[];
  readonly query?: QuerySettings;
  readonly cookies?: CookieSettings;
  readonly headers?: EditsSettings;
};

export type ReplySettings = {
  readonly status?: readonly (readonly [from: string, to: number])[];
  readonly links?: LinksSettings;
  readonly cookies?: SetCookieSettings;
  readonly headers?: EditsSettings;
};

export class RequestEdits {
  readonly #path: PathRewrite | undefined;
  readonly #query: QueryEdits | undefined;
  readonly #cookies: CookieEdits | undefined;
  readonly fields: FieldEdits | undefined;

  constructor({ path, query, headers, cookies }: RequestSettings) {
    if (path !== undefined) this.#path = new PathRewrite(path);
    if (query !== undefined) this.#query = new QueryEdits(query);
    if (cookies !== undefined) this.#cookies = new CookieEdits(cookies);
    if (headers !== undefined) this.fields = new FieldEdits(headers);
  }

  /** Returns false if the path cannot be sent. */
  apply(exchange: Exchange): boolean {
    if (this.#path?.apply(exchange) === 'invalid') return false;
    this.#query?.apply(exchange);
    this.#cookies?.apply(exchange);
    this.fields?.apply(exchange.headers, exchange);
    return true;
  }

  /** For people. */
  describe(exchange: Exchange): string {
    const parts = [
      this.#path && `path ${exchange.targetPath ?? ''}`,
      this.#query && `query: ${this.#query.summary}`,
      this.#cookies && `cookies: ${this.#cookies.summary}`,
      this.fields?.describe(exchange.headers),
    ];
    return parts.filter((part) => part !== undefined).join('; ');
  }
}

export class ReplyEdits {
  readonly #status: StatusMap | undefined;
  readonly links: Links | undefined;
  readonly #cookies: SetCookieEdits | undefined;
  readonly #fields: FieldEdits | undefined;

  constructor({ status, links, cookies, headers }: ReplySettings) {
    if (status !== undefined) this.#status = new StatusMap(status);
    if (links !== undefined) this.links = new Links(links);
    if (links !== undefined || cookies !== undefined)
      this.#cookies = new SetCookieEdits(cookies ?? NO_COOKIES, this.links);
    if (headers !== undefined) this.#fields = new FieldEdits(headers);
  }

  apply(exchange: Exchange, reply: Reply): void {
    this.#status?.apply(reply);
    this.links?.apply(reply.headers, exchange);
    this.#cookies?.apply(reply.headers, exchange);
    this.#fields?.apply(reply.headers, exchange, reply);
  }

  /** For people. */
  describe(reply: Reply): string {
    const parts = [
      this.#status && `status ${reply.status}`,
      this.links && 'links',
      this.#cookies && 'cookies',
      this.#fields?.describe(reply.headers),
    ];
    return parts.filter((part) => part !== undefined).join('; ');
  }
}

const NO_COOKIES = { remove: [] };
