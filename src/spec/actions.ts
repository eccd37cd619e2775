/** The keys of a route that hold its action, and the one that is set. */
import { declarations } from '../actions/registry.js';
import type { ActionDeclaration } from '../policies/contract.js';
import { type Fields, Schema } from '../schema/declare.js';
import type { Decoder } from '../schema/decoder.js';
import type { Diagnostic } from '../schema/diagnostic.js';
import { type Decoded, INVALID, type JsonSchema, wrongKind } from '../schema/schema.js';
import type { TableNode, TomlNode } from '../schema/tree.js';
import { type Kinds, readKind, without } from './kinds.js';
import type { ActionModel } from './model.js';
import type { CustomResolver } from './uses.js';

/** Holds an action of any kind: `action = { use = "KIND", ... }`. */
const ANY_KIND = 'action';

const KINDS: Kinds<ActionDeclaration> = {
  word: 'action',
  unknown: 'action/unknown-kind',
  declarations,
  custom: (place, kinds, report) => kinds.action(place, report),
};

const keyOf = ({ key, use }: ActionDeclaration): string => key ?? use;

/** Every key of a route that holds an action. */
export const ACTION_KEYS: readonly string[] = [...declarations.map(keyOf), ANY_KIND];

const formOf = ({ schema, shorthand }: ActionDeclaration): Schema<unknown> => shorthand ?? schema;

/** Decodes to its node, because its schema depends on its `use`. */
class ActionSchema extends Schema<TomlNode> {
  readonly expected = 'a table with `use`';
  decode(node: TomlNode, decoder: Decoder): Decoded<TomlNode> {
    return node.kind === 'table' ? node : wrongKind(this, node, decoder, 'Write `action = { use = "KIND", ... }`.');
  }
  jsonSchema(): JsonSchema {
    return { $ref: '#/$defs/action' };
  }
}

/** The fields of a route for its action. */
export const actionFields: Fields = {
  ...Object.fromEntries(declarations.map((declaration) => [keyOf(declaration), formOf(declaration).optional()])),
  [ANY_KIND]: new ActionSchema()
    .describe('Action of any kind, as a table with `use` and the keys of that kind.', { use: 'reply', status: 204 })
    .optional(),
};

/**
 * The action of a route, whose fields `decoder` has decoded to `values`. Reports to the decoder unless exactly one is
 * written; undefined if there is an error. `valid`: the route has no error yet.
 */
export function readAction(
  node: TableNode,
  values: { readonly [key: string]: unknown },
  valid: boolean,
  entity: string,
  decoder: Decoder,
  custom: CustomResolver | undefined,
  report: (diagnostic: Diagnostic) => void,
): ActionModel | undefined {
  const written = ACTION_KEYS.filter((key) => node.entries.has(key));
  const [key] = written;
  if (key === undefined || (valid && written.length > 1)) {
    reportNumber(node, written, decoder);
    return undefined;
  }
  const value = values[key];
  if (value === undefined || written.length > 1) return undefined;
  if (key !== ANY_KIND) {
    const declaration = declarations.find((known) => keyOf(known) === key);
    return declaration && { declaration, config: value, key };
  }
  const entry = node.entries.get(key);
  if (entry?.value.kind !== 'table') return undefined;
  const table = entry.value;
  const declaration = readKind(table, KINDS, entity, custom, report);
  if (!declaration) return undefined;
  const config = decoder.within(key, table, entry.keySpan, () =>
    declaration.schema.decode(without(table, 'use'), decoder),
  );
  return config === INVALID ? undefined : { declaration, config, key };
}

function reportNumber(node: TableNode, written: readonly string[], decoder: Decoder): void {
  const quoted = (keys: readonly string[]): string => keys.map((key) => `\`${key}\``).join(', ');
  const meaning = declarations.map((declaration) => `\`${keyOf(declaration)}\` ${lowerFirst(declaration.summary)}`);
  const second = written[1] === undefined ? undefined : node.entries.get(written[1]);
  if (second === undefined) {
    decoder.error('schema/one-of', node.headSpan ?? node.span, 'The route has no action.', {
      help: `Set one of ${quoted(ACTION_KEYS)}: ${meaning.join('; ')}.`,
    });
    return;
  }
  decoder.error('schema/one-of', second.keySpan, `A route has one action, but this one has ${quoted(written)}.`, {
    help: `Keep one of them: ${meaning.join('; ')}.`,
  });
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
