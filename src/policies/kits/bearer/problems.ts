/** What policies that accept tokens answer. */
import { REPLAY_PROBLEM } from '../replay.js';

export const PROBLEMS = {
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'Token required',
    description: 'The request has no token where the policy looks for one.',
  },
  invalid: {
    code: 'auth/invalid',
    status: 401,
    title: 'Invalid token',
    description:
      'The token is malformed, expired, not from a known issuer, or not for this service; `detail` says which.',
  },
  ambiguous: {
    code: 'auth/ambiguous',
    status: 400,
    title: 'More than one token',
    description: 'The request has several tokens. Send exactly one.',
  },
  scope: {
    code: 'auth/insufficient-scope',
    status: 403,
    title: 'Insufficient scope',
    description: 'The token is valid, but lacks a scope that the route requires.',
  },
  proof: {
    code: 'auth/dpop',
    status: 401,
    title: 'DPoP proof not accepted',
    description:
      'The token is bound to a key, and the proof of that key is missing, not valid, or needs a nonce of this server (field `DPoP-Nonce`); `detail` says which.',
  },
  stepUp: {
    code: 'auth/insufficient-user-authentication',
    status: 401,
    title: 'Insufficient user authentication',
    description:
      'The token is valid, but the person must sign in again, more recently or more strongly; the challenge says how.',
  },
  consumer: {
    code: 'auth/unknown-consumer',
    status: 403,
    title: 'Unknown consumer',
    description: 'The token is valid, but its caller is not a consumer of this gateway.',
  },
  replay: REPLAY_PROBLEM,
} as const;
