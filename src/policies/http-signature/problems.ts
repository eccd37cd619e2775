/** What http-signature answers. */
import { REPLAY_PROBLEM } from '../kits/replay.js';

export const PROBLEMS = {
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'Signature required',
    description: 'The request has no HTTP message signature (RFC 9421). `Accept-Signature` says what it must cover.',
  },
  invalid: {
    code: 'auth/invalid',
    status: 401,
    title: 'Invalid signature',
    description:
      'The signature is malformed, expired, used before, does not cover what it must, or does not fit the request; `detail` says which.',
  },
  ambiguous: {
    code: 'auth/ambiguous',
    status: 400,
    title: 'More than one signature',
    description: 'The request has several signatures, and the policy does not say which one counts.',
  },
  replay: REPLAY_PROBLEM,
} as const;
