/** The kinds of policy, compile halves. Derived: `npm run registry` writes it from the folders here. */
import allow from './allow/index.js';
import anyOf from './any-of/index.js';
import apiKey from './api-key/index.js';
import authzen from './authzen/index.js';
import basic from './basic/index.js';
import block from './block/index.js';
import cache from './cache/index.js';
import compress from './compress/index.js';
import concurrency from './concurrency/index.js';
import type { PolicyDeclaration } from './contract.js';
import cors from './cors/index.js';
import csrf from './csrf/index.js';
import errorPage from './error-page/index.js';
import forwardAuth from './forward-auth/index.js';
import grpcWeb from './grpc-web/index.js';
import headers from './headers/index.js';
import httpSignature from './http-signature/index.js';
import idempotency from './idempotency/index.js';
import introspect from './introspect/index.js';
import jwt from './jwt/index.js';
import mask from './mask/index.js';
import mtls from './mtls/index.js';
import oidc from './oidc/index.js';
import plan from './plan/index.js';
import rateLimit from './rate-limit/index.js';
import securityHeaders from './security-headers/index.js';
import transform from './transform/index.js';
import upstreamAuth from './upstream-auth/index.js';
import validate from './validate/index.js';
import webhook from './webhook/index.js';

export const declarations: readonly PolicyDeclaration[] = [
  allow,
  anyOf,
  apiKey,
  authzen,
  basic,
  block,
  cache,
  compress,
  concurrency,
  cors,
  csrf,
  errorPage,
  forwardAuth,
  grpcWeb,
  headers,
  httpSignature,
  idempotency,
  introspect,
  jwt,
  mask,
  mtls,
  oidc,
  plan,
  rateLimit,
  securityHeaders,
  transform,
  upstreamAuth,
  validate,
  webhook,
];

export const declarationOf = (use: string): PolicyDeclaration | undefined =>
  declarations.find((declaration) => declaration.use === use);
