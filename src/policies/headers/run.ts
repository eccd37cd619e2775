/** headers at run time. */
import type { Exchange, HeaderFields, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { FieldEdits } from '../kits/field-edits.js';
import { runPolicy } from '../run-kit.js';
import type { HeadersSettings } from './schema.js';

export const create = runPolicy<HeadersSettings>((settings, host) => new HeadersPolicy(settings, host));

class HeadersPolicy implements PolicyInstance {
  readonly #host: PolicyHost;
  readonly #request: FieldEdits;
  readonly #reply: FieldEdits;
  readonly requestFields: readonly string[];
  readonly identityFields: readonly string[];
  readonly passedFields: readonly string[];
  readonly before?: (exchange: Exchange) => undefined;
  readonly after?: (exchange: Exchange, reply: Reply) => undefined;

  constructor(settings: HeadersSettings, host: PolicyHost) {
    this.#host = host;
    this.#request = new FieldEdits(settings.request);
    this.#reply = new FieldEdits(settings.reply);
    this.requestFields = this.#request.names;
    this.identityFields = this.#request.ofCaller;
    this.passedFields = this.#request.passed;
    // No call for a side without edits.
    if (!this.#request.none) this.before = (exchange) => this.#editRequest(exchange);
    if (!this.#reply.none) this.after = (exchange, reply) => this.#editReply(exchange, reply);
  }

  #editRequest(exchange: Exchange): undefined {
    this.#request.apply(exchange.headers, exchange);
    this.#decide(exchange, 'request', this.#request, exchange.headers);
    return undefined;
  }

  #editReply(exchange: Exchange, reply: Reply): undefined {
    this.#reply.apply(reply.headers, exchange, reply);
    this.#decide(exchange, 'reply', this.#reply, reply.headers);
  }

  #decide(exchange: Exchange, side: string, edits: FieldEdits, headers: HeaderFields): void {
    if (exchange.decisions === undefined) return;
    exchange.decisions.push({
      step: this.#host.name,
      use: 'headers',
      outcome: 'edit',
      why: `${side}: ${edits.describe(headers)}`,
    });
  }
}
