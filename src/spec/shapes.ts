/** The shape of a whole spec with its sections and lists, for decoding, JSON Schema and reference. */
import { s } from '../schema/declare.js';
import type { Decoder } from '../schema/decoder.js';
import { type Decoded, INVALID, type JsonSchema, rewriting, Schema, wrongKind } from '../schema/schema.js';
import type { TomlNode } from '../schema/tree.js';
import { acme } from './acme.js';
import { actionFields } from './actions.js';
import { listenerDefaults, serviceDefaults } from './defaults-section.js';
import { accessLog, admin, authentication, lintSettings, normalize, overload, topLevel } from './entities.js';
import { groupFields, routeFields } from './route-entities.js';
import { state } from './state-section.js';
import { vault } from './vault.js';

/** A part that is read separately, so that one wrong item does not hide the others: decodes to its node. */
export class PartSchema extends Schema<TomlNode> {
  constructor(
    readonly expected: string,
    readonly kind: 'table' | 'array',
    /** Name under `$defs` of each entry or item. */
    readonly definition: string,
    /** Help for a value of the wrong type. */
    readonly help: string,
  ) {
    super();
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<TomlNode> {
    if (node.kind !== this.kind) return this.#otherKind(node, decoder);
    // `route = []` and `[[route]]` are both arrays; `[route]` is a mistake and has another kind.
    return node.kind === 'array' && !node.items.every((item) => this.#fits(item, decoder)) ? INVALID : node;
  }
  #otherKind(node: TomlNode, decoder: Decoder): typeof INVALID {
    if (this.definition === 'policy_use' && node.kind === 'string') {
      const written = `[${JSON.stringify(node.value)}]`;
      return wrongKind(this, node, decoder, `Write a list: \`${written}\`.`, rewriting(node, written));
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
  route: 'Begin each route with `[[route]]`, in double brackets and without a name; inside a group, `[[group.route]]`.',
  group:
    'Begin each group with `[[group]]`, in double brackets, followed by its routes as `[[group.route]]` and nested groups as `[[group.group]]`.',
} as const;

const list = (expected: string, definition: 'route' | 'group', doc: string): Schema<TomlNode | undefined> =>
  new PartSchema(expected, 'array', definition, LIST_HELP[definition]).describe(doc).optional();
const section = (word: string, doc: string): Schema<TomlNode | undefined> =>
  new PartSchema(
    `tables such as \`[${word}.name]\``,
    'table',
    word,
    `Begin each ${word} with its name in single brackets: \`[${word}.NAME]\`.`,
  )
    .describe(doc)
    .optional();

const policyList = (doc: string) =>
  new PartSchema('an array of policies', 'array', 'policy_use', 'Write `policies = ["NAME", { use = "KIND" }]`.')
    .describe(doc)
    .optional();

const policies = policyList(
  'Policies, by name or as a table with `use`. They run by phase, and within a phase in the order of this list.',
);

/** Defaults of routes, services and listeners. */
export const defaultsShape = s.object({
  policies: policyList('Policies of every route, before those of its groups and its own; `without` removes one.'),
  listeners: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Listeners of routes that set none and whose groups set none.', ['public'])
    .optional(),
  service: serviceDefaults.describe('Defaults of services.').optional(),
  listener: listenerDefaults.describe('Defaults of listeners.').optional(),
});

export const routeShape = s.object({ ...routeFields, ...actionFields, policies });

export const groupShape = s.object({
  ...groupFields,
  policies,
  route: list('routes, as `[[group.route]]`', 'route', 'Routes of the group.'),
  group: list('groups, as `[[group.group]]`', 'group', 'Nested groups.'),
});

export const includeShape = s.either<readonly string[]>(
  { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (pattern) => [pattern]) },
  { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true })) },
);

/** Only in overlays. */
export const removeShape = s
  .array(s.string({ nonEmpty: true }))
  .describe('Parts of the spec to remove: `SECTION.NAME` or `SECTION.NAME.KEY`; routes and groups by their `name`.', [
    'route.debug',
    'listener.main.tls',
  ]);

export const rootShape = s.object({
  ...topLevel,
  include: includeShape
    .describe('Files to include, relative to this one: paths, or patterns with `*`, `**`, `?` and `{a,b}`.', [
      'routes/*.toml',
    ])
    .default([]),
  consumers: includeShape
    .describe(
      'Files of consumers, relative to the root spec: paths or patterns. `.jsonl` files are JSON lines, others TOML. A bundle does not contain them.',
      ['consumers/*.toml'],
    )
    .default([]),
  defaults: defaultsShape.describe('Defaults of services, listeners and routes.').optional(),
  listener: section(
    'listener',
    'Bound addresses, by name. A listener serves every route that does not set other `listeners`.',
  ),
  service: section('service', 'Logical APIs that own targets, by name.'),
  consumer: section('consumer', 'Callers and their credentials, by name.'),
  plan: section('plan', 'Limits that consumers bought, by name.'),
  policy: section('policy', 'Configured policies, by name; used in `policies` of routes and groups.'),
  route: list('routes, as `[[route]]`', 'route', 'Routes: a match and its action. Their order has no effect.'),
  group: list('groups, as `[[group]]`', 'group', 'Routes that share a prefix, a host or policies.'),
  normalize: normalize.describe('How request paths are normalised before they are matched.').optional(),
  admin: admin.describe('The admin API. Its unix socket always exists.').optional(),
  access_log: accessLog.describe('One line per request.').optional(),
  authentication: authentication.describe('How attempts to guess credentials are slowed.').optional(),
  overload: overload.describe('What gw does when memory is low.').optional(),
  state: state.describe('Where gw keeps what policies note, and how much.').optional(),
  vault: vault.describe('Where the values of `${vault:PATH#KEY}` come from.').optional(),
  acme: acme.describe('Where listeners with `tls = "acme"` get their certificates.').optional(),
  lint: lintSettings.describe('Warnings that `gw validate` accepts.').optional(),
});

/** Tables of settings; a missing one has all its defaults. */
export const SETTINGS_TABLES = [
  'normalize',
  'admin',
  'access_log',
  'authentication',
  'overload',
  'state',
  'lint',
] as const;
