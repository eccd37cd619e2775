/** Model -> IR: names become indices, units become numbers. */
import {
  type ConsumerEntry,
  DEFAULT_CONTENT_BYTES,
  DEFAULT_DISK_BYTES,
  type PlanEntry,
  type Program,
  type StateEntry,
  type VaultEntry,
} from '../../bundle/types.js';
import type { ConsumerModel, Model, PlanModel } from '../../spec/model.js';
import { routesOfPlan } from '../../spec/plans.js';
import { consumerEntry } from '../../spec/stored/entry.js';
import { given, type Ir } from '../ir.js';
import { modelOrigins } from '../provenance.js';
import { lowerAcme } from './acme.js';
import { lowerListener } from './listener.js';
import { lowerRoutes } from './routes.js';
import { lowerService } from './service.js';
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
    ...given('acme', lowerAcme(model)),
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
    services: model.services.map((service) => lowerService(service, signers.get(service), model.zone)),
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
