/** The spec's whole shape, sections and lists included: what is read, and what the JSON Schema and the reference show. */

import { s } from '../schema/declare.js';
import type { Decoder } from '../schema/decoder.js';
import { type Decoded, INVALID, type JsonSchema, rewriting, Schema, wrongKind } from '../schema/schema.js';
import type { TomlNode } from '../schema/tree.js';
import { listenerDefaults, serviceDefaults } from './defaults.js';
import { accessLog, admin, lintSettings, normalize, overload, topLevel } from './entities.js';
import { groupFields, routeFields } from './route/entities.js';

/** A part that is read by itself, since one wrong item must not hide the others: decodes to its node. */
export class PartSchema extends Schema<TomlNode> {
  constructor(
    readonly expected: string,
    readonly kind: 'table' | 'array',
    /** Name under `$defs` of what each entry or item is. */
    readonly definition: string,
    /** What to write instead of something of another kind. */
    readonly help: string,
  ) {
    super();
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<TomlNode> {
    if (node.kind !== this.kind) return this.#otherKind(node, decoder);
    // `route = []` and `[[route]]` are arrays alike, but `[route]` is a slip, which the kind tells.
    return node.kind === 'array' && !node.items.every((item) => this.#fits(item, decoder)) ? INVALID : node;
  }
  #otherKind(node: TomlNode, decoder: Decoder): typeof INVALID {
    if (this.definition === 'policy_use' && node.kind === 'string') {
      const written = `[${JSON.stringify(node.value)}]`;
      return wrongKind(this, node, decoder, `One is a list too: \`${written}\`.`, rewriting(node, written));
    }
    return wrongKind(this, node, decoder, this.help);
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

const LIST_HELP = {
  route:
    'Each route begins with `[[route]]`, in two brackets and without a name; inside a group it is `[[group.route]]`.',
  group:
    'Each group begins with `[[group]]`, in two brackets; its routes follow it as `[[group.route]]`, groups within as `[[group.group]]`.',
} as const;

const list = (expected: string, definition: 'route' | 'group', doc: string): Schema<TomlNode | undefined> =>
  new PartSchema(expected, 'array', definition, LIST_HELP[definition]).describe(doc).optional();
const section = (word: string, doc: string): Schema<TomlNode | undefined> =>
  new PartSchema(
    `tables such as \`[${word}.name]\``,
    'table',
    word,
    `Each ${word} has a name in its header, in single brackets: \`[${word}.NAME]\`.`,
  )
    .describe(doc)
    .optional();

const policyList = (doc: string) =>
  new PartSchema('an array of policies', 'array', 'policy_use', 'Write `policies = ["NAME", { use = "KIND" }]`.')
    .describe(doc)
    .optional();

const policies = policyList(
  'Policies, by name or written in place as a table with `use`. The phase decides the order, then this list.',
);

/** What holds where nothing else is said. */
export const defaultsShape = s.object({
  policies: policyList('Policies of every route, before those of its groups and its own; `without` takes one away.'),
  listeners: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Listeners that serve the routes that name none, and whose groups name none.', ['public'])
    .optional(),
  service: serviceDefaults.describe('Keys of services that do not set them.').optional(),
  listener: listenerDefaults.describe('Keys of listeners that do not set them.').optional(),
});

export const routeShape = s.object({ ...routeFields, policies });

export const groupShape = s.object({
  ...groupFields,
  policies,
  route: list('routes, as `[[group.route]]`', 'route', 'Routes inside.'),
  group: list('groups, as `[[group.group]]`', 'group', 'Groups inside.'),
});

export const includeShape = s.either<readonly string[]>(
  { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (pattern) => [pattern]) },
  { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true })) },
);

/** In overlays alone. */
export const removeShape = s
  .array(s.string({ nonEmpty: true }))
  .describe(
    'What the spec below says and is not wanted here: `SECTION.NAME` or `SECTION.NAME.KEY`; routes and groups by their `name`.',
    ['route.debug', 'listener.main.tls'],
  );

export const rootShape = s.object({
  ...topLevel,
  include: includeShape
    .describe('Further files, relative to this one: paths, or patterns with `*`, `**`, `?` and `{a,b}`.', [
      'routes/*.toml',
    ])
    .default([]),
  defaults: defaultsShape
    .describe('What holds for services, listeners and routes that do not say otherwise.')
    .optional(),
  listener: section(
    'listener',
    'Bound addresses, by name. A listener serves every route that names no other listeners.',
  ),
  service: section('service', 'Logical APIs that own targets, by name.'),
  consumer: section('consumer', 'Who calls, and the proof of it, by name.'),
  plan: section('plan', 'The limits that consumers bought, by name.'),
  policy: section('policy', 'Configured steps, by name: routes and groups name them in `policies`.'),
  route: list('routes, as `[[route]]`', 'route', 'Each a match and what it leads to. Their order decides nothing.'),
  group: list('groups, as `[[group]]`', 'group', 'Routes that share a prefix, a host or policies.'),
  normalize: normalize.describe('How request paths are brought into one form before they are matched.').optional(),
  admin: admin.describe('The admin API; its unix socket is always there.').optional(),
  access_log: accessLog.describe('A line for each exchange.').optional(),
  overload: overload.describe('What gw does when memory runs short.').optional(),
  lint: lintSettings.describe('What `gw validate` is told to accept.').optional(),
});

/** Tables of settings: left out, every one of their defaults holds. */
export const SETTINGS_TABLES = ['normalize', 'admin', 'access_log', 'overload', 'lint'] as const;
