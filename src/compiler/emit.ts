/** IR -> bundle. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../bundle/canonical.js';
import { sealBundle } from '../bundle/encode.js';
import { buildTrie } from '../bundle/trie/trie.js';
import {
  BUNDLE_FORMAT,
  type Bundle,
  type CodeEntry,
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
    policies.carry(route.entry.action.use, route.code);
    const answers = route.answers && policies.index(route.answers);
    // The entry already has the key, so a copy keeps the order of keys: see lower/index.ts.
    const entry = { ...route.entry, policies: indices };
    routes.push(answers === undefined ? entry : { ...entry, answers });
    const { hosts, ...match } = route.match;
    for (const host of hosts.length === 0 ? ANY_HOST : hosts) matches.push({ route: index, host, ...match });
  }
  for (const signer of ir.signers) policies.index(signer);
  const { code, texts } = policies;
  const program: Program = {
    ...(code.length === 0 ? {} : { code: code.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1)) }),
    ...ir.program,
    policies: policies.entries,
    routes,
  };
  const built = buildTrie({ matches, dfas: ir.dfas, trailingSlash: program.normalize.trailingSlash });
  const trie = shared ? toShared(built) : built;
  const content = { program, trie, ...(texts.size === 0 ? {} : { code: texts }) };
  const { sha256, programBytes } = sealBundle(content);
  return { bundle: { format: BUNDLE_FORMAT, sha256, ...content }, programBytes };
}

const ANY_HOST = [undefined];

/** Policies in the order of their first use on a route, then those of services. */
class PolicyTable {
  readonly entries: PolicyEntry[] = [];
  /** The code of custom policies and actions, each once. */
  readonly code: CodeEntry[] = [];
  readonly texts = new Map<string, string>();
  readonly #indices = new Map<PolicyIR, number>();

  carry(use: string, code: PolicyIR['code']): void {
    if (code === undefined || this.texts.has(code.sha256)) return;
    this.texts.set(code.sha256, code.text);
    this.code.push({ bytes: Buffer.byteLength(code.text), sha256: code.sha256, use });
  }

  index(policy: PolicyIR): number {
    const known = this.#indices.get(policy);
    if (known !== undefined) return known;
    const { body, calls, code, config, duty, name, phase, replyPhase, settings = null, stateKey, use, when } = policy;
    const members = policy.members.map((member) => this.index(member));
    const composed = members.map((index) => this.entries[index]!.identity);
    const called = calls.length === 0 ? {} : { calls };
    const origins = policy.origins();
    const state = [use, name, settings, ...(calls.length === 0 ? [] : [calls]), ...composed];
    const run = code === undefined ? state : [...state, code.sha256];
    const identity = digest(
      when === undefined ? run : [...run, when.code, (when.patterns ?? []).map(({ source }) => source)],
    );
    // A changed condition, or changed code, keeps the state: counts go on.
    const unchanged = run === state && when === undefined ? undefined : digest(state);
    const stateIdentity = stateKey === undefined ? unchanged : digest([use, name, 'state', stateKey]);
    this.#indices.set(policy, this.entries.length);
    this.carry(use, code);
    const custom = given('code', code?.sha256);
    const before = { ...given('body', body), ...called, ...custom, config, ...given('duty', duty), identity };
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
