/** Model -> IR: names become indices, units become numbers. */
import {
  type ConsumerEntry,
  DEFAULT_CONTENT_BYTES,
  DEFAULT_DISK_BYTES,
  type ListenerEntry,
  type PlanEntry,
  type Program,
  type ServiceEntry,
  type StateEntry,
  type VaultEntry,
} from '../../bundle/types.js';
import type { ConsumerModel, ListenerModel, Model, PlanModel, ServiceModel } from '../../spec/model.js';
import { routesOfPlan } from '../../spec/plans.js';
import { consumerEntry } from '../../spec/stored/entry.js';
import { given, type Ir, type PolicyIR } from '../ir.js';
import { modelOrigins } from '../provenance.js';
import { lowerRoutes } from './routes.js';
import { type Signers, signersOf } from './signers.js';

/** The IR of a model without errors; never fails. Linear in the model. `includeConsumers`: with those of files. */
export function lower(model: Model, includeConsumers = false): Ir {
  const { routes, dfas, policies } = lowerRoutes(model);
  const signers = signersOf(model, policies);
  return {
    program: lowerProgram(model, signers, includeConsumers),
    dfas,
    routes,
    signers: [...signers.values()].flat(),
  };
}

// Keys here and below are sorted by code units, so that the canonical text needs no sorting.
function lowerProgram(model: Model, signers: Signers, include: boolean): Omit<Program, 'routes' | 'policies'> {
  const { accessLog, admin, normalize, overload } = model;
  return {
    accessLog: { format: accessLog.format, ...given('path', accessLog.path) },
    admin: {
      ...given('address', admin.address),
      ...(admin.hosts.length === 0 ? {} : { hosts: admin.hosts.map((host) => host.toLowerCase()) }),
      ...given('token', admin.token),
    },
    ...(model.authentication.failures === undefined
      ? {}
      : { authentication: { failures: model.authentication.failures || null } }),
    ...given('consumerFiles', include || model.consumerFiles.length === 0 ? undefined : model.consumerFiles),
    consumers: [...model.consumers.map(lowerConsumer), ...(include ? model.stored.entries() : [])],
    drainDelay: model.drainDelay,
    drainTimeout: model.drainTimeout,
    listeners: model.listeners.map(lowerListener),
    normalize: {
      dotSegments: normalize.dot_segments,
      doubleSlashes: normalize.double_slashes,
      encodedSlashes: normalize.encoded_slashes,
      trailingSlash: normalize.trailing_slash,
    },
    overload: { shedAbove: overload.shed_above / 100, shrinkAbove: overload.shrink_above / 100 },
    plans: model.plans.map((plan) => lowerPlan(plan, model)),
    provenance: {
      files: [...model.files, ...model.policyFiles.files].map(({ path, sha256 }) => ({ path, sha256 })),
      origins: modelOrigins(model),
    },
    services: model.services.map((service) => lowerService(service, signers.get(service))),
    ...given('state', lowerState(model)),
    ...given('vault', lowerVault(model.vault)),
    workers: model.workers,
  };
}

function lowerState({ state }: Model): StateEntry | undefined {
  const { content_memory: contentMemory, content_disk: contentDisk, path } = state;
  const usual = contentMemory === DEFAULT_CONTENT_BYTES && contentDisk === DEFAULT_DISK_BYTES;
  if (usual && path === undefined) return undefined;
  return { contentMemory, ...(contentDisk === DEFAULT_DISK_BYTES ? {} : { contentDisk }), ...given('path', path) };
}

function lowerListener({ name, config }: ListenerModel): ListenerEntry {
  return {
    address: config.address,
    bodyTimeout: config.body_timeout,
    headerTimeout: config.header_timeout,
    idleTimeout: config.idle_timeout,
    maxBodyBytes: config.max_body,
    maxConnections: config.max_connections,
    ...given('maxConnectionsPerAddress', config.max_connections_per_address),
    maxHeaderBytes: config.max_header,
    maxHeaders: config.max_headers,
    maxRequestsPerConnection: config.max_requests_per_connection,
    maxTargetBytes: config.max_target,
    minBodyRate: config.min_body_rate,
    name,
    ...given('tls', lowerTls(config.tls)),
    trustedProxies: config.trusted_proxies,
    underscores: config.underscores,
  };
}

function lowerTls(tls: ListenerModel['config']['tls']): ListenerEntry['tls'] {
  if (tls === undefined) return undefined;
  const { cert, key, min_version, ciphers, client_ca: ca, client_certificate: certificate, client_crl: crl } = tls;
  return {
    cert,
    ...given('ciphers', ciphers),
    ...given('client', ca && { ca, certificate: certificate ?? 'required', ...given('crl', crl) }),
    key,
    ...(min_version === '1.2' ? {} : { minVersion: min_version }),
  };
}

function lowerServiceTls(tls: ServiceModel['config']['tls']): ServiceEntry['tls'] {
  if (tls === undefined) return undefined;
  const { cert, key, ca, server_name, min_version } = tls;
  return {
    ...given('ca', ca),
    ...given('cert', cert),
    ...given('key', key),
    ...(min_version === '1.2' ? {} : { minVersion: min_version }),
    ...given('serverName', server_name),
  };
}

function lowerService(
  { name, config, implicit }: ServiceModel,
  signers: readonly PolicyIR[] | undefined,
): ServiceEntry {
  const { run } = config;
  return {
    connectTimeout: config.connect_timeout,
    ejectAfter: config.eject_after,
    ejectFor: config.eject_for,
    host: config.host,
    idleTimeout: config.idle_timeout,
    ...given('implicit', implicit),
    maxConnections: config.max_connections,
    maxQueue: config.max_queue,
    maxSharePerAddress: config.max_share_per_address,
    name,
    pipelining: config.pipelining,
    ...given(
      'policies',
      signers?.map((policy) => policy.name),
    ),
    responseTimeout: config.response_timeout,
    retries: config.retries,
    ...(run === undefined
      ? {}
      : {
          run: {
            command: run.command,
            ...given('cwd', run.cwd),
            env: run.env,
            portEnv: run.port_env,
            readyTimeout: run.ready_timeout,
          },
        }),
    targets: (config.targets ?? []).map(({ url, weight }) => ({ url, weight })),
    ...given('tls', lowerServiceTls(config.tls)),
    tunnelIdleTimeout: config.tunnel_idle_timeout,
  };
}

const lowerConsumer = ({ name, config, credentials, plan }: ConsumerModel): ConsumerEntry =>
  consumerEntry(name, config, credentials, plan?.name);

/** One of its logins is given: the reader of the settings has checked that. */
function lowerVault(vault: Model['vault']): VaultEntry | undefined {
  if (vault === undefined) return undefined;
  return {
    address: vault.address,
    ...given('ca', vault.ca),
    login: lowerLogin(vault),
    ...given('mount', vault.mount),
    ...given('namespace', vault.namespace),
    refresh: vault.refresh,
    timeout: vault.timeout,
  };
}

function lowerLogin({ approle, kubernetes, token = '' }: NonNullable<Model['vault']>): VaultEntry['login'] {
  if (approle) return { method: 'approle', mount: approle.mount, roleId: approle.role_id, secretId: approle.secret_id };
  if (!kubernetes) return { method: 'token', token };
  return { jwt: kubernetes.jwt, method: 'kubernetes', mount: kubernetes.mount, role: kubernetes.role };
}

function lowerPlan(plan: PlanModel, model: Model): PlanEntry {
  const { name, config } = plan;
  const limits = Object.entries(config.limits).map(([policy, rate]) => [policy, plainRate(rate)] as const);
  const rates = config.rate?.map(plainRate).sort((a, b) => a.periodMs - b.periodMs);
  return {
    ...given('concurrency', config.concurrency),
    limits: Object.fromEntries(limits),
    name,
    ...given('rates', rates),
    ...given('routeTags', config.route_tags),
    ...given('routes', routesOfPlan(plan, model.routes)),
  };
}

const plainRate = ({ capacity, periodMs }: PlanModel['config']['limits'][string]) => ({ capacity, periodMs });
