/**
 * `security` of a document -> api-key policies.
 *
 * A scheme that gw cannot check never leaves a route open: the route asks for an API key of gw instead, in a field that no
 * scheme of the document uses, so the credentials of the document still pass on to the service.
 */
import { type Data, field, isTable, type OpenApiDocument, textOf } from './document.js';
import { wordSlug } from './names.js';
import type { NoteKind } from './notes.js';
import { type Alternative, type Scheme, Schemes } from './schemes.js';

export interface PolicyDraft {
  readonly name: string;
  readonly header: string | undefined;
  readonly query: string | undefined;
  readonly optional: boolean;
  /** Lines above the policy. */
  readonly comments: readonly string[];
}

interface GuardNote {
  readonly kind: NoteKind;
  readonly text: string;
  /** Names of the schemes that it is about. */
  readonly of: string;
}

export interface Guard {
  readonly policies: readonly PolicyDraft[];
  /** Why the route is open; undefined where it asks for a key. */
  readonly open: string | undefined;
  /** How the route differs from the document: a sentence without its subject. */
  readonly note: GuardNote | undefined;
}

export class Guards {
  readonly #schemes: Schemes;
  readonly #root: Data | undefined;
  readonly #policies = new Map<string, PolicyDraft>();
  readonly #names = new Set<string>();
  readonly #insteadField: string;
  readonly #guards = new Map<string, Guard>();

  constructor(document: OpenApiDocument) {
    this.#schemes = new Schemes(document);
    this.#root = field(document.root, 'security');
    this.#insteadField = freeField(document);
  }

  /** The guard of an operation. Its own `security` overrides that of its path, which overrides the document's. */
  of(operation: Data, item: Data): Guard {
    const written = [field(operation, 'security'), field(item, 'security'), this.#root];
    const security = written.find((each) => each !== undefined && each !== null);
    const alternatives = this.#schemes.alternatives(security);
    const key = JSON.stringify(alternatives?.map((schemes) => schemes.map(({ name, label }) => [name, label]))) ?? '';
    let guard = this.#guards.get(key);
    if (guard === undefined) {
      guard = this.#judge(alternatives);
      this.#guards.set(key, guard);
    }
    return guard;
  }

  #judge(alternatives: readonly Alternative[] | undefined): Guard {
    if (alternatives === undefined) return open('the document does not mention credentials here');
    const asking = alternatives.filter((alternative) => alternative.length > 0);
    if (asking.length === 0) return open('the document says that no credentials are needed');
    return asking.length < alternatives.length ? this.#optional(asking) : this.#required(asking);
  }

  #optional(asking: readonly Alternative[]): Guard {
    const keys = singleKeys(asking);
    // A field that other schemes use as well would be refused as a wrong key.
    const mixed = asking.length > keys.length && keys.some(({ key }) => key?.name.toLowerCase() === 'authorization');
    if (keys.length === 0 || mixed) {
      const text = `open: ${labels(asking)} is optional, and gw cannot check it.`;
      const note: GuardNote = { kind: 'optional', text, of: namesOf(asking) };
      return { ...open('the document says that credentials are optional'), note };
    }
    const policy = this.#keyPolicy(keys, true);
    return {
      policies: [policy],
      open: 'the document says that credentials are optional',
      note: this.#refused(asking, keys),
    };
  }

  #required(asking: readonly Alternative[]): Guard {
    const keys = singleKeys(asking);
    if (keys.length > 0) {
      return { policies: [this.#keyPolicy(keys, false)], open: undefined, note: this.#refused(asking, keys) };
    }
    const whole = asking.find((schemes) => schemes.every(({ key }) => key !== undefined));
    const chosen = whole ?? asking.find((schemes) => schemes.some(({ key }) => key !== undefined));
    if (chosen === undefined) return this.#instead(asking);
    const checked = chosen.filter(({ key }) => key !== undefined);
    const policies = [...new Set(checked.map((scheme) => this.#keyPolicy([scheme], false)))];
    const rest = chosen.filter((scheme) => !checked.includes(scheme));
    const others = asking.filter((schemes) => schemes !== chosen);
    if (rest.length > 0) {
      const text = `the document asks for ${labels([rest])} as well, which gw cannot check.`;
      return { policies, open: undefined, note: { kind: 'partly', text, of: namesOf([rest]) } };
    }
    return { policies, open: undefined, note: others.length > 0 ? notAccepted(others) : undefined };
  }

  /** Alternatives that the policy for `keys` does not accept. */
  #refused(asking: readonly Alternative[], keys: readonly Scheme[]): Guard['note'] {
    const used = new Set([first(keys, 'header'), first(keys, 'query')]);
    const rest = asking.filter((schemes) => !(schemes.length === 1 && schemes[0] && used.has(schemes[0])));
    const places = new Set([...used].flatMap((scheme) => (scheme ? [placeOf(scheme)] : [])));
    const others = rest.filter((schemes) => !(schemes.length === 1 && schemes[0] && places.has(placeOf(schemes[0]))));
    return others.length > 0 ? notAccepted(others) : undefined;
  }

  #keyPolicy(keys: readonly Scheme[], optional: boolean): PolicyDraft {
    const [header, query] = [first(keys, 'header'), first(keys, 'query')];
    const names = [header, query].flatMap((scheme) => (scheme ? [scheme] : []));
    const id = JSON.stringify([header?.key?.name.toLowerCase(), query?.key?.name, optional]);
    return this.#policy(id, `${wordSlug(names[0]?.name ?? '') || 'api-key'}${optional ? '-optional' : ''}`, {
      header: header?.key?.name,
      query: query?.key?.name,
      optional,
      comments: [
        `${names.map(({ label }) => label).join(' or ')}: gw checks the key and takes it off the request, so the service does not see it.`,
      ],
    });
  }

  #instead(asking: readonly Alternative[]): Guard {
    const names = [...new Set(asking.flat().map(({ name }) => name))];
    const of = namesOf(asking);
    const policy = this.#policy(
      `instead ${names.join('\n')}`,
      `instead-of-${wordSlug(names.join('-')) || 'scheme'}`.slice(0, 50),
      {
        header: this.#insteadField,
        query: undefined,
        optional: false,
        comments: [
          `gw cannot check ${of}, so these routes ask for an API key of gw in ${this.#insteadField} instead.`,
          'The credentials that the document asks for pass through to the service. If the service checks them, and no key',
          'of gw shall be needed, remove this policy from the routes.',
        ],
      },
    );
    const text = `the document asks for ${labels(asking)}, which gw cannot check; an API key in ${this.#insteadField} is asked for instead.`;
    return { policies: [policy], open: undefined, note: { kind: 'unchecked', text, of } };
  }

  #policy(id: string, wanted: string, draft: Omit<PolicyDraft, 'name'>): PolicyDraft {
    const known = this.#policies.get(id);
    if (known) return known;
    const base = wanted.replace(/-$/, '');
    let name = base;
    for (let count = 2; this.#names.has(name); count++) name = `${base}-${count}`;
    this.#names.add(name);
    const policy = { name, ...draft };
    this.#policies.set(id, policy);
    return policy;
  }
}

const open = (why: string): Guard => ({ policies: [], open: why, note: undefined });

const placeOf = ({ key, name }: Scheme): string =>
  key === undefined ? `scheme ${name}` : `${key.in} ${key.in === 'header' ? key.name.toLowerCase() : key.name}`;

/** Alternatives that are one API key each. */
const singleKeys = (asking: readonly Alternative[]): Scheme[] =>
  asking.flatMap((schemes) => (schemes.length === 1 && schemes[0]?.key ? [schemes[0]] : []));

const first = (keys: readonly Scheme[], place: 'header' | 'query'): Scheme | undefined =>
  keys.find(({ key }) => key?.in === place);

/** Schemes that a message names. */
const MOST_NAMED = 4;

function labels(asking: readonly Alternative[]): string {
  const each = new Set(asking.map((schemes) => [...new Set(schemes.map(({ label }) => label))].join(' and ')));
  return [...each].slice(0, MOST_NAMED).join(' or ') + (each.size > MOST_NAMED ? ' or others' : '');
}

const notAccepted = (others: readonly Alternative[]): Guard['note'] => ({
  kind: 'alternatives',
  text: `the document also accepts ${labels(others)}; this route does not.`,
  of: namesOf(others),
});

/** Names of schemes, for a message. */
function namesOf(asking: readonly Alternative[]): string {
  const names = [...new Set(asking.flat().map(({ name }) => `\`${name.replace(/\s+/g, ' ').slice(0, 40)}\``))];
  return names.slice(0, MOST_NAMED).join(', ') + (names.length > MOST_NAMED ? ' and others' : '');
}

/** A field for keys of gw that the document itself does not use for keys. */
function freeField(document: OpenApiDocument): string {
  const schemes = field(field(document.root, 'components'), 'securitySchemes');
  const taken = Object.values(isTable(schemes) ? schemes : {}).map((scheme) =>
    textOf(field(document.resolve(scheme), 'name'))?.toLowerCase(),
  );
  return taken.includes('x-api-key') ? 'x-gateway-key' : 'x-api-key';
}
