/** Fetches AWS credentials, once for all workers, and again before they expire. */
import type { DutyHost, DutyInstance } from '../contract.js';
import { defineDuty } from '../kits/duty.js';
import { type AwsSource, type Environment, findCredentials } from './aws/source.js';
import type { UpstreamAuthSettings } from './schema.js';

/** Milliseconds: credentials are renewed this long before their end, and looked at again if they have none. */
const EARLY = 300_000;
const LOOK_AGAIN = 300_000;
const LEAST = 10_000;

export const createDuty = defineDuty<UpstreamAuthSettings>(({ kind }, host) => {
  // For other kinds the declaration asks for no duty.
  if (kind.kind !== 'aws' || kind.source === undefined) throw new Error('The policy has no credentials to fetch.');
  return new CredentialsDuty(kind.source, kind.region, host, process.env);
});

export class CredentialsDuty implements DutyInstance {
  readonly #source: AwsSource;
  readonly #region: string;
  readonly #host: DutyHost;
  readonly #environment: Environment;

  constructor(source: AwsSource, region: string, host: DutyHost, environment: Environment) {
    this.#source = source;
    this.#region = region;
    this.#host = host;
    this.#environment = environment;
  }

  /** A worker has none, or they have expired. */
  async ask(): Promise<true> {
    await this.run();
    return true;
  }

  async run(): Promise<number> {
    const { clock, fetch } = this.#host;
    const asked = { fetch, environment: this.#environment, region: this.#region, now: clock.now() };
    const found = await findCredentials(this.#source, asked);
    this.#host.publish(found);
    if (found.expires === undefined) return LOOK_AGAIN;
    return Math.max(LEAST, found.expires - clock.now() - EARLY);
  }
}
