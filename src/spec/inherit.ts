/** What a route gets from `[defaults]` and from the groups around it, and what it gives up of that. */
import { Decoder, type Origin } from '../schema/decoder.js';
import type { Diagnostic } from '../schema/diagnostic.js';
import type { TableNode, TomlNode } from '../schema/tree.js';
import type { ListenerModel, PolicyModel, PolicyUse, SegmentModel } from './model.js';
import { type DeclaredNames, type GeneratedNames, unresolved } from './names.js';
import { readPolicyList } from './policies.js';
import { defaultsShape } from './shapes.js';

/** What surrounds a route. */
export interface Surroundings {
  readonly prefix: readonly SegmentModel[];
  readonly prefixText: string;
  readonly hosts: readonly string[];
  /** None: every listener. */
  readonly listeners: readonly ListenerModel[];
  /** Where the hosts, the listeners and the innermost prefix stand. */
  readonly origins: { readonly host?: Origin; readonly prefix?: Origin; readonly listeners?: Origin };
  readonly policies: readonly PolicyUse[];
  /** Policies that a group took away. */
  readonly without: readonly PolicyModel[];
  readonly groups: readonly string[];
  /** False within a group that has errors: its routes are read for theirs, but not kept. */
  readonly sound: boolean;
}

export interface Known {
  readonly policies: DeclaredNames<PolicyModel>;
  readonly listeners: DeclaredNames<ListenerModel>;
  /** Names of policies in place. */
  readonly inPlace: GeneratedNames;
}

/** What `[defaults]` gives to every route. */
export function fromDefaults(tree: TableNode, known: Known, report: (found: Diagnostic) => void): Surroundings {
  const node = tree.entries.get('defaults')?.value;
  const outside: Surroundings = {
    prefix: [],
    prefixText: '',
    hosts: [],
    listeners: [],
    origins: {},
    policies: [],
    without: [],
    groups: [],
    sound: true,
  };
  if (node?.kind !== 'table') return outside;
  // Its keys were judged with the settings; here its names are looked up.
  const decoder = new Decoder(node, node.headSpan);
  const { values } = defaultsShape.decodePartial(node, decoder);
  decoder.diagnostics.length = 0;
  const list = node.entries.get('policies')?.value;
  const policies = readPolicyList(list, 'defaults', 'defaults', 'defaults', known.policies, known.inPlace, report);
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

/** Whether every item of a list of policies was right. */
export const isComplete = (list: TomlNode | undefined, uses: readonly PolicyUse[]): boolean =>
  list?.kind !== 'array' || uses.length === list.items.length;

/** The listeners that a list names, each once; none where there is no list; undefined when a name is wrong. */
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

/** What is left of inherited policies, and which ones `without` takes away. */
export function takeAway(
  names: readonly string[],
  { policies, sound }: Surroundings,
  known: Known,
  decoder: Decoder,
): { readonly kept: readonly PolicyUse[]; readonly removed: readonly PolicyModel[] } {
  if (names.length === 0) return { kept: policies, removed: [] };
  const inherited = new Set(policies.map(({ policy }) => policy.name));
  const unwanted = new Set(names);
  for (const [index, name] of names.entries()) {
    // Within something that has errors it is not known what would be inherited.
    if (!inherited.has(name) && sound) reportNotInherited(name, index, inherited, known, decoder);
  }
  const removed = new Set(policies.flatMap(({ policy }) => (unwanted.has(policy.name) ? policy : [])));
  return { kept: policies.filter(({ policy }) => !removed.has(policy)), removed: [...removed] };
}

/** Names that a help lists at most. */
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
    message: `\`${name}\` comes neither from \`[defaults]\` nor from a group around, so there is nothing to take away.`,
    help: all === '' ? 'Nothing is inherited here: remove the entry.' : `Remove the entry; inherited here: ${all}.`,
  });
}
