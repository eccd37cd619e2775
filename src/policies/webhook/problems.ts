/** What webhook answers. */
import { REPLAY_PROBLEM } from '../kits/replay.js';

export const PROBLEMS = {
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'Signature required',
    description: 'The request lacks the header fields with which the sender signs.',
  },
  invalid: {
    code: 'auth/invalid',
    status: 401,
    title: 'Signature not accepted',
    description:
      'No secret fits the signature, a field is malformed, the time of the signature is too far from now, or the request was sent before; `detail` says which.',
  },
  replay: REPLAY_PROBLEM,
} as const;
