/** Generates the reference page: every table and key of a spec, from its declarations. */
import { declarations as actions } from '../actions/registry.js';
import type { Json } from '../bundle/types.js';
import { declarations } from '../policies/registry.js';
import {
  ArraySchema,
  EitherSchema,
  MapSchema,
  ObjectSchema,
  type Schema,
  unwrapped,
  WithAbsent,
  Wrapper,
} from '../schema/declare.js';
import { NAMED_TYPES } from '../schema/regex/regex.js';
import { TEMPLATE_VARIABLES } from '../schema/template.js';
import { acme } from './acme.js';
import { ACTION_KEYS } from './actions.js';
import { consumer } from './consumer.js';
import { accessLog, admin, lintSettings, normalize, plan } from './entities.js';
import { listener } from './listener.js';
import { phases } from './phases.js';
import { service } from './service/index.js';
import { defaultsShape, groupShape, rootShape, routeShape } from './shapes.js';
import { state } from './state-section.js';
import { vault } from './vault.js';
import { WHEN_SUMMARY } from './when.js';

interface Chapter {
  readonly title: string;
  readonly intro: string;
  readonly schema: Schema<unknown>;
  /** Nested tables have their own chapters. */
  readonly flat?: true;
  /** Keys whose nested keys are in another chapter. */
  readonly apart?: readonly string[];
}

const CHAPTERS: readonly Chapter[] = [
  {
    title: 'Top level',
    intro: 'A spec begins with `spec = 1`. Everything else may also be in included files.',
    schema: rootShape,
    flat: true,
  },
  {
    title: '`[defaults]`',
    intro: [
      'Defaults for all services, listeners and routes, in all files.',
      '',
      '- A service or listener gets each key that it does not set itself; tables are merged key by key. For listeners, a `tls`',
      '  without a certificate (`cert` and `key`, `hosts` or `acme`) applies only to those with their own `tls`, also to',
      '  `tls = "acme"`. A listener with `cert` does not inherit `acme`, and one with `acme` no `cert`.',
      '- `policies` run on every route, before those of its groups and its own. The phase of a policy still comes first. A route',
      '  or group with `without = ["NAME"]` does not inherit that policy; a policy written in place here is named',
      '  `defaults/KIND`. `gw routes` shows removed policies.',
      '- `listeners` applies to routes that set none and whose groups set none.',
    ].join('\n'),
    schema: defaultsShape,
  },
  {
    title: '`[listener.NAME]`',
    intro: [
      'A bound address. It serves every route without `listeners`, and every route that lists it. On other listeners a route does',
      'not exist: requests get 404, and 405, `Allow` and CORS preflights do not reveal it. Two routes may have the same match if',
      'no listener serves both.',
    ].join('\n'),
    schema: listener,
  },
  {
    title: '`[service.NAME]`',
    intro: 'A logical API that owns targets. It has one of `targets`, `run` and `discover`.',
    schema: service,
  },
  {
    title: '`[state]`',
    intro: 'Where gw keeps what policies note, and how much: see [contents on disk](running.md#contents-on-disk).',
    schema: state,
  },
  {
    title: '`[vault]`',
    intro: [
      'Where the values of `${vault:PATH#KEY}` come from: HashiCorp Vault or OpenBao, a KV engine of version 2. `PATH` begins with the',
      'mount of the engine: `${vault:secret/shop/db#password}`. gw logs in with exactly one of `token`, `approle` and `kubernetes`,',
      'renews its token, and compares the versions of the secrets in use every `refresh`. A new value goes live by itself, without a',
      'change of the spec: policies that use it are created anew, everything else stays. While Vault cannot be read, the last values',
      'stay in use. A load is rejected if it needs a secret that cannot be read and was not read before; while gw watches the spec, it',
      'tries again, first after a second, later once a minute.',
    ].join('\n'),
    schema: vault,
  },
  {
    title: '`[acme]`',
    intro: 'Where listeners with `tls = "acme"` get their certificates: see [certificates by ACME](acme.md).',
    schema: acme,
  },
  { title: '`[consumer.NAME]`', intro: 'A caller and its credentials.', schema: consumer },
  { title: '`[plan.NAME]`', intro: 'Limits that a consumer bought.', schema: plan },
  {
    title: '`[[route]]`',
    intro: 'A match and its action: exactly one of the keys that [actions](#actions) lists.',
    schema: routeShape,
    apart: ACTION_KEYS,
  },
  {
    title: '`[[group]]`',
    intro:
      'Routes that share a path prefix, hosts, listeners or policies: `[[group.route]]`. Groups can be nested: `[[group.group]]`.',
    schema: groupShape,
  },
  {
    title: '`[normalize]`',
    intro: 'How the path of a request is normalised before it is matched.',
    schema: normalize,
  },
  { title: '`[admin]`', intro: 'The admin API. Its unix socket always exists.', schema: admin },
  { title: '`[access_log]`', intro: 'One line per request.', schema: accessLog },
  { title: '`[lint]`', intro: 'Warnings that `gw validate` accepts.', schema: lintSettings },
];

/** The whole page as Markdown. Deterministic. */
export function referencePage(): string {
  const parts = ['# Reference of the spec', '', ...UNITS, ''];
  for (const chapter of CHAPTERS)
    parts.push(`## ${chapter.title}`, '', chapter.intro, '', ...fieldTable(chapter.schema, chapter), '');
  parts.push('## Files', '', ...files(), '');
  parts.push('## Paths', '', ...paths(), '', '## Templates', '', ...templates(), '');
  parts.push('## Policies', '', POLICIES_INTRO, '', ...phases(), '');
  for (const { use, summary, phase, schema } of declarations) {
    parts.push(`### \`${use}\``, '', `${summary}. Phase: ${phase}.`, '', ...fieldTable(schema), '');
  }
  parts.push('## Actions', '', ACTIONS_INTRO, '');
  for (const { use, key = use, summary, schema } of actions) {
    const short = key === use ? '' : ` Short form: \`${key}\` of the route.`;
    parts.push(`### Action \`${use}\``, '', `${summary}.${short}`, '', ...fieldTable(schema), '');
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

const UNITS = [
  'Generated from the declarations in the source. Durations are `"250ms"`, `"5s"`, `"2m"`, `"1h"`, `"1d"`; sizes',
  '`"512B"`, `"64KiB"`, `"10MiB"`; rates `"5/s"`, `"100/min"`, `"1000/15min"`.',
  '',
  'Where references are allowed (addresses, target URLs, certificates, keys, tokens, variables of `run`, `headers` policies),',
  '`${env:NAME}`, `${file:path}` and `${vault:PATH#KEY}` (a secret of [Vault](#vault)) are resolved when the gateway loads; their',
  'values are never part of a bundle. A text may',
  'contain several references and literal parts: `"http://${env:HOST}:${env:PORT:-8080}"`. `:-` starts a default, used if the',
  'variable or file is missing or empty. A default is plain text without `}` and is part of the bundle. Any other `${` is an',
  'error there; write `$${` for a literal `${`. Elsewhere, for example in a reply, references are errors, and any',
  'other `${` is plain text.',
];

const POLICIES_INTRO = `A policy is either declared as \`[policy.NAME]\` with \`use = "KIND"\` and listed in \`policies\`, or written there in place. \`use\` also accepts [code of your own](custom-policies.md): a file or an npm package. Every policy also accepts \`when\`. ${WHEN_SUMMARY}`;

const ACTIONS_INTRO = [
  'What answers a route. A route has exactly one: the table of keys below, either behind a key with the name of the action,',
  '`reply = { status = 204 }`, or as `action = { use = "reply", status = 204 }`.',
].join('\n');

interface Row {
  readonly key: string;
  readonly schema: Schema<unknown>;
}

function fieldTable(schema: Schema<unknown>, { flat, apart = [] }: Pick<Chapter, 'flat' | 'apart'> = {}): string[] {
  const isNested = (key: string): boolean => {
    const [first = ''] = key.split(/[.[]/);
    return first !== key && (flat === true || apart.includes(first));
  };
  const rows = rowsOf(schema, '').filter(({ key }) => !isNested(key));
  if (rows.length === 0) return ['No keys.'];
  return [
    '| key | value | default | meaning |',
    '|---|---|---|---|',
    ...rows.map(({ key, schema: field }) => {
      const doc = [field.doc, ...field.examples.map((example) => `For example \`${toml(example)}\`.`)].join(' ').trim();
      return `| \`${key}\` | ${cell(field.expected)} | ${cell(defaultOf(field))} | ${cell(doc)} |`;
    }),
  ];
}

/** The fields of a table; fields of nested tables follow as dotted keys. */
function rowsOf(schema: Schema<unknown>, prefix: string): Row[] {
  const inner = unwrapped(schema);
  if (inner instanceof ObjectSchema) {
    const fields = Object.entries(inner.fields as { readonly [key: string]: Schema<unknown> });
    return fields.flatMap(([key, field]) => [
      { key: prefix + key, schema: field },
      ...rowsOf(field, `${prefix}${key}.`),
    ]);
  }
  if (inner instanceof ArraySchema) return rowsOf(inner.item, `${prefix.replace(/\.$/, '')}[].`);
  if (inner instanceof MapSchema) return rowsOf(inner.value, `${prefix}NAME.`);
  if (inner instanceof EitherSchema) return inner.forms.flatMap((form) => rowsOf(form.schema, prefix));
  return [];
}

function defaultOf(schema: Schema<unknown>): string {
  if (!schema.absent()) return '**required**';
  let outer: Schema<unknown> = schema;
  while (outer instanceof Wrapper && !(outer instanceof WithAbsent)) outer = outer.inner;
  if (!(outer instanceof WithAbsent) || outer.fallback === undefined) return '';
  const written = outer.inner.written(outer.fallback);
  return written === undefined ? '' : `\`${toml(written)}\``;
}

/** A value as TOML on one line. */
function toml(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  // A key without a default is absent.
  const entries = Object.entries(value as { readonly [key: string]: Json }).filter(isSet);
  return entries.length === 0 ? '{}' : `{ ${entries.map(([key, item]) => `${key} = ${toml(item)}`).join(', ')} }`;
}

const isSet = ([, value]: readonly [string, Json | undefined]): boolean => value !== undefined;

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function files(): string[] {
  return [
    'Files listed in `include` **add** entities, routes and groups to the spec. Two files that set the same thing are an error.',
    'Paths in an included file are relative to that file. Editors check included files against `gw schema --fragment`.',
    '',
    'Files given with `--overlay FILE` **override** parts of the spec, in the order given, for example one per environment:',
    '',
    '- tables merge key by key, at any depth: `[service.orders]` with `retries = 3` changes only that key;',
    '- a `[[route]]` or `[[group]]` with a `name` changes the one with that name, wherever it is defined: in the main file, in an',
    '  included file, in nested groups. A route without a name is identified as `gw routes` shows it: `name = "GET /orders"`.',
    '  A `[[group.route]]` changes a route of that group only;',
    '- an item with a new name, or without a name, is added: a route needs its `match`, a service `targets`, `run` or `discover`, a listener',
    '  its `address`, a policy its `use`. Without them gw assumes that the name of an existing item was meant and reports an error;',
    '- everything else is replaced, including lists: `policies = []` on a route removes all its own policies,',
    '  `policies = ["keys"]` keeps only that one, and `without` removes inherited ones. A policy with another `use` is replaced',
    '  completely;',
    '- `targets`, `run` and `discover` of a service exclude each other, as do the actions of a route, and its `rewrite` and `strip_prefix`:',
    '  setting one removes the other;',
    '- `remove = ["route.debug", "listener.main.tls"]`, at the top of the overlay, removes parts of the spec: an entity,',
    '  a route or group by its name, wherever it is defined, or one key of them. It is applied first, so an overlay may define the',
    '  same thing again: this is how a route is moved or renamed. Names are those of the spec before any removal;',
    '  an unknown name is an error;',
    '- diagnostics about a value from an overlay point into the overlay, and `gw explain` names it as the origin.',
  ];
}

function paths(): string[] {
  return [
    'A path is `/` and segments: a literal, `{name}`, `{name:type}`, `{name:pattern}`, and optionally a tail `{name...}` at the end,',
    'which matches the rest of the path including slashes and may be empty. A parameter is a whole segment and is never empty.',
    '',
    '| type | pattern |',
    '|---|---|',
    ...Object.entries(NAMED_TYPES).map(([name, pattern]) => `| \`${name}\` | \`${cell(pattern)}\` |`),
    '',
    'A pattern matches the whole segment. Patterns are a subset of regular expressions without backtracking: characters, `.`,',
    'classes such as `[a-z0-9-]`, `\\d`, `\\w`, `\\s`, groups, `|`, `?`, `*`, `+`, `{2}`, `{2,}` and `{2,5}`.',
  ];
}

function templates(): string[] {
  return [
    '`{{` and `}}` are literal braces, except in fields and bodies of replies, where every brace that is not part of a variable is',
    'literal.',
    '',
    '| variable | meaning |',
    '|---|---|',
    ...TEMPLATE_VARIABLES.map(
      ({ name, summary, reply }) => `| \`{${name}}\` | ${summary}${reply ? '; only on replies' : ''} |`,
    ),
  ];
}
