/** The answers to challenges that are open now, for all workers. */
import type { AcmeChallengeObject, AcmeSession } from './session.js';

/** What workers answer with while an authority validates. */
export interface OpenChallenges {
  /** HTTP-01, RFC 8555 section 8.3: key authorizations by token. */
  readonly http: ReadonlyMap<string, string>;
  /** TLS-ALPN-01, RFC 8737: certificates by host. PEM texts. */
  readonly tls: ReadonlyMap<string, { readonly cert: string; readonly key: string }>;
}

/** Tokens are base64url (RFC 8555 section 8.1): nothing else is compared with a path. */
const TOKEN = /^[A-Za-z0-9_-]{1,256}$/;

export class ChallengeAnswers implements OpenChallenges {
  readonly http = new Map<string, string>();
  readonly tls = new Map<string, { readonly cert: string; readonly key: string }>();
  readonly #changed: () => Promise<void>;

  /** `changed`: hands the answers to all workers; resolves when they have them. Never rejects. */
  constructor(changed: () => Promise<void>) {
    this.#changed = changed;
  }

  /** Resolves when every worker answers. Returns what ends it. */
  async offer(
    host: string,
    challenge: AcmeChallengeObject,
    keyAuthorization: string,
    session: AcmeSession,
  ): Promise<() => void> {
    const { token } = challenge;
    if (!TOKEN.test(token)) throw new Error('the token of the challenge is not base64url');
    const isHttp = challenge.type === 'http-01';
    if (isHttp) this.http.set(token, keyAuthorization);
    else this.tls.set(host, await session.challengeCertificate(host, keyAuthorization));
    await this.#changed();
    return () => {
      if (isHttp) this.http.delete(token);
      else this.tls.delete(host);
      void this.#changed();
    };
  }
}
