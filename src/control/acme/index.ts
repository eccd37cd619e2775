/** Certificates by ACME (RFC 8555) for a gateway: what the live program asks for, and what workers get. */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { AcmeEntry } from '../../bundle/acme-entry.js';
import { resolvedText } from '../../bundle/references.js';
import { INPUT_LIMITS, readInputText } from '../../input-file.js';
import type { SuppliedCertificates } from '../../proxy/types.js';
import { reasonOf } from '../../reason.js';
import type { DutySnapshot } from '../../telemetry/snapshot.js';
import type { DutyWorld } from '../duties/duty.js';
import { AcmeAuthority } from './authority.js';
import type { HeldCertificate } from './certificate.js';
import { ChallengeAnswers } from './challenges.js';
import { type AcmeStore, FolderStore } from './store.js';

/** What workers have of ACME, all of it at once. */
export type AcmeSupply = Required<Omit<SuppliedCertificates, 'version'>>;

export interface AcmeOptions {
  readonly world: DutyWorld;
  /** Resolves when all workers use it. */
  readonly supply: (supply: AcmeSupply) => Promise<void>;
  /** Certificates come from `staging`, if the entry has it. */
  readonly isDevelopment: boolean;
  /** Instead of the folder in `[state] path`. */
  readonly store?: AcmeStore;
}

/** The part of a program that this is about. */
export interface AcmeProgram {
  readonly acme?: AcmeEntry;
  readonly state?: { readonly path?: string };
}

export class AcmeCertificates {
  readonly #options: AcmeOptions;
  readonly #token = randomBytes(8).toString('hex');
  readonly #answers: ChallengeAnswers;
  #current: { readonly key: string; readonly authority: AcmeAuthority } | undefined;
  /** Of a program that is being loaded. */
  #next: { readonly key: string; readonly authority: AcmeAuthority } | undefined;
  #closed = false;

  constructor(options: AcmeOptions) {
    this.#options = options;
    this.#answers = new ChallengeAnswers(() => this.#supply());
  }

  /** For the admin API, in the order of the hosts. */
  get snapshots(): readonly DutySnapshot[] {
    return this.#current?.authority.hosts.map((one) => one.snapshot) ?? [];
  }

  /**
   * Reads the stored certificates of a program that is being loaded, so that its first connections find them. Never rejects; a
   * store that cannot be read is reported again when a certificate is ordered.
   */
  async prepare(program: AcmeProgram): Promise<void> {
    if (this.#next !== this.#current) this.#next?.authority.close();
    this.#next = undefined;
    const { acme: entry } = program;
    if (entry === undefined || entry.hosts.length === 0 || this.#closed) return;
    const key = keyOf(program);
    const known = this.#current?.key === key ? this.#current : undefined;
    this.#next = known ?? { key, authority: this.#create(entry, program) };
    const held = (this.#current?.authority.hosts ?? []).flatMap(({ host, held: one }) =>
      one === undefined ? [] : [[host, one] as const],
    );
    await this.#next.authority.read(entry.hosts, known === undefined ? new Map(held) : undefined);
    await this.#supply();
  }

  /** The program is live: orders and renews its certificates from now on. */
  use({ acme }: AcmeProgram): void {
    const [before, next] = [this.#current, this.#next];
    this.#next = undefined;
    if (before !== next) before?.authority.close();
    this.#current = next;
    next?.authority.use(acme?.hosts ?? []);
    if (before !== undefined || next !== undefined) void this.#supply();
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#current?.authority.close();
    this.#next?.authority.close();
  }

  #create(entry: AcmeEntry, { state }: AcmeProgram): AcmeAuthority {
    const { world, isDevelopment, store } = this.#options;
    const directory = (isDevelopment ? entry.staging : undefined) ?? entry.directory;
    const { externalAccount, ca } = entry;
    return new AcmeAuthority({
      entry,
      directory,
      folder: folderOf(directory),
      store: store ?? new FolderStore(join(state?.path ?? '.', 'acme'), this.#token, world.after),
      ca: ca?.map((one) => pem(resolvedText(one))).join('\n'),
      externalAccount: externalAccount && {
        id: resolvedText(externalAccount.id),
        key: resolvedText(externalAccount.key),
      },
      world,
      answers: this.#answers,
      changed: () => void this.#supply(),
    });
  }

  /** Never rejects. */
  async #supply(): Promise<void> {
    if (this.#closed) return;
    const held = new Map<string, HeldCertificate>();
    for (const part of [this.#current, this.#next])
      for (const { host, held: one } of part?.authority.hosts ?? []) if (one !== undefined) held.set(host, one);
    try {
      await this.#options.supply({
        certificates: [...held].map(([host, { chain, key }]) => ({ names: [host], cert: chain, key })),
        challenges: [...this.#answers.tls].map(([host, { cert, key }]) => ({ names: [host], cert, key })),
        tokens: [...this.#answers.http].map(([token, answer]) => ({ token, answer })),
      });
    } catch (error) {
      this.#options.world.log.error('certificates not handed to the workers', { cause: reasonOf(error) });
    }
  }
}

/** Two programs with the same key have the same authority, account and settings; their hosts may differ. */
function keyOf({ acme, state }: AcmeProgram): string {
  const { hosts: _hosts, ...rest } = acme ?? { hosts: [] };
  return JSON.stringify([rest, state?.path]);
}

/** The folder of an authority: its host for people, and a digest of the whole URL. */
function folderOf(directory: string): string {
  const digest = createHash('sha256').update(directory).digest('hex').slice(0, 8);
  return `${new URL(directory).hostname.replace(/[^a-z0-9.-]/g, '_')}-${digest}`;
}

/** PEM text itself, or the content of the file with that path. */
const pem = (text: string): string =>
  text.includes('-----BEGIN') ? text : readInputText(text, { maxBytes: INPUT_LIMITS.secret });
