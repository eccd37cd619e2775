/** `[defaults]` of services and listeners. */
import { EitherSchema, type Fields, ObjectSchema, type Schema, s, WithAbsent, Wrapper } from '../schema/declare.js';
import { Decoder } from '../schema/decoder.js';
import { INVALID } from '../schema/schema.js';
import type { TableEntry, TableNode } from '../schema/tree.js';
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
 * tables merge key by key. An incomplete default table (`tls` without certificate) applies only to entities that have the
 * table themselves.
 */
export function withDefaults(table: TableNode, defaults: ReadonlyMap<string, TableEntry>): TableNode {
  if (defaults.size === 0) return table;
  const entries = new Map(table.entries);
  for (const [key, fallback] of defaults) {
    const own = entries.get(key);
    if (own === undefined) {
      if (isWhole(key, fallback)) entries.set(key, fallback);
    } else if (own.value.kind === 'table' && fallback.value.kind === 'table') {
      entries.set(key, { ...own, value: withDefaults(own.value, fallback.value.entries) });
    }
  }
  return { ...table, entries };
}

function isWhole(key: string, { value }: TableEntry): boolean {
  if (key !== 'tls' || value.kind !== 'table') return true;
  return value.entries.has('acme') || (value.entries.has('cert') && value.entries.has('key'));
}
