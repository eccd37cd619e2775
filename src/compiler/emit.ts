/** IR -> bundle. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../bundle/canonical.js';
import { sealBundle } from '../bundle/encode.js';
import { buildTrie } from '../bundle/trie/trie.js';
import {
  BUNDLE_FORMAT,
  type Bundle,
  type Json,
  type MatchIR,
  type PolicyEntry,
  type Program,
  type RouteEntry,
} from '../bundle/types.js';
import { given, type Ir, type PolicyIR } from './ir.js';

export interface Emitted {
  readonly bundle: Bundle;
  readonly programBytes: number;
}

/** @param shared puts the trie into a SharedArrayBuffer, for worker threads. */
export function emit(ir: Ir, shared: boolean): Emitted {
  const policies = new PolicyTable();
  const routes: RouteEntry[] = [];
  const matches: MatchIR[] = [];
  for (const [index, route] of ir.routes.entries()) {
    const indices = route.policies.map((policy) => policies.index(policy));
    // The entry already has the key, so a copy keeps the order of keys: see lower/index.ts.
    routes.push({ ...route.entry, policies: indices });
    const { hosts, ...match } = route.match;
    for (const host of hosts.length === 0 ? ANY_HOST : hosts) matches.push({ route: index, host, ...match });
  }
  const program: Program = { ...ir.program, policies: policies.entries, routes };
  const built = buildTrie({ matches, dfas: ir.dfas, trailingSlash: program.normalize.trailingSlash });
  const trie = shared ? toShared(built) : built;
  const { sha256, programBytes } = sealBundle(program, trie);
  return { bundle: { format: BUNDLE_FORMAT, sha256, program, trie }, programBytes };
}

const ANY_HOST = [undefined];

/** Policies in the order of their first use on a route. */
class PolicyTable {
  readonly entries: PolicyEntry[] = [];
  readonly #indices = new Map<PolicyIR, number>();

  index(policy: PolicyIR): number {
    const known = this.#indices.get(policy);
    if (known !== undefined) return known;
    const { body, calls, config, duty, name, phase, replyPhase, settings = null, stateKey, use, when } = policy;
    const members = policy.members.map((member) => this.index(member));
    const composed = members.map((index) => this.entries[index]!.identity);
    const called = calls.length === 0 ? {} : { calls };
    const origins = policy.origins();
    const state = [use, name, settings, ...(calls.length === 0 ? [] : [calls]), ...composed];
    const identity =
      when === undefined
        ? digest(state)
        : digest([...state, when.code, (when.patterns ?? []).map(({ source }) => source)]);
    // A changed condition keeps the state: counts go on.
    const unconditional = when === undefined ? undefined : digest(state);
    const stateIdentity = stateKey === undefined ? unconditional : digest([use, name, 'state', stateKey]);
    this.#indices.set(policy, this.entries.length);
    const before = { ...given('body', body), ...called, config, ...given('duty', duty), identity };
    const parts = { ...before, ...(members.length === 0 ? {} : { members }), name, origins, phase };
    const rest = { settings, ...given('stateIdentity', stateIdentity), use, ...given('when', when) };
    return this.entries.push({ ...parts, ...given('replyPhase', replyPhase), ...rest }) - 1;
  }
}

const digest = (facts: Json): string => createHash('sha256').update(canonicalJson(facts)).digest('hex').slice(0, 32);

function toShared(buffer: ArrayBuffer): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(buffer.byteLength);
  new Uint8Array(shared).set(new Uint8Array(buffer));
  return shared;
}
