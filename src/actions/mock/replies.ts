/** Writes out the examples of an operation, so that a worker only chooses among them. */
import {
  type Data,
  type DataTable,
  field,
  isTable,
  type OpenApiDocument,
  type Operation,
  textOf,
} from '../../policies/kits/openapi.js';
import { Generator } from './generate.js';
import type { MockExample, MockMedia, MockOperation, MockReply } from './schema.js';

/** Fields that gw writes itself. */
const OWN = new Set([
  'content-type',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'vary',
]);
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Statuses whose replies have no body. */
export const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

export interface WrittenOperation {
  /** Undefined if no reply has a status that HTTP knows. */
  readonly operation: MockOperation | undefined;
  /** Replies with a media type for which there is no example: `200 application/xml`. */
  readonly missing: readonly string[];
}

/** `status` and `example`: what requests without a preference get; undefined: the lowest 2xx, and the first example. */
export function writeOperation(
  document: OpenApiDocument,
  { data }: Operation,
  {
    seed,
    status,
    example,
  }: { readonly seed: number; readonly status?: number | undefined; readonly example?: string | undefined },
): WrittenOperation {
  const writer = new Writer(document, seed);
  const responses = document.resolve(field(data, 'responses'));
  const replies = Object.entries(isTable(responses) ? responses : {}).flatMap(([code, response]) =>
    writer.reply(code, document.resolve(response)),
  );
  const first = firstOf(replies, status);
  if (first === undefined) return { operation: undefined, missing: writer.missing };
  return { operation: { replies, first, ...(example === undefined ? {} : { example }) }, missing: writer.missing };
}

function firstOf(replies: MockReply[], status: number | undefined): number | undefined {
  if (replies.length === 0) return undefined;
  if (status !== undefined) {
    const codes = [String(status), `${String(status)[0]}XX`, 'default'];
    const code = codes.find((wanted) => replies.some((reply) => reply.code === wanted));
    const at = replies.findIndex((reply) => reply.code === code);
    if (at >= 0) replies[at] = { ...replies[at]!, status };
    return at < 0 ? undefined : at;
  }
  const order = (reply: MockReply): number => (reply.status < 300 ? reply.status : 1000 + reply.status);
  const sorted = [...replies].sort((a, b) => order(a) - order(b));
  return replies.indexOf(sorted[0]!);
}

class Writer {
  readonly missing: string[] = [];
  readonly #document: OpenApiDocument;
  readonly #generator: Generator;

  constructor(document: OpenApiDocument, seed: number) {
    this.#document = document;
    this.#generator = new Generator(document, seed);
  }

  reply(written: string, response: Data | undefined): MockReply[] {
    const code = written.toUpperCase() === 'DEFAULT' ? 'default' : written.toUpperCase();
    if (!/^([2-5]\d\d|[2-5]XX|default)$/.test(code)) return [];
    const status = code === 'default' ? 200 : Number(code.replace('XX', '00'));
    const content = WITHOUT_BODY.has(status) ? undefined : this.#document.resolve(field(response, 'content'));
    const media = Object.entries(isTable(content) ? content : {}).flatMap(([type, item]) =>
      this.#media(code, type, this.#document.resolve(item)),
    );
    return [{ code, status, headers: this.#headers(code, response), media }];
  }

  #headers(code: string, response: Data | undefined): (readonly [string, string])[] {
    const headers = this.#document.resolve(field(response, 'headers'));
    return Object.entries(isTable(headers) ? headers : {}).flatMap(([name, written]) => {
      if (!FIELD_NAME.test(name) || OWN.has(name.toLowerCase())) return [];
      const header = this.#document.resolve(written);
      const given = field(header, 'example');
      const value = given ?? this.#generator.generate(field(header, 'schema'), `${code}/headers/${name}`);
      const text = typeof value === 'object' ? '' : String(value);
      return /^[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?$/.test(text) ? [[name.toLowerCase(), text] as const] : [];
    });
  }

  #media(code: string, type: string, item: Data | undefined): MockMedia[] {
    // A range such as `*/*` is not a type of a reply.
    if (type.includes('*') || !/^[\x21-\x7e][\x20-\x7e]*$/.test(type)) return [];
    const examples = this.#examples(code, type, isTable(item) ? item : {});
    if (examples.length === 0) this.missing.push(`${code} ${type}`);
    return examples.length === 0 ? [] : [{ type, examples }];
  }

  #examples(code: string, type: string, item: DataTable): MockExample[] {
    const named = this.#document.resolve(field(item, 'examples'));
    const written = Object.entries(isTable(named) ? named : {}).flatMap(([name, one]) => {
      const value = field(this.#document.resolve(one), 'value');
      const body = value === undefined ? undefined : bodyOf(value, type);
      return body === undefined ? [] : [{ name, body }];
    });
    if (written.length > 0) return written;
    const single = field(item, 'example');
    const schema = field(item, 'schema');
    if (single === undefined && schema === undefined) return [];
    const body = bodyOf(single ?? this.#generator.generate(schema, `${code}/${type}`), type);
    return body === undefined ? [] : [{ name: single === undefined ? 'generated' : 'example', body }];
  }
}

/** A value as the body of a media type; undefined if it cannot be written. */
function bodyOf(value: Data, type: string): string | undefined {
  if (/[/+]json\b/i.test(type)) return `${JSON.stringify(value, null, 2)}\n`;
  const text = textOf(value);
  if (text !== undefined) return text;
  return /^text\//i.test(type) && typeof value !== 'object' ? String(value) : undefined;
}
