/** The simple forms, and links in JSON: what a path leads to is changed, and the rest stays. */
import type { Exchange, Json, Reply, TemplateEntry } from '../../contract.js';
import { compileJsonEdit, type JsonEdit, type PathStep, parsePath } from '../../kits/json-edit/index.js';
import { ALL_ITEMS, ALL_MEMBERS } from '../../kits/json-edit/path.js';
import { isLongNumber, type JsonValue } from '../../kits/json-text/index.js';
import { Template } from '../../run-kit.js';
import type { Links } from '../edits/links.js';
import type { ValueEdit } from './edits.js';

/** A value of the spec as JSON, a template, or a list or a table with templates in it. */
export type MemberSettings =
  | { readonly json: string }
  | { readonly template: readonly Json[] }
  | { readonly list: readonly MemberSettings[] }
  | { readonly table: readonly (readonly [name: string, value: MemberSettings])[] };

export type SimpleSettings = {
  /** Absent: everything. */
  readonly pick?: readonly string[];
  readonly omit?: readonly string[];
  readonly rename?: { readonly [path: string]: string };
  readonly set?: { readonly [path: string]: MemberSettings };
};

type Maker = (exchange: Exchange, reply: Reply | undefined) => JsonValue;
type Source = { readonly value: JsonValue } | { readonly make: Maker };

export class SimpleEdit implements ValueEdit {
  readonly #edit: JsonEdit<Source>;

  /** Throws for a path that is not valid. */
  constructor({ set = {}, ...spec }: SimpleSettings) {
    const sources = Object.entries(set).map(([path, member]) => [path, sourceOf(member)] as const);
    const { edit, errors } = compileJsonEdit<Source>({ ...spec, set: Object.fromEntries(sources) });
    if (edit === undefined) throw new TypeError(errors[0]?.error);
    this.#edit = edit;
  }

  apply(value: JsonValue, exchange: Exchange, reply: Reply | undefined): JsonValue {
    return this.#edit.apply(value, (source) => ('value' in source ? source.value : source.make(exchange, reply)));
  }
}

/** A text of the spec stays a text, also an empty one. */
function sourceOf(member: MemberSettings): Source {
  if ('json' in member) return { value: JSON.parse(member.json) as JsonValue };
  if ('template' in member) return templateSource(new Template(member.template as TemplateEntry));
  if ('list' in member) {
    const makers = member.list.map((item) => makerOf(sourceOf(item)));
    return { make: (exchange, reply) => makers.map((make) => make(exchange, reply)) };
  }
  const makers = member.table.map(([name, item]) => [name, makerOf(sourceOf(item))] as const);
  // fromEntries() defines members, also `__proto__`.
  return { make: (exchange, reply) => Object.fromEntries(makers.map(([name, make]) => [name, make(exchange, reply)])) };
}

const makerOf = (source: Source): Maker => ('make' in source ? source.make : () => source.value);

function templateSource(template: Template): Source {
  if (template.constant !== undefined) return { value: template.constant };
  return {
    make: (exchange, reply) => {
      // A client must not be able to supply a member for which the gateway has no value.
      const text = reply !== undefined && template.lacksCaller(exchange) ? '' : template.render(exchange, reply);
      return text === '' ? null : text;
    },
  };
}

/** Maps the URLs that paths lead to. */
export class LinkEdit implements ValueEdit {
  readonly #paths: readonly (readonly PathStep[])[];
  readonly #links: Links;

  /** Throws for a path that is not valid. */
  constructor(paths: readonly string[], links: Links) {
    this.#paths = paths.map((path) => {
      const steps = parsePath(path);
      if ('error' in steps) throw new TypeError(steps.error);
      return steps;
    });
    this.#links = links;
  }

  apply(value: JsonValue, exchange: Exchange): JsonValue {
    const place = this.#links.placeOf(exchange);
    const map = (url: string): string => this.#links.map(url, place);
    return this.#paths.reduce((changed, steps) => mapTexts(changed, steps, 0, map), value);
  }
}

/** The value with the texts at the end of the path changed; the value itself if none changes. */
export function mapTexts(
  value: JsonValue,
  steps: readonly PathStep[],
  at: number,
  map: (text: string) => string,
): JsonValue {
  if (at === steps.length) return typeof value === 'string' ? map(value) : value;
  const step = steps[at]!;
  const below = (child: JsonValue): JsonValue => mapTexts(child, steps, at + 1, map);
  if (Array.isArray(value)) {
    const items = value as readonly JsonValue[];
    if (step === ALL_ITEMS) return changedList(items, items.map(below));
    const index = typeof step === 'number' ? (step < 0 ? items.length + step : step) : -1;
    if (index < 0 || index >= items.length) return value;
    return changedList(
      items,
      items.map((item, each) => (each === index ? below(item) : item)),
    );
  }
  if (typeof value !== 'object' || value === null || isLongNumber(value)) return value;
  const entries = Object.entries(value as { readonly [key: string]: JsonValue });
  const changed = entries.map(([key, child]) => {
    return [key, step === ALL_MEMBERS || step === key ? below(child) : child] as const;
  });
  if (changed.every(([, child], index) => child === entries[index]![1])) return value;
  // Also for `__proto__`: fromEntries() defines members, and assigns none.
  return Object.fromEntries(changed);
}

const changedList = (items: readonly JsonValue[], changed: readonly JsonValue[]): JsonValue =>
  changed.every((item, index) => item === items[index]) ? items : changed;
