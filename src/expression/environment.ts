/** The typed environment of expressions: every name, its type, and where a worker reads it. */
import type { Json } from '../bundle/types.js';
import type { Exchange, Reply } from '../contract/index.js';

/** Milliseconds and sizes of the environment are plain numbers here; expressions see integers as CEL ints. */
export type FactValue = string | number | boolean | readonly string[];

/** A single value. `read` returns undefined if it is absent; an expression then sees the empty value of its type. */
export interface ValueFact {
  readonly name: string;
  readonly type: 'string' | 'int' | 'bool' | 'list<string>';
  readonly summary: string;
  read(exchange: Exchange, reply: Reply): FactValue | undefined;
}

/** Values by name. `read` returns undefined for an absent name; an expression then sees `""`, or null in `claims`. */
export interface MapFact {
  readonly name: string;
  readonly type: 'map<string, string>' | 'map<string, dyn>';
  readonly summary: string;
  /** Whether names are in lower case, so that expressions may use any case. */
  readonly lowerCase?: true;
  read(exchange: Exchange, reply: Reply, name: string): Json | undefined;
}

export type Fact = ValueFact | MapFact;

export const isMap = (fact: Fact): fact is MapFact => fact.type.startsWith('map');

const tls = ({ connection }: Exchange) => connection.tls;
const certificate = (x: Exchange) => x.clientCertificate ?? x.connection.tls?.clientCertificate;

/** In the order of the documentation. */
export const FACTS: readonly Fact[] = [
  { name: 'request.method', type: 'string', summary: 'method, as sent', read: (x) => x.method },
  { name: 'request.path', type: 'string', summary: 'normalised path', read: (x) => x.path },
  { name: 'request.host', type: 'string', summary: 'host in lower case, without port', read: (x) => x.host },
  { name: 'request.scheme', type: 'string', summary: '`http` or `https`', read: (x) => x.scheme },
  {
    name: 'request.query',
    type: 'map<string, string>',
    summary: 'query parameters, decoded; the first value of each',
    read: (x, _reply, name) => x.queryParam(name),
  },
  {
    name: 'request.headers',
    type: 'map<string, string>',
    summary: 'header fields by name, case-insensitive; several values are joined with `, `',
    lowerCase: true,
    read: (x, _reply, name) => x.headers.get(name),
  },
  {
    name: 'request.params',
    type: 'map<string, string>',
    summary: 'path parameters, decoded',
    read: (x, _reply, name) => x.param(name),
  },
  { name: 'request.id', type: 'string', summary: 'the id in `x-request-id`', read: (x) => x.id },
  { name: 'consumer.name', type: 'string', summary: 'name of the consumer', read: (x) => x.consumer?.name },
  { name: 'consumer.plan', type: 'string', summary: 'name of its plan', read: (x) => x.consumer?.plan },
  {
    name: 'consumer.groups',
    type: 'list<string>',
    summary: 'its groups',
    read: (x) => x.consumer?.groups,
  },
  {
    name: 'consumer.tags',
    type: 'map<string, string>',
    summary: 'its tags',
    read: ({ consumer }, _reply, name) =>
      consumer !== undefined && Object.hasOwn(consumer.tags, name) ? consumer.tags[name] : undefined,
  },
  {
    name: 'claims',
    type: 'map<string, dyn>',
    summary: 'claims of a verified token, as in its JSON; numbers are doubles',
    read: ({ claims }, _reply, name) =>
      claims !== undefined && Object.hasOwn(claims, name) ? claims[name] : undefined,
  },
  { name: 'route.name', type: 'string', summary: 'name of the route', read: (x) => x.route.name },
  { name: 'client.ip', type: 'string', summary: 'address of the client', read: (x) => x.remoteAddress },
  { name: 'client.tls.version', type: 'string', summary: '`TLSv1.2` or `TLSv1.3`', read: (x) => tls(x)?.version },
  { name: 'client.tls.cipher', type: 'string', summary: 'name of the cipher suite', read: (x) => tls(x)?.cipher },
  { name: 'client.tls.server_name', type: 'string', summary: 'host name in SNI', read: (x) => tls(x)?.serverName },
  { name: 'client.tls.protocol', type: 'string', summary: 'protocol chosen by ALPN', read: (x) => tls(x)?.protocol },
  {
    name: 'client.certificate.verified',
    type: 'bool',
    summary: 'the client certificate was verified',
    read: (x) => certificate(x)?.verified,
  },
  {
    name: 'client.certificate.subject',
    type: 'string',
    summary: 'subject of the client certificate',
    read: (x) => certificate(x)?.subject,
  },
  {
    name: 'client.certificate.issuer',
    type: 'string',
    summary: 'issuer of the client certificate',
    read: (x) => certificate(x)?.issuer,
  },
  {
    name: 'client.certificate.fingerprint',
    type: 'string',
    summary: 'SHA-256 of the client certificate, lower-case hex',
    read: (x) => certificate(x)?.fingerprint,
  },
  { name: 'reply.status', type: 'int', summary: 'status of the reply', read: (_x, reply) => reply.status },
  {
    name: 'reply.headers',
    type: 'map<string, string>',
    summary: 'header fields of the reply, as those of the request',
    lowerCase: true,
    read: (_x, reply, name) => reply.headers.get(name),
  },
];

const byName = new Map(FACTS.map((fact) => [fact.name, fact]));

export const factOf = (name: string): Fact | undefined => byName.get(name);

/** Whether the fact exists only when there is a reply. */
export const isOfReply = (name: string): boolean => name.startsWith('reply.');

/** Functions and methods: name -> CEL signatures, for the documentation. A method's receiver is the first operand. */
export const FUNCTIONS: { readonly [name: string]: readonly string[] } = {
  size: ['size(string)', 'size(list)', 'string.size()', 'list.size()'],
  startsWith: ['string.startsWith(string)'],
  endsWith: ['string.endsWith(string)'],
  contains: ['string.contains(string)'],
  lowerAscii: ['string.lowerAscii()'],
  upperAscii: ['string.upperAscii()'],
  trim: ['string.trim()'],
  split: ['string.split(string)'],
  string: ['string(value)'],
  int: ['int(string)', 'int(double)'],
  double: ['double(string)', 'double(int)'],
};

/** Macros over lists. */
export const MACROS = ['exists', 'all', 'exists_one', 'filter', 'map'] as const;
export type Macro = (typeof MACROS)[number];
