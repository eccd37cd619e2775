/**
 * An OpenAPI 3.0 or 3.1 document -> a spec of gw: servers to services, operations to routes, security to api-key policies.
 *
 * What gw cannot match exactly becomes wider, never narrower, with a note. Credentials become stricter, never open.
 */
import { keyHash, newKey } from '../../key-format.js';
import { checkSpec } from '../../lint/index.js';
import { failed, usage } from '../exit-codes.js';
import { field, isTable, type OpenApiDocument, readDocument, scalarText, textOf } from './document.js';
import type { RouteDraft } from './draft.js';
import { MOST_IN_ONE_FILE, oneFile, type SpecDraft, type SpecFile, severalFiles } from './layout.js';
import { type Note, Notes } from './notes.js';
import { routeDrafts } from './routes.js';
import type { PolicyDraft } from './security.js';
import { type ServiceDraft, Services } from './servers.js';

export interface ImportedSpec {
  /** TOML of the root file. */
  readonly spec: string;
  /** What the root file includes. */
  readonly files: readonly SpecFile[];
  /** The same spec as one text. */
  readonly whole: string;
  readonly routes: number;
  readonly services: number;
  /** Where it listens. */
  readonly address: string;
  /** Origins of its services. */
  readonly targets: readonly string[];
  /** What could not be translated exactly: one sentence each, warnings first. */
  readonly notes: readonly string[];
  /** The same, with kinds. */
  readonly remarks: readonly Note[];
  /** A sentence, if no route requires credentials because the document requires none. */
  readonly openness: string | undefined;
  /** The key whose hash is in the spec; undefined if no route requires one. */
  readonly apiKey: string | undefined;
  /** Where each route reads keys, by the name of the route. */
  readonly keyPlaces: ReadonlyMap<string, readonly KeyPlace[]>;
}

export interface KeyPlace {
  readonly in: 'header' | 'query';
  readonly name: string;
}

/**
 * Throws CommandError for text that is not an OpenAPI 3 document, or that has no operation.
 * @param name the file's name, for messages
 * @param port where the gateway is to listen; throws Stop where a target on this machine has that port
 */
export function importOpenApi(text: string, name: string, port?: number): ImportedSpec {
  const document = readDocument(text, name);
  const info = field(document.root, 'info');
  const title = (textOf(field(info, 'title')) ?? '').trim() || 'api';
  const services = new Services(title);
  const found = new Notes();
  for (const key of document.repeated) {
    found.add('left', key, `\`${key}\` occurs twice in the document; only the last one is read.`);
  }
  const routes = routeDrafts(document, services, found);
  if (routes.length === 0) throw failed(`${name} ${whyEmpty(document, found.all)}`);
  const used = services.all.filter((service) => routes.some((route) => route.service === service));
  for (const service of used)
    for (const note of service.notes) found.add('service', service.name, `service \`${service.name}\`: ${note}`);
  const openness = noteOpen(document, routes, found);
  const notes = found.all;
  const policies = [...new Set(routes.flatMap(({ guard }) => guard.policies))];
  const apiKey = newKey();
  const version = scalarText(field(info, 'version')).trim();
  const draft: SpecDraft = {
    head: [
      `From ${title.slice(0, 300)}${version ? ` ${version.slice(0, 60)}` : ''} (OpenAPI ${document.version}, ${name}).`,
      ...(openness === undefined ? [] : [openness]),
    ],
    notes,
    address: `127.0.0.1:${port === undefined ? freePort(used) : checkedPort(port, used)}`,
    services: used,
    policies,
    routes,
    keyHash: keyHash(apiKey).slice('sha256:'.length),
    allowed: [...plaintext(used), ...keysInQuery(policies)],
  };
  return {
    ...texts({ ...draft, allowed: [...draft.allowed, ...openOnPurpose(draft)] }),
    address: draft.address,
    targets: used.map(({ target }) => target),
    routes: routes.length,
    services: used.length,
    notes: [...notes].sort((a, b) => Number(b.warning) - Number(a.warning)).map((note) => note.text),
    remarks: notes,
    openness,
    apiKey: policies.length > 0 ? apiKey : undefined,
    keyPlaces: new Map(routes.map((route) => [route.name, route.guard.policies.flatMap(keyPlace)])),
  };
}

function texts(draft: SpecDraft): Pick<ImportedSpec, 'spec' | 'files' | 'whole'> {
  const whole = oneFile(draft);
  if (draft.routes.length <= MOST_IN_ONE_FILE) return { spec: whole, files: [], whole };
  const { root, parts } = severalFiles(draft);
  return { spec: root, files: parts, whole };
}

const keyPlace = ({ header, query }: PolicyDraft): KeyPlace[] =>
  header === undefined ? (query === undefined ? [] : [{ in: 'query', name: query }]) : [{ in: 'header', name: header }];

function whyEmpty(document: OpenApiDocument, notes: readonly Note[]): string {
  const left = notes.filter(({ kind }) => kind === 'left' || kind === 'same');
  if (left.length > 0) {
    const more = left.length > 1 ? ` So it is with ${left.length - 1} more.` : '';
    return `leaves nothing to route: ${left[0]?.text}${more}`;
  }
  const webhooks = field(document.root, 'webhooks');
  if (isTable(webhooks) && Object.keys(webhooks).length > 0) {
    return 'describes only webhooks, which the service calls at others, so there is nothing to route.';
  }
  return 'describes no operation, so there is nothing to route.';
}

/** Adds a note for each open route. If all routes are open, returns one sentence instead. */
function noteOpen(document: OpenApiDocument, routes: readonly RouteDraft[], notes: Notes): string | undefined {
  const open = routes.filter(({ guard }) => guard.open !== undefined);
  if (open.length === 0) return undefined;
  const guarded = open.length < routes.length || routes.some(({ guard }) => guard.policies.length > 0);
  if (guarded) {
    for (const { name, guard } of open) {
      if (guard.note?.kind !== 'optional') notes.add('open', name, `\`${name}\` is open: ${guard.open}.`);
    }
    return undefined;
  }
  const schemes = field(field(document.root, 'components'), 'securitySchemes');
  const names = isTable(schemes) ? Object.keys(schemes).slice(0, 5) : [];
  if (names.length > 0 && open.every(({ guard }) => guard.note === undefined)) {
    const list = names.map((name) => `\`${name.slice(0, 60)}\``).join(', ');
    notes.add(
      'unused',
      'securitySchemes',
      `the document describes the credentials ${list}, but no operation asks for them.`,
    );
  }
  const why = [...new Set(open.map(({ guard }) => guard.open))].join('; ');
  return `${routes.length === 1 ? 'The route is' : `All ${routes.length} routes are`} open: ${why}.`;
}

/** A port that no target has: the gateway would call itself. */
function freePort(services: readonly ServiceDraft[]): number {
  const taken = new Set(services.map((service) => Number(new URL(service.target).port)));
  let port = 8080;
  while (taken.has(port)) port++;
  return port;
}

function checkedPort(port: number, services: readonly ServiceDraft[]): number {
  const itself = services.find(({ target }) => {
    const { hostname, port: its } = new URL(target);
    return Number(its) === port && /^(localhost|127\..*|\[::1\])$/.test(hostname);
  });
  if (itself === undefined) return port;
  throw usage(
    `Port ${port} is the port of service \`${itself.name}\` (${itself.target}), so the gateway would call itself. Choose another --port.`,
  );
}

function plaintext(services: readonly ServiceDraft[]): SpecDraft['allowed'] {
  return services
    .filter((service) => service.plaintext)
    .map((service) => ({
      code: 'target/plaintext',
      at: `service.${service.name}`,
      reason: 'The OpenAPI document names this server with http://.',
    }));
}

function keysInQuery(policies: readonly PolicyDraft[]): SpecDraft['allowed'] {
  return policies
    .filter(({ query }) => query !== undefined)
    .map(({ name }) => ({
      code: 'credential/in-query',
      at: `policy.${name}`,
      reason: 'The OpenAPI document has the key in the query.',
    }));
}

/** Open routes that `gw validate` would warn of, beside those that ask for a key. The document means them to be open. */
function openOnPurpose(draft: SpecDraft): SpecDraft['allowed'] {
  if (draft.policies.length === 0 || draft.routes.every(({ guard }) => guard.open === undefined)) return [];
  const byEntity = new Map(draft.routes.map((route) => [`route.${route.name}`, route]));
  const { diagnostics } = checkSpec({ path: 'gateway.toml', text: oneFile(draft) });
  return diagnostics.flatMap(({ code, entity }) => {
    const why = code === 'route/unauthenticated' && entity !== undefined ? byEntity.get(entity)?.guard.open : undefined;
    return why === undefined || entity === undefined ? [] : [{ code, at: entity, reason: `OpenAPI: ${why}.` }];
  });
}
