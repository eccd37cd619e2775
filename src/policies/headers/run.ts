/** headers at run time. Names and literals were checked when the spec was compiled; here values are only joined. */
import type { Exchange, HeaderFields, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { assertField, isUrlField, runPolicy, Template } from '../run-kit.js';
import type { EditsSettings, HeadersSettings } from './schema.js';

export const create = runPolicy<HeadersSettings>((settings, host) => new HeadersPolicy(settings, host));

/** `isUrl`: the field holds a URL. */
type Edit = readonly [name: string, template: Template, isUrl: boolean];

class Edits {
  readonly #remove: readonly string[];
  readonly #set: readonly Edit[];
  readonly #add: readonly Edit[];
  readonly none: boolean;

  constructor(settings: EditsSettings) {
    this.#remove = settings.remove;
    this.#set = settings.set.map(prepare);
    this.#add = settings.add.map(prepare);
    this.none = settings.remove.length + settings.set.length + settings.add.length === 0;
  }

  apply(headers: HeaderFields, exchange: Exchange, reply?: Reply): void {
    for (const name of this.#remove) headers.remove(name);
    for (const [name, template, isUrl] of this.#set) {
      const value = textOf(template, isUrl, exchange, reply);
      // A client must not be able to supply a field for which the gateway has no value.
      if (value === '') headers.remove(name);
      else headers.set(name, value);
    }
    for (const [name, template, isUrl] of this.#add) {
      const value = textOf(template, isUrl, exchange, reply);
      if (value !== '') headers.append(name, value);
    }
  }

  /** Names of all fields that it edits. */
  get names(): readonly string[] {
    return [...this.#remove, ...this.#set.map(([name]) => name), ...this.#add.map(([name]) => name)];
  }

  /** Names of the fields whose values say who calls. */
  get ofCaller(): readonly string[] {
    return this.#written.filter(([, template]) => template.namesCaller).map(([name]) => name);
  }

  /** Names of the fields whose values contain what the client sent under the same name. */
  get passed(): readonly string[] {
    return this.#written
      .filter(([name, { plan }]) =>
        plan.some((part) => typeof part !== 'string' && part.var.toLowerCase() === `request.header.${name}`),
      )
      .map(([name]) => name);
  }

  get #written(): readonly Edit[] {
    return [...this.#set, ...this.#add];
  }

  /** For people: `remove server, set x-tenant`. `headers`: as edited. */
  describe(headers: HeaderFields): string {
    const parts = [
      ...this.#remove.map((name) => `remove ${name}`),
      ...this.#set.map(([name]) => (headers.get(name) === undefined ? `remove ${name} (no value)` : `set ${name}`)),
      ...this.#add.map(([name]) => `add ${name}`),
    ];
    return parts.join(', ');
  }
}

/** '' for no field. A reply may be made before the caller is known; without the name, the text would be misleading. */
function textOf(template: Template, isUrl: boolean, exchange: Exchange, reply: Reply | undefined): string {
  if (reply !== undefined && template.lacksCaller(exchange)) return '';
  return isUrl ? template.renderUrl(exchange, reply) : template.renderField(exchange, reply);
}

/** Throws, which rejects the generation, if the value of a reference contains a byte that fields must not contain. */
function prepare([name, parts]: EditsSettings['set'][number]): Edit {
  const template = new Template(parts as ConstructorParameters<typeof Template>[0]);
  for (const part of parts) if (typeof part === 'string') assertField(name, part);
  return [name, template, isUrlField(name)];
}

class HeadersPolicy implements PolicyInstance {
  readonly #host: PolicyHost;
  readonly #request: Edits;
  readonly #reply: Edits;
  readonly requestFields: readonly string[];
  readonly identityFields: readonly string[];
  readonly passedFields: readonly string[];
  readonly before?: (exchange: Exchange) => undefined;
  readonly after?: (exchange: Exchange, reply: Reply) => undefined;

  constructor(settings: HeadersSettings, host: PolicyHost) {
    this.#host = host;
    this.#request = new Edits(settings.request);
    this.#reply = new Edits(settings.reply);
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

  #decide(exchange: Exchange, side: string, edits: Edits, headers: HeaderFields): void {
    if (exchange.decisions === undefined) return;
    exchange.decisions.push({
      step: this.#host.name,
      use: 'headers',
      outcome: 'edit',
      why: `${side}: ${edits.describe(headers)}`,
    });
  }
}
