/** The kinds of policy, run halves. Derived: `npm run registry` writes it from the folders here. */
import { create as allow } from './allow/run.js';
import { create as anyOf } from './any-of/run.js';
import { create as apiKey } from './api-key/run.js';
import { create as authzen } from './authzen/run.js';
import { create as basic } from './basic/run.js';
import { create as block } from './block/run.js';
import { create as cache } from './cache/run.js';
import { create as compress } from './compress/run.js';
import { create as concurrency } from './concurrency/run.js';
import type { CreatePolicy } from './contract.js';
import { create as cors } from './cors/run.js';
import { create as csrf } from './csrf/run.js';
import { create as errorPage } from './error-page/run.js';
import { create as forwardAuth } from './forward-auth/run.js';
import { create as grpcWeb } from './grpc-web/run.js';
import { create as headers } from './headers/run.js';
import { create as httpSignature } from './http-signature/run.js';
import { create as idempotency } from './idempotency/run.js';
import { create as introspect } from './introspect/run.js';
import { create as jwt } from './jwt/run.js';
import { create as mask } from './mask/run.js';
import { create as mtls } from './mtls/run.js';
import { create as oidc } from './oidc/run.js';
import { create as plan } from './plan/run.js';
import { create as rateLimit } from './rate-limit/run.js';
import { create as securityHeaders } from './security-headers/run.js';
import { create as transform } from './transform/run.js';
import { create as upstreamAuth } from './upstream-auth/run.js';
import { create as validate } from './validate/run.js';
import { create as webhook } from './webhook/run.js';

export const runHalves: { readonly [use: string]: CreatePolicy } = {
  allow,
  'any-of': anyOf,
  'api-key': apiKey,
  authzen,
  basic,
  block,
  cache,
  compress,
  concurrency,
  cors,
  csrf,
  'error-page': errorPage,
  'forward-auth': forwardAuth,
  'grpc-web': grpcWeb,
  headers,
  'http-signature': httpSignature,
  idempotency,
  introspect,
  jwt,
  mask,
  mtls,
  oidc,
  plan,
  'rate-limit': rateLimit,
  'security-headers': securityHeaders,
  transform,
  'upstream-auth': upstreamAuth,
  validate,
  webhook,
};
