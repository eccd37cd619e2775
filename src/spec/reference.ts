/** The reference page: every table and key of a spec, from the declarations that read it. */
import type { Json } from '../bundle/types.js';
import { declarations } from '../policies/registry.js';
import {
  ArraySchema,
  EitherSchema,
  MapSchema,
  ObjectSchema,
  type Schema,
  WithAbsent,
  Wrapper,
} from '../schema/declare.js';
import { NAMED_TYPES } from '../schema/regex/regex.js';
import { TEMPLATE_VARIABLES } from '../schema/template.js';
import { accessLog, admin, consumer, lintSettings, listener, normalize, plan, service } from './entities.js';
import { defaultsShape, groupShape, rootShape, routeShape } from './shapes.js';

interface Chapter {
  readonly title: string;
  readonly intro: string;
  readonly schema: Schema<unknown>;
  /** The tables within have chapters of their own. */
  readonly flat?: true;
}

const CHAPTERS: readonly Chapter[] = [
  {
    title: 'Top level',
    intro: 'A spec begins with `spec = 1`. Everything else may also stand in included files.',
    schema: rootShape,
    flat: true,
  },
  {
    title: '`[defaults]`',
    intro: [
      'What holds for services, listeners and routes that do not say otherwise, in whichever file they stand.',
      '',
      '- A service or listener gets each key that it does not set itself; of a table, each key of that. A `tls` without `cert`',
      '  or `key` goes only to listeners that have a `tls` themselves.',
      '- `policies` run on every route, before those of its groups and its own; as everywhere, the phase decides first. A route',
      '  or group with `without = ["NAME"]` does not inherit that policy; one that is written in place here is called',
      '  `defaults/KIND`. `gw routes` shows what was taken away.',
      '- `listeners` holds for routes that name none, and whose groups name none.',
    ].join('\n'),
    schema: defaultsShape,
  },
  {
    title: '`[listener.NAME]`',
    intro: [
      'A bound address. It serves every route that names no `listeners`, and those that name it. On any other listener a route',
      'does not exist: requests for it get 404, and neither 405 nor `Allow` nor a CORS preflight tells of it. Two routes may have',
      'the same match where no listener serves both.',
    ].join('\n'),
    schema: listener,
  },
  {
    title: '`[service.NAME]`',
    intro: 'A logical API that owns targets. It has either `targets` or `run`.',
    schema: service,
  },
  { title: '`[consumer.NAME]`', intro: 'Who calls, and the proof of it.', schema: consumer },
  { title: '`[plan.NAME]`', intro: 'The limits that a consumer bought.', schema: plan },
  {
    title: '`[[route]]`',
    intro: 'A match and what it leads to: a service with `to`, or an answer of its own with `reply`.',
    schema: routeShape,
  },
  {
    title: '`[[group]]`',
    intro:
      'Routes that share a path prefix, hosts, listeners or policies: `[[group.route]]`. Groups nest: `[[group.group]]`.',
    schema: groupShape,
  },
  {
    title: '`[normalize]`',
    intro: 'How the path of a request is brought into one form before it is matched.',
    schema: normalize,
  },
  { title: '`[admin]`', intro: 'The admin API; its unix socket is always there.', schema: admin },
  { title: '`[access_log]`', intro: 'A line for each exchange.', schema: accessLog },
  { title: '`[lint]`', intro: 'What `gw validate` is told to accept.', schema: lintSettings },
];

/** The whole page as Markdown. Deterministic. */
export function referencePage(): string {
  const parts = ['# Reference of the spec', '', ...UNITS, ''];
  for (const chapter of CHAPTERS)
    parts.push(`## ${chapter.title}`, '', chapter.intro, '', ...fieldTable(chapter.schema, chapter.flat), '');
  parts.push('## Files', '', ...files(), '');
  parts.push('## Paths', '', ...paths(), '', '## Templates', '', ...templates(), '');
  parts.push('## Policies', '', POLICIES_INTRO, '');
  for (const { use, summary, phase, schema } of declarations) {
    parts.push(`### \`${use}\``, '', `${summary} Phase: ${phase}.`, '', ...fieldTable(schema), '');
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

const UNITS = [
  'Written from the declarations that read a spec. Durations are `"250ms"`, `"5s"`, `"2m"`, `"1h"`, `"1d"`; sizes',
  '`"512B"`, `"64KiB"`, `"10MiB"`; rates `"5/s"`, `"100/min"`, `"1000/15min"`.',
  '',
  'Where a reference is allowed (addresses, target URLs, certificates, keys, tokens, variables of `run`, `headers` policies),',
  '`${env:NAME}` and `${file:path}` are replaced when the gateway loads; what they hold never stands in a bundle. A text may',
  'hold several, and literal parts: `"http://${env:HOST}:${env:PORT:-8080}"`. `:-` begins a default, which stands where the',
  'variable or file is missing or empty; it is plain text without `}`, and it does stand in the bundle. Any other `${` there is',
  'an error; write `$${` for a literal one. Elsewhere, as in a reply, `${env:}` and `${file:}` are',
  'errors, and any other `${` is plain text.',
];

const POLICIES_INTRO =
  'A policy is declared once as `[policy.NAME]` with `use = "KIND"` and named in `policies`, or written there in place.';

interface Row {
  readonly key: string;
  readonly schema: Schema<unknown>;
}

function fieldTable(schema: Schema<unknown>, flat = false): string[] {
  const rows = rowsOf(schema, '').filter(({ key }) => !(flat && /[.[]/.test(key)));
  if (rows.length === 0) return ['No keys of its own.'];
  return [
    '| key | value | default | |',
    '|---|---|---|---|',
    ...rows.map(({ key, schema: field }) => {
      const doc = [field.doc, ...field.examples.map((example) => `For example \`${toml(example)}\`.`)].join(' ').trim();
      return `| \`${key}\` | ${cell(field.expected)} | ${cell(defaultOf(field))} | ${cell(doc)} |`;
    }),
  ];
}

/** The fields of a table, those of tables within it as dotted keys below theirs. */
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

function unwrapped(schema: Schema<unknown>): Schema<unknown> {
  let inner = schema;
  while (inner instanceof Wrapper) inner = inner.inner;
  return inner;
}

function defaultOf(schema: Schema<unknown>): string {
  if (!schema.absent()) return '**required**';
  let outer: Schema<unknown> = schema;
  while (outer instanceof Wrapper && !(outer instanceof WithAbsent)) outer = outer.inner;
  if (!(outer instanceof WithAbsent) || outer.fallback === undefined) return '';
  const written = outer.inner.written(outer.fallback);
  return written === undefined ? '' : `\`${toml(written)}\``;
}

/** A value as TOML writes it in one line. */
function toml(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value as { readonly [key: string]: Json });
  return entries.length === 0 ? '{}' : `{ ${entries.map(([key, item]) => `${key} = ${toml(item)}`).join(', ')} }`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function files(): string[] {
  return [
    'Files that `include` names **add** to the spec: entities, routes and groups. Two files that say the same thing are an',
    'error. Their paths are relative to the file that names them, and what stands in them is checked against',
    '`gw schema --fragment` by editors.',
    '',
    'Files that `--overlay FILE` names **lie over** the spec, in their order, one for each environment:',
    '',
    '- tables merge key by key, at any depth: `[service.orders]` with `retries = 3` changes that key alone;',
    '- a `[[route]]` or `[[group]]` with a `name` changes the one of that name, wherever it is defined: in the main file, in an',
    '  included one, in groups within groups. A route without a name goes by what `gw routes` calls it, `name = "GET /orders"`.',
    '  A `[[group.route]]` changes a route of that very group;',
    '- what has a new name, or none, is added: a route needs its `match`, a service `targets` or `run`, a listener its `address`, a',
    '  policy its `use`. Without them it is meant for something that is not there, and that is an error;',
    '- everything else is replaced, lists too: `policies = []` on a route takes all of its own policies away,',
    '  `policies = ["keys"]` leaves that one, and `without` takes away what it inherits. A policy with another `use` is replaced as',
    '  a whole;',
    '- `targets` and `run` of a service stand for one another, as do `to` and `reply`, `rewrite` and `strip_prefix` of a route:',
    '  setting one takes the other away;',
    '- `remove = ["route.debug", "listener.main.tls"]`, at the top of the overlay, takes away what the spec says: an entity,',
    '  a route or group by its name, wherever it is defined, or one key of them. It goes first, so an overlay may write the same',
    '  thing anew: that is how a route moves or gets another name. Names are those that the spec has before anything is',
    '  removed; one that is not there is an error;',
    '- messages about what an overlay set point into the overlay, and `gw explain` names it as the origin.',
  ];
}

function paths(): string[] {
  return [
    'A path is `/` and segments: a literal, `{name}`, `{name:type}`, `{name:pattern}`, and last perhaps a tail `{name...}`,',
    'which takes the rest, slashes included, and may be empty. A parameter is a whole segment, and is never empty.',
    '',
    '| type | pattern |',
    '|---|---|',
    ...Object.entries(NAMED_TYPES).map(([name, pattern]) => `| \`${name}\` | \`${cell(pattern)}\` |`),
    '',
    'A pattern matches the whole segment. It is a subset of regular expressions that needs no backtracking: characters, `.`,',
    'classes such as `[a-z0-9-]`, `\\d`, `\\w`, `\\s`, groups, `|`, `?`, `*`, `+`, `{2}`, `{2,}` and `{2,5}`.',
  ];
}

function templates(): string[] {
  return [
    '`{{` and `}}` are literal braces.',
    '',
    '| variable | |',
    '|---|---|',
    ...TEMPLATE_VARIABLES.map(
      ({ name, summary, reply }) => `| \`{${name}}\` | ${summary}${reply ? '; on replies only' : ''} |`,
    ),
  ];
}
