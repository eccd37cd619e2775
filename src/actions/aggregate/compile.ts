/** From the config of an aggregate to its settings. The config has no faults. */
import type { Json, RequestFact } from '../../policies/contract.js';
import { callPlanOf } from './edges.js';
import { expressionEntry } from './expressions.js';
import { isSafe } from './methods.js';
import type { AggregateConfig, CallConfig } from './schema.js';
import { readTemplate, templateUsesOf, type Use } from './templates.js';
import { factsOf, usesOf } from './uses.js';
import { parsePath } from './value-path.js';

type Settings = { readonly [key: string]: Json };
type Map = { readonly [name: string]: string };

/** Undefined if the calls form a cycle, which lint reports. */
export function settingsOf(config: AggregateConfig, params: ReadonlySet<string>): Settings | undefined {
  const plan = callPlanOf(config, params);
  if (plan === undefined) return undefined;
  const indices = new Map(plan.order.map((name, index) => [name, index]));
  const writer = new Writer(indices, params);
  const { uses } = usesOf(config, params);
  const { etag, headers, max_total, merge, status, timeout } = config;
  return {
    calls: plan.order.map((name) => ({
      ...writer.call(name, config),
      after: (plan.waits.get(name) ?? []).map((other) => indices.get(other)!),
      needs: needsOf(config, params, name, ['body', 'header']).map((other) => indices.get(other)!),
      needsFields: needsOf(config, params, name, ['header']).map((other) => indices.get(other)!),
      read: uses.some((use) => readsBodyOf(use, name)),
    })),
    ...(status === undefined ? {} : { status: typeof status === 'number' ? status : writer.expression(status) }),
    ...(typeof merge === 'string' ? { merge: writer.expression(merge) } : {}),
    personal: factsOf(config).some(isPersonal) || Object.values(config.call).some(({ when }) => when !== undefined),
    headers: writer.map(headers, { each: false, lower: true }),
    ...(config.request_body === undefined ? {} : { requestBody: config.request_body }),
    timeout,
    maxTotal: max_total,
    etag,
  };
}

/** Beyond the URL, which every cache has in its key. */
const isPersonal = ({ kind }: RequestFact): boolean => !['host', 'scheme', 'param', 'query'].includes(kind);

const readsBodyOf = ({ path }: Use, name: string): boolean => path?.call === name && path.of === 'body';

/** The calls whose bodies or fields the templates of a call use. Expressions can ask whether there is a value. */
const needsOf = (
  config: AggregateConfig,
  params: ReadonlySet<string>,
  name: string,
  parts: readonly string[],
): readonly string[] => [
  ...new Set(
    templateUsesOf(config, params).uses.flatMap(({ by, path }) =>
      by === name && path?.call !== undefined && parts.includes(path.of) ? [path.call] : [],
    ),
  ),
];

class Writer {
  readonly #indices: ReadonlyMap<string, number>;
  readonly #params: ReadonlySet<string>;

  constructor(indices: ReadonlyMap<string, number>, params: ReadonlySet<string>) {
    this.#indices = indices;
    this.#params = params;
  }

  call(name: string, config: AggregateConfig): Settings {
    const call = config.call[name]!;
    const { as, body, concurrency, for_each, if: only, json, max_items, max_reply, method, pass, service, when } = call;
    const each = for_each !== undefined;
    const items = each ? { items: this.expression(for_each), max: max_items ?? 0, concurrency } : undefined;
    return {
      name,
      service,
      method,
      path: this.template(call.path, each),
      query: this.map(call.query, { each, lower: false }),
      headers: this.map(call.headers, { each, lower: true }),
      ...(body === undefined ? {} : { body: this.template(body, each, true) }),
      ...(json === undefined ? {} : { json: this.expression(json, each) }),
      ...(pass === 'all' ? {} : { pass: pass.map((field) => field.toLowerCase()) }),
      as,
      timeout: call.timeout ?? config.timeout,
      attempts: call.retry + 1,
      retryStatuses: call.retry_statuses,
      ...(when === undefined ? {} : { when: when as unknown as Json }),
      ...(only === undefined ? {} : { if: this.expression(only) }),
      ...(items === undefined ? {} : { forEach: items }),
      unique: call.unique ?? isSafe(method),
      ...(call.cache === undefined ? {} : { cache: cacheOf(call.cache) }),
      onFailure: failureOf(call, config),
      ...(call.default === undefined ? {} : { default: call.default }),
      maxReply: max_reply,
      merged: typeof config.merge !== 'string' && (config.merge?.includes(name) ?? true),
    };
  }

  template(text: string, each: boolean, isText = false): Json {
    const { parts } = readTemplate(text, { by: undefined, at: [], params: this.#params, each, text: isText });
    return parts.map((part) =>
      typeof part === 'object' && part !== null && 'value' in part ? { value: this.value(String(part.value)) } : part,
    );
  }

  map(map: Map, { each, lower }: { readonly each: boolean; readonly lower: boolean }): Json {
    return Object.entries(map).map(([name, text]) => [lower ? name.toLowerCase() : name, this.template(text, each)]);
  }

  expression(text: string, each = false): Json {
    return expressionEntry(text, each, this.#indices);
  }

  value(text: string): Json {
    const path = parsePath(text);
    if (path === undefined) return { call: -1, of: 'value', path: [] };
    return { call: path.call === undefined ? -1 : (this.#indices.get(path.call) ?? -1), of: path.of, path: path.path };
  }
}

const failureOf = ({ default: value, on_failure }: CallConfig, config: AggregateConfig): string =>
  on_failure ?? (value === undefined ? config.on_failure : 'default');

const cacheOf = ({ shared, ttl }: NonNullable<CallConfig['cache']>): Json => ({
  shared,
  ...(ttl === undefined ? {} : { ttl }),
});
