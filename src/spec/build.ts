/** Builds the model from the merged tree. Reports all errors and keeps what is valid. */
import type { Diagnostic } from '../schema/diagnostic.js';
import type { TableEntry, TableNode, TomlNode } from '../schema/tree.js';
import { callersOf, resolveCalls } from './calls.js';
import { consumer } from './consumer.js';
import { credentialsOf } from './credentials.js';
import { type DefaultedSection, defaultsOf, withDefaults } from './defaults-section.js';
import { NAME_PATTERN, plan } from './entities.js';
import { Consumer, decodeEntity, readEntity } from './entity.js';
import { listener } from './listener.js';
import { resolveMembers } from './members.js';
import type { ConsumerModel, ListenerModel, Model, PlanModel, ServiceModel } from './model.js';
import { DeclaredNames, invalidName, notTable, unresolved } from './names.js';
import { checkPlanLimits, checkPlanRoutes } from './plans.js';
import { readPolicy, reportReservedName } from './policies.js';
import type { PolicyFiles } from './policy-files.js';
import { policyRoutes } from './policy-routes.js';
import { RouteReader } from './route/build.js';
import { service } from './service/index.js';
import { servicePolicies } from './service-policies.js';
import { readSettings } from './settings.js';
import type { Sources } from './source.js';
import { readStored, type StoreTools } from './stored/index.js';

type Report = (diagnostic: Diagnostic) => void;

/** The folder of the root spec, and the files that configs name. */
export interface Surroundings {
  readonly root: string;
  readonly policyFiles: PolicyFiles;
  readonly store: StoreTools;
}

export function buildModel(
  tree: TableNode,
  sources: Sources,
  { root, policyFiles, store }: Surroundings,
  report: Report,
): Model {
  const settings = readSettings(tree, report);
  const policies = readPolicies(tree, sources, report);
  const plans = readSection(tree, 'plan', report, (entry, entity) => readEntity(plan, entry, entity, report));
  for (const each of plans.values) checkPlanLimits(each, policies, report);
  const consumers = readSection(tree, 'consumer', report, (entry, entity) =>
    readConsumer(entry, entity, { plans, policyFiles }, report),
  );
  const services = readServices(tree, report);
  const listeners = readSection(withSectionDefaults(tree, 'listener'), 'listener', report, (entry, entity) => {
    const found = readEntity(listener, entry, entity, report);
    if (found !== undefined) checkRedirect(found, report);
    return found;
  });
  const ofServices = servicePolicies(services.values, policies, report);
  const rules = planOf(settings.normalize);
  const routes = new RouteReader({ policies, listeners }, services, rules, sources, report, ofServices);
  routes.read(tree);
  checkPlanRoutes(plans.values, routes.names, report);
  const calls = resolveCalls(
    callersOf(policies.values, routes.routes),
    services,
    (entry) => readImplicitService(tree, entry, report),
    report,
  );
  const members = resolveMembers(policies, routes.routes, report);
  return {
    files: sources.files,
    root,
    policyFiles,
    listeners: listeners.values,
    services: [...services.values, ...calls.implicit],
    calls: calls.byCaller,
    servicePolicies: ofServices,
    members,
    consumers: consumers.values,
    stored: readStored({ root, settings, consumers: consumers.values, plans, policyFiles }, store, report),
    plans: plans.values,
    policies: policies.values,
    routes: routes.routes,
    policyRoutes: policyRoutes({ routes: routes.routes, members }, rules, report),
    ...settings,
  };
}

const readPolicies = (tree: TableNode, sources: Sources, report: Report) =>
  readSection(tree, 'policy', report, (entry, entity) => {
    const place = { name: entry.key, nameSpan: entry.keySpan, inPlace: false, entity };
    if (entry.value.kind !== 'table' || reportReservedName(entry, report)) return undefined;
    return readPolicy(entry.value, place, sources, report);
  });

const readServices = (tree: TableNode, report: Report) =>
  readSection(withSectionDefaults(tree, 'service'), 'service', report, (entry, entity) => {
    const found = readEntity(service, entry, entity, report);
    return found && hasOneTargetKey(found, entry, report) ? found : undefined;
  });

/** A service that the URL of a call becomes. */
function readImplicitService(tree: TableNode, entry: TableEntry, report: Report) {
  if (entry.value.kind !== 'table') return undefined;
  const value = withDefaults(entry.value, defaultsOf(tree, 'service'), 'service');
  return readEntity(service, { ...entry, value }, `service.${entry.key}`, report);
}

const planOf = (config: Model['normalize']) => ({
  encodedSlashes: config.encoded_slashes,
  doubleSlashes: config.double_slashes,
  trailingSlash: config.trailing_slash,
  dotSegments: config.dot_segments,
});

/** The tree with `[defaults.SECTION]` in every entity of the section. */
function withSectionDefaults(tree: TableNode, section: DefaultedSection): TableNode {
  const found = tree.entries.get(section);
  const defaults = defaultsOf(tree, section);
  if (found?.value.kind !== 'table' || defaults.size === 0) return tree;
  const entities = [...found.value.entries].map(([name, entry]): [string, TableEntry] =>
    entry.value.kind === 'table'
      ? [name, { ...entry, value: withDefaults(entry.value, defaults, section) }]
      : [name, entry],
  );
  const value: TableNode = { ...found.value, entries: new Map(entities) };
  return { ...tree, entries: new Map(tree.entries).set(section, { ...found, value }) };
}

function readSection<T>(
  tree: TableNode,
  word: string,
  report: Report,
  read: (entry: TableEntry, entity: string) => T | undefined,
): DeclaredNames<T> {
  const names = new DeclaredNames<T>();
  const section = tree.entries.get(word)?.value;
  if (section?.kind !== 'table') return names;
  for (const entry of section.entries.values()) {
    const entity = `${word}.${entry.key}`;
    if (!NAME_PATTERN.test(entry.key)) report(invalidName(word, entry));
    if (entry.value.kind === 'table') names.add(entry.key, read(entry, entity));
    else {
      names.add(entry.key, undefined);
      report(notTable(word, entry));
    }
  }
  return names;
}

/** Resolves the plan, also for a consumer with other errors. */
function readConsumer(
  entry: TableEntry,
  entity: string,
  { plans, policyFiles }: { readonly plans: DeclaredNames<PlanModel>; readonly policyFiles: PolicyFiles },
  report: Report,
): ConsumerModel | undefined {
  const found = decodeEntity(consumer, entry, entity, report);
  const name = found ? found.config.plan : planNamedIn(entry.value);
  const bought = name === undefined ? undefined : plans.get(name);
  if (name !== undefined && !bought && !plans.isKnown(name)) {
    const span = entry.value.kind === 'table' ? entry.value.entries.get('plan')?.value.span : undefined;
    report({ ...unresolved('plan', name, span ?? entry.keySpan, plans), entity });
  }
  if (!found) return undefined;
  const { credentials, problems } = credentialsOf(found.config, policyFiles.read);
  for (const { at, ...problem } of problems)
    report({ code: 'consumer/public-key', severity: 'error', span: found.at.spanOf(...at), entity, ...problem });
  return new Consumer(entry, found, bought, credentials);
}

function planNamedIn(node: TomlNode): string | undefined {
  const named = node.kind === 'table' ? node.entries.get('plan')?.value : undefined;
  return named?.kind === 'string' && named.value !== '' ? named.value : undefined;
}

/** Of these, a service has one. */
const TARGET_KEYS = ['targets', 'run', 'discover'] as const;

function hasOneTargetKey(found: ServiceModel, entry: TableEntry, report: Report): boolean {
  const given = TARGET_KEYS.filter((key) => found.config[key] !== undefined);
  if (given.length === 1) return true;
  const entity = `service.${found.name}`;
  const [first, second] = given;
  const head = entry.value.kind === 'table' ? (entry.value.headSpan ?? entry.keySpan) : entry.keySpan;
  report({
    code: 'schema/one-of',
    severity: 'error',
    span: second === undefined ? head : found.at.keySpanOf(second),
    message:
      second === undefined
        ? `Service \`${found.name}\` has neither \`targets\` nor \`run\` nor \`discover\`.`
        : `A service has either \`${first}\` or \`${second}\`, not both.`,
    help: 'Set `targets = ["http://..."]`, let gw start the service with `run = { command = "..." }`, or find its targets with `discover = "consul:..."`.',
    entity,
  });
  return false;
}

/** Reports a redirect to https on a listener that uses https already. */
function checkRedirect({ name, config, at }: ListenerModel, report: Report): void {
  if (config.tls === undefined || config.redirect === undefined) return;
  report({
    code: 'schema/value',
    severity: 'error',
    span: at.keySpanOf('redirect'),
    entity: `listener.${name}`,
    message: '`redirect` leads to https, but the listener has `tls`: its clients use https already.',
    help: 'Remove `redirect`, or set it on a listener without `tls`, such as the one at port 80.',
  });
}
