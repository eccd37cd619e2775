/** One order, from the request to the certificate: RFC 8555 section 7.1.6. */
import type { AcmeChallenge, AcmeKeyType } from '../../bundle/acme-entry.js';
import { type HeldCertificate, holdCertificate } from './certificate.js';
import type { ChallengeAnswers } from './challenges.js';
import type { AcmeAuthorization, AcmeChallengeObject, AcmeOrder, AcmeSession } from './session.js';
import { oneLine } from './transport.js';

export interface OrderWish {
  readonly host: string;
  readonly keyType: AcmeKeyType;
  /** In order of preference. */
  readonly challenges: readonly AcmeChallenge[];
  /** Id of the certificate that is replaced. */
  readonly replaces: string | undefined;
}

export interface OrderTools {
  readonly session: AcmeSession;
  readonly answers: ChallengeAnswers;
  /** Resolves after so many milliseconds; rejects when the order is abandoned. */
  readonly wait: (ms: number) => Promise<void>;
  readonly monotonic: () => number;
}

/** Milliseconds for the validation of a challenge, and for the certificate after it. */
const LIMIT_MS = 180_000;
/** Milliseconds between two looks at the state, if the authority does not say: the first, and the longest. */
const POLL = { firstMs: 500, maxMs: 5000 } as const;

/** The authority has looked at the answer to a challenge, or at the order, and says no. */
export class OrderFailed extends Error {
  override readonly name = 'OrderFailed';
}

/** Rejects with OrderFailed, AcmeRefusal, or an Error with a phrase. */
export async function obtain(wish: OrderWish, tools: OrderTools): Promise<HeldCertificate> {
  const { session } = tools;
  const { host, keyType } = wish;
  await session.open();
  const placed = await session.order(host, wish.replaces);
  for (const authorization of await session.authorizations(placed)) await authorize(authorization, wish, tools);
  const ready = await poll('the order is not ready', tools, async () => {
    const order = await session.refresh(placed);
    return mustNotFail(order).status === 'pending' ? undefined : order;
  });
  const { key, csr } = await session.request(host, keyType);
  const finalized = ready.status === 'ready' ? await session.finalize(ready, csr) : ready;
  const valid = await poll('the certificate is not issued', tools, async (first) => {
    const order = first ? finalized : await session.refresh(placed);
    return mustNotFail(order).status === 'valid' ? order : undefined;
  });
  return holdCertificate(await session.certificate(valid), key, host);
}

function mustNotFail(order: AcmeOrder): AcmeOrder {
  if (order.status !== 'invalid') return order;
  throw new OrderFailed(`the authority has ended the order${because(order.error)}`);
}

async function authorize(authorization: AcmeAuthorization, wish: OrderWish, tools: OrderTools): Promise<void> {
  const { session, answers } = tools;
  const { host } = wish;
  if (authorization.status === 'valid') return;
  if (authorization.status !== 'pending') throw new OrderFailed(`the authorization is ${authorization.status}`);
  // An authority may ask for the proof of a parent of the host (RFC 9444): gw proves only names of the spec.
  if (authorization.identifier.value.toLowerCase() !== host)
    throw new OrderFailed(`the authority asks for a proof of ${oneLine(authorization.identifier.value)}`);
  const challenge = chosen(authorization, wish.challenges);
  if (challenge === undefined) {
    await session.giveUp(authorization);
    const offered = authorization.challenges.map(({ type }) => type).join(', ');
    throw new OrderFailed(`the authority offers none of ${wish.challenges.join(', ')}, but ${oneLine(offered)}`);
  }
  const proof = await session.keyAuthorization(challenge);
  const withdraw = await answers.offer(host, challenge, proof, session);
  try {
    await session.answer(challenge);
    await poll(`${challenge.type} is not validated`, tools, async () => {
      const [now = authorization] = (await session.authorizations(orderOf(authorization))).filter(
        ({ url }) => url === authorization.url,
      );
      if (now.status === 'valid') return now;
      if (now.status === 'pending') return undefined;
      const { error } = now.challenges.find(({ url }) => url === challenge.url) ?? {};
      throw new OrderFailed(`the authority could not validate ${challenge.type} for ${host}${because(error)}`);
    });
  } finally {
    withdraw();
  }
}

/** As the client asks for authorizations: by an order that lists them. */
const orderOf = ({ url }: AcmeAuthorization): AcmeOrder => ({ authorizations: [url] }) as unknown as AcmeOrder;

function chosen(
  { challenges }: AcmeAuthorization,
  preferred: readonly AcmeChallenge[],
): AcmeChallengeObject | undefined {
  for (const type of preferred) {
    // The types of the package know no tls-alpn-01, which it supports.
    const found = challenges.find((one) => (one.type as string) === type);
    if (found !== undefined && typeof found.token === 'string') return found;
  }
  return undefined;
}

/** The detail of a problem document within an object. */
function because(error: unknown): string {
  const { detail } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  return typeof detail === 'string' ? `: ${oneLine(detail)}` : '';
}

/** Looks until there is a value; as often as the authority asks for, within bounds. */
async function poll<T>(
  what: string,
  { session, wait, monotonic }: OrderTools,
  look: (first: boolean) => Promise<T | undefined>,
): Promise<T> {
  const end = monotonic() + LIMIT_MS;
  let pause: number = POLL.firstMs;
  for (let first = true; ; first = false) {
    const found = await look(first);
    if (found !== undefined) return found;
    const left = end - monotonic();
    if (left <= 0) throw new OrderFailed(`${what} after ${LIMIT_MS} ms`);
    await wait(Math.min(Math.max(session.retryAfter ?? 0, pause), left));
    pause = Math.min(pause * 2, POLL.maxMs);
  }
}
