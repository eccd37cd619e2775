/** The spec's whole shape, sections and lists included: what is read, and what the JSON Schema and the reference show. */

import { s } from '../schema/declare.js';
import type { Decoder } from '../schema/decoder.js';
import { type Decoded, INVALID, type JsonSchema, Schema, wrongKind } from '../schema/schema.js';
import type { TomlNode } from '../schema/tree.js';
import { accessLog, admin, groupFields, lintSettings, normalize, routeFields, topLevel } from './entities.js';

/** A part that is read by itself, since one wrong item must not hide the others: decodes to its node. */
export class PartSchema extends Schema<TomlNode> {
  constructor(
    readonly expected: string,
    readonly kind: 'table' | 'array',
    /** Name under `$defs` of what each entry or item is. */
    readonly definition: string,
  ) {
    super();
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<TomlNode> {
    if (node.kind !== this.kind) return wrongKind(this, node, decoder);
    // `route = []` and `[[route]]` are arrays alike, but `[route]` is a slip, which the kind tells.
    return node.kind === 'array' && !node.items.every((item) => this.#fits(item, decoder)) ? INVALID : node;
  }
  #fits(item: TomlNode, decoder: Decoder): boolean {
    if (item.kind === 'table' || this.definition === 'policy_use') return true;
    wrongKind(s.object({}), item, decoder);
    return false;
  }
  jsonSchema(): JsonSchema {
    const ref = { $ref: `#/$defs/${this.definition}` };
    return this.kind === 'array'
      ? { type: 'array', items: ref }
      : { type: 'object', additionalProperties: ref, propertyNames: { pattern: NAME_SOURCE } };
  }
}

const NAME_SOURCE = '^[A-Za-z0-9][A-Za-z0-9_.-]*$';

const list = (expected: string, definition: string): Schema<TomlNode | undefined> =>
  new PartSchema(expected, 'array', definition).optional();
const section = (word: string): Schema<TomlNode | undefined> =>
  new PartSchema(`tables such as \`[${word}.name]\``, 'table', word).optional();

const policies = new PartSchema('an array of policies', 'array', 'policy_use')
  .describe('Policies, by name or written in place as a table with `use`. The phase decides the order, then this list.')
  .optional();

export const routeShape = s.object({ ...routeFields, policies });

export const groupShape = s.object({
  ...groupFields,
  policies,
  route: list('routes, as `[[group.route]]`', 'route'),
  group: list('groups, as `[[group.group]]`', 'group'),
});

export const includeShape = s.either<readonly string[]>(
  { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (pattern) => [pattern]) },
  { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true })) },
);

export const rootShape = s.object({
  ...topLevel,
  include: includeShape
    .describe('Further files, relative to this one: paths, or patterns with `*`, `**`, `?` and `{a,b}`.', [
      'routes/*.toml',
    ])
    .default([]),
  listener: section('listener'),
  service: section('service'),
  consumer: section('consumer'),
  plan: section('plan'),
  policy: section('policy'),
  route: list('routes, as `[[route]]`', 'route'),
  group: list('groups, as `[[group]]`', 'group'),
  normalize: normalize.optional(),
  admin: admin.optional(),
  access_log: accessLog.optional(),
  lint: lintSettings.optional(),
});

/** Tables of settings: left out, every one of their defaults holds. */
export const SETTINGS_TABLES = ['normalize', 'admin', 'access_log', 'lint'] as const;
