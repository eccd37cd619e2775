/** Values of expressions at run time: paths are read at once, JSONata is evaluated within bounds. */
import type { ActionHost, Exchange } from '../../policies/contract.js';
import type { JsonValue } from '../../policies/kits/json-text/index.js';
import { compileJsonata, JsonataFault, type JsonataProgram } from '../../policies/kits/jsonata/index.js';
import type { ExpressionSettings } from './schema.js';
import type { ValueEntry } from './value-path.js';
import { type CallResult, readValue, type Scope } from './values.js';

/** What a fault of an expression means: a phrase, for the log. */
export class ValueFault extends Error {}

export class Value {
  readonly #path: ValueEntry | undefined = undefined;
  readonly #program: JsonataProgram | undefined = undefined;
  /** Calls whose bodies it reads, by index. */
  readonly #calls: readonly number[];
  /** Names of all calls, by index. */
  readonly #names: readonly string[];
  readonly #host: ActionHost;
  readonly #size: number;

  /** `size`: characters of the largest value. Throws for a program that this version cannot compile. */
  constructor(entry: ExpressionSettings, names: readonly string[], host: ActionHost, size: number) {
    this.#names = names;
    this.#host = host;
    this.#size = size;
    this.#calls = 'jsonata' in entry ? entry.calls : [];
    if (!('jsonata' in entry)) {
      this.#path = entry;
      return;
    }
    const program = compileJsonata(entry.jsonata);
    if ('error' in program) throw new Error(`JSONata: ${program.error}`);
    this.#program = program;
  }

  /** Undefined for no value. Rejects with ValueFault. `errors`: for the reply. */
  async read(scope: Scope, errors: readonly JsonValue[] = []): Promise<JsonValue | undefined> {
    if (this.#path !== undefined) return readValue(this.#path, scope);
    const program = this.#program!;
    try {
      const bindings = this.#bindings(program, scope, errors);
      return await program.run(this.#input(scope), bindings, this.#host, { size: this.#size });
    } catch (error) {
      if (error instanceof JsonataFault) throw new ValueFault(`${error.kind}: ${error.message}`);
      throw error;
    }
  }

  /** The bodies of the calls by name. */
  #input({ results }: Scope): JsonValue {
    const input: Record<string, JsonValue> = {};
    for (const index of this.#calls) {
      const value = results[index]?.value;
      if (value !== undefined) input[this.#names[index]!] = value;
    }
    return input;
  }

  #bindings({ reads }: JsonataProgram, scope: Scope, errors: readonly JsonValue[]): Record<string, JsonValue> {
    const bindings: Record<string, JsonValue> = {};
    const { exchange, item, results } = scope;
    for (const { name } of reads.bindings) {
      if (Object.hasOwn(bindings, name)) continue;
      if (name === 'item') bindings[name] = item ?? null;
      else if (name === 'body') bindings[name] = scope.body ?? null;
      else if (name === 'errors') bindings[name] = errors;
      else if (name === 'calls') bindings[name] = this.#replies(results);
      else bindings[name] = factOf(name, exchange);
    }
    return bindings;
  }

  #replies(results: readonly (CallResult | undefined)[]): JsonValue {
    const replies: Record<string, JsonValue> = {};
    results.forEach((result, index) => {
      if (result === undefined) return;
      const { headers, outcome, status } = result;
      replies[this.#names[index]!] = {
        outcome,
        ...(status === undefined ? {} : { status }),
        ...(headers === undefined ? {} : { headers: joined(headers.entries()) }),
      };
    });
    return replies;
  }
}

/** Pairs of a query that are read; further ones have no value. */
const MOST_PAIRS = 256;

function factOf(name: string, x: Exchange): JsonValue {
  if (name === 'client') return { ip: x.remoteAddress };
  if (name === 'claims') return (x.claims as JsonValue | undefined) ?? {};
  if (name === 'consumer') {
    const { consumer } = x;
    if (consumer === undefined) return {};
    const { groups, plan, tags } = consumer;
    return { name: consumer.name, groups, tags, ...(plan === undefined ? {} : { plan }) };
  }
  const { host, id, method, path, route, scheme } = x;
  const params = Object.fromEntries(route.params.map((param) => [param, x.param(param) ?? '']));
  const pairs = [...new URLSearchParams(x.query)].slice(0, MOST_PAIRS).reverse();
  return {
    id,
    method,
    path,
    host,
    scheme,
    params,
    query: Object.fromEntries(pairs),
    headers: joined(x.headers.entries()),
  };
}

function joined(fields: Iterable<readonly [name: string, value: string]>): JsonValue {
  const all: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of fields) all[name] = all[name] === undefined ? value : `${all[name]}, ${value}`;
  return { ...all };
}
