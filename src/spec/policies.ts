/** Policies under `[policy.NAME]`, and lists of policies on routes and groups. */
import { declarations } from '../policies/registry.js';
import { Decoder } from '../schema/decoder.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { INVALID } from '../schema/schema.js';
import { kindName, type TableNode, type TomlNode } from '../schema/tree.js';
import { readKind, withoutUse } from './kinds.js';
import type { PolicyModel, PolicyUse } from './model.js';
import { type DeclaredNames, type GeneratedNames, unresolved } from './names.js';

type Report = (diagnostic: Diagnostic) => void;

const KINDS = { word: 'policy', unknown: 'policy/unknown-kind', declarations };

export interface PolicyPlace {
  readonly name: string;
  readonly nameSpan: Span;
  readonly inPlace: boolean;
  /** Entity in diagnostics: `policy.keys`, `route.get-order`. */
  readonly entity: string;
}

/** Reads a policy. Reports all errors; undefined if there are any. */
export function readPolicy(node: TableNode, place: PolicyPlace, report: Report): PolicyModel | undefined {
  const declaration = readKind(node, KINDS, place.entity, report);
  if (!declaration) return undefined;
  const decoder = new Decoder(node, place.nameSpan);
  const config = declaration.schema.decode(withoutUse(node), decoder);
  for (const diagnostic of decoder.diagnostics) report({ ...diagnostic, entity: place.entity });
  if (config === INVALID) return undefined;
  const { name, nameSpan, inPlace } = place;
  return { name, nameSpan, span: node.span, config, at: decoder, declaration, inPlace };
}

/**
 * Reads the list `policies` of a route, a group or `[defaults]`. `owner` is the first part of the names of policies written
 * in place. `made` makes these names unique: two policies with the same name and config would share their counts.
 */
export function readPolicyList(
  list: TomlNode | undefined,
  owner: string,
  entity: string,
  from: PolicyUse['from'],
  names: DeclaredNames<PolicyModel>,
  made: GeneratedNames,
  report: Report,
): PolicyUse[] {
  if (!list) return [];
  // A wrong type was reported with the enclosing table.
  if (list.kind !== 'array') return [];
  const uses: PolicyUse[] = [];
  for (const item of list.items) {
    const policy = readItem(item, owner, entity, names, made, report);
    if (policy) uses.push({ policy, span: item.span, from });
  }
  return uses;
}

function readItem(
  item: TomlNode,
  owner: string,
  entity: string,
  names: DeclaredNames<PolicyModel>,
  made: GeneratedNames,
  report: Report,
): PolicyModel | undefined {
  if (item.kind === 'string') {
    const policy = names.get(item.value);
    if (!policy && !names.isKnown(item.value)) {
      report({ ...unresolved('policy', item.value, item.span, names), entity });
    }
    return policy;
  }
  if (item.kind === 'table') {
    const use = item.entries.get('use')?.value;
    const name = made.make(`${owner}/${use?.kind === 'string' ? use.value : ''}`);
    return readPolicy(item, { name, nameSpan: use?.span ?? item.span, inPlace: true, entity }, report);
  }
  const message = `Expected a policy name or a table with \`use\`, found ${kindName(item)}.`;
  const help = 'Write `"NAME"` to use `[policy.NAME]`, or `{ use = "KIND", ... }`.';
  report({ code: 'schema/type', severity: 'error', span: item.span, message, help, entity });
  return undefined;
}
