/** An OpenAPI 3.0 or 3.1 document -> a spec of gw: servers to services, operations to routes. */
import { failed } from '../exit.js';
import { field, parseOpenApi, textOf } from './document.js';
import { pathText } from './paths.js';
import { type RouteDraft, routeDrafts } from './routes.js';
import { type ServiceDraft, Services } from './servers.js';

/** In the spec's first comment; a long list helps nobody. */
const MOST_NOTES = 20;

export interface ImportedSpec {
  /** TOML. */
  readonly spec: string;
  readonly routes: number;
  readonly services: number;
  /** Where it listens. */
  readonly address: string;
  /** What could not be taken over as it was: a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Security schemes are not imported: a document says that there are keys, not whose.
 * Throws Stop for text that is no OpenAPI 3 document, or that has no path.
 * @param name the file's name, for messages
 */
export function importOpenApi(text: string, name: string): ImportedSpec {
  const document = parseOpenApi(text, name);
  const info = field(document.root, 'info');
  const title = (textOf(field(info, 'title')) ?? 'api').trim();
  const services = new Services(title);
  const { routes, notes } = routeDrafts(document, services);
  if (routes.length === 0) throw failed(`${name} describes no operation, so there is nothing to route.`);
  const used = services.all.filter((service) => routes.some((route) => route.service === service));
  const address = `127.0.0.1:${freePort(used)}`;
  const version = String(field(info, 'version') ?? '').trim();
  const lines = [
    '#:schema ./gateway.schema.json',
    ...comment(`From ${title}${version ? ` ${version}` : ''} (OpenAPI ${document.version}, ${name}).`),
    ...noteLines(notes),
    'spec = 1',
    '',
    '[listener.main]',
    `address = ${toml(address)}`,
    ...used.flatMap(serviceLines),
    ...allowances(used),
    ...routes.flatMap(routeLines),
    '',
  ];
  const serviceNotes = used.flatMap((service) => service.notes);
  const spec = lines.join('\n');
  return { spec, address, routes: routes.length, services: used.length, notes: [...serviceNotes, ...notes] };
}

/** Not one that a target on this machine has already: gw would call itself. */
function freePort(services: readonly ServiceDraft[]): number {
  const taken = new Set(services.map((service) => Number(new URL(service.target).port)));
  let port = 8080;
  while (taken.has(port)) port++;
  return port;
}

function noteLines(notes: readonly string[]): string[] {
  const more = notes.length - MOST_NOTES;
  const shown = notes.slice(0, MOST_NOTES).flatMap((note) => comment(`- ${note}`));
  return more > 0 ? [...shown, `# - and ${more} more of these.`] : shown;
}

function serviceLines(service: ServiceDraft): string[] {
  const others = service.others.length === 0 ? [] : comment(`The document also names ${service.others.join(' , ')}`);
  return [
    '',
    ...service.notes.flatMap(comment),
    ...others,
    `[service.${service.name}]`,
    `targets = [${toml(service.target)}]`,
    // A host of the internet answers to its own name, not to the gateway's.
    ...(service.named ? ['host = "target"'] : []),
  ];
}

function allowances(services: readonly ServiceDraft[]): string[] {
  return services
    .filter((service) => service.plaintext)
    .flatMap((service) => [
      '',
      '[[lint.allow]]',
      'code = "target/plaintext"',
      `at = ${toml(`service.${service.name}`)}`,
      'reason = "The OpenAPI document names this server with http://."',
    ]);
}

function routeLines(route: RouteDraft): string[] {
  const path = pathText(route.segments);
  const query = route.query.map(([name, value]) => `${toml(name)} = ${toml(value)}`).join(', ');
  const match =
    query === ''
      ? toml(`${route.method} ${path}`)
      : `{ path = ${toml(path)}, methods = [${toml(route.method)}], query = { ${query} } }`;
  return ['', '[[route]]', `name = ${toml(route.name)}`, `match = ${match}`, `to = ${toml(route.service.name)}`];
}

/** Control characters have no place in a TOML comment. */
function comment(text: string): string[] {
  return text.split(/\r\n|[\n\r]/).map((line) => `# ${line.replace(/[\u0000-\u001f\u007f]/g, ' ')}`.trimEnd());
}

/** A basic string of TOML. */
function toml(text: string): string {
  const whole = Buffer.from(text, 'utf8').toString('utf8');
  // JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
  return JSON.stringify(whole).replaceAll('\u007f', '\\u007F');
}
