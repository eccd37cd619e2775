/** Resolves the services that policies and actions call: by name, or by a URL that becomes an implicit service. */
import type { CallTarget } from '../policies/contract.js';
import { callUrlProblem, parseCallUrl } from '../schema/call-url.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import type { TableEntry, TomlNode } from '../schema/tree.js';
import type { PolicyModel, RouteModel, ServiceModel } from './model.js';
import { type DeclaredNames, unresolved } from './names.js';

type Report = (diagnostic: Diagnostic) => void;

/** A policy or an action. */
export interface Caller {
  /** Its model: the key of what it calls. */
  readonly of: object;
  /** For diagnostics: `policy.keys`, `route.list-orders`. */
  readonly entity: string;
  readonly config: unknown;
  readonly declaration: { calls?(config: unknown): readonly CallTarget[] };
  /** Span of a part of the config. */
  spanOf(...path: CallTarget['at']): Span;
}

/** The policies and actions of a spec, without those that call nothing. */
export function callersOf(policies: readonly PolicyModel[], routes: readonly RouteModel[]): Caller[] {
  const inPlace = routes.flatMap((route) => route.policies.map(({ policy }) => policy).filter((one) => one.inPlace));
  const all = [...policies, ...inPlace].map(
    (policy): Caller => ({
      of: policy,
      entity: `policy.${policy.name}`,
      config: policy.config,
      declaration: policy.declaration,
      spanOf: (...path) => policy.at.spanOf(...path),
    }),
  );
  const actions = routes.map(
    ({ name, action, at }): Caller => ({
      of: action,
      entity: `route.${name}`,
      config: action.config,
      declaration: action.declaration,
      spanOf: (...path) => at.spanOf(action.key, ...path),
    }),
  );
  return [...all, ...actions].filter(({ declaration }) => declaration.calls !== undefined);
}

export interface ResolvedCalls {
  readonly byCaller: ReadonlyMap<object, readonly ServiceModel[]>;
  /** In the order of their first call. */
  readonly implicit: readonly ServiceModel[];
}

/** `read` decodes a service like one that the spec declares, with the defaults of services. */
export function resolveCalls(
  callers: Iterable<Caller>,
  services: DeclaredNames<ServiceModel>,
  read: (entry: TableEntry) => ServiceModel | undefined,
  report: Report,
): ResolvedCalls {
  const byCaller = new Map<object, readonly ServiceModel[]>();
  const implicit = new Map<string, ServiceModel>();
  for (const caller of callers) {
    if (byCaller.has(caller.of)) continue;
    const called = new Set<ServiceModel>();
    for (const target of caller.declaration.calls?.(caller.config) ?? []) {
      const found = resolve(caller, target, services, implicit, read, report);
      if (found !== undefined) called.add(found);
    }
    if (called.size > 0) byCaller.set(caller.of, [...called]);
  }
  return { byCaller, implicit: [...implicit.values()] };
}

function resolve(
  caller: Caller,
  { at, service, url }: CallTarget,
  services: DeclaredNames<ServiceModel>,
  implicit: Map<string, ServiceModel>,
  read: (entry: TableEntry) => ServiceModel | undefined,
  report: Report,
): ServiceModel | undefined {
  const span = caller.spanOf(...at);
  const { entity } = caller;
  if (service !== undefined) {
    const found = services.get(service);
    if (found === undefined && !services.isKnown(service))
      report({ ...unresolved('service', service, span, services), entity });
    return found;
  }
  if (url === undefined) return undefined;
  const parsed = parseCallUrl(url);
  if (parsed === undefined) {
    const { message = '', help } = callUrlProblem(url) ?? {};
    report({
      code: 'schema/format',
      severity: 'error',
      span,
      message,
      entity,
      ...(help === undefined ? {} : { help }),
    });
    return undefined;
  }
  const { origin } = parsed;
  const known = implicit.get(origin);
  if (known !== undefined) return known;
  const made = read(implicitService(origin, span));
  if (made !== undefined) implicit.set(origin, { ...made, implicit: true });
  return implicit.get(origin);
}

/**
 * A service as if the spec declared it, located at the URL. Its requests name the target as their host. It has no policies, also not
 * those of the defaults: credentials of gw go to services that the spec names, and fetching one needs no other one.
 */
function implicitService(origin: string, span: Span): TableEntry {
  const base = { span, from: 'spec' as const };
  const entry = (key: string, value: TomlNode): [string, TableEntry] => [key, { key, keySpan: span, value }];
  const entries = new Map([
    entry('targets', { ...base, kind: 'array', items: [{ ...base, kind: 'string', value: origin }] }),
    entry('host', { ...base, kind: 'string', value: 'target' }),
    entry('policies', { ...base, kind: 'array', items: [] }),
  ]);
  return { key: origin, keySpan: span, value: { ...base, kind: 'table', entries } };
}
