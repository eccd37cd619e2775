/** Discovery of the targets of a service. */
import { DISCOVER_KINDS, type DiscoverEntry, type DiscoverKind } from '../../bundle/service/discover.js';
import type { RefString } from '../../bundle/types.js';
import { type Problem, quoted, s } from '../../schema/declare.js';

const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
/** What follows the colon. */
const NAMES: Readonly<Record<DiscoverKind, RegExp>> = {
  docker: /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}(=[\x21-\x7e]{0,127})?$/,
  consul: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  kubernetes: new RegExp(`^${LABEL}/${LABEL}$`),
  file: /^.+$/,
  srv: /^[A-Za-z0-9_]([A-Za-z0-9_-]*)(\.[A-Za-z0-9_-]+)+\.?$/,
};
const HELP =
  'Write `docker:LABEL`, `consul:SERVICE`, `kubernetes:NAMESPACE/SERVICE`, `file:targets.json` or `srv:_http._tcp.orders.internal`.';

function sourceOf(text: string): Pick<DiscoverEntry, 'kind' | 'name'> | undefined {
  const colon = text.indexOf(':');
  const kind = DISCOVER_KINDS.find((one) => one === text.slice(0, colon));
  const name = text.slice(colon + 1);
  return kind !== undefined && NAMES[kind].test(name) ? { kind, name } : undefined;
}

function sourceProblem(text: string): Problem | undefined {
  if (sourceOf(text) !== undefined) return undefined;
  return { message: `Expected a source of targets such as \`"consul:orders"\`, found ${quoted(text)}.`, help: HELP };
}

const source = () => s.string({ nonEmpty: true }).check('schema/format', sourceProblem);

function addressProblem(text: string): Problem | undefined {
  if (/^unix:\/.+/.test(text)) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const web = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (web && !url.username && !url.password && !url.search && !url.hash) return undefined;
  const message = `Expected the address of an API such as \`"http://127.0.0.1:8500"\`, found ${quoted(text)}.`;
  return { message, help: 'Write `http://`, `https://` or `unix:/path/of/socket`, without user name and query.' };
}

interface DiscoverConfig {
  readonly from: string;
  readonly scheme?: 'http' | 'https' | undefined;
  readonly port?: string | undefined;
  readonly address?: RefString | undefined;
  readonly token?: RefString | undefined;
  readonly ca?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly datacenter?: string | undefined;
  readonly network?: string | undefined;
}

/** Which kinds a key is for. */
const KINDS: { readonly [key in keyof DiscoverConfig]?: readonly DiscoverKind[] } = {
  scheme: ['docker', 'consul', 'kubernetes', 'srv'],
  port: ['docker', 'kubernetes'],
  address: ['docker', 'consul', 'kubernetes'],
  token: ['consul', 'kubernetes'],
  ca: ['consul', 'kubernetes'],
  tags: ['consul'],
  datacenter: ['consul'],
  network: ['docker'],
};

function unusedKey(config: DiscoverConfig): Problem | undefined {
  const { kind } = sourceOf(config.from) ?? {};
  for (const [key, kinds] of Object.entries(KINDS)) {
    if (kind === undefined || config[key as keyof DiscoverConfig] === undefined || kinds.includes(kind)) continue;
    const names = kinds.map((one) => `\`${one}\``).join(', ');
    return { message: `\`${key}\` has no meaning for the source \`${kind}\`.`, help: `It is for ${names}: remove it.` };
  }
  return undefined;
}

function entryOf({ from, scheme, ...rest }: DiscoverConfig): DiscoverEntry {
  const found = sourceOf(from)!;
  const secure = (scheme ?? (found.kind === 'srv' && /^_https\./i.test(found.name) ? 'https' : 'http')) === 'https';
  const given = Object.entries({ ...rest, ...found }).filter(([, value]) => value !== undefined);
  // Sorted, as all keys of a program.
  const entries = [...given, ...(secure ? [['scheme', 'https'] as const] : [])].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries) as unknown as DiscoverEntry;
}

const options = s.object({
  from: source().describe('The source of the targets.', 'consul:orders'),
  scheme: s
    .enum('http', 'https')
    .describe('Scheme of the targets. Default: `http`, and `https` for `srv:_https.`.')
    .optional(),
  port: s
    .string({ nonEmpty: true, pattern: /^[a-z0-9-]{1,63}$/, expected: 'the name or number of a port' })
    .describe('Port of the targets, if there are several: its name (Kubernetes) or its number.', 'http')
    .optional(),
  address: s
    .reference('the address of an API', addressProblem)
    .describe(
      'Address of the API. Default: `unix:/var/run/docker.sock`, `http://127.0.0.1:8500` (Consul), that of the cluster (Kubernetes).',
      'http://127.0.0.1:8500',
    )
    .optional(),
  token: s
    .reference('a reference such as `"${env:CONSUL_TOKEN}"`', undefined, { sensitive: true })
    .describe('Token for the API. Default in Kubernetes: that of the service account, read again for each request.')
    .optional(),
  ca: s
    .string({ nonEmpty: true })
    .describe('PEM file with the authorities of the API. Default in Kubernetes: that of the service account.')
    .optional(),
  tags: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Tags that an instance must have (Consul).', ['v2'])
    .optional(),
  datacenter: s.string({ nonEmpty: true }).describe('Datacenter (Consul). Default: that of the agent.').optional(),
  network: s
    .string({ nonEmpty: true })
    .describe('Network whose addresses are used (Docker). Default: the first one in alphabetical order.')
    .optional(),
});

/** A source, or a table with its settings. */
export const discover = () =>
  s
    .either<DiscoverEntry>(
      { kinds: ['string'], schema: s.mapped(source(), (from): DiscoverEntry => entryOf({ from })) },
      { kinds: ['table'], schema: s.mapped(options.check('schema/format', unusedKey), entryOf) },
    )
    .describe(
      'Where the targets are found while gw runs, instead of `targets`: `docker:LABEL`, `consul:SERVICE`, `kubernetes:NAMESPACE/SERVICE`, `file:PATH` or `srv:NAME`; or a table with further settings ([docs/targets.md](targets.md#discovery)).',
      'consul:orders',
    )
    .optional();
