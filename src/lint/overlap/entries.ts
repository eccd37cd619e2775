/** Routes in groups: only routes of one group can have equal precedence. */
import type { Dfa } from '../../bundle/types.js';
import type { ListenerModel, Model, RouteModel } from '../../spec/model.js';

/** A route under one of its hosts. */
export interface Entry {
  readonly route: RouteModel;
  /** '' for any. */
  readonly host: string;
  /** The automaton of each typed segment. Entries of one group with equal keys have equal paths. */
  readonly typedKey: string;
  readonly typed: readonly Dfa[];
  /** All listeners that serve it. */
  readonly listeners: readonly ListenerModel[];
  /** Number of conditions on header fields and the scheme. */
  readonly headers: number;
  readonly queries: number;
}

const UNTYPED: readonly Dfa[] = [];
const ANY_HOST = [''];

/** Groups routes by host and by the literal or kind of each segment. Precedence can be equal only within a group. */
export function groupsOf(model: Model): Map<string, Entry[]> {
  const groups = new Map<string, Entry[]>();
  const automata = new Automata();
  for (const route of [...model.routes, ...model.policyRoutes]) {
    let key = '';
    let typedKey = '';
    let typed = UNTYPED;
    for (const segment of route.match.segments) {
      switch (segment.kind) {
        case 'literal':
          key += `/${segment.text}`;
          break;
        case 'typed': {
          key += '/{typed';
          typed = [...typed, segment.dfa];
          typedKey += `${automata.idOf(segment.dfa)},`;
          break;
        }
        default:
          key += `/{${segment.kind}`;
      }
    }
    const conditions = route.match.conditions;
    let headers = 0;
    for (const condition of conditions) if (condition.on !== 'query') headers++;
    const queries = conditions.length - headers;
    const listeners = route.listeners.length === 0 ? model.listeners : route.listeners;
    for (const host of route.match.hosts.length === 0 ? ANY_HOST : route.match.hosts) {
      const entry: Entry = { route, host, typedKey, typed, listeners, headers, queries };
      const group = groups.get(host + key);
      if (group) group.push(entry);
      else groups.set(host + key, [entry]);
    }
  }
  return groups;
}

/** Numbers automata by what they accept: minimal automata are equal if their tables are. */
class Automata {
  readonly #byDfa = new Map<Dfa, number>();
  readonly #byTable = new Map<string, number>();

  idOf(dfa: Dfa): number {
    let id = this.#byDfa.get(dfa);
    if (id === undefined) {
      const table = `${dfa.classes.join()} ${dfa.next.join()} ${dfa.accepts.join()}`;
      id = this.#byTable.get(table) ?? this.#byTable.size;
      this.#byTable.set(table, id);
      this.#byDfa.set(dfa, id);
    }
    return id;
  }
}
