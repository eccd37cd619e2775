/** Config of the validate policy. */
import { type Infer, s } from '../compile-kit.js';
import type { Json } from '../contract.js';
import type { SchemaSetEntry } from '../kits/schema-validator.js';

const file = (what: string, example: string) =>
  s
    .string({ nonEmpty: true })
    .describe(`${what} A file, relative to the root spec, with an optional JSON pointer.`, example)
    .optional();

export const schema = s.object({
  body: file('JSON Schema of request bodies.', 'schemas/order.json'),
  body_required: s
    .boolean()
    .describe('Refuse requests without a body. With `openapi`, the document decides.')
    .default(true),
  media_types: s
    .array(
      s.string({ pattern: /^[a-z0-9!#$&^_.+*-]+\/[a-z0-9!#$&^_.+*-]+$/, expected: 'a media type in lower case' }),
      { min: 1 },
    )
    .describe('Media types of request and reply bodies, with wildcards. With `openapi`, the document decides.')
    .default(['application/json', 'application/*+json']),
  query: file('JSON Schema of an object with the query parameters.', 'schemas/query.json'),
  path: file('JSON Schema of an object with the path parameters.', 'schemas/path.json'),
  headers: file(
    'JSON Schema of an object with header fields. Only those in its `properties` are checked.',
    'schemas/headers.json',
  ),
  reply: file('JSON Schema of the bodies of replies with a status from 200 to 299.', 'schemas/order.json'),
  openapi: s
    .string({ nonEmpty: true })
    .describe(
      'OpenAPI 3.0 or 3.1 document (JSON or YAML) that describes the operation, in place of the schemas.',
      'openapi.yaml',
    )
    .optional(),
  operation: s
    .string({ pattern: /^[A-Z]+ \/\S*$/, expected: 'a method and a path such as `"POST /orders/{id}"`' })
    .describe('Method and path of the operation, as the document has them.', 'POST /orders/{id}')
    .optional(),
  replies: s
    .enum('off', 'observe', 'enforce')
    .describe(
      '`observe` counts and logs replies that do not match and changes nothing; `enforce` answers 502 in their place.',
    )
    .default('off'),
  formats: s
    .boolean()
    .describe('Check `format` of strings; names that gw does not know are never checked.')
    .default(true),
  unsafe_patterns: s
    .enum('refuse', 'skip')
    .describe('What to do with a `pattern` that needs backtracking: an error, or not to check it.')
    .default('refuse'),
  max_body: s
    .size({ min: 1 })
    .describe('Largest request body; larger ones get 413.')
    .default(1024 * 1024),
  max_reply: s
    .size({ min: 1 })
    .describe(
      'Largest reply body that is checked. With `enforce`, larger ones get 502; with `observe`, they are not checked.',
    )
    .default(1024 * 1024),
});

export type ValidateConfig = Infer<typeof schema>;

/** How the text of a parameter becomes a value, OpenAPI 3.1 section 4.8.12. */
export type ParameterEntry = {
  readonly name: string;
  /** Name of the path parameter in the route, if it differs. */
  readonly source?: string;
  /** Of a path parameter that is a part of its segment: the texts around all parts, and which part it is. */
  readonly part?: { readonly literals: readonly string[]; readonly index: number };
  readonly style: 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject' | 'simple' | 'label' | 'matrix' | 'json';
  readonly explode: boolean;
  /** Types that its schema accepts; empty: any text. */
  readonly types: readonly string[];
  /** Of the items of an array, or the members of an object that `members` does not name. */
  readonly items: readonly string[];
  readonly members: { readonly [name: string]: readonly string[] };
  /** The members of a deep object. */
  readonly inside?: { readonly [name: string]: ParameterEntry };
};

export type Place = 'query' | 'path' | 'header' | 'cookie';

export type PlaceEntry = {
  readonly place: Place;
  /** Of an object with all parameters of the place. */
  readonly schema: string;
  readonly parameters: readonly ParameterEntry[];
  /** Whether parameters that are not listed are checked too, as texts. */
  readonly all: boolean;
};

export type ContentEntry = {
  /** Media type or range, lower case. */
  readonly type: string;
  /** `json` or `form`; absent: the body is not checked. */
  readonly kind?: 'json' | 'form';
  /** Absent: any value. */
  readonly schema?: string;
  /** Of a form. */
  readonly parameters?: readonly ParameterEntry[];
};

export type ValidateSettings = {
  readonly set: SchemaSetEntry & { readonly [key: string]: Json };
  readonly formats: boolean;
  /** Whether replies with a status or media type that is not described fail. */
  readonly closed: boolean;
  readonly places: readonly PlaceEntry[];
  readonly body?: { readonly required: boolean; readonly content: readonly ContentEntry[] };
  readonly replies?: {
    readonly mode: 'observe' | 'enforce';
    readonly max: number;
    /** By status: `200`, `2XX`, `default`. An empty list: no body is described. */
    readonly content: { readonly [status: string]: readonly ContentEntry[] };
  };
};
