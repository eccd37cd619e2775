/** transform at run time: edits in the order of the README, with everything prepared at load. */
import type { Exchange, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { FieldEdits } from '../kits/field-edits.js';
import { problem, runPolicy } from '../run-kit.js';
import { CookieEdits } from './edits/cookies.js';
import { Links } from './edits/links.js';
import { PathRewrite } from './edits/path.js';
import { QueryEdits } from './edits/query.js';
import { SetCookieEdits } from './edits/set-cookies.js';
import { StatusMap } from './edits/status.js';
import { PROBLEMS } from './problems.js';
import type { TransformSettings } from './schema.js';

export const create = runPolicy<TransformSettings>((settings, host) => new TransformPolicy(settings, host));

class TransformPolicy implements PolicyInstance {
  readonly #host: PolicyHost;
  readonly #request: RequestEdits;
  readonly #reply: ReplyEdits;
  readonly requestFields: readonly string[];
  readonly clientFields: readonly string[];
  readonly identityFields: readonly string[];
  readonly passedFields: readonly string[];
  readonly before?: (exchange: Exchange) => Reply | undefined;
  readonly after?: (exchange: Exchange, reply: Reply) => undefined;

  constructor(settings: TransformSettings, host: PolicyHost) {
    this.#host = host;
    this.#request = new RequestEdits(settings.request);
    this.#reply = new ReplyEdits(settings.reply);
    const { fields } = this.#request;
    this.requestFields = fields?.names ?? [];
    this.clientFields = fields?.renamed ?? [];
    this.identityFields = fields?.ofCaller ?? [];
    this.passedFields = fields?.passed ?? [];
    // No call for a side without edits.
    if (Object.keys(settings.request).length > 0) this.before = (exchange) => this.#before(exchange);
    if (Object.keys(settings.reply).length > 0) this.after = (exchange, reply) => this.#after(exchange, reply);
  }

  #before(exchange: Exchange): Reply | undefined {
    if (!this.#request.apply(exchange)) {
      this.#decide(exchange, 'answer', 'the rewritten path cannot be sent');
      const { code, status, title } = PROBLEMS.path;
      return problem(exchange, {
        code,
        status,
        title,
        cause: `policy ${this.#host.name}: the rewritten path cannot be sent`,
      });
    }
    if (exchange.decisions !== undefined)
      this.#decide(exchange, 'edit', `request: ${this.#request.describe(exchange)}`);
    return undefined;
  }

  #after(exchange: Exchange, reply: Reply): undefined {
    // Errors of gw itself, and what switches protocols, are not the target's.
    if (reply.code !== undefined || reply.status < 200) return;
    this.#reply.apply(exchange, reply);
    if (exchange.decisions !== undefined) this.#decide(exchange, 'edit', `reply: ${this.#reply.describe(reply)}`);
  }

  #decide(exchange: Exchange, outcome: 'edit' | 'answer', why: string): void {
    exchange.decisions?.push({ step: this.#host.name, use: 'transform', outcome, why });
  }
}

class RequestEdits {
  readonly #path: PathRewrite | undefined;
  readonly #query: QueryEdits | undefined;
  readonly fields: FieldEdits | undefined;
  readonly #cookies: CookieEdits | undefined;

  constructor({ path, query, headers, cookies }: TransformSettings['request']) {
    if (path !== undefined) this.#path = new PathRewrite(path);
    if (query !== undefined) this.#query = new QueryEdits(query);
    if (headers !== undefined) this.fields = new FieldEdits(headers);
    if (cookies !== undefined) this.#cookies = new CookieEdits(cookies);
  }

  /** Returns false if the path cannot be sent. */
  apply(exchange: Exchange): boolean {
    if (this.#path?.apply(exchange) === 'invalid') return false;
    this.#query?.apply(exchange);
    this.#cookies?.apply(exchange);
    this.fields?.apply(exchange.headers, exchange);
    return true;
  }

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

class ReplyEdits {
  readonly #status: StatusMap | undefined;
  readonly #links: Links | undefined;
  readonly #cookies: SetCookieEdits | undefined;
  readonly #fields: FieldEdits | undefined;

  constructor({ status, links, cookies, headers }: TransformSettings['reply']) {
    if (status !== undefined) this.#status = new StatusMap(status);
    if (links !== undefined) this.#links = new Links(links);
    if (links !== undefined || cookies !== undefined)
      this.#cookies = new SetCookieEdits(cookies ?? NO_COOKIES, this.#links);
    if (headers !== undefined) this.#fields = new FieldEdits(headers);
  }

  apply(exchange: Exchange, reply: Reply): void {
    this.#status?.apply(reply);
    this.#links?.apply(reply.headers, exchange);
    this.#cookies?.apply(reply.headers, exchange);
    this.#fields?.apply(reply.headers, exchange, reply);
  }

  describe(reply: Reply): string {
    const parts = [
      this.#status && `status ${reply.status}`,
      this.#links && 'links',
      this.#cookies && 'cookies',
      this.#fields?.describe(reply.headers),
    ];
    return parts.filter((part) => part !== undefined).join('; ');
  }
}

const NO_COOKIES = { remove: [] };
