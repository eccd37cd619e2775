/** The body of a request to the API: templates rendered into JSON. */
import type { Claims, Exchange, Json, TemplateEntry } from '../contract.js';
import { Template } from '../run-kit.js';
import type { AuthzenSettings, FactsEntry, MembersEntry, ValueEntry } from './schema.js';

type Render = (exchange: Exchange) => Json;
type RenderMembers = (exchange: Exchange) => { readonly [name: string]: Json };

const KEYS = ['subject', 'action', 'resource', 'context'] as const;
type Key = (typeof KEYS)[number];
type Facts = { readonly [key in Key]?: RenderMembers };
type Rendered = { readonly [key in Key]?: { readonly [name: string]: Json } };

/** What must not be empty, by object. */
const REQUIRED: readonly (readonly [Key, readonly string[]])[] = [
  ['subject', ['type', 'id']],
  ['action', ['name']],
  ['resource', ['type', 'id']],
];

export interface Question {
  readonly body: string;
  /** What is missing: `subject.id`. Then nothing is asked. */
  readonly lacks: string | undefined;
}

export class Questions {
  readonly #facts: Facts;
  readonly #checks: readonly Facts[];
  readonly #semantic: string;

  constructor({ facts, checks, permit }: AuthzenSettings) {
    this.#facts = factsOf(facts);
    this.#checks = checks.map((check) => factsOf(check.facts));
    this.#semantic = permit === 'all' ? 'deny_on_first_deny' : 'permit_on_first_permit';
  }

  of(exchange: Exchange): Question {
    const common = rendered(this.#facts, exchange);
    if (this.#checks.length === 0) return { body: JSON.stringify(common), lacks: lackIn(common) };
    const evaluations = this.#checks.map((check) => rendered(check, exchange));
    const lacks = evaluations.map((each) => lackIn({ ...common, ...each })).find((each) => each !== undefined);
    const options = { evaluations_semantic: this.#semantic };
    return { body: JSON.stringify({ ...common, evaluations, options }), lacks };
  }
}

function lackIn(facts: Rendered): string | undefined {
  for (const [key, names] of REQUIRED)
    for (const name of names) if ((facts[key]?.[name] ?? '') === '') return `${key}.${name}`;
  return undefined;
}

function rendered(facts: Facts, exchange: Exchange): Rendered {
  const all: { [key in Key]?: { readonly [name: string]: Json } } = {};
  for (const key of KEYS) {
    const render = facts[key];
    if (render !== undefined) all[key] = render(exchange);
  }
  return all;
}

function factsOf(entry: FactsEntry): Facts {
  const facts: { [key in Key]?: RenderMembers } = {};
  for (const key of KEYS) {
    const members = entry[key];
    if (members !== undefined) facts[key] = membersOf(members);
  }
  return facts;
}

function membersOf(entry: MembersEntry): RenderMembers {
  const members = entry.map(([name, value]): readonly [string, Render] => [
    name,
    typeof value === 'object' && 'of' in value ? membersOf(value.of) : renderOf(value, name),
  ]);
  return (exchange) => Object.fromEntries(members.map(([name, render]) => [name, render(exchange)]));
}

/** A template that is nothing but a claim has its type: a list of roles stays a list. Identifiers and names are texts. */
function renderOf(entry: ValueEntry, name: string): Render {
  if (typeof entry === 'boolean' || typeof entry === 'number') return () => entry;
  const template = new Template(entry);
  const claim = ['id', 'type', 'name'].includes(name) ? undefined : onlyClaim(entry);
  if (claim === undefined) return (exchange) => template.render(exchange);
  return ({ claims }) => claimAt(claims, claim) ?? null;
}

function onlyClaim(entry: TemplateEntry): string | undefined {
  const [part, ...more] = entry;
  if (part === undefined || typeof part === 'string' || more.length > 0) return undefined;
  return part.var.startsWith('claims.') ? part.var.slice('claims.'.length) : undefined;
}

/** The claim of that name, or the member of a claim at that path, as in templates. */
function claimAt(claims: Claims | undefined, name: string): Json | undefined {
  if (claims === undefined) return undefined;
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: Json | undefined = claims;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Claims)[step];
  }
  return value;
}
