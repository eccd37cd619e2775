/** The answers of policies that accept tokens, with their challenges. */
import type { Absent, AuthProblem, Refused } from '../../contract.js';
import { Challenges } from './challenge.js';
import { type StepUp, stepUpParams } from './claims.js';
import type { DpopSettings, ProofFault } from './dpop.js';
import type { PlaceSettings, TokenPlaces } from './places.js';
import { PROBLEMS } from './problems.js';

export type AnswerSettings = PlaceSettings & {
  readonly optional: boolean;
  readonly realm: string;
  readonly dpop?: DpopSettings;
  /** Scopes that a token needs, for clients that have none yet. */
  readonly scope: readonly string[];
  /** URL of the metadata of the resource. */
  readonly resourceMetadata?: string;
};

export class BearerAnswers {
  readonly absent: Absent;
  readonly several: Refused;
  /** Without an error: for policies that refuse the caller for a missing scope. By whether the token came with a proof. */
  readonly challenges: { readonly bearer: string; readonly dpop: string };
  readonly #challenges: Challenges;

  constructor(settings: AnswerSettings, places: TokenPlaces) {
    const { scheme, optional, realm, dpop, scope, resourceMetadata } = settings;
    this.#challenges = new Challenges({
      scheme: dpop?.mode === 'required' ? undefined : (scheme ?? 'Bearer'),
      realm,
      dpop: dpop?.algorithms,
      resourceMetadata,
    });
    this.challenges = { bearer: this.#challenges.used(false), dpop: this.#challenges.used(true) };
    const where = whereOf(settings, places);
    const challenge = this.#challenges.missing(scope.length === 0 ? [] : [['scope', scope.join(' ')]]);
    this.absent = {
      outcome: 'absent',
      pass: optional,
      why: optional ? 'no token; the token is optional' : `no token in ${where}`,
      problem: { ...PROBLEMS.missing, detail: `Send it in ${where}.`, challenge },
    };
    this.several = refused('more than one token', {
      ...PROBLEMS.ambiguous,
      detail: `Send exactly one, in ${where}.`,
      challenge: this.#challenges.error(false, 'invalid_request', 'more than one token'),
    });
  }

  /** `fault`: a phrase for the client. The token is not from a known issuer, so it may have been guessed. */
  invalid(fault: string, viaDpop: boolean): Refused {
    const challenge = this.#challenges.error(viaDpop, 'invalid_token', fault);
    return refused(fault, { ...PROBLEMS.invalid, detail: sentence(fault), challenge });
  }

  /** The token is from a known issuer, but not valid any more, or not for this request: no failed attempt. */
  unfit(fault: string, viaDpop: boolean): Refused {
    return { ...this.invalid(fault, viaDpop), counts: false };
  }

  /** RFC 9449 sections 7.1 and 9. */
  proof({ fault, nonce }: ProofFault): Refused {
    const error = nonce === undefined ? 'invalid_dpop_proof' : 'use_dpop_nonce';
    const challenge = this.#challenges.error(true, error, fault);
    const problem = { ...PROBLEMS.proof, detail: sentence(fault), challenge };
    const found = refused(fault, nonce === undefined ? problem : { ...problem, headers: { 'dpop-nonce': nonce } });
    return { ...found, counts: false };
  }

  scope(scope: readonly string[], viaDpop: boolean): Refused {
    const challenge = this.#challenges.error(viaDpop, 'insufficient_scope', undefined, [['scope', scope.join(' ')]]);
    const detail = `The token needs the scope ${scope.join(' ')}.`;
    return refused('the token lacks a scope', { ...PROBLEMS.scope, detail, challenge });
  }

  /** RFC 9470 section 3. */
  stepUp(stepUp: StepUp, fault: string, viaDpop: boolean): Refused {
    const error = 'insufficient_user_authentication';
    const challenge = this.#challenges.error(viaDpop, error, fault, stepUpParams(stepUp));
    return { ...refused(fault, { ...PROBLEMS.stepUp, detail: sentence(fault), challenge }), counts: false };
  }

  consumer(claim: string): Refused {
    return refused(`the claim ${claim} names no consumer`, PROBLEMS.consumer);
  }
}

const refused = (why: string, problem: AuthProblem): Refused => ({ outcome: 'refused', why, problem });

const sentence = (fault: string): string => `${fault.charAt(0).toUpperCase()}${fault.slice(1)}.`;

/** For clients: `the authorization header field, after the word Bearer`. */
function whereOf({ dpop }: AnswerSettings, places: TokenPlaces): string {
  const proved = 'the authorization header field, after the word DPoP, with a proof in the DPoP header field';
  if (dpop === undefined) return places.describe();
  return dpop.mode === 'required' ? proved : `${places.describe()}, or ${proved}`;
}
