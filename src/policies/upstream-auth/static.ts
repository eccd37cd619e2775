/** Credentials that the spec has: fields, user name and password, one for each consumer. */
import type { Attempt, Exchange, Reply } from '../contract.js';
import { assertField, type Template } from '../run-kit.js';
import { type Credential, type CredentialParts, present, resolved, templateOf, unavailable } from './credential.js';
import type { KindSettings } from './schema.js';

type Of<Kind extends KindSettings['kind']> = Extract<KindSettings, { readonly kind: Kind }>;

/** Throws for an unresolved reference, and for a value that no field can have. */
export function staticFields({ fields }: Of<'fields'>): Credential {
  const edits = fields.map(([name, parts]): readonly [string, Template] => {
    for (const part of parts) if (typeof part === 'string') assertField(name, part);
    return [name, templateOf(parts)];
  });
  return {
    fields: edits.map(([name]) => name),
    identityFields: edits.filter(([, template]) => template.namesCaller).map(([name]) => name),
    apply(exchange: Exchange, attempt: Attempt): Reply | undefined {
      for (const [name, template] of edits) {
        const value = template.renderField(exchange);
        // Without the field, the target could take the request for one that needs no credential.
        if (value === '') return unavailable(exchange, `no value for the field ${name}`);
        attempt.set(name, value);
      }
      return undefined;
    },
  };
}

/** RFC 7617. Throws for an unresolved reference. */
export function basicCredential({ username, password }: Of<'basic'>, { settings }: CredentialParts): Credential {
  const [user, secret] = [templateOf(username), templateOf(password)];
  return {
    fields: [settings.header],
    apply(exchange: Exchange, attempt: Attempt): Reply | undefined {
      const name = user.render(exchange);
      const word = secret.render(exchange);
      if (name === '' || word === '') return unavailable(exchange, 'no value for the user name or the password');
      // RFC 7617 section 2: it would end the user name.
      if (name.includes(':')) return unavailable(exchange, 'the user name has a colon');
      present(attempt, settings, Buffer.from(`${name}:${word}`).toString('base64'));
      return undefined;
    },
  };
}

/** The name that stands for every other consumer, and for callers that are none. */
const OTHERS = '*';

/** Throws for an unresolved reference, and for a value that no field can have. */
export function perConsumer({ credentials }: Of<'per-consumer'>, { settings }: CredentialParts): Credential {
  const byName = new Map(
    credentials.map(([name, credential]) => {
      const text = resolved(credential, `credential of ${name}`);
      assertField(settings.header, text);
      return [name, text];
    }),
  );
  return {
    fields: [settings.header],
    apply(exchange: Exchange, attempt: Attempt): Reply | undefined {
      const name = exchange.consumer?.name;
      const credential = (name === undefined ? undefined : byName.get(name)) ?? byName.get(OTHERS);
      if (credential === undefined)
        return unavailable(exchange, name === undefined ? 'no consumer' : `no credential for the consumer ${name}`);
      present(attempt, settings, credential);
      return undefined;
    },
  };
}
