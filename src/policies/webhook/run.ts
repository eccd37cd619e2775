/** webhook at run time: checks the signature of a sender over the body as it was sent. */
import * as crypto from 'node:crypto';
import type {
  Absent,
  Authentication,
  CollectBody,
  Exchange,
  ExchangeEnd,
  PolicyHost,
  PolicyInstance,
  RefString,
  Refused,
  Reply,
} from '../contract.js';
import { ReplayWindow } from '../kits/replay.js';
import { secretBytes } from '../kits/secret-encoding.js';
import { runPolicy } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import type { WebhookSettings } from './schema.js';
import { findSignatures, type Signatures, timeOf } from './signatures.js';

export const create = runPolicy<WebhookSettings>((settings, host) => new WebhookPolicy(settings, host));

/** A noted request, and whether it had success. */
interface Noted {
  readonly digest: string;
  success: boolean;
}

class WebhookPolicy implements PolicyInstance {
  readonly #settings: WebhookSettings;
  readonly #host: PolicyHost;
  readonly #secrets: readonly Uint8Array[];
  readonly #publicKeys: readonly crypto.KeyObject[];
  readonly #replays: ReplayWindow;
  /** Whether a signature has a time. */
  readonly #timed: boolean;
  readonly #challenge: string;
  readonly #absent: Absent;

  constructor(settings: WebhookSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#secrets = settings.secrets.map((secret) => secretOf(secret, settings));
    this.#publicKeys = settings.publicKeys.map(publicKey);
    this.#replays = new ReplayWindow(host, PROBLEMS.replay);
    this.#timed = settings.timestamp !== undefined || settings.form === 'pairs';
    this.#challenge = `Webhook realm="${settings.sender.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')}"`;
    const fields = [settings.header, settings.timestamp, settings.id].filter((name) => name !== undefined);
    const detail = `Send it in ${fields.join(', ')}.`;
    this.#absent = {
      outcome: 'absent',
      why: `no signature in ${fields.join(', ')}`,
      problem: { ...PROBLEMS.missing, detail, challenge: this.#challenge },
    };
  }

  async authenticate(exchange: Exchange, collect: CollectBody): Promise<Authentication> {
    const { remember, maxBody, sender } = this.#settings;
    const found = findSignatures(this.#settings, exchange);
    if (found === undefined) return this.#absent;
    if (typeof found === 'string') return this.#invalid(found);
    // Everything that the head says is checked before the body is collected.
    const fault = this.#timeFault(found);
    if (fault !== undefined) return this.#invalid(fault);
    const body = await collect(maxBody);
    if (!(body instanceof Uint8Array)) return body;
    // A body may be held back until the gateway has forgotten an earlier request with this signature.
    const late = this.#timeFault(found);
    if (late !== undefined) return this.#invalid(late);
    const parts = this.#partsOf(exchange, found, body);
    if (!this.#fits(parts, found)) return this.#invalid('no secret fits the signature');
    if (remember > 0) {
      const hash = crypto.createHash('sha256');
      for (const part of parts) hash.update(part);
      const digest = hash.digest('base64url');
      const first = await this.#replays.isFirstUse([digest], remember);
      if (first === false) return { ...this.#invalid('the request was sent before'), counts: false };
      if (first !== true) return first;
      exchange.note(this, { digest, success: false } satisfies Noted);
    }
    const consumer = this.#host.consumers.byName(sender);
    const why = `signature of ${consumer === undefined ? '' : 'consumer '}${sender}`;
    return { outcome: 'identity', consumer, claims: { sub: sender }, challenge: this.#challenge, why };
  }

  #timeFault({ timestamp }: Signatures): string | undefined {
    if (!this.#timed) return undefined;
    const time = timeOf(timestamp);
    if (time === undefined) return 'the time of the signature is malformed';
    const far = Math.abs(time - this.#host.clock.now()) > this.#settings.tolerance;
    return far ? 'the time of the signature is too far from now' : undefined;
  }

  after(exchange: Exchange, { status }: Reply): undefined {
    const noted = exchange.noted(this) as Noted | undefined;
    if (noted !== undefined) noted.success = status < 500 && status !== 429;
    return undefined;
  }

  /** Senders repeat a request that had no success, some of them with the same signature. */
  finished(exchange: Exchange, end: ExchangeEnd): void {
    const noted = exchange.noted(this) as Noted | undefined;
    // If the store cannot be reached, the repetition is refused.
    if (noted !== undefined && !(noted.success && end === 'sent'))
      this.#replays.forget([noted.digest]).catch(() => undefined);
  }

  /** What is signed, in parts. */
  #partsOf(exchange: Exchange, { timestamp, id }: Signatures, body: Uint8Array): (string | Uint8Array)[] {
    const { method, path } = exchange;
    const values = { body, timestamp, id, method, path };
    return this.#settings.signed.map((part) => (typeof part === 'string' ? part : values[part.var]));
  }

  #fits(parts: readonly (string | Uint8Array)[], { hmacs, signed }: Signatures): boolean {
    if (hmacs.length > 0) {
      for (const secret of this.#secrets) {
        const hmac = crypto.createHmac(this.#settings.algorithm, secret);
        for (const part of parts) hmac.update(part);
        const expected = hmac.digest();
        if (hmacs.some((given) => crypto.timingSafeEqual(given, expected))) return true;
      }
    }
    if (signed.length === 0 || this.#publicKeys.length === 0) return false;
    const message = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
    return this.#publicKeys.some((key) => signed.some((given) => crypto.verify(null, message, key, given)));
  }

  #invalid(why: string): Refused {
    const detail = `${why.charAt(0).toUpperCase()}${why.slice(1)}.`;
    return { outcome: 'refused', why, problem: { ...PROBLEMS.invalid, detail, challenge: this.#challenge } };
  }
}

/** Throws if a secret cannot be used: then the load is refused. */
function secretOf(secret: RefString, { secretEncoding }: WebhookSettings): Uint8Array {
  const text = typeof secret === 'string' ? secret : '';
  const encoding = secretEncoding === 'whsec' ? 'base64' : secretEncoding;
  const bytes = secretBytes(secretEncoding === 'whsec' ? text.replace(/^whsec_/, '') : text, encoding);
  if (bytes === undefined) throw new Error(`A secret is not ${encoding}.`);
  if (bytes.length < MIN_SECRET) throw new Error(`A secret has fewer than ${MIN_SECRET} bytes.`);
  return bytes;
}

/** Shorter ones can be guessed from one signed request. */
const MIN_SECRET = 8;

function publicKey(base64: string): crypto.KeyObject {
  const x = Buffer.from(base64, 'base64').toString('base64url');
  return crypto.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
