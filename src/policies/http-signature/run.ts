/**
 * http-signature at run time. The checks of the head come first; only a request with a valid signature has its body collected.
 *
 *     fields -> the signature -> parameters and components -> key -> signature -> digest of the body -> nonce
 */
import type {
  Absent,
  Authentication,
  AuthProblem,
  Awaitable,
  CollectBody,
  Exchange,
  Identity,
  PolicyHost,
  PolicyInstance,
  Refused,
} from '../contract.js';
import {
  type Component,
  type FoundSignature,
  hasDigests,
  readComponent,
  readDigests,
  readSignatures,
  type SignatureInput,
  signatureBase,
  type UnusableSignature,
  verify,
} from '../kits/http-signature/index.js';
import { ReplayWindow } from '../kits/replay.js';
import { runPolicy } from '../run-kit.js';
import { componentItem, covers, coversDigest, droppedField } from './components.js';
import { Keys, type KnownKey } from './keys.js';
import { PROBLEMS } from './problems.js';
import { signedRequest } from './request.js';
import type { HttpSignatureSettings } from './schema.js';

export const create = runPolicy<HttpSignatureSettings>((settings, host) => new HttpSignature(settings, host));

/** The same for an unknown key, a key of another algorithm, and a wrong signature. */
const WRONG = 'the signature is not valid';
const FIELDS = ['signature', 'signature-input'] as const;
/** Milliseconds by which the clocks of workers and of the replay window may differ. */
const CLOCKS = 1000;

class HttpSignature implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly clientFields: readonly string[];
  readonly #settings: HttpSignatureSettings;
  readonly #host: PolicyHost;
  readonly #keys: Keys;
  readonly #replays: ReplayWindow;
  readonly #required: readonly Component[];
  /** What an unknown key and a wrong signature get: for requests without a body, and for those with one. */
  readonly #wrong: { readonly bare: AuthProblem; readonly withBody: AuthProblem };

  constructor(settings: HttpSignatureSettings, host: PolicyHost) {
    this.requestFields = settings.forward ? [] : FIELDS;
    this.clientFields = this.requestFields;
    this.#settings = settings;
    this.#host = host;
    this.#keys = new Keys(settings, host);
    this.#replays = new ReplayWindow(host, PROBLEMS.replay);
    this.#required = settings.components.map(componentOf);
    this.#wrong = { bare: this.#problemOf(false, WRONG), withBody: this.#problemOf(true, WRONG) };
  }

  authenticate(exchange: Exchange, collect: CollectBody): Awaitable<Authentication> {
    const input = exchange.received('signature-input');
    const signature = exchange.received('signature');
    if (input === undefined && signature === undefined) return this.#absent(exchange, 'no signature');
    if (input === undefined || signature === undefined)
      return this.#invalid(exchange, 'Signature and Signature-Input belong together');
    const all = readSignatures(input, signature);
    if (typeof all === 'string') return this.#invalid(exchange, all);
    const mine = all.filter((one) => this.#isMeant(one));
    if (mine.length === 0) return this.#absent(exchange, 'no signature with the label and tag of the policy');
    if (mine.length > 1) return this.#refused('more than one signature', this.#ambiguous());
    const [found] = mine;
    if (!('input' in found!)) return this.#invalid(exchange, found!.fault);
    return this.#check(exchange, found, collect);
  }

  #isMeant(found: FoundSignature | UnusableSignature): boolean {
    const { label, tag } = this.#settings;
    if (label !== undefined && found.label !== label) return false;
    return tag === undefined || ('input' in found ? found.input.tag : found.tag) === tag;
  }

  strip(exchange: Exchange): void {
    if (!this.#settings.forward) for (const name of FIELDS) exchange.headers.remove(name);
  }

  #check(exchange: Exchange, { input, signature }: FoundSignature, collect: CollectBody): Awaitable<Authentication> {
    const fault = this.#timeFault(input) ?? this.#coverageFault(exchange, input);
    if (fault !== undefined) return this.#invalid(exchange, fault);
    const request = signedRequest(exchange, this.#settings.origin);
    const base = signatureBase(request, input);
    if (typeof base !== 'string')
      return this.#invalid(exchange, `the request does not have the component ${base.missing.id}`);
    const known = this.#keys.find(input.keyid!);
    // Also for a known key: an unknown one takes no longer.
    const dummy = this.#keys.dummy(input.keyid!, input.alg);
    const fits = known !== undefined && (input.alg === undefined || input.alg === known.key.algorithm);
    const valid = verify(fits ? known.key : dummy, base, signature);
    const wrong = exchange.hasBody ? this.#wrong.withBody : this.#wrong.bare;
    if (!fits || !valid) return this.#refused(WRONG, wrong);
    const digest = request.values('content-digest').join(', ');
    const nonce = this.#settings.nonce === 'ignored' ? undefined : input.nonce;
    if (!coversDigest(input.components) && nonce === undefined) return identity(known, input, wrong);
    return this.#rest(exchange, identity(known, input, wrong), input, digest, collect);
  }

  #timeFault({ created, expires, nonce, keyid }: SignatureInput): string | undefined {
    const { maxAge, leeway, nonce: nonces } = this.#settings;
    const now = this.#host.clock.now();
    if (keyid === undefined) return 'the signature names no key';
    if (created === undefined) return 'the signature has no creation time';
    if (created * 1000 > now + leeway) return 'the signature was created in the future';
    if (created * 1000 + maxAge + leeway <= now) return 'the signature is too old';
    if (expires !== undefined && expires * 1000 + leeway <= now) return 'the signature has expired';
    return nonce === undefined && nonces === 'required' ? 'the signature has no nonce' : undefined;
  }

  #coverageFault(exchange: Exchange, { components }: SignatureInput): string | undefined {
    const { hasBody, receivedTarget } = exchange;
    const dropped = droppedField(exchange.received('connection'), components);
    if (dropped !== undefined) return `Connection removes the signed field "${dropped}"`;
    for (const required of this.#required) {
      // Nothing is there to sign. A query that is added later is not covered, and refused.
      if (required.id === '"@query"' && !receivedTarget.includes('?')) continue;
      if (!covers(components, required)) return `the signature does not cover ${required.id}`;
    }
    return hasBody && !coversDigest(components) ? 'the signature does not cover "content-digest"' : undefined;
  }

  async #rest(
    exchange: Exchange,
    found: Identity,
    input: SignatureInput,
    digest: string,
    collect: CollectBody,
  ): Promise<Authentication> {
    if (coversDigest(input.components)) {
      const digests = readDigests(digest);
      if (digests === undefined) return this.#genuine(exchange, 'the field Content-Digest is malformed');
      const body = await collect(this.#settings.maxBody);
      if (!(body instanceof Uint8Array)) return body;
      if (!hasDigests(body, digests)) return this.#genuine(exchange, 'the body does not have the digest');
      // A body may be held back until the nonce of an earlier request with this signature is forgotten.
      const late = this.#timeFault(input);
      if (late !== undefined) return this.#genuine(exchange, late);
    }
    if (input.nonce !== undefined && this.#settings.nonce !== 'ignored') {
      const first = await this.#replays.isFirstUse([input.keyid!, input.nonce], this.#timeLeft(input), input.keyid);
      if (first === false) return this.#genuine(exchange, 'the nonce of the signature was used before');
      if (first !== true) return first;
    }
    return found;
  }

  /** Milliseconds for which the signature would be accepted again, by the clock of any worker. */
  #timeLeft({ created, expires = Number.POSITIVE_INFINITY }: SignatureInput): number {
    const { maxAge, leeway } = this.#settings;
    return Math.min(created! * 1000 + maxAge, expires * 1000) + leeway + CLOCKS - this.#host.clock.now();
  }

  // ---------------------------------------------------------------- refusals

  #absent(exchange: Exchange, why: string): Absent {
    const { nonce, optional } = this.#settings;
    // Accept-Signature cannot ask for them.
    const besides = nonce === 'required' ? 'keyid and a nonce' : 'keyid';
    const detail = `Sign the request as Accept-Signature says, with ${besides}.`;
    const problem = { ...PROBLEMS.missing, detail, ...this.#challenge(exchange.hasBody) };
    return { outcome: 'absent', pass: optional, why: optional ? `${why}; it is optional` : why, problem };
  }

  #invalid(exchange: Exchange, fault: string): Refused {
    return this.#refused(fault, this.#problemOf(exchange.hasBody, fault));
  }

  #problemOf(hasBody: boolean, fault: string): AuthProblem {
    const detail = `${fault.charAt(0).toUpperCase()}${fault.slice(1)}.`;
    return { ...PROBLEMS.invalid, detail, ...this.#challenge(hasBody) };
  }

  /** The signature itself is valid, so the request does not count as a guess of a key. */
  #genuine(exchange: Exchange, fault: string): Refused {
    return { ...this.#invalid(exchange, fault), counts: false };
  }

  #ambiguous(): AuthProblem {
    const { label, tag } = this.#settings;
    const which = label === undefined ? (tag === undefined ? '' : ` with the tag ${tag}`) : ` with the label ${label}`;
    return { ...PROBLEMS.ambiguous, detail: `Send exactly one${which}.` };
  }

  #refused(why: string, problem: AuthProblem): Refused {
    return { outcome: 'refused', why, problem };
  }

  /** RFC 9421 section 5.1. A nonce and a key cannot be asked for: there they would be those that gw chooses. */
  #challenge(hasBody: boolean): Pick<AuthProblem, 'challenge' | 'headers'> {
    const { components, label = 'sig1', tag, realm } = this.#settings;
    const wanted =
      hasBody && !components.includes('"content-digest"') ? [...components, '"content-digest"'] : components;
    const accept = `${label}=(${wanted.join(' ')});created${tag === undefined ? '' : `;tag="${tag}"`}`;
    return { challenge: `Signature realm="${realm}"`, headers: { 'accept-signature': accept } };
  }
}

/** `refusal`: if the engine does not accept the credential, the client must not learn that the key is known. */
function identity(
  { consumer, credential }: KnownKey,
  { keyid, tag, created }: SignatureInput,
  refusal: AuthProblem,
): Identity {
  const claims = { keyid: keyid!, created: created!, ...(tag === undefined ? {} : { tag }) };
  const why = consumer === undefined ? 'valid signature' : `signature of ${consumer.name}`;
  return { outcome: 'identity', consumer, credential, claims, refusal, challenge: refusal.challenge, why };
}

/** Throws for text that lint() refuses. */
function componentOf(text: string): Component {
  const item = componentItem(text);
  const component = item === undefined ? 'it is malformed' : readComponent(item);
  if (typeof component === 'string') throw new TypeError(`The component ${text} cannot be required: ${component}`);
  return component;
}
