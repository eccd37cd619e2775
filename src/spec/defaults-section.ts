/** `[defaults]` of services and listeners. */
import { EitherSchema, type Fields, ObjectSchema, type Schema, s, WithAbsent, Wrapper } from '../schema/declare.js';
import { Decoder } from '../schema/decoder.js';
import { INVALID } from '../schema/schema.js';
import type { TableEntry, TableNode, TomlNode } from '../schema/tree.js';
import { listener } from './listener.js';
import { service } from './service/index.js';

/** Makes every key optional and without a default, so that only written values are inherited. */
function optionalFields(schema: ObjectSchema<Fields>, except: readonly string[]): Schema<unknown> {
  const fields = Object.entries(schema.fields).filter(([key]) => !except.includes(key));
  return s.object(Object.fromEntries(fields.map(([key, field]) => [key, optionalField(field)])));
}

function optionalField(field: Schema<unknown>): Schema<unknown> {
  let inner = field;
  while (inner instanceof WithAbsent) inner = inner.inner;
  let core = inner;
  while (core instanceof Wrapper) core = core.inner;
  return optionalCore(core, inner)
    .describe(field.doc, ...field.examples)
    .optional();
}

/** A table, or a table as one of several forms, has only optional keys; another value is as it was. */
function optionalCore(core: Schema<unknown>, otherwise: Schema<unknown>): Schema<unknown> {
  if (core instanceof ObjectSchema) return optionalFields(core, []);
  if (!(core instanceof EitherSchema)) return otherwise;
  const forms = core.forms.map(({ kinds, schema }) => ({ kinds, schema: unwrapped(schema) }));
  if (!forms.some(({ schema }) => schema instanceof ObjectSchema)) return otherwise;
  return s.either<unknown>(
    ...forms.map(({ kinds, schema }, index) => ({
      kinds,
      schema: schema instanceof ObjectSchema ? optionalFields(schema, []) : core.forms[index]!.schema,
    })),
  );
}

function unwrapped(schema: Schema<unknown>): Schema<unknown> {
  let core = schema;
  while (core instanceof Wrapper) core = core.inner;
  return core;
}

/** Keys that identify an entity have no default: addresses and targets. */
const SCHEMAS = {
  service: optionalFields(service, ['targets', 'run', 'discover']),
  listener: optionalFields(listener, ['address']),
} as const;

export type DefaultedSection = keyof typeof SCHEMAS;

export const serviceDefaults = SCHEMAS.service;
export const listenerDefaults = SCHEMAS.listener;

const NONE: ReadonlyMap<string, TableEntry> = new Map();

/** The valid entries of `[defaults.SECTION]`; invalid ones were reported with the settings. */
export function defaultsOf(tree: TableNode, section: DefaultedSection): ReadonlyMap<string, TableEntry> {
  const all = tree.entries.get('defaults')?.value;
  const table = all?.kind === 'table' ? all.entries.get(section)?.value : undefined;
  if (table?.kind !== 'table') return NONE;
  return new Map(
    [...table.entries].filter(([key, entry]) => {
      const alone: TableNode = { ...table, entries: new Map([[key, entry]]) };
      return SCHEMAS[section].decode(alone, new Decoder(alone)) !== INVALID;
    }),
  );
}

/**
 * Adds defaults to the table of an entity. The nodes are those of `[defaults]`, so every value keeps its origin. Nested
 * tables merge key by key. An incomplete default `tls` of listeners (without certificate) applies only to listeners that
 * have one themselves: it must not turn the others into TLS listeners.
 */
export function withDefaults(
  table: TableNode,
  defaults: ReadonlyMap<string, TableEntry>,
  section: DefaultedSection,
): TableNode {
  if (defaults.size === 0) return table;
  const entries = new Map(table.entries);
  for (const [key, fallback] of defaults) {
    const own = entries.get(key);
    const isTls = section === 'listener' && key === 'tls';
    if (own !== undefined) entries.set(key, merged(own, fallback, section));
    else if (!isTls || hasCertificate(fallback.value)) entries.set(key, fallback);
  }
  return { ...table, entries };
}

function hasCertificate(tls: TomlNode): boolean {
  if (tls.kind !== 'table') return true;
  const { entries } = tls;
  return entries.has('acme') || entries.has('hosts') || (entries.has('cert') && entries.has('key'));
}

/** The value of an entity with the keys of a default table that it lacks. */
function merged(own: TableEntry, fallback: TableEntry, section: DefaultedSection): TableEntry {
  if (own.value.kind !== 'table' && fallback.value.kind !== 'table') return own;
  const value = longForm(own, section);
  const other = longForm(fallback, section);
  if (value.kind !== 'table' || other.kind !== 'table') return own;
  const isTls = section === 'listener' && own.key === 'tls';
  const defaults = isTls ? withoutOtherSource(other.entries, value.entries) : other.entries;
  return { ...own, value: withDefaults(value, defaults, section) };
}

/** A listener that says where its certificate comes from does not inherit another source of it. */
function withoutOtherSource(defaults: TableNode['entries'], own: TableNode['entries']): TableNode['entries'] {
  const acme = own.get('acme')?.value;
  const isAcme = acme?.kind === 'boolean' && acme.value;
  const other = isAcme ? ['cert', 'key'] : own.has('cert') || own.has('key') ? ['acme'] : [];
  return new Map([...defaults].filter(([key]) => !other.includes(key)));
}

/** `tls = "acme"` of a listener and `hedge = "p95"` as the tables that they stand for, so that no default beside them is lost. */
function longForm({ key, keySpan, value }: TableEntry, section: DefaultedSection): TomlNode {
  if (value.kind !== 'string') return value;
  const table = (name: string, node: TomlNode): TableNode => ({
    kind: 'table',
    span: value.span,
    from: value.from,
    entries: new Map([[name, { key: name, keySpan, value: node }]]),
  });
  if (section === 'service' && key === 'hedge') return table('after', value);
  if (section !== 'listener' || key !== 'tls' || value.value !== 'acme') return value;
  return table('acme', { kind: 'boolean', value: true, span: value.span, from: value.from });
}
