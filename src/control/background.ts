/** The work of control that no request waits for: the duties of policies, reading the secrets of Vault, and certificates. */
import type { Program } from '../bundle/types.js';
import type { Clock } from '../policies/contract.js';
import { dutyHalves } from '../policies/duty-registry.js';
import { systemAfter } from '../proxy/exchange/questions.js';
import type { DutySnapshot } from '../telemetry/snapshot.js';
import { AcmeCertificates, type AcmeOptions } from './acme/index.js';
import { customDuty } from './duties/custom.js';
import type { DutyWorld } from './duties/duty.js';
import { dutyFetch } from './duties/fetch.js';
import { DutySet, type DutySetOptions } from './duties/set.js';
import type { Log } from './log.js';
import { VaultSecrets } from './vault/secrets.js';

export interface BackgroundEvents {
  /** Sends the value of a duty to all workers. */
  readonly publish: DutySetOptions['publish'];
  /** What is known of the sources of targets. */
  readonly targets: () => readonly DutySnapshot[];
  /** A secret that the live program uses has another value. */
  readonly changed: () => void;
  /** A program could not be loaded because of its secrets, which may be there by now. */
  readonly retry: () => void;
  /** Hands the certificates that were ordered to all workers. */
  readonly supply: AcmeOptions['supply'];
  /** Certificates come from the staging directory. */
  readonly isDevelopment: boolean;
}

/** On the network and the timers of the system. */
export class Background {
  readonly duties: DutySet;
  readonly secrets: VaultSecrets;
  readonly certificates: AcmeCertificates;
  readonly #targets: BackgroundEvents['targets'];

  constructor(clock: Clock, log: Log, events: BackgroundEvents) {
    const { publish, targets, changed, retry, supply, isDevelopment } = events;
    this.#targets = targets;
    const world: DutyWorld = { clock, log, random: Math.random, after: systemAfter, fetch: dutyFetch };
    this.secrets = new VaultSecrets(world, changed, retry);
    this.certificates = new AcmeCertificates({ world, supply, isDevelopment });
    this.duties = new DutySet({
      ...world,
      publish,
      create: ({ code, use }, texts) => {
        if (code === undefined) return dutyHalves[use];
        const text = texts?.get(code);
        return text === undefined ? undefined : customDuty(text, use);
      },
    });
  }

  /** In the order of the program; then that of the secrets, the sources of targets, and certificates. */
  snapshots(program: Program): DutySnapshot[] {
    const secrets = this.secrets.snapshot;
    const all = [...this.duties.snapshots(program), ...(secrets === undefined ? [] : [secrets])];
    return [...all, ...this.#targets(), ...this.certificates.snapshots];
  }

  /** Idempotent. */
  close(): void {
    this.duties.close();
    this.secrets.close();
    this.certificates.close();
  }
}
