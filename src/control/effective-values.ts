/** The effective values of a policy, as a spec writes them, with their origins. */
import type { Json, PolicyEntry, SourceRef } from '../bundle/types.js';
import type { Decision } from '../policies/contract.js';
import { declarationOf } from '../policies/registry.js';
import { ObjectSchema, type Schema, UnitSchema, unwrapped } from '../schema/declare.js';
import { formatRate } from '../schema/units.js';

export interface ExplainedValue {
  /** Dotted path into the config. */
  readonly key: string;
  /** As in a spec; references stay unresolved. */
  readonly value: Json;
  readonly source: SourceRef;
  /** The consumer's plan that overrides it, with its value; null: the plan's limit has no such value. */
  readonly plan?: { readonly name: string; readonly value: Json };
}

/** The values with those of the consumer's plan, from the policy's decision. */
export function withPlan(values: readonly ExplainedValue[], details: Decision['details']): readonly ExplainedValue[] {
  const plan = details?.['plan'];
  const instead = details?.['instead'];
  if (typeof plan !== 'string' || instead === undefined || !isTable(instead)) return values;
  return values.map((value): ExplainedValue => {
    const bought = instead[value.key];
    return bought === undefined ? value : { ...value, plan: { name: plan, value: rateText(bought) ?? bought } };
  });
}

/** The leaves of a policy's effective config, each with its origin. */
export function valuesOf({ config, origins, use }: PolicyEntry): ExplainedValue[] {
  const values: ExplainedValue[] = [];
  const visit = (value: Json, path: string, inherited: SourceRef, schema: Schema<unknown> | undefined): void => {
    const source = origins[path] ?? inherited;
    const written = unitText(value, schema) ?? rateText(value);
    if (written !== undefined) values.push({ key: path, value: written, source });
    else if (isTable(value) && !('$ref' in value)) {
      for (const [key, item] of Object.entries(value))
        visit(item, path === '' ? key : `${path}.${key}`, source, fieldOf(schema, key));
    } else values.push({ key: path, value: isTable(value) ? (value['$ref'] ?? null) : value, source });
  };
  visit(config, '', { from: 'default' }, declarationOf(use)?.schema);
  return values;
}

const fieldOf = (schema: Schema<unknown> | undefined, key: string): Schema<unknown> | undefined => {
  const table = schema && unwrapped(schema);
  return table instanceof ObjectSchema ? (table.fields as { readonly [key: string]: Schema<unknown> })[key] : undefined;
};

/** A duration, a size or a rate. The units of a custom policy are not known here: its numbers are milliseconds and bytes. */
function unitText(value: Json, schema: Schema<unknown> | undefined): Json | undefined {
  const unit = schema && unwrapped(schema);
  return unit instanceof UnitSchema && value !== null ? unit.written(value) : undefined;
}

const isTable = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function rateText(value: Json): string | undefined {
  if (!isTable(value)) return undefined;
  const { capacity, periodMs, ...rest } = value;
  if (typeof capacity !== 'number' || typeof periodMs !== 'number' || Object.keys(rest).length > 0) return undefined;
  return formatRate({ capacity, periodMs });
}
