/** Services of the model as entries. */
import { CONNECTION_AGE, type InstancesEntry, type ServiceEntry } from '../../bundle/types.js';
import type { ServiceModel } from '../../spec/model.js';
import { EJECT_DEFAULTS } from '../../spec/service/eject.js';
import type { ServiceConfig } from '../../spec/service/index.js';
import { attemptsOf, GRPC_CODES } from '../../spec/service/retry.js';
import type { TargetConfig } from '../../spec/service/target.js';
import { given, type PolicyIR } from '../ir.js';

function lowerServiceTls(tls: ServiceModel['config']['tls']): ServiceEntry['tls'] {
  if (tls === undefined) return undefined;
  const { cert, key, ca, server_name, min_version, verify } = tls;
  return {
    ...given('ca', ca),
    ...given('cert', cert),
    ...given('key', key),
    ...(min_version === '1.2' ? {} : { minVersion: min_version }),
    ...given('serverName', server_name),
    ...(verify ? {} : { verify }),
  };
}

function lowerEject(config: ServiceModel['config']): ServiceEntry['eject'] {
  const { eject_after_5xx, eject_slow, eject_for_max, eject_share, panic_below } = config;
  const entry = {
    ...(eject_after_5xx === 0 ? {} : { after5xx: eject_after_5xx }),
    ...(eject_for_max === EJECT_DEFAULTS.forMax ? {} : { forMax: eject_for_max }),
    ...(panic_below === EJECT_DEFAULTS.panicBelow ? {} : { panicBelow: panic_below }),
    ...(eject_share === EJECT_DEFAULTS.share ? {} : { share: eject_share }),
    ...(eject_slow === 0 ? {} : { slowTimes: eject_slow }),
  };
  return Object.keys(entry).length === 0 ? undefined : entry;
}

function lowerSticky(service: string, sticky: ServiceModel['config']['sticky']): ServiceEntry['sticky'] {
  if (sticky === undefined) return undefined;
  const { cookie = `gw-${service}`, key, domain, max_age, path, same_site, secure } = sticky;
  return {
    cookie,
    ...given('domain', domain),
    key,
    ...given('maxAge', max_age),
    path,
    sameSite: same_site,
    ...given('secure', secure),
  };
}

const lowerTarget = ({ url, weight, zone, priority }: TargetConfig): ServiceEntry['targets'][number] => ({
  ...given('priority', priority || undefined),
  url,
  weight,
  ...given('zone', zone),
});

function lowerBreaker(breaker: ServiceModel['config']['breaker']): ServiceEntry['breaker'] {
  if (breaker === undefined) return undefined;
  return {
    ...given('consecutive', breaker.consecutive || undefined),
    ...given('errors', breaker.errors || undefined),
    openFor: breaker.open_for,
    probes: breaker.probes,
    requests: breaker.requests,
    window: breaker.window,
  };
}

function lowerHealth(health: ServiceModel['config']['health']): ServiceEntry['health'] {
  if (health === undefined) return undefined;
  const { type } = health;
  const http = {
    ...given('body', health.body),
    method: health.method,
    path: health.path,
    statuses: health.statuses.map(({ from, to }) => [from, to] as const),
  };
  return {
    healthyAfter: health.healthy_after,
    ...(type === 'tcp' ? {} : given('host', health.host)),
    ...(type === 'http' ? http : {}),
    interval: health.interval,
    jitter: health.jitter,
    kind: type,
    ...given('port', health.port),
    ...(type === 'grpc' ? given('service', health.grpc_service) : {}),
    timeout: health.timeout,
    unhealthyAfter: health.unhealthy_after,
    ...given('waits', health.before_first_check === 'unavailable' || undefined),
  };
}

function lowerRetry(retry: ServiceModel['config']['retry']): ServiceEntry['retry'] {
  if (retry === undefined) return undefined;
  return {
    ...given('attemptTimeout', retry.attempt_timeout),
    backoff: retry.backoff,
    backoffMax: Math.max(retry.backoff, retry.backoff_max),
    budget: retry.budget,
    budgetMin: retry.budget_min,
    ...(retry.grpc.length === 0 ? {} : { grpc: retry.grpc.map((name) => GRPC_CODES[name]) }),
    ...given(
      'hedge',
      retry.hedge && {
        after: retry.hedge.after,
        attempts: retry.hedge.attempts,
        ...given('percentile', retry.hedge.percentile),
      },
    ),
    ...(retry.max_body === 0 ? {} : { maxBody: retry.max_body }),
    ...given('methods', retry.methods),
    on: retry.on ?? (retry.attempt_timeout === undefined ? ['connect', 'reset'] : ['connect', 'reset', 'timeout']),
    retryAfterMax: retry.retry_after_max,
    ...(retry.statuses.length === 0 ? {} : { statuses: retry.statuses }),
  };
}

/** Requests in flight that a process is meant to have, unless the spec says otherwise. */
const PER_INSTANCE = 20;

/** Absent: one process. */
function lowerInstances(
  run: NonNullable<ServiceConfig['run']>,
  perInstance = PER_INSTANCE,
): InstancesEntry | undefined {
  const { max, min } = run.instances ?? { min: 1, max: 1 };
  if (min === 1 && max === 1) return undefined;
  return { downAfter: run.scale_down_after, idle: run.idle, max, min, perInstance };
}

/** Milliseconds; undefined: requests do not wait. */
function waitOf({ run, wait_for_targets: wait }: ServiceConfig): number | undefined {
  return (wait ?? run?.ready_timeout) || undefined;
}

/** `signers`: the policies that sign the calls to it. `zone`: of the gateway. */
export function lowerService(
  { name, config, implicit }: ServiceModel,
  signers: readonly PolicyIR[] | undefined,
  zone: ServiceEntry['zone'],
): ServiceEntry {
  const { run, balance } = config;
  return {
    ...given('balance', balance?.kind === 'round-robin' ? undefined : balance),
    connectTimeout: config.connect_timeout,
    ...given('discover', config.discover),
    ...given('eject', lowerEject(config)),
    ejectAfter: config.eject_after,
    ejectFor: config.eject_for,
    ...given('health', lowerHealth(config.health)),
    host: config.host,
    ...given('http2', config.protocol === 'h2' ? { maxStreams: config.max_streams } : undefined),
    idleTimeout: config.idle_timeout,
    ...given('implicit', implicit),
    ...given('maxConnectionAge', config.max_connection_age === CONNECTION_AGE ? undefined : config.max_connection_age),
    ...given('breaker', lowerBreaker(config.breaker)),
    maxConnections: config.max_connections,
    ...given('maxRequests', config.max_requests),
    ...given('onClientClose', config.on_client_close),
    maxQueue: config.max_queue,
    maxSharePerAddress: config.max_share_per_address,
    name,
    // Requests of different clients cannot share such a connection.
    pipelining: config.proxy_protocol === undefined ? config.pipelining : 1,
    ...given(
      'policies',
      signers?.map((policy) => policy.name),
    ),
    ...given('proxyProtocol', config.proxy_protocol),
    ...given('refresh', config.refresh),
    ...given('requestsPerTarget', config.requests_per_target),
    responseTimeout: config.response_timeout,
    retries: attemptsOf(config),
    ...given('retry', lowerRetry(config.retry)),
    ...(run === undefined
      ? {}
      : {
          run: {
            command: run.command,
            ...given('cwd', run.cwd),
            env: run.env,
            ...given('instances', lowerInstances(run, config.requests_per_target)),
            portEnv: run.port_env,
            readyTimeout: run.ready_timeout,
          },
        }),
    ...given('slowStart', config.slow_start || undefined),
    ...given('sticky', lowerSticky(name, config.sticky)),
    targets: (config.targets ?? []).map(lowerTarget),
    ...given('tls', lowerServiceTls(config.tls)),
    tunnelIdleTimeout: config.tunnel_idle_timeout,
    ...given('waitForTargets', waitOf(config)),
    ...given('zone', zone),
  };
}
