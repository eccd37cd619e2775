/** Shared by the compiler's tests: models from text, and an IR as the input of one pass. */
import type { Dfa } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import type { Ir, PolicyIR, RouteIR } from '../../src/compiler/ir.js';
import { loadSpec } from '../../src/spec/index.js';
import type { Model } from '../../src/spec/model.js';
import { DFAS, matchIR, type RouteText } from '../bundle/kit.js';
import { programWith, routePlan } from '../support/programs.js';

export const BASE = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003"]
`;

/** The model of a spec that must have no errors. */
export function modelOf(text: string): Model {
  const { value, diagnostics } = loadSpec({ path: '/nowhere/gateway.toml', text });
  const error = diagnostics.find(({ severity }) => severity === 'error');
  if (error !== undefined || value === undefined) throw new Error(`${error?.code}: ${error?.message}`);
  return value;
}

export const compiled = (text: string) => compile(modelOf(text));

export function policyIR(use: string, name: string, overrides: Partial<PolicyIR> = {}): PolicyIR {
  return {
    use,
    name,
    phase: 'transform',
    first: false,
    replyPhase: undefined,
    settings: { edits: 1 },
    stateKey: undefined,
    config: { edits: 1 },
    origins: () => ({}),
    calls: [],
    duty: undefined,
    body: undefined,
    members: [],
    mergeable: true,
    when: undefined,
    ...overrides,
  };
}

export function routeIR(
  route: RouteText | string,
  index: number,
  more: { readonly policies?: readonly PolicyIR[] } = {},
): RouteIR {
  const { host, ...rest } = matchIR(route, index);
  const match = { ...rest, hosts: host === undefined ? [] : [host] };
  const entry = routePlan(`r${index}`, {
    match: typeof route === 'string' ? route : route.match,
    source: { from: 'spec', file: 'gateway.toml', line: index + 1 },
  });
  return { match, entry, policies: more.policies ?? [] };
}

export function irOf(
  routes: readonly RouteIR[],
  dfas: readonly Dfa[] = DFAS,
  program: Partial<Ir['program']> = {},
): Ir {
  const { policies: _policies, routes: _routes, ...nothing } = programWith();
  return { routes, signers: [], dfas, program: { ...nothing, ...program } };
}

export const names = (ir: Ir): string[] => ir.routes.map((route) => route.entry.name);
