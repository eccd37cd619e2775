/** basic at run time: finds the user, checks the password off the thread of requests, and remembers what was verified. */
import type {
  Absent,
  Authentication,
  AuthProblem,
  Awaitable,
  Exchange,
  Identity,
  Json,
  PolicyHost,
  PolicyInstance,
  Refused,
} from '../contract.js';
import { CredentialFaults } from '../kits/credential-fault.js';
import { PasswordChecker } from '../kits/password/check.js';
import { dummyHash, dummyText, type PasswordHash, readPasswordHash, USUAL_COST } from '../kits/password/hash.js';
import { WorkQueue } from '../kits/password/work-queue.js';
import { UnknownWork } from '../kits/unknown-work.js';
import { networkOf, runPolicy } from '../run-kit.js';
import { Attempts } from './attempts.js';
import { type Credentials, findCredentials, isBasic } from './credentials.js';
import { PROBLEMS } from './problems.js';
import type { BasicSettings } from './schema.js';
import { FileUsers } from './users.js';
import { type Verified, VerifiedCredentials } from './verified.js';

/** Milliseconds that a verified password is remembered. */
const REMEMBER = 15 * 60_000;
/** In each worker. The pool of libuv has four threads by default, which also look up names and read files. */
const BOUNDS = { running: 2, waiting: 64, perOrigin: 8 };
/** Networks of one user that are noted without asking the store again. */
const MAX_NETWORKS = 16;

export const create = runPolicy<BasicSettings>((settings, host) => new BasicPolicy(settings, host));

/** A user, and the hash of the password. */
interface User {
  readonly hash: PasswordHash;
  readonly identity: Identity;
}

class BasicPolicy implements PolicyInstance {
  readonly requestFields = ['authorization'];
  readonly #settings: BasicSettings;
  readonly #host: PolicyHost;
  readonly #users: FileUsers;
  readonly #unknown: UnknownWork;
  readonly #faults = new CredentialFaults();
  readonly #attempts: Attempts | undefined;
  readonly #verified = new VerifiedCredentials();
  readonly #queue = new WorkQueue(BOUNDS);
  readonly #checker = new PasswordChecker();
  /** Checks in progress, by the key of the credentials: those that arrive several times at once are checked once. */
  readonly #pending = new Map<string, Promise<boolean>>();
  /** Hashes computed, by kind. */
  readonly #hashes: Record<string, number> = {};
  readonly #challenge: string;
  readonly #absent: Absent;
  readonly #wrong: Refused;
  readonly #malformed: Refused;
  readonly #several: Refused;

  constructor(settings: BasicSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#users = new FileUsers(settings.users);
    const { consumers, costs, mark } = settings;
    this.#unknown = new UnknownWork(host, consumers ? 'password' : undefined, { counts: costs, mark });
    this.#attempts = settings.attempts === null ? undefined : new Attempts(host, settings.attempts);
    const challenge = `Basic realm="${settings.realm}", charset="UTF-8"`;
    this.#challenge = challenge;
    const { optional } = settings;
    this.#absent = {
      outcome: 'absent',
      pass: optional,
      why: optional ? 'no password; it is optional' : 'no user name and password in the authorization header field',
      problem: { ...PROBLEMS.missing, challenge },
    };
    const invalid = { ...PROBLEMS.invalid, challenge };
    this.#wrong = refused('unknown user or wrong password', invalid);
    this.#malformed = refused('the credentials are not base64 of UTF-8 with a colon', invalid);
    this.#several = refused('more than one authorization header field', PROBLEMS.ambiguous);
  }

  authenticate(exchange: Exchange): Awaitable<Authentication> {
    const found = findCredentials(exchange);
    if (found === 'none') return this.#absent;
    if (found === 'ambiguous') return this.#several;
    if (found === 'malformed') return this.#malformed;
    const key = this.#verified.keyOf(found);
    const known = this.#verified.get(key, this.#host.clock.monotonic());
    return this.#remembered(exchange, found.user, key, known) ?? this.#verify(exchange, found, key);
  }

  /** A credential of another scheme is for another policy, or for the target. */
  strip(exchange: Exchange): void {
    const value = exchange.headers.get('authorization');
    if (value !== undefined && isBasic(value)) exchange.headers.remove('authorization');
  }

  stats(): Json {
    const { running, waiting } = this.#queue;
    return { hashes: { ...this.#hashes }, running, waiting, remembered: this.#verified.size };
  }

  close(): void {
    this.#verified.clear();
    this.#checker.close();
  }

  /** The identity of credentials that were verified before. */
  #remembered(
    exchange: Exchange,
    user: string,
    key: string,
    known: Verified | undefined,
  ): Awaitable<Identity> | undefined {
    if (known === undefined) return undefined;
    const { version } = this.#host.consumers;
    let entry = known;
    if (known.version !== version) {
      // The consumers have changed: the password may be another one, or the consumer.
      const now = this.#find(user);
      if (now === undefined || now.hash.text !== known.hash) {
        this.#verified.delete(key);
        return undefined;
      }
      entry = { ...known, identity: now.identity, version };
      this.#verified.set(key, entry);
    }
    if (!this.#accepts(entry.identity, exchange)) return undefined;
    const network = networkOf(exchange.remoteAddress);
    if (this.#attempts === undefined || entry.networks.has(network) || entry.networks.size >= MAX_NETWORKS)
      return entry.identity;
    entry.networks.add(network);
    const noted = this.#attempts.succeeded(user, network);
    return noted instanceof Promise ? noted.then(() => entry.identity) : entry.identity;
  }

  async #verify(exchange: Exchange, credentials: Credentials, key: string): Promise<Authentication> {
    const { user } = credentials;
    const network = networkOf(exchange.remoteAddress);
    const wait = (await this.#attempts?.wait(user, network)) ?? 0;
    if (wait > 0) return { ...this.#wrong, why: 'too many failed attempts for this user', wait };
    const { version } = this.#host.consumers;
    const found = this.#find(user);
    // An unknown user costs as much as a wrong password.
    const fits = await this.#check(credentials, key, network, found?.hash ?? this.#dummyFor(user));
    if (fits === undefined) return { outcome: 'unavailable', why: 'too many passwords wait to be checked' };
    if (found === undefined || !fits) {
      await this.#attempts?.failed(user);
      return this.#wrong;
    }
    const { hash, identity } = found;
    if (!this.#accepts(identity, exchange)) {
      await this.#attempts?.failed(user);
      return identity;
    }
    await this.#attempts?.succeeded(user, network);
    const until = this.#host.clock.monotonic() + REMEMBER;
    this.#verified.set(key, { hash: hash.text, identity, version, until, networks: new Set([network]) });
    return identity;
  }

  /**
   * Whether the engine accepts the identity. If not, the client gets what a wrong password gets: so nothing else may tell that it was the
   * right one, such as a faster answer the second time.
   */
  #accepts({ credential }: Identity, { remoteAddress }: Exchange): boolean {
    return credential === undefined || this.#faults.of(credential, remoteAddress, this.#host.clock.now()) === undefined;
  }

  /** Undefined if too much work is waiting. */
  async #check(
    { password }: Credentials,
    key: string,
    network: string,
    hash: PasswordHash,
  ): Promise<boolean | undefined> {
    const current = `${key} ${hash.text}`;
    let pending = this.#pending.get(current);
    if (pending === undefined) {
      pending = this.#queue.run(network, () => {
        this.#hashes[hash.kind] = (this.#hashes[hash.kind] ?? 0) + 1;
        return this.#checker.check(hash, password);
      });
      if (pending === undefined) return undefined;
      this.#pending.set(current, pending);
      const end = (): void => void this.#pending.delete(current);
      pending.then(end, end);
    }
    return await pending;
  }

  #find(user: string): User | undefined {
    return this.#ofConsumer(user) ?? this.#ofFile(user);
  }

  #ofConsumer(user: string): User | undefined {
    if (!this.#settings.consumers) return undefined;
    const found = this.#host.consumers.byCredential('password', user);
    const data = found?.credential.data;
    const hash = typeof data === 'string' ? readPasswordHash(data) : undefined;
    if (found === undefined || hash === undefined || 'fault' in hash) return undefined;
    const { consumer, credential } = found;
    const why = `password ${credential.name} of consumer ${consumer.name}`;
    return {
      hash,
      identity: {
        outcome: 'identity',
        consumer,
        credential,
        claims: { sub: user },
        challenge: this.#challenge,
        refusal: this.#wrong.problem,
        why,
      },
    };
  }

  #ofFile(user: string): User | undefined {
    const { consumers } = this.#host;
    const text = this.#users.get(user);
    if (text === undefined) return undefined;
    const hash = readPasswordHash(text);
    if ('fault' in hash) return undefined;
    const consumer = consumers.byName(user);
    const why = `password of ${consumer === undefined ? 'user' : 'consumer'} ${user}`;
    return {
      hash,
      identity: {
        outcome: 'identity',
        consumer,
        claims: { sub: user },
        challenge: this.#challenge,
        refusal: this.#wrong.problem,
        why,
      },
    };
  }

  /** A hash for a user that does not exist. */
  #dummyFor(user: string): PasswordHash {
    return dummyHash(this.#unknown.of(user, isUsable) ?? USUAL_COST);
  }
}

/** Users whose hash cannot be used do not exist either. */
const isUsable = (cost: string): boolean => !('fault' in readPasswordHash(dummyText(cost)));

const refused = (why: string, problem: AuthProblem): Refused => ({ outcome: 'refused', why, problem });
