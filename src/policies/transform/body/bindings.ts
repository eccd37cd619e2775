/** The values of the variables of a program in JSONata, for one exchange: those alone that the program reads. */
import type { Exchange, HeaderFields, Json, Reply } from '../../contract.js';
import type { JsonValue } from '../../kits/json-text/index.js';
import type { JsonataRead } from '../../kits/jsonata/index.js';
import { decodeQuery } from '../../run-kit.js';
import { BINDINGS, REPLY_BINDINGS } from './binding-names.js';

type Reader = (exchange: Exchange, reply: Reply | undefined) => Json | undefined;
type Values = { readonly [name: string]: JsonValue };

const READERS: { readonly [path: string]: Reader } = {
  'request.method': (exchange) => exchange.method,
  'request.path': (exchange) => exchange.path,
  'request.host': (exchange) => exchange.host,
  'request.scheme': (exchange) => exchange.scheme,
  'request.query': (exchange) => queryOf(exchange.query),
  'request.headers': (exchange) => headersOf(exchange.headers),
  'request.params': (exchange) => paramsOf(exchange),
  'request.id': (exchange) => exchange.id,
  'consumer.name': (exchange) => exchange.consumer?.name,
  'consumer.plan': (exchange) => exchange.consumer?.plan,
  'consumer.groups': (exchange) => exchange.consumer?.groups,
  'consumer.tags': (exchange) => exchange.consumer?.tags,
  'client.ip': (exchange) => exchange.remoteAddress,
  'route.name': (exchange) => exchange.route.name,
  'reply.status': (_exchange, reply) => reply?.status,
  'reply.headers': (_exchange, reply) => reply && headersOf(reply.headers),
};

/** One variable, and how each of its names is read. */
interface Variable {
  readonly name: string;
  readonly members: readonly (readonly [member: string, read: Reader])[];
}

export class Bindings {
  readonly #variables: readonly Variable[];
  readonly #claims: boolean;

  /** `reads`: of the program. */
  constructor(reads: readonly JsonataRead[]) {
    const names = new Set(reads.map(({ name }) => name));
    this.#claims = names.has('claims');
    this.#variables = [...names]
      .filter((name) => name !== 'claims')
      .map((name) => ({
        name,
        members: membersOf(
          name,
          reads.filter((read) => read.name === name),
        ),
      }));
  }

  of(exchange: Exchange, reply: Reply | undefined): Values {
    const values: Record<string, JsonValue> = {};
    for (const { name, members } of this.#variables) {
      const object: Record<string, JsonValue> = {};
      for (const [member, read] of members) {
        const value = read(exchange, reply);
        if (value !== undefined) object[member] = value as JsonValue;
      }
      values[name] = object;
    }
    if (this.#claims) values['claims'] = (exchange.claims ?? {}) as JsonValue;
    return values;
  }
}

function membersOf(variable: string, reads: readonly JsonataRead[]): Variable['members'] {
  const known = (BINDINGS[variable] ?? REPLY_BINDINGS[variable] ?? []) as readonly string[];
  const whole = reads.some(({ path }) => path.length === 0);
  const read = whole ? known : known.filter((member) => reads.some(({ path }) => path[0] === member));
  return read.map((member) => {
    const fields = reads.filter(({ path }) => path[0] === member).map(({ path }) => path[1]);
    const some = member === 'headers' && !whole && fields.every((field) => field !== undefined);
    return [member, some ? someHeaders(variable, fields) : READERS[`${variable}.${member}`]!] as const;
  });
}

/** Only these fields, by the names that the program writes. */
function someHeaders(variable: string, names: readonly string[]): Reader {
  return (exchange, reply) => {
    const headers = variable === 'reply' ? reply?.headers : exchange.headers;
    const values: Record<string, string> = {};
    for (const name of names) {
      const value = headers?.get(name);
      if (value !== undefined) values[name] = value;
    }
    return values;
  };
}

function headersOf(headers: HeaderFields): Json {
  const values: Record<string, string> = Object.create(null);
  for (const [name, value] of headers.entries())
    values[name] = values[name] === undefined ? value : `${values[name]}, ${value}`;
  return values;
}

/** The first value of each parameter, decoded. */
function queryOf(query: string): Json {
  const values: Record<string, string> = Object.create(null);
  for (const pair of query === '' ? [] : query.split('&')) {
    const equals = pair.indexOf('=');
    const name = decodeQuery(equals < 0 ? pair : pair.slice(0, equals));
    values[name] ??= equals < 0 ? '' : decodeQuery(pair.slice(equals + 1));
  }
  return values;
}

function paramsOf(exchange: Exchange): Json {
  const values: Record<string, string> = {};
  for (const name of exchange.route.params) {
    const value = exchange.param(name);
    if (value !== undefined) values[name] = value;
  }
  return values;
}
