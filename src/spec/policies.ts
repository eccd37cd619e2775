/** Policies under `[policy.NAME]`, and lists of policies on routes and groups. */
import { languageWith } from '../expression/check.js';
import type { PolicyDeclaration } from '../policies/contract.js';
import { declarations } from '../policies/registry.js';
import { ObjectSchema } from '../schema/compounds.js';
import { Decoder } from '../schema/decoder.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { INVALID } from '../schema/schema.js';
import { kindName, type TableEntry, type TableNode, type TomlNode } from '../schema/tree.js';
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

const isReserved = (name: string): boolean =>
  declarations.some(({ use, reserved }) => use === name && reserved === true);

/** Reports a policy whose name belongs to another kind. Returns whether it has one. */
export function reportReservedName({ key, keySpan, value }: TableEntry, report: Report): boolean {
  const use = value.kind === 'table' ? value.entries.get('use')?.value : undefined;
  if (!isReserved(key) || use === undefined || (use.kind === 'string' && use.value === key)) return false;
  const message = `The name \`${key}\` is reserved for a policy of the kind \`${key}\`.`;
  const help = `Choose another name: \`policies = ["${key}"]\` applies the ${key} of the consumer.`;
  report({ code: 'policy/reserved-name', severity: 'error', span: keySpan, message, help, entity: `policy.${key}` });
  return true;
}

/** The policy that a list names by a reserved kind, without a `[policy.NAME]`: it has the defaults of its kind. */
function reservedPolicy(
  name: string,
  span: Span,
  policies: DeclaredNames<PolicyModel>,
  sources: Sources,
  report: Report,
): PolicyModel | undefined {
  if (!isReserved(name) || policies.isKnown(name)) return undefined;
  const use: TomlNode = { kind: 'string', value: name, span, from: 'default' };
  const entries = new Map([['use', { key: 'use', keySpan: span, value: use }]]);
  const node: TableNode = { kind: 'table', entries, span, headSpan: span, from: 'default' };
  const place = { name, nameSpan: span, inPlace: false, entity: `policy.${name}` };
  const policy = readPolicy(node, place, sources, report);
  policies.add(name, policy);
  return policy;
}

/** What lists of policies are resolved with. */
export interface PolicyNames {
  readonly policies: DeclaredNames<PolicyModel>;
  /** Makes the names of policies in place unique: two with the same name and config would share their counts. */
  readonly inPlace: GeneratedNames;
  readonly sources: Sources;
}

/**
 * The kind has a key `when`, as `allow` has for its rule. A condition of the policy by that name would skip the policy, and so let pass
 * what no rule allows.
 */
const hasOwnWhen = ({ schema }: { readonly schema: unknown }): boolean =>
  schema instanceof ObjectSchema && Object.hasOwn(schema.fields as object, 'when');

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
  const own = hasOwnWhen(declaration);
  const config = declaration.schema.decode(own ? without(node, 'use') : without(node, 'use', 'when'), decoder);
  const condition = own ? undefined : node.entries.get('when');
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
    const policy = policies.get(item.value) ?? reservedPolicy(item.value, item.span, policies, sources, report);
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
