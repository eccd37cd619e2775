/** What the compiler's tests share: models from text, an IR to hand to one pass. */
import type { Dfa, ReplyPlan, RoutePlan } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import type { Ir, PolicyIR, RouteIR } from '../../src/compiler/ir.js';
import { loadSpec } from '../../src/spec/index.js';
import type { Model } from '../../src/spec/model.js';
import { DFAS, matchIR, type RouteText } from '../bundle/kit.js';

export const BASE = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003"]
`;

/** The model of a spec that must hold no errors. */
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
    plan: { edits: 1 },
    config: { edits: 1 },
    origins: () => ({}),
    mergeable: true,
    ...overrides,
  };
}

export function routeIR(
  route: RouteText | string,
  index: number,
  more: { readonly policies?: readonly PolicyIR[]; readonly reply?: ReplyPlan } = {},
): RouteIR {
  const match = matchIR(route, index);
  const plan: RoutePlan = {
    match: typeof route === 'string' ? route : route.match,
    name: `r${index}`,
    params: [],
    policies: [],
    ...(more.reply === undefined ? {} : { reply: more.reply }),
    service: more.reply === undefined ? 0 : -1,
    source: { from: 'spec', file: 'gateway.toml', line: index + 1 },
    timeout: 0,
  };
  return { match, plan, policies: more.policies ?? [] };
}

export function irOf(
  routes: readonly RouteIR[],
  dfas: readonly Dfa[] = DFAS,
  program: Partial<Ir['program']> = {},
): Ir {
  return {
    routes,
    dfas,
    program: {
      normalize: { encodedSlashes: 'refuse', doubleSlashes: 'merge', trailingSlash: 'strict', dotSegments: 'resolve' },
      admin: {},
      accessLog: { format: 'json' },
      listeners: [],
      services: [],
      consumers: [],
      plans: [],
      overload: { shedAbove: 0.85, shrinkAbove: 0.92 },
      drainTimeout: 0,
      drainDelay: 0,
      workers: 1,
      provenance: { files: [], origins: {} },
      ...program,
    },
  };
}

export const names = (ir: Ir): string[] => ir.routes.map((route) => route.plan.name);
