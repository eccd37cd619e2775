/** Policies under `[policy.NAME]`, and lists of policies on routes and groups. */
import type { PolicyDeclaration } from '../policies/contract.js';
import { declarationOf, declarations } from '../policies/registry.js';
import { Decoder } from '../schema/decoder.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { INVALID } from '../schema/schema.js';
import { suggest } from '../schema/suggest.js';
import { kindName, type TableNode, type TomlNode } from '../schema/tree.js';
import type { PolicyModel, PolicyUse } from './model.js';
import { type DeclaredNames, type GeneratedNames, unresolved } from './names.js';

type Report = (diagnostic: Diagnostic) => void;

export interface PolicyPlace {
  readonly name: string;
  readonly nameSpan: Span;
  readonly inPlace: boolean;
  /** Entity in diagnostics: `policy.keys`, `route.get-order`. */
  readonly entity: string;
}

/** Reads a policy. Reports all errors; undefined if there are any. */
export function readPolicy(node: TableNode, place: PolicyPlace, report: Report): PolicyModel | undefined {
  const declaration = readKind(node, place, report);
  if (!declaration) return undefined;
  const entries = new Map(node.entries);
  entries.delete('use');
  const decoder = new Decoder(node, place.nameSpan);
  const config = declaration.schema.decode({ ...node, entries }, decoder);
  for (const diagnostic of decoder.diagnostics) report({ ...diagnostic, entity: place.entity });
  if (config === INVALID) return undefined;
  const { name, nameSpan, inPlace } = place;
  return { name, nameSpan, span: node.span, config, at: decoder, declaration, inPlace };
}

function readKind(node: TableNode, place: PolicyPlace, report: Report): PolicyDeclaration | undefined {
  const use = node.entries.get('use')?.value;
  const { entity } = place;
  const kinds = declarations.map((declaration) => declaration.use);
  const help = `Known kinds: ${kinds.map((kind) => `\`${kind}\``).join(', ')}.`;
  if (!use) {
    const message = 'Missing key `use`: it sets the kind of the policy.';
    report({ code: 'schema/missing', severity: 'error', span: node.headSpan ?? node.span, message, help, entity });
    return undefined;
  }
  if (use.kind !== 'string') {
    const message = `Expected a policy kind, found ${kindName(use)}.`;
    report({ code: 'schema/type', severity: 'error', span: use.span, message, help, entity });
    return undefined;
  }
  const declaration = declarationOf(use.value);
  if (declaration) return declaration;
  const near = suggest(use.value, kinds);
  report({
    code: 'policy/unknown-kind',
    severity: 'error',
    span: use.span,
    message: `Unknown policy kind \`${use.value}\`.`,
    help: near === undefined ? help : `Did you mean \`${near}\`?`,
    ...(near === undefined
      ? {}
      : {
          fix: {
            title: `Write \`${near}\``,
            applicability: 'safe',
            edits: [{ span: use.span, text: JSON.stringify(near) }],
          },
        }),
    entity,
  });
  return undefined;
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
