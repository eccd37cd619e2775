/** Challenges for WWW-Authenticate: RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3, RFC 9728 section 5.1. */

export type ChallengeSettings = {
  /** Of the places where bearer tokens are; undefined: such tokens are not accepted. */
  readonly scheme: string | undefined;
  readonly realm: string;
  /** Algorithms of proofs; undefined: DPoP is not accepted. */
  readonly dpop: readonly string[] | undefined;
  /** URL of the metadata of the resource. */
  readonly resourceMetadata: string | undefined;
};

type Params = readonly (readonly [name: string, value: string])[];

export class Challenges {
  readonly #bearer: ((params: Params) => string) | undefined;
  readonly #dpop: ((params: Params) => string) | undefined;

  constructor({ scheme, realm, dpop, resourceMetadata }: ChallengeSettings) {
    const last: Params = resourceMetadata === undefined ? [] : [['resource_metadata', resourceMetadata]];
    const writer = (name: string, own: Params) => (params: Params) =>
      `${name} ${[['realm', realm] as const, ...params, ...own, ...last].map(([key, value]) => `${key}="${value}"`).join(', ')}`;
    this.#bearer = scheme === undefined ? undefined : writer(scheme, []);
    this.#dpop = dpop === undefined ? undefined : writer('DPoP', [['algs', dpop.join(' ')]]);
  }

  /** For a request without a token: every scheme. */
  missing(params: Params = []): string {
    return [this.#bearer?.(params), this.#dpop?.(params)].filter((one) => one !== undefined).join(', ');
  }

  /** Without an error, for policies that add one: the scheme that the client used is last, so that what is added belongs to it. */
  used(viaDpop: boolean): string {
    const [bearer, dpop] = [this.#bearer?.([]), this.#dpop?.([])];
    return (viaDpop ? [bearer, dpop] : [dpop, bearer]).filter((one) => one !== undefined).join(', ');
  }

  /** For a token that is not accepted. The error belongs to the scheme that the client used, if that is accepted. */
  error(viaDpop: boolean, error: string, description: string | undefined, more: Params = []): string {
    const described: Params = description === undefined ? [] : [['error_description', describable(description)]];
    const params: Params = [['error', error], ...described, ...more];
    const inDpop = this.#bearer === undefined || (viaDpop && this.#dpop !== undefined);
    return [this.#bearer?.(inDpop ? [] : params), this.#dpop?.(inDpop ? params : [])]
      .filter((one) => one !== undefined)
      .join(', ');
  }
}

/** The characters of an error_description, RFC 6750 section 3: the name of a claim may have others. */
const describable = (text: string): string => text.replace(/["\\]/g, '').replace(/[^\x20-\x7e]/g, '?');
