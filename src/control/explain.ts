/** Explains what happens to a request and why: runs the data plane's own match and chain offline. Plain JSON. */

import { isUtf8 } from 'node:buffer';
import type { MatchTrace } from '../bundle/match/match.js';
import { listReferences } from '../bundle/references.js';
import type { Bundle, InstancesEntry, Phase, Program, RouteEntry, SourceRef } from '../bundle/types.js';
import type { Clock } from '../policies/contract.js';
import {
  type Missing,
  type OfflineOptions,
  OfflinePlane,
  type OfflineRequest,
  type OfflineResult,
  RefusedValueError,
} from '../proxy/offline.js';
import { messageOf } from '../reason.js';
import { systemClock } from '../state/clock.js';
import { LimitTable } from '../state/limits/table.js';
import type { DecisionRecord } from '../telemetry/snapshot.js';
import { type ExplainedValue, valuesOf, withPlan } from './effective-values.js';
import { explainedAttempts } from './explain-attempts.js';
import type { HiddenValues } from './hidden-values.js';
import { offlineProgram, UNKNOWN_TARGET, written } from './offline-program.js';
import { assumedConsumer, type Caller, withCredential } from './presented.js';

export type { OfflineMocks, OfflineReply } from '../proxy/offline.js';
export { RefusedValueError } from '../proxy/offline.js';
export { type Caller, CallerError } from './presented.js';
export type ExplainRequest = OfflineRequest;

export const EXPLANATION_VERSION = 1;

export interface Explanation {
  readonly version: typeof EXPLANATION_VERSION;
  readonly request: {
    readonly method: string;
    readonly url: string;
    /** Normalised; null if the request cannot be parsed. */
    readonly path: string | null;
  };
  /**
   * `target`: the request goes to a target. `reply`: the route or a policy answers. `refused`: gw refuses it without a route
   * (malformed, no route, wrong method). `unknown`: it depends on something that is not given; see `missing`.
   */
  readonly outcome: 'target' | 'reply' | 'refused' | 'unknown';
  /** One sentence. */
  readonly summary: string;
  /** What the outcome depends on, if that is not given; null otherwise. */
  readonly missing: Pick<Missing, 'kind' | 'name'> | null;
  /** Why gw refuses it, if the summary does not say enough. */
  readonly cause: string | null;
  /** References of the route and the consumers without a value here. */
  readonly unresolved: readonly string[];
  readonly route: ExplainedRoute | null;
  /** Why this route matched, and the request's text for each segment. */
  readonly match: {
    readonly decidedBy: string;
    readonly why: string;
    readonly host: string | null;
    readonly segments: readonly { readonly kind: string; readonly pattern: string; readonly text: string }[];
  } | null;
  /** Routes that nearly matched, best first, and why they did not. */
  readonly nearMisses: readonly {
    /** Null if it is not a single route. */
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
  /** Every step in order, including match and balance. */
  readonly decisions: readonly DecisionRecord[];
  readonly service: ExplainedService | null;
  /** What the client gets: gw's own reply, or that of a mocked service; null if it comes from a target without a mock. */
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
  /** What answers it. */
  readonly action: { readonly use: string; readonly summary: string; readonly details?: readonly string[] };
}

export interface ExplainedPolicy {
  readonly name: string;
  readonly use: string;
  readonly phase: Phase;
  /** False: the request did not reach it, and it has done nothing to the reply. */
  readonly ran: boolean;
  readonly values: readonly ExplainedValue[];
  readonly decisions: readonly DecisionRecord[];
}

export interface ExplainedService {
  readonly name: string;
  readonly targets: readonly { readonly url: string; readonly weight: number }[];
  /** The source of its targets, which has none offline; absent: the spec names them, or gw starts them. */
  readonly discover?: string;
  /** Command of a managed service, whose target has an address only while it runs. */
  readonly run: string | null;
  /** How many processes run: `0..4`. Absent: one. */
  readonly instances?: string;
  /** How requests are repeated; absent: it has no `retry`. */
  readonly attempts?: readonly string[];
  /** The next target; null if no target is asked, or it is managed and has no address. */
  readonly chosen: string | null;
  /** Lines of the request head as sent to the target. */
  readonly head: readonly string[] | null;
  /** The body as sent to the target: its text, or its length if it is none. Null if no target is asked. */
  readonly body: string | null;
}

export interface ExplainOptions {
  readonly clock?: Clock;
  /** Variables for `${env:}`; references to missing ones stay unresolved. */
  readonly env?: { readonly [name: string]: string | undefined };
  /** What the duties of policies have published, by name of the policy: key sets, lists. Without it they are unknown. */
  readonly published?: OfflineOptions['published'];
}

/** The system's clock, but as if it were that moment now. */
export function clockAt(moment: number): Clock {
  const ahead = moment - systemClock.now();
  return { now: () => systemClock.now() + ahead, monotonic: systemClock.monotonic };
}

/** The bundle cannot run here: the value of a reference is not valid, or another version of gw wrote the bundle. */
export class UnexplainableError extends Error {}

/**
 * Explains requests against one bundle. It has its own table of limits, so that it does not use up real ones, and each
 * explanation starts with unused limits.
 */
export class Explainer {
  readonly #program: Program;
  readonly #resolved: Program;
  readonly #unresolved: ReadonlySet<string>;
  readonly #hidden: HiddenValues;
  readonly #bundle: Pick<Bundle, 'sha256' | 'trie' | 'code'>;
  readonly #clock: Clock;
  readonly #published: ExplainOptions['published'];
  #plane: OfflinePlane | undefined;

  constructor(bundle: Pick<Bundle, 'program' | 'trie' | 'sha256' | 'code'>, options: ExplainOptions = {}) {
    this.#program = bundle.program;
    const { program, unresolved, hidden } = offlineProgram(bundle.program, options.env ?? process.env);
    this.#resolved = program;
    this.#unresolved = unresolved;
    this.#hidden = hidden;
    this.#bundle = bundle;
    this.#clock = options.clock ?? systemClock;
    this.#published = options.published;
  }

  /**
   * Explains one request. Rejects with UnexplainableError if the bundle cannot run here, and with RefusedValueError if a policy
   * refuses what its duty is said to have published; with CallerError if no such caller can make it.
   */
  async explain(request: ExplainRequest, caller: Caller = {}): Promise<Explanation> {
    const as = assumedConsumer(this.#program, caller);
    const assumed = as !== undefined && request.client === undefined;
    const asked: ExplainRequest = assumed ? { ...request, client: 'unchecked' } : request;
    const presented = await this.#presented(asked, caller);
    const plane = this.#open(as);
    try {
      const hidden = this.#hidden.with([caller.key, caller.token]);
      const { cause, decisions, policies, service, reply, ...rest } = this.#explanation(
        request,
        await plane.run(presented),
      );
      return { ...rest, ...hidden.hide({ cause, decisions, policies, service, reply }) };
    } finally {
      plane.close();
    }
  }

  /** Which route takes the request decides where its credential is: a first run finds the route. */
  async #presented(request: ExplainRequest, caller: Caller): Promise<ExplainRequest> {
    if (caller.key === undefined && caller.token === undefined) return request;
    const plane = this.#open();
    try {
      const { route } = await plane.run(request);
      return route === null ? request : withCredential(request, caller, this.#program, this.#program.routes[route]!);
    } finally {
      plane.close();
    }
  }

  /**
   * The outcome of one of many requests in sequence, which share one table of limits.
   */
  run(request: ExplainRequest): Promise<OfflineResult> {
    this.#plane ??= this.#open();
    return this.#plane.run(request);
  }

  close(): void {
    this.#plane?.close();
    this.#plane = undefined;
  }

  /** `as`: the consumer that every authenticating policy finds. */
  #open(as?: string): OfflinePlane {
    const { sha256, trie, code } = this.#bundle;
    const buffer = trie instanceof SharedArrayBuffer || trie instanceof ArrayBuffer ? trie : new ArrayBuffer(0);
    const program = this.#resolved;
    const none = { chunks: [], routes: [], unmatched: 0, targets: [], listeners: [] };
    const limits = new LimitTable(LimitTable.allocate({ slots: LIMIT_SLOTS }));
    try {
      return new OfflinePlane(
        { id: 1, sha256, program, trie: buffer, stats: none, ...(code === undefined ? {} : { code }) },
        {
          clock: this.#clock,
          limits,
          ...(this.#published === undefined ? {} : { published: this.#published }),
          ...(as === undefined ? {} : { as }),
        },
      );
    } catch (error) {
      if (error instanceof RefusedValueError) throw error;
      // Caused by the value of a reference: the compiler has checked everything else.
      throw new UnexplainableError(messageOf(error));
    }
  }

  #explanation(request: ExplainRequest, result: OfflineResult): Explanation {
    const { decisions, params, consumer, path } = result;
    // A connection whose certificate is not accepted reaches no route.
    const trace = result.error === 'request/certificate' ? null : result.trace;
    const route = result.route === null ? undefined : this.#program.routes[result.route];
    const told = decisions.map(({ step, use, outcome, why }): DecisionRecord => ({ step, use, outcome, why }));
    const outcome = outcomeOf(route, result);
    return {
      version: EXPLANATION_VERSION,
      request: { method: request.method, url: request.url, path },
      outcome,
      summary: summaryOf(outcome, route, result),
      missing: result.unknown === null ? null : { kind: result.unknown.kind, name: result.unknown.name },
      cause: result.cause,
      unresolved: this.#unresolvedOn(route),
      route: route ? explainedRoute(route) : null,
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
              body: result.reply === null ? '' : shownBody(result.reply),
            },
    };
  }

  /** References without a value here in the route's service and policies, and in the consumers. */
  #unresolvedOn(route: RouteEntry | undefined): string[] {
    const { consumers, policies, services } = this.#program;
    const near = route
      ? [
          services[route.service]?.targets ?? [],
          route.action.settings,
          ...route.policies.map((at) => policies[at]?.settings),
        ]
      : [];
    const texts = listReferences([...near, ...(route?.policies.length ? consumers : [])]).map(({ text }) => text);
    return texts.filter((text) => this.#unresolved.has(text)).sort();
  }

  #policies(route: RouteEntry, result: OfflineResult, told: readonly DecisionRecord[]): ExplainedPolicy[] {
    return route.policies.flatMap((index, position): ExplainedPolicy[] => {
      const policy = this.#program.policies[index];
      if (!policy) return [];
      const { name, use, phase } = policy;
      const decisions = told.filter(({ step }) => step === name);
      const values = withPlan(valuesOf(policy), result.decisions.find(({ step }) => step === name)?.details);
      return [{ name, use, phase, ran: position < result.reached || decisions.length > 0, values, decisions }];
    });
  }

  #service(route: RouteEntry, result: OfflineResult): ExplainedService | null {
    const service = this.#program.services[route.service];
    if (!service) return null;
    const index = this.#resolved.services[route.service]?.targets.findIndex(({ url }) => url === result.target) ?? -1;
    const chosen = service.targets[index];
    const attempts = explainedAttempts(service);
    return {
      name: service.name,
      targets: service.targets.map(({ url, weight }) => ({ url: written(url), weight })),
      run: service.run?.command ?? null,
      ...(service.run?.instances === undefined ? {} : { instances: boundsText(service.run.instances) }),
      ...(service.discover === undefined ? {} : { discover: `${service.discover.kind}:${service.discover.name}` }),
      ...(attempts.length === 0 ? {} : { attempts }),
      chosen: chosen ? written(chosen.url) : null,
      head: result.head && shownHead(result.head, result.added),
      body: result.sent === null ? null : shownBytes(result.sent, result.head ?? []),
    };
  }
}

const boundsText = ({ max, min }: InstancesEntry): string => (min === max ? `${max}` : `${min}..${max}`);

const explainedRoute = ({ action, match, name, source, timeout }: RouteEntry): ExplainedRoute => ({
  name,
  match,
  source,
  timeout,
  action: {
    use: action.use,
    summary: action.summary,
    ...(action.details === undefined ? {} : { details: action.details }),
  },
});

/** Why the route matched. A CORS preflight uses the route of another request, which is not in its own match trace. */
function matchOf(trace: MatchTrace, { route, decisions }: OfflineResult): Explanation['match'] {
  const { decidedBy, host, segments } = trace;
  if (route === null || route === trace.route) return { decidedBy, why: trace.why, host: host ?? null, segments };
  const why = decisions.find(({ step }) => step === 'match')?.why ?? trace.why;
  return { decidedBy: 'preflight', why, host: null, segments: [] };
}

/** Explains one request; see Explainer for many. */
export function explain(
  bundle: Pick<Bundle, 'program' | 'trie' | 'sha256' | 'code'>,
  request: ExplainRequest,
  options: ExplainOptions = {},
  caller: Caller = {},
): Promise<Explanation> {
  return new Explainer(bundle, options).explain(request, caller);
}

/** Slots for the keys of a few thousand explained requests. */
const LIMIT_SLOTS = 4096;

function outcomeOf(route: RouteEntry | undefined, { asked, unknown }: OfflineResult): Explanation['outcome'] {
  if (route === undefined) return 'refused';
  if (unknown !== null) return 'unknown';
  return asked ? 'target' : 'reply';
}

function summaryOf(outcome: Explanation['outcome'], route: RouteEntry | undefined, result: OfflineResult): string {
  const status = `${result.status}${result.error === null ? '' : ` ${result.error}`}`;
  if (outcome === 'refused' || !route) return `gw refuses it: ${status}`;
  if (outcome === 'unknown') return `the outcome is unknown: ${result.unknown?.would}`;
  if (outcome === 'reply') return `route ${route.name} answers ${status}`;
  const target = result.target === null || result.target.startsWith(UNKNOWN_TARGET) ? '' : ` at ${result.target}`;
  const reply = result.status === null ? '' : `; the client gets ${status}`;
  return `route ${route.name} sends it to ${result.service ?? 'nowhere'}${target}${reply}`;
}

const shownBody = ({ bytes, headers }: NonNullable<OfflineResult['reply']>): string =>
  shownBytes(
    bytes,
    headers.map(([name, value]) => `${name}: ${value}`),
  );

/** A body as text, or its length if it is none. `fields`: the lines of its message. */
function shownBytes(bytes: Uint8Array, fields: readonly string[]): string {
  const coding = fields.map((line) => /^content-encoding: *(.+)/i.exec(line)?.[1]).find((found) => found !== undefined);
  if (coding === undefined && isUtf8(bytes)) return Buffer.from(bytes).toString('utf8');
  return `(${bytes.length} bytes${coding === undefined ? '' : `, ${coding}`})`;
}

/** Credentials that a policy adds are not shown: what explains a request is often pasted somewhere. */
const shownHead = (head: readonly string[], added: readonly string[]): readonly string[] =>
  head.map((line) => {
    const name = line.slice(0, Math.max(0, line.indexOf(':')));
    return added.includes(name) ? `${name}: (not shown)` : line;
  });
