/** Decodes the tables of entities. A section that was decoded before is not decoded again, wherever it is now. */
import { INVALID, type Schema } from '../schema/declare.js';
import { Decoder, type Origins } from '../schema/decoder.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import type { TableEntry } from '../schema/tree.js';
import type { CredentialModel } from './credentials.js';
import type { ConsumerModel, Entity, PlanModel } from './model.js';
import { rootShape } from './shapes.js';
import { PlacedOrigins, placementOf, type Section } from './toml/section.js';

type Report = (diagnostic: Diagnostic) => void;

interface Decoded<Config> {
  readonly config: Config;
  readonly at: Origins;
}

/** Reports all errors; undefined if there are any. */
export function readEntity<Config>(
  schema: Schema<Config>,
  entry: TableEntry,
  entity: string,
  report: Report,
): Entity<Config> | undefined {
  const decoded = decodeEntity(schema, entry, entity, report);
  return decoded && { name: entry.key, nameSpan: entry.keySpan, span: entry.value.span, ...decoded };
}

/** The same, without the spans of the entity. */
export function decodeEntity<Config>(
  schema: Schema<Config>,
  entry: TableEntry,
  entity: string,
  report: Report,
): Decoded<Config> | undefined {
  const placement = placementOf(entry.value);
  const known = placement?.section.memo(schema, () => decodedSection(placement.section, schema));
  if (placement && known) return { config: known.config, at: new PlacedOrigins(known.at, placement.place) };
  const decoder = new Decoder(entry.value, entry.keySpan);
  const config = schema.decode(entry.value, decoder);
  for (const diagnostic of decoder.diagnostics) report({ ...strayKey(diagnostic), entity });
  return config === INVALID ? undefined : { config, at: decoder };
}

/** Positions are relative to the section. Undefined: the section has errors, and is decoded at its place to report them. */
function decodedSection<Config>({ table }: Section, schema: Schema<Config>): Decoded<Config> | undefined {
  if (!table) return undefined;
  const at = new Decoder(table.node, table.keySpan);
  const config = schema.decode(table.node, at);
  return config === INVALID || at.diagnostics.length > 0 ? undefined : { config, at };
}

/** A common mistake in TOML: a top-level key below a table header belongs to that table. */
function strayKey(diagnostic: Diagnostic): Diagnostic {
  const key = /^Unknown key `([a-z_]+)`/.exec(diagnostic.message)?.[1];
  if (diagnostic.code !== 'schema/unknown-key' || diagnostic.fix || key === undefined) return diagnostic;
  if (!Object.hasOwn(rootShape.fields, key)) return diagnostic;
  const help = `\`${key}\` is a top-level key: move it above the first \`[table]\`, because a key below a header belongs to that table.`;
  return { ...diagnostic, help };
}

/** A spec may have very many consumers: their spans are computed when they are asked for. */
export class Consumer implements ConsumerModel {
  readonly name: string;
  readonly config: ConsumerModel['config'];
  readonly at: Origins;
  readonly #entry: TableEntry;

  constructor(
    entry: TableEntry,
    { config, at }: Decoded<ConsumerModel['config']>,
    readonly plan: PlanModel | undefined,
    readonly credentials: readonly CredentialModel[],
  ) {
    this.#entry = entry;
    this.name = entry.key;
    this.config = config;
    this.at = at;
  }

  get nameSpan(): Span {
    return this.#entry.keySpan;
  }

  get span(): Span {
    return this.#entry.value.span;
  }
}
