/** What a request would meet, and why: the data plane's own match and chain, run offline. Plain JSON. */
import type { MatchTrace } from '../bundle/match/match.js';
import { listReferences, resolveReferences } from '../bundle/references.js';
import type { Bundle, Json, Phase, PolicyEntry, Program, RefString, RouteEntry, SourceRef } from '../bundle/types.js';
import type { Clock, Decision } from '../policies/contract.js';
import { OfflinePlane, type OfflineRequest, type OfflineResult } from '../proxy/offline.js';
import { messageOf } from '../reason.js';
import type { Reference } from '../reference-syntax.js';
import { formatRate } from '../schema/units.js';
import { systemClock } from '../state/clock.js';
import { LimitTable } from '../state/limits/table.js';
import type { DecisionRecord } from '../telemetry/snapshot.js';

export type ExplainRequest = OfflineRequest;

export const EXPLANATION_VERSION = 1;

export interface Explanation {
  readonly version: typeof EXPLANATION_VERSION;
  readonly request: {
    readonly method: string;
    readonly url: string;
    /** Normalised; null where the request cannot even be read. */
    readonly path: string | null;
  };
  /**
   * `target`: a target would be asked. `reply`: the route or a policy answers. `refused`: gw refuses it before or
   * without a route (malformed, no route, wrong method).
   */
  readonly outcome: 'target' | 'reply' | 'refused';
  /** One sentence. */
  readonly summary: string;
  /** Why gw refuses it, where there is more to say than the summary. */
  readonly cause: string | null;
  /** References of the route and the consumers that have no value here: what they stand for is not known. */
  readonly unresolved: readonly string[];
  readonly route: ExplainedRoute | null;
  /** What decided among the routes, and what the request has for each segment. */
  readonly match: {
    readonly decidedBy: string;
    readonly why: string;
    readonly host: string | null;
    readonly segments: readonly { readonly kind: string; readonly pattern: string; readonly text: string }[];
  } | null;
  /** Best first: routes that came near, and why they lost. */
  readonly nearMisses: readonly {
    /** Null where it stands for no single route. */
    readonly route: string | null;
    readonly match: string | null;
    readonly pattern: string;
    readonly host: string | null;
    readonly reason: string;
    readonly why: string;
    readonly source: SourceRef | null;
  }[];
  readonly params: { readonly [name: string]: string };
  readonly consumer: string | null;
  /** The route's chain in the order it runs. */
  readonly policies: readonly ExplainedPolicy[];
  /** Every step in the order it was decided, match and balance included. */
  readonly decisions: readonly DecisionRecord[];
  readonly service: ExplainedService | null;
  /** gw's own answer; null where the target's reply would decide. */
  readonly reply: {
    readonly status: number;
    readonly code: string | null;
    readonly headers: readonly (readonly [name: string, value: string])[];
    readonly body: string;
  } | null;
}

export interface ExplainedRoute {
  readonly name: string;
  readonly match: string;
  readonly source: SourceRef;
  /** Milliseconds; 0: none. */
  readonly timeout: number;
}

export interface ExplainedValue {
  /** Dotted path into the config. */
  readonly key: string;
  /** As people write it; references stay unresolved. */
  readonly value: Json;
  readonly source: SourceRef;
  /** The consumer's plan that counts instead, and its value; null: the plan's limit knows no such value. */
  readonly plan?: { readonly name: string; readonly value: Json };
}

export interface ExplainedPolicy {
  readonly name: string;
  readonly use: string;
  readonly phase: Phase;
  /** False: an earlier step answered. */
  readonly ran: boolean;
  readonly values: readonly ExplainedValue[];
  readonly decisions: readonly DecisionRecord[];
}

export interface ExplainedService {
  readonly name: string;
  readonly targets: readonly { readonly url: string; readonly weight: number }[];
  /** Command of a managed service: its target has an address only while it runs. */
  readonly run: string | null;
  /** The target whose turn it is; null where none would be asked, or a managed one runs nowhere. */
  readonly chosen: string | null;
  /** Lines of the request head as the target would see them. */
  readonly head: readonly string[] | null;
}

export interface ExplainOptions {
  readonly clock?: Clock;
  /** Where `${env:}` looks; a variable that is missing is left as it is written. */
  readonly env?: { readonly [name: string]: string | undefined };
}

/** Stands in for a target whose address is not known here; `.invalid` never resolves (RFC 2606). */
const UNKNOWN_TARGET = 'http://unresolved.invalid';

/** The bundle cannot run here: a reference has a value that its place cannot hold, or the bundle is of another gw. */
export class UnexplainableError extends Error {}

/**
 * Explains requests against one bundle. Limits are counted in a table of its own: explaining uses up nobody's, and each
 * explanation starts from a full limit.
 */
export class Explainer {
  readonly #program: Program;
  readonly #resolved: Program;
  readonly #unresolved: ReadonlySet<string>;
  readonly #bundle: Pick<Bundle, 'sha256' | 'trie'>;
  readonly #clock: Clock;
  #plane: OfflinePlane | undefined;

  constructor(bundle: Pick<Bundle, 'program' | 'trie' | 'sha256'>, options: ExplainOptions = {}) {
    this.#program = bundle.program;
    const { program, unresolved } = offlineProgram(bundle.program, options.env ?? process.env);
    this.#resolved = program;
    this.#unresolved = unresolved;
    this.#bundle = bundle;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * What would happen to the request. Rejects with UnexplainableError where the bundle cannot run here, and for nothing
   * that a request can hold.
   */
  async explain(request: ExplainRequest): Promise<Explanation> {
    const plane = this.#open();
    try {
      return this.#tell(request, await plane.run(request));
    } finally {
      plane.close();
    }
  }

  /**
   * The bare outcome of many requests after one another, on one table of limits: as one client after another would meet
   * them.
   */
  run(request: ExplainRequest): Promise<OfflineResult> {
    this.#plane ??= this.#open();
    return this.#plane.run(request);
  }

  close(): void {
    this.#plane?.close();
    this.#plane = undefined;
  }

  #open(): OfflinePlane {
    const { sha256, trie } = this.#bundle;
    const buffer = trie instanceof SharedArrayBuffer || trie instanceof ArrayBuffer ? trie : new ArrayBuffer(0);
    const program = this.#resolved;
    const none = { chunks: [], routes: [], unmatched: 0, targets: [], listeners: [] };
    const limits = new LimitTable(LimitTable.allocate({ slots: LIMIT_SLOTS }));
    try {
      return new OfflinePlane({ id: 1, sha256, program, trie: buffer, stats: none }, { clock: this.#clock, limits });
    } catch (error) {
      // What a reference brought: everything else was judged when the spec was compiled.
      throw new UnexplainableError(messageOf(error));
    }
  }

  #tell(request: ExplainRequest, result: OfflineResult): Explanation {
    const { trace, decisions, params, consumer, path } = result;
    const route = result.route === null ? undefined : this.#program.routes[result.route];
    const told = decisions.map(({ step, use, outcome, why }): DecisionRecord => ({ step, use, outcome, why }));
    const outcome = route === undefined ? 'refused' : result.status === null ? 'target' : 'reply';
    return {
      version: EXPLANATION_VERSION,
      request: { method: request.method, url: request.url, path },
      outcome,
      summary: summaryOf(outcome, route, result),
      cause: result.cause,
      unresolved: this.#unresolvedOn(route),
      route: route ? { name: route.name, match: route.match, source: route.source, timeout: route.timeout } : null,
      match: trace ? matchOf(trace, result) : null,
      nearMisses: (trace?.nearMisses ?? []).map((near) => {
        const lost = this.#program.routes[near.route];
        const { pattern, reason, message } = near;
        const facts = { route: lost?.name ?? null, match: lost?.match ?? null, source: lost?.source ?? null };
        return { ...facts, pattern, host: near.host ?? null, reason, why: message };
      }),
      params,
      consumer,
      policies: route ? this.#policies(route, result, told) : [],
      decisions: told,
      service: route ? this.#service(route, result) : null,
      reply:
        result.status === null
          ? null
          : {
              status: result.status,
              code: result.error,
              headers: result.reply?.headers ?? [],
              body: result.reply?.body ?? '',
            },
    };
  }

  /** References without a value here that the route's service or policies, or the consumers, hold. */
  #unresolvedOn(route: RouteEntry | undefined): string[] {
    const { consumers, policies, services } = this.#program;
    const near = route
      ? [services[route.service]?.targets ?? [], ...route.policies.map((at) => policies[at]?.settings)]
      : [];
    const texts = listReferences([...near, ...(route?.policies.length ? consumers : [])]).map(({ text }) => text);
    return texts.filter((text) => this.#unresolved.has(text)).sort();
  }

  #policies(route: RouteEntry, result: OfflineResult, told: readonly DecisionRecord[]): ExplainedPolicy[] {
    // A policy that answers ends the way in; those behind it never ran.
    const answered = result.decisions.find(
      ({ outcome, step }) => (outcome === 'answer' || outcome === 'error') && step !== 'match',
    );
    let ran = true;
    return route.policies.flatMap((index): ExplainedPolicy[] => {
      const policy = this.#program.policies[index];
      if (!policy) return [];
      const { name, use, phase } = policy;
      const decisions = told.filter(({ step }) => step === name);
      const values = withPlan(valuesOf(policy), result.decisions.find(({ step }) => step === name)?.details);
      const explained = { name, use, phase, ran, values, decisions };
      if (answered?.step === name) ran = false;
      return [explained];
    });
  }

  #service(route: RouteEntry, result: OfflineResult): ExplainedService | null {
    const service = this.#program.services[route.service];
    if (!service) return null;
    const index = this.#resolved.services[route.service]?.targets.findIndex(({ url }) => url === result.target) ?? -1;
    const chosen = service.targets[index];
    return {
      name: service.name,
      targets: service.targets.map(({ url, weight }) => ({ url: written(url), weight })),
      run: service.run?.command ?? null,
      chosen: chosen ? written(chosen.url) : null,
      head: result.head,
    };
  }
}

/** What decided. A CORS preflight goes to the route of another request, which the trace of its own match does not name. */
function matchOf(trace: MatchTrace, { route, decisions }: OfflineResult): Explanation['match'] {
  const { decidedBy, host, segments } = trace;
  if (route === null || route === trace.route) return { decidedBy, why: trace.why, host: host ?? null, segments };
  const why = decisions.find(({ step }) => step === 'match')?.why ?? trace.why;
  return { decidedBy: 'preflight', why, host: null, segments: [] };
}

/** Explains one request; see Explainer for many. */
export function explain(
  bundle: Pick<Bundle, 'program' | 'trie' | 'sha256'>,
  request: ExplainRequest,
  options: ExplainOptions = {},
): Promise<Explanation> {
  return new Explainer(bundle, options).explain(request);
}

/** Room for the keys of a few thousand explained requests. */
const LIMIT_SLOTS = 4096;

function summaryOf(outcome: Explanation['outcome'], route: RouteEntry | undefined, result: OfflineResult): string {
  const status = `${result.status}${result.error === null ? '' : ` ${result.error}`}`;
  if (outcome === 'refused' || !route) return `gw refuses it: ${status}`;
  if (outcome === 'reply') return `route ${route.name} answers ${status}`;
  const target = result.target === null || result.target.startsWith(UNKNOWN_TARGET) ? '' : ` at ${result.target}`;
  return `route ${route.name} sends it to ${result.service ?? 'nowhere'}${target}`;
}

/**
 * The program as it can run here, and the references without a value. Those stay as written; no target is left without an
 * address, and no consumer has a key that is not known.
 */
function offlineProgram(
  program: Program,
  env: { readonly [name: string]: string | undefined },
): { program: Program; unresolved: ReadonlySet<string> } {
  const unresolved = new Set<string>();
  const resolve = ({ kind, name, fallback, text }: Reference): string => {
    const value = kind === 'env' ? env[name] : undefined;
    const known = (value === '' ? (fallback ?? value) : value) ?? (kind === 'env' ? fallback : undefined);
    if (known === undefined) unresolved.add(text);
    return known ?? text;
  };
  const whole = resolveReferences(program, resolve);
  const services = whole.services.map((service) => ({
    ...service,
    targets: service.targets.map(({ url, weight }) => ({
      url: URL.canParse(written(url)) ? url : UNKNOWN_TARGET,
      weight,
    })),
  }));
  const consumers = whole.consumers.map((consumer) => ({
    ...consumer,
    apiKeys: consumer.apiKeys.filter((key) => !written(key).includes('${')),
  }));
  return { program: { ...whole, services, consumers }, unresolved };
}

/** The values, with those that count instead by the consumer's plan, as the policy told in its decision. */
function withPlan(values: readonly ExplainedValue[], details: Decision['details']): readonly ExplainedValue[] {
  const plan = details?.['plan'];
  const instead = details?.['instead'];
  if (typeof plan !== 'string' || instead === undefined || !isTable(instead)) return values;
  return values.map((value): ExplainedValue => {
    const bought = instead[value.key];
    return bought === undefined ? value : { ...value, plan: { name: plan, value: rateText(bought) ?? bought } };
  });
}

const written = (value: RefString): string => (typeof value === 'string' ? value : value.$ref);

/** The leaves of a policy's effective config, each with where it came from. */
function valuesOf({ config, origins }: PolicyEntry): ExplainedValue[] {
  const values: ExplainedValue[] = [];
  const visit = (value: Json, path: string, inherited: SourceRef): void => {
    const source = origins[path] ?? inherited;
    const rate = rateText(value);
    if (rate !== undefined) values.push({ key: path, value: rate, source });
    else if (isTable(value) && !('$ref' in value)) {
      for (const [key, item] of Object.entries(value)) visit(item, path === '' ? key : `${path}.${key}`, source);
    } else values.push({ key: path, value: isTable(value) ? (value['$ref'] ?? null) : value, source });
  };
  visit(config, '', { from: 'default' });
  return values;
}

const isTable = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function rateText(value: Json): string | undefined {
  if (!isTable(value)) return undefined;
  const { capacity, periodMs, ...rest } = value;
  if (typeof capacity !== 'number' || typeof periodMs !== 'number' || Object.keys(rest).length > 0) return undefined;
  return formatRate({ capacity, periodMs });
}
