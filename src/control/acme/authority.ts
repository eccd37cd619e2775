/** All certificates of one authority: the store, the account, and one order at a time, each when it is due. */
import type { AcmeEntry } from '../../bundle/acme-entry.js';
import { Backoff } from '../../delay.js';
import { reasonOf } from '../../reason.js';
import type { DutyWorld } from '../duties/duty.js';
import { type HeldCertificate, readStored, storedText } from './certificate.js';
import type { ChallengeAnswers } from './challenges.js';
import { HostCertificate } from './host.js';
import { OrderFailed, obtain } from './order.js';
import { AcmeSession, type SessionOptions } from './session.js';
import type { AcmeStore } from './store.js';
import { AcmeRefusal, AcmeTransport } from './transport.js';

export interface AuthorityOptions {
  readonly entry: AcmeEntry;
  readonly directory: string;
  readonly folder: string;
  readonly store: AcmeStore;
  readonly ca: string | undefined;
  readonly externalAccount: SessionOptions['externalAccount'];
  readonly world: DutyWorld;
  readonly answers: ChallengeAnswers;
  /** A certificate has been replaced. */
  readonly changed: () => void;
}

/** Milliseconds between attempts to reach an authority: the first wait, and the longest. */
const OUTAGE = { firstMs: 15_000, maxMs: 3_600_000 } as const;
/** Milliseconds until another process, which orders now, is asked for again. */
const LOCKED_MS = 15_000;
/** Milliseconds after which limits of an authority are tried again if it does not say. */
const LIMITED_MS = 3_600_000;
/** Milliseconds until a certificate is written again that could not be stored. */
const UNSAVED_MS = 60_000;
/** The longest wait of the timer: clocks change. */
const MOST_WAIT = 3_600_000;
const LEAST_WAIT = 100;

export class AcmeAuthority {
  readonly #options: AuthorityOptions;
  readonly #hosts = new Map<string, HostCertificate>();
  readonly #session: AcmeSession;
  readonly #ending = new AbortController();
  readonly #outage = new Backoff(OUTAGE);
  #cancel: () => void = () => {};
  #running = false;
  #started = false;
  /** Nothing is asked before that. */
  #restUntil = 0;

  constructor(options: AuthorityOptions) {
    this.#options = options;
    const { entry, directory, folder, store, ca, externalAccount, world } = options;
    const { signal } = this.#ending;
    const transport = new AcmeTransport(world.fetch, directory, ca, { signal, now: () => world.clock.now() });
    this.#session = new AcmeSession({ entry, directory, folder, store, transport, externalAccount });
  }

  get hosts(): readonly HostCertificate[] {
    return [...this.#hosts.values()];
  }

  /**
   * Reads the certificates of hosts that are new. `others`: certificates of another authority, which are used until those of this
   * one are there. Never rejects.
   */
  async read(hosts: readonly string[], others?: ReadonlyMap<string, HeldCertificate>): Promise<void> {
    const { world, entry } = this.#options;
    for (const host of hosts) {
      if (this.#hosts.has(host)) continue;
      const one = new HostCertificate(host, world, entry.renewBefore);
      this.#hosts.set(host, one);
      const other = others?.get(host);
      if (other !== undefined) one.hold(other, true);
      try {
        await this.#adopt(one);
      } catch (error) {
        world.log.error('certificate cannot be read', { host, cause: reasonOf(error) });
      }
    }
  }

  /** Works for these hosts from now on, and for no others. */
  use(hosts: readonly string[]): void {
    const wanted = new Set(hosts);
    for (const host of this.#hosts.keys()) if (!wanted.has(host)) this.#hosts.delete(host);
    this.#started = true;
    this.#schedule();
  }

  /** Idempotent. */
  close(): void {
    this.#cancel();
    this.#ending.abort();
  }

  // ---------------------------------------------------------------- schedule

  #schedule(): void {
    this.#cancel();
    if (this.#running || !this.#started || this.#ending.signal.aborted || this.#hosts.size === 0) return;
    const { clock, after } = this.#options.world;
    const due = Math.max(Math.min(...this.hosts.map((one) => one.due)), this.#restUntil);
    const wait = Math.min(Math.max(due - clock.now(), LEAST_WAIT), MOST_WAIT);
    this.#cancel = after(wait, () => void this.#run());
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      for (const one of [...this.hosts].sort((a, b) => a.due - b.due)) {
        const now = this.#options.world.clock.now();
        if (this.#ending.signal.aborted || now < this.#restUntil) break;
        if (one.due <= now && this.#hosts.get(one.host) === one) await this.#work(one);
      }
    } finally {
      this.#running = false;
    }
    this.#schedule();
  }

  /** Never rejects: what fails is noted and tried again later. */
  async #work(one: HostCertificate): Promise<void> {
    try {
      if (one.unsaved) await this.#save(one);
      if (one.isPollDue) await this.#poll(one);
      if (one.isOrderDue) await this.#renew(one);
    } catch (error) {
      if (!this.#ending.signal.aborted) await this.#failed(one, error);
    } finally {
      one.facts.active = false;
    }
  }

  /** Without an answer, the certificate is renewed as if there were no suggestions. */
  async #poll(one: HostCertificate): Promise<void> {
    const id = one.held?.renewalId;
    try {
      await this.#session.open();
      const info = id === undefined ? undefined : await this.#session.renewalInfo(id);
      if (one.held?.renewalId === id) one.suggest(info, this.#session.retryAfter);
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      one.noSuggestion();
      this.#options.world.log.debug('no renewal information', { host: one.host, cause: reasonOf(error) });
    }
  }

  async #renew(one: HostCertificate): Promise<void> {
    const { folder, store, world } = this.#options;
    const lock = await store.lock(folder);
    if (lock === undefined) {
      one.rest(LOCKED_MS);
      world.log.debug('another process orders certificates', { host: one.host });
      return;
    }
    try {
      // Another process may have renewed it.
      if (await this.#adopt(one)) return;
      await this.#order(one);
    } finally {
      lock.release();
    }
  }

  async #order(one: HostCertificate): Promise<void> {
    const { entry, answers, world, changed } = this.#options;
    const { host, held, failures } = one;
    one.facts.active = true;
    one.facts.runs++;
    world.log.info(held === undefined ? 'ordering a certificate' : 'renewing a certificate', { host });
    // After a failure, another kind of challenge may succeed.
    const turn = failures % entry.challenges.length;
    const challenges = [...entry.challenges.slice(turn), ...entry.challenges.slice(0, turn)];
    const wish = { host, keyType: entry.keyType, challenges, replaces: held?.renewalId };
    const fresh = await obtain(wish, {
      session: this.#session,
      answers,
      wait: (ms) => this.#wait(ms),
      monotonic: () => world.clock.monotonic(),
    });
    this.#outage.reset();
    one.hold(fresh);
    const again = one.succeeded();
    const until = new Date(fresh.notAfter).toISOString();
    world.log.info(again ? 'certificate obtained after failures' : 'certificate obtained', { host, until });
    changed();
    one.unsaved = true;
    await this.#save(one);
  }

  // ---------------------------------------------------------------- store

  #key(host: string): string {
    return `${this.#options.folder}/${host}.pem`;
  }

  /** Without it, a restart orders another certificate. */
  async #save(one: HostCertificate): Promise<void> {
    const { store, world } = this.#options;
    if (one.held === undefined) return;
    try {
      await store.write(this.#key(one.host), storedText(one.held));
      one.unsaved = false;
    } catch (error) {
      const cause = reasonOf(error);
      const retryMs = one.unreachable(cause, UNSAVED_MS);
      world.log.error('certificate in use, but it cannot be stored', { host: one.host, cause, retryMs });
    }
  }

  /** Uses the certificate of the store if it is newer. Returns whether it is. @throws Error if the store cannot be read */
  async #adopt(one: HostCertificate): Promise<boolean> {
    const { store, world, changed } = this.#options;
    const text = await store.read(this.#key(one.host));
    if (text === undefined) return false;
    let found: HeldCertificate;
    try {
      found = readStored(text, one.host);
    } catch (error) {
      world.log.warn('stored certificate ignored', { host: one.host, cause: reasonOf(error) });
      return false;
    }
    const isNewer = one.held === undefined || one.isForeign || found.notBefore > one.held.notBefore;
    if (!isNewer || found.notAfter <= world.clock.now()) return false;
    one.hold(found);
    changed();
    return true;
  }

  // ---------------------------------------------------------------- failures

  async #failed(one: HostCertificate, error: unknown): Promise<void> {
    const cause = reasonOf(error);
    const { clock, log } = this.#options.world;
    const retryMs = this.#restAfter(one, error, cause);
    if (error instanceof AcmeRefusal && error.type === 'accountDoesNotExist') await this.#forget();
    const { host, held } = one;
    const fields = { host, cause, retryMs };
    if (held === undefined) log.error('certificate not obtained, the host is not served', fields);
    else if (held.notAfter < clock.now()) log.error('certificate not renewed, the old one has expired', fields);
    else log.warn('certificate not renewed, the old one stays in use', fields);
  }

  /** Notes the failure. Returns the milliseconds until the next attempt. */
  #restAfter(one: HostCertificate, error: unknown, cause: string): number {
    if (error instanceof OrderFailed) return one.refused(cause);
    const refusal = error instanceof AcmeRefusal ? error : undefined;
    // Limits count a host or an account: other hosts get their own answers.
    if (refusal?.type === 'rateLimited') return one.refused(cause, refusal.retryAfter ?? LIMITED_MS);
    const isFinal = refusal !== undefined && refusal.status < 500 && refusal.status !== 429;
    if (isFinal && refusal.type !== 'accountDoesNotExist') return one.refused(cause, refusal.retryAfter);
    const wait = Math.max(this.#outage.next(), refusal?.retryAfter ?? 0);
    this.#restUntil = this.#options.world.clock.now() + wait;
    return one.unreachable(cause, wait);
  }

  async #forget(): Promise<void> {
    try {
      await this.#session.forget();
    } catch (error) {
      this.#options.world.log.error('account cannot be stored', { cause: reasonOf(error) });
    }
  }

  #wait(ms: number): Promise<void> {
    const { signal } = this.#ending;
    return new Promise((resolve, reject) => {
      const end = (done: () => void) => (): void => {
        cancel();
        signal.removeEventListener('abort', abort);
        done();
      };
      const abort = end(() => reject(new Error('the gateway is closing')));
      const cancel = this.#options.world.after(ms, end(resolve));
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
    });
  }
}
