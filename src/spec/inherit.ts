/** What a route inherits from `[defaults]` and enclosing groups, and what it removes with `without`. */
import { Decoder, type Origin } from '../schema/decoder.js';
import type { Diagnostic } from '../schema/diagnostic.js';
import type { TableNode, TomlNode } from '../schema/tree.js';
import type { ConditionModel, ListenerModel, PolicyModel, PolicyUse, SegmentModel } from './model.js';
import { type DeclaredNames, unresolved } from './names.js';
import { type PolicyNames, readPolicyList } from './policies.js';
import { defaultsShape } from './shapes.js';

/** What a route inherits. */
export interface Surroundings {
  readonly prefix: readonly SegmentModel[];
  readonly prefixText: string;
  readonly hosts: readonly string[];
  /** The condition on the scheme. */
  readonly scheme: ConditionModel | undefined;
  /** Empty: every listener. */
  readonly listeners: readonly ListenerModel[];
  /** Origins of the hosts, the scheme, the listeners and the innermost prefix. */
  readonly origins: {
    readonly host?: Origin;
    readonly scheme?: Origin;
    readonly prefix?: Origin;
    readonly listeners?: Origin;
  };
  readonly policies: readonly PolicyUse[];
  /** Policies that a group removed. */
  readonly without: readonly PolicyModel[];
  readonly groups: readonly string[];
  readonly tags: readonly string[];
  /** False in a group with errors: its routes are checked but not kept. */
  readonly sound: boolean;
}

export interface Known extends PolicyNames {
  readonly listeners: DeclaredNames<ListenerModel>;
}

/** What every route inherits from `[defaults]`. */
export function fromDefaults(tree: TableNode, known: Known, report: (found: Diagnostic) => void): Surroundings {
  const node = tree.entries.get('defaults')?.value;
  const outside: Surroundings = {
    prefix: [],
    prefixText: '',
    hosts: [],
    scheme: undefined,
    listeners: [],
    origins: {},
    policies: [],
    without: [],
    groups: [],
    tags: [],
    sound: true,
  };
  if (node?.kind !== 'table') return outside;
  // Keys were checked with the settings; only names are resolved here.
  const decoder = new Decoder(node, node.headSpan);
  const { values } = defaultsShape.decodePartial(node, decoder);
  decoder.diagnostics.length = 0;
  const list = node.entries.get('policies')?.value;
  const policies = readPolicyList(list, 'defaults', 'defaults', 'defaults', known, report);
  const listeners = readListeners(values.listeners, known, decoder);
  for (const diagnostic of decoder.diagnostics) report({ ...diagnostic, entity: 'defaults' });
  return {
    ...outside,
    listeners: listeners ?? [],
    origins: values.listeners === undefined ? {} : { listeners: decoder.originOf('listeners') },
    policies,
    sound: listeners !== undefined && isComplete(list, policies),
  };
}

/** Whether every item of a list of policies was valid. */
export const isComplete = (list: TomlNode | undefined, uses: readonly PolicyUse[]): boolean =>
  list?.kind !== 'array' || uses.length === list.items.length;

/** The listeners of a list, each once; empty without a list; undefined if a name is unknown. */
export function readListeners(
  names: readonly string[] | undefined,
  { listeners }: Known,
  decoder: Decoder,
): readonly ListenerModel[] | undefined {
  const found = new Set<ListenerModel>();
  let complete = true;
  for (const [index, name] of (names ?? []).entries()) {
    const listener = listeners.get(name);
    if (listener) found.add(listener);
    else complete = false;
    if (!listener && !listeners.isKnown(name)) {
      decoder.diagnostics.push(unresolved('listener', name, decoder.spanOf('listeners', index), listeners));
    }
  }
  return complete ? [...found] : undefined;
}

/** Splits inherited policies into those kept and those removed by `without`. */
export function applyWithout(
  names: readonly string[],
  { policies, sound }: Surroundings,
  known: Known,
  decoder: Decoder,
): { readonly kept: readonly PolicyUse[]; readonly removed: readonly PolicyModel[] } {
  if (names.length === 0) return { kept: policies, removed: [] };
  const inherited = new Set(policies.map(({ policy }) => policy.name));
  const unwanted = new Set(names);
  for (const [index, name] of names.entries()) {
    // In a group with errors it is unknown what would be inherited.
    if (!inherited.has(name) && sound) reportNotInherited(name, index, inherited, known, decoder);
  }
  const removed = new Set(policies.flatMap(({ policy }) => (unwanted.has(policy.name) ? policy : [])));
  return { kept: policies.filter(({ policy }) => !removed.has(policy)), removed: [...removed] };
}

/** Maximum number of names listed in a help. */
const MOST_LISTED = 12;

function reportNotInherited(
  name: string,
  index: number,
  inherited: ReadonlySet<string>,
  { policies }: Known,
  decoder: Decoder,
): void {
  const span = decoder.spanOf('without', index);
  if (!policies.isKnown(name)) {
    const inPlace = [...inherited].filter((each) => !policies.isKnown(each)).slice(0, MOST_LISTED);
    decoder.diagnostics.push(unresolved('policy', name, span, policies, { more: inPlace }));
    return;
  }
  const listed = [...inherited].slice(0, MOST_LISTED).map((known) => `\`${known}\``);
  const all = `${listed.join(', ')}${inherited.size > MOST_LISTED ? ', ...' : ''}`;
  decoder.diagnostics.push({
    code: 'policy/not-inherited',
    severity: 'warning',
    span,
    message: `Policy \`${name}\` is not inherited here, so this entry has no effect.`,
    help: all === '' ? 'Remove the entry: no policy is inherited here.' : `Remove the entry. Inherited here: ${all}.`,
  });
}
