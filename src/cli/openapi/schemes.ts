/** Security schemes and requirements of a document, and which of them gw's api-key policy can check. */
import { isToken } from '../../field-syntax.js';
import { type Data, field, isList, isTable, type OpenApiDocument, textOf } from './document.js';

export interface Scheme {
  readonly name: string;
  /** For people: `petAuth (oauth2)`. */
  readonly label: string;
  /** Where an API key is read; undefined where gw cannot check the scheme. */
  readonly key: { readonly in: 'header' | 'query'; readonly name: string } | undefined;
}

/** Schemes that are asked for together; none: anybody may come. */
export type Alternative = readonly Scheme[];

/** Fields that frame or route a message, or hold more than a key. */
const NOT_FOR_KEYS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export class Schemes {
  readonly #document: OpenApiDocument;
  readonly #known = new Map<string, Scheme>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
  }

  /**
   * The alternatives of a `security` field; undefined where there is none. What cannot be read counts as a scheme that gw
   * cannot check, never as an open route.
   */
  alternatives(security: Data | undefined): readonly Alternative[] | undefined {
    if (security === undefined || security === null) return undefined;
    // A table where a list of tables should be: a common slip.
    const list = isList(security) ? security : [security];
    return list.map((requirement) => this.#requirement(requirement));
  }

  #requirement(requirement: Data): Alternative {
    if (typeof requirement === 'string') return [this.#scheme(requirement, undefined)];
    if (!isTable(requirement))
      return [{ name: 'unreadable', label: 'a requirement that cannot be read', key: undefined }];
    return Object.entries(requirement).map(([name, scopes]) => this.#scheme(name, scopes));
  }

  #scheme(name: string, scopes: Data | undefined): Scheme {
    const texts = isList(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [];
    const key = JSON.stringify([name, texts]);
    let scheme = this.#known.get(key);
    if (scheme === undefined) {
      const all = field(field(this.#document.root, 'components'), 'securitySchemes');
      scheme = readScheme(name, this.#document.resolve(field(all, name)), texts);
      this.#known.set(key, scheme);
    }
    return scheme;
  }
}

/** Scopes that a label names. */
const MOST_SCOPES = 3;

function readScheme(name: string, found: Data | undefined, scopes: readonly string[]): Scheme {
  const shown = name.replace(/\s+/g, ' ').slice(0, 60);
  const shownScopes = scopes.slice(0, MOST_SCOPES).map((scope) => scope.split('/').at(-1) || scope);
  const scopeText =
    shownScopes.length > 0 ? `: ${shownScopes.join(', ')}${scopes.length > MOST_SCOPES ? ', ...' : ''}` : '';
  const unchecked = (what: string): Scheme => ({ name, label: `${shown} (${what})`, key: undefined });
  if (!isTable(found)) return unchecked('not described in the document');
  const type = textOf(field(found, 'type')) ?? '';
  const hasAuthorizer = field(found, 'x-amazon-apigateway-authorizer') !== undefined;
  const authorizer = textOf(field(found, 'x-amazon-apigateway-authtype')) ?? (hasAuthorizer ? 'authorizer' : undefined);
  if (type === 'http') {
    const format = textOf(field(found, 'bearerFormat'));
    return unchecked(`http ${textOf(field(found, 'scheme')) ?? '?'}${format ? `, ${format.slice(0, 20)}` : ''}`);
  }
  if (type !== 'apiKey') return unchecked(`${type || 'without a type'}${scopeText}`);
  const place = textOf(field(found, 'in'));
  const keyName = (textOf(field(found, 'name')) ?? '').trim();
  // A field of another scheme, which OpenAPI has no better word for.
  if (authorizer !== undefined) return unchecked(`${authorizer} in ${place} ${keyName}`);
  const inHeader = place === 'header' && isToken(keyName) && !NOT_FOR_KEYS.has(keyName.toLowerCase());
  // gw would read `${` as the beginning of a reference.
  const inQuery = place === 'query' && keyName !== '' && !keyName.includes('${');
  if (!inHeader && !inQuery) return unchecked(`apiKey in ${place ?? '?'} ${keyName || 'without a name'}`);
  const key = { in: inHeader ? 'header' : 'query', name: keyName } as const;
  return { name, label: `${shown} (apiKey in ${key.in} ${keyName})`, key };
}
