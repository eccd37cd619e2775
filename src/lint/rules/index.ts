/** Every rule. Derived: `node scripts/lint-rules.mjs` writes it from the files here. */
import type { Rule } from '../rule.js';
import acmeMissing from './acme-missing.js';
import acmeNoFolder from './acme-no-folder.js';
import acmeNoHost from './acme-no-host.js';
import acmeUnreachable from './acme-unreachable.js';
import adminPublic from './admin-public.js';
import allowAnonymous from './allow-anonymous.js';
import allowUngrantableClaim from './allow-ungrantable-claim.js';
import allowUngrantableScope from './allow-ungrantable-scope.js';
import cacheUnkeyed from './cache-unkeyed.js';
import consumerCredentialName from './consumer-credential-name.js';
import consumerExpired from './consumer-expired.js';
import consumerNoCredential from './consumer-no-credential.js';
import consumerSharedKey from './consumer-shared-key.js';
import consumerUnused from './consumer-unused.js';
import consumerWeakKey from './consumer-weak-key.js';
import credentialInQuery from './credential-in-query.js';
import drainLongDelay from './drain-long-delay.js';
import expressionBeforeAuthentication from './expression-before-authentication.js';
import expressionConstant from './expression-constant.js';
import expressionTooMany from './expression-too-many.js';
import expressionUnknownParameter from './expression-unknown-parameter.js';
import grpcWebCors from './grpc-web-cors.js';
import grpcWebTarget from './grpc-web-target.js';
import idempotencyBehindCache from './idempotency-behind-cache.js';
import idempotencyNoCaller from './idempotency-no-caller.js';
import idempotencyNoFolder from './idempotency-no-folder.js';
import idempotencyTtlTimeout from './idempotency-ttl-timeout.js';
import limitBeforeAuthentication from './limit-before-authentication.js';
import limitSpoofableKey from './limit-spoofable-key.js';
import listenerConflict from './listener-conflict.js';
import listenerNone from './listener-none.js';
import listenerProxyProtocol from './listener-proxy-protocol.js';
import listenerPublicWithoutTls from './listener-public-without-tls.js';
import listenerTrustsEveryone from './listener-trusts-everyone.js';
import listenerUnderscoresKept from './listener-underscores-kept.js';
import listenerUnixTls from './listener-unix-tls.js';
import listenerUnused from './listener-unused.js';
import overloadOrder from './overload-order.js';
import pathParameterTwice from './path-parameter-twice.js';
import planMissing from './plan-missing.js';
import planNoEffect from './plan-no-effect.js';
import planNoRoute from './plan-no-route.js';
import planNotApplied from './plan-not-applied.js';
import planUnused from './plan-unused.js';
import planZeroLimit from './plan-zero-limit.js';
import policyNoCaller from './policy-no-caller.js';
import policyRepeated from './policy-repeated.js';
import policyUnused from './policy-unused.js';
import routeAmbiguous from './route-ambiguous.js';
import routeDuplicate from './route-duplicate.js';
import routeIgnoredSetting from './route-ignored-setting.js';
import routeNone from './route-none.js';
import routeScheme from './route-scheme.js';
import routeShadowed from './route-shadowed.js';
import routeStripPrefix from './route-strip-prefix.js';
import routeTimeoutBudget from './route-timeout-budget.js';
import routeUnauthenticated from './route-unauthenticated.js';
import routeUnauthorized from './route-unauthorized.js';
import routeWebsocketOverHttp2 from './route-websocket-over-http2.js';
import secretPlainText from './secret-plain-text.js';
import serviceAttemptTimeout from './service-attempt-timeout.js';
import serviceAttemptsTwice from './service-attempts-twice.js';
import serviceBreakerNeverOpens from './service-breaker-never-opens.js';
import serviceCallCycle from './service-call-cycle.js';
import serviceCallField from './service-call-field.js';
import serviceCheckSetting from './service-check-setting.js';
import serviceFixedPort from './service-fixed-port.js';
import serviceGrpcOverHttp1 from './service-grpc-over-http1.js';
import serviceGrpcRetryUnused from './service-grpc-retry-unused.js';
import serviceHashKey from './service-hash-key.js';
import serviceHedgeUnused from './service-hedge-unused.js';
import serviceProxyProtocol from './service-proxy-protocol.js';
import serviceRefreshUnused from './service-refresh-unused.js';
import serviceRepeatsUnsafe from './service-repeats-unsafe.js';
import serviceScalingUnused from './service-scaling-unused.js';
import serviceUnsignedCalls from './service-unsigned-calls.js';
import serviceUnused from './service-unused.js';
import serviceUnverifiedTls from './service-unverified-tls.js';
import serviceVersionSetting from './service-version-setting.js';
import targetDuplicate from './target-duplicate.js';
import targetNoWeight from './target-no-weight.js';
import targetPlaintext from './target-plaintext.js';
import targetPriorityGap from './target-priority-gap.js';
import targetSchemePort from './target-scheme-port.js';
import targetSelfLoop from './target-self-loop.js';
import targetUnspecifiedAddress from './target-unspecified-address.js';
import targetZone from './target-zone.js';
import templateUnknownVariable from './template-unknown-variable.js';
import vaultMissing from './vault-missing.js';
import vaultPlainHttp from './vault-plain-http.js';

export const rules: readonly Rule[] = [
  acmeMissing,
  acmeNoFolder,
  acmeNoHost,
  acmeUnreachable,
  adminPublic,
  allowAnonymous,
  allowUngrantableClaim,
  allowUngrantableScope,
  cacheUnkeyed,
  consumerCredentialName,
  consumerExpired,
  consumerNoCredential,
  consumerSharedKey,
  consumerUnused,
  consumerWeakKey,
  credentialInQuery,
  drainLongDelay,
  expressionBeforeAuthentication,
  expressionConstant,
  expressionTooMany,
  expressionUnknownParameter,
  grpcWebCors,
  grpcWebTarget,
  idempotencyBehindCache,
  idempotencyNoCaller,
  idempotencyNoFolder,
  idempotencyTtlTimeout,
  limitBeforeAuthentication,
  limitSpoofableKey,
  listenerConflict,
  listenerNone,
  listenerProxyProtocol,
  listenerPublicWithoutTls,
  listenerTrustsEveryone,
  listenerUnderscoresKept,
  listenerUnixTls,
  listenerUnused,
  overloadOrder,
  pathParameterTwice,
  planMissing,
  planNoEffect,
  planNoRoute,
  planNotApplied,
  planUnused,
  planZeroLimit,
  policyNoCaller,
  policyRepeated,
  policyUnused,
  routeAmbiguous,
  routeDuplicate,
  routeIgnoredSetting,
  routeNone,
  routeScheme,
  routeShadowed,
  routeStripPrefix,
  routeTimeoutBudget,
  routeUnauthenticated,
  routeUnauthorized,
  routeWebsocketOverHttp2,
  secretPlainText,
  serviceAttemptTimeout,
  serviceAttemptsTwice,
  serviceBreakerNeverOpens,
  serviceCallCycle,
  serviceCallField,
  serviceCheckSetting,
  serviceFixedPort,
  serviceGrpcOverHttp1,
  serviceGrpcRetryUnused,
  serviceHashKey,
  serviceHedgeUnused,
  serviceProxyProtocol,
  serviceRefreshUnused,
  serviceRepeatsUnsafe,
  serviceScalingUnused,
  serviceUnsignedCalls,
  serviceUnused,
  serviceUnverifiedTls,
  serviceVersionSetting,
  targetDuplicate,
  targetNoWeight,
  targetPlaintext,
  targetPriorityGap,
  targetSchemePort,
  targetSelfLoop,
  targetUnspecifiedAddress,
  targetZone,
  templateUnknownVariable,
  vaultMissing,
  vaultPlainHttp,
];
