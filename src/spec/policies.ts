/** Policies under `[policy.NAME]`, and lists of policies on routes and groups. */
import { languageWith } from '../expression/check.js';
import type { PolicyDeclaration } from '../policies/contract.js';
import { declarations } from '../policies/registry.js';
import { Decoder } from '../schema/decoder.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { INVALID } from '../schema/schema.js';
import { kindName, type TableNode, type TomlNode } from '../schema/tree.js';
import { type Kinds, readKind, without } from './kinds.js';
import type { ExpressionModel, PolicyModel, PolicyUse } from './model.js';
import { type DeclaredNames, type GeneratedNames, unresolved } from './names.js';
import type { Sources } from './source.js';
import { readWhen } from './when.js';

type Report = (diagnostic: Diagnostic) => void;

const KINDS: Kinds<PolicyDeclaration> = {
  word: 'policy',
  unknown: 'policy/unknown-kind',
  declarations,
  custom: (place, kinds, report) => kinds.policy(place, report),
};

export interface PolicyPlace {
  readonly name: string;
  readonly nameSpan: Span;
  readonly inPlace: boolean;
  /** Entity in diagnostics: `policy.keys`, `route.get-order`. */
  readonly entity: string;
}

/** What lists of policies are resolved with. */
export interface PolicyNames {
  readonly policies: DeclaredNames<PolicyModel>;
  /** Makes the names of policies in place unique: two with the same name and config would share their counts. */
  readonly inPlace: GeneratedNames;
  readonly sources: Sources;
}

/** Reads a policy. Reports all errors; undefined if there are any. */
export function readPolicy(
  node: TableNode,
  place: PolicyPlace,
  sources: Sources,
  report: Report,
): PolicyModel | undefined {
  const declaration = readKind(node, KINDS, place.entity, sources.custom, report);
  if (!declaration) return undefined;
  const language = languageWith((span, text, start, end) => sources.valueSpan(span, text, start, end));
  const decoder = new Decoder(node, place.nameSpan, language);
  const config = declaration.schema.decode(without(node, 'use', 'when'), decoder);
  const condition = node.entries.get('when');
  const onReply = config !== INVALID && declaration.replyOnly?.(config) === true;
  // Of a config with errors it is not known whether it has effect on requests.
  const when = readWhen(condition, sources, onReply || config === INVALID, decoder);
  for (const diagnostic of decoder.diagnostics) report({ ...diagnostic, entity: place.entity });
  if (config === INVALID || (condition !== undefined && when === undefined)) return undefined;
  const { name, nameSpan, inPlace } = place;
  const phase = declaration.phaseOf?.(config) ?? declaration.phase;
  const expressions = decoder.expressions.map((decoded): ExpressionModel => {
    const { path, span, expression } = decoded;
    const { source } = expression.entry;
    return { path, span, expression, spanOf: (start, end) => sources.valueSpan(span, source, start, end) };
  });
  return { name, nameSpan, span: node.span, config, at: decoder, declaration, phase, inPlace, when, expressions };
}

/**
 * Reads the list `policies` of a route, a group or `[defaults]`. `owner` is the first part of the names of policies written
 * in place.
 */
export function readPolicyList(
  list: TomlNode | undefined,
  owner: string,
  entity: string,
  from: PolicyUse['from'],
  names: PolicyNames,
  report: Report,
): PolicyUse[] {
  if (!list) return [];
  // A wrong type was reported with the enclosing table.
  if (list.kind !== 'array') return [];
  const uses: PolicyUse[] = [];
  for (const item of list.items) {
    const policy = readItem(item, owner, entity, names, report);
    if (policy) uses.push({ policy, span: item.span, from });
  }
  return uses;
}

function readItem(
  item: TomlNode,
  owner: string,
  entity: string,
  { policies, inPlace, sources }: PolicyNames,
  report: Report,
): PolicyModel | undefined {
  if (item.kind === 'string') {
    const policy = policies.get(item.value);
    if (!policy && !policies.isKnown(item.value)) {
      report({ ...unresolved('policy', item.value, item.span, policies), entity });
    }
    return policy;
  }
  if (item.kind === 'table') {
    const use = item.entries.get('use')?.value;
    const name = inPlace.make(`${owner}/${use?.kind === 'string' ? use.value : ''}`);
    return readPolicy(item, { name, nameSpan: use?.span ?? item.span, inPlace: true, entity }, sources, report);
  }
  const message = `Expected a policy name or a table with \`use\`, found ${kindName(item)}.`;
  const help = 'Write `"NAME"` to use `[policy.NAME]`, or `{ use = "KIND", ... }`.';
  report({ code: 'schema/type', severity: 'error', span: item.span, message, help, entity });
  return undefined;
}
