/** security-headers at run time: the same fields for every reply of its routes. */
import type { Exchange, PolicyInstance, ReadyField, Reply } from '../contract.js';
import { readyField, runPolicy } from '../run-kit.js';
import type { SecurityHeadersSettings } from './schema.js';

export const create = runPolicy<SecurityHeadersSettings>((settings) => new SecurityHeaders(settings));

class SecurityHeaders implements PolicyInstance {
  readonly #fields: readonly ReadyField[];
  readonly #secure: readonly ReadyField[];
  readonly #settings: SecurityHeadersSettings;

  constructor(settings: SecurityHeadersSettings) {
    this.#settings = settings;
    this.#fields = settings.fields.map(({ name, value }) => readyField(name, value));
    this.#secure = settings.secure.map(({ name, value }) => readyField(name, value));
  }

  after(exchange: Exchange, reply: Reply): undefined {
    // A connection that switches protocols shows no page.
    if (reply.status === 101) return;
    const { remove } = this.#settings;
    for (let at = 0; at < remove.length; at++) reply.headers.remove(remove[at]!);
    this.#set(reply, this.#fields);
    // RFC 6797 section 7.2: not over plain HTTP.
    if (exchange.scheme === 'https') this.#set(reply, this.#secure);
  }

  #set({ headers }: Reply, fields: readonly ReadyField[]): void {
    for (let at = 0; at < fields.length; at++) {
      const field = fields[at]!;
      if (this.#settings.replace) headers.remove(field.name);
      else if (headers.get(field.name) !== undefined) continue;
      headers.add(field);
    }
  }
}
