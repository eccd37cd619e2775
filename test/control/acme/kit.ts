/** An authority, a gateway's certificates, and what answers its challenges; time that the tests move. */
import type { AcmeEntry } from '../../../src/bundle/acme-entry.js';
import { AcmeCertificates, type AcmeOptions } from '../../../src/control/acme/index.js';
import { dutyFetch } from '../../../src/control/duties/fetch.js';
import { Responder } from '../../support/acme/responder.js';
import { AcmeServer, type AcmeServerOptions } from '../../support/acme/server.js';
import { ManualTime } from '../../support/manual-time.js';
import { KeptLog, temporaryFolder } from '../kit.js';

export const DAY = 86_400_000;

export class AcmeBed {
  readonly time = new ManualTime(Date.UTC(2026, 0, 1));
  readonly server: AcmeServer;
  readonly responder = new Responder();
  readonly log = new KeptLog();
  readonly folder = temporaryFolder();
  directory = '';
  readonly #opened: AcmeCertificates[] = [];

  constructor(options: AcmeServerOptions = {}) {
    this.server = new AcmeServer({ now: () => this.time.now, ...options });
  }

  async open(): Promise<this> {
    this.directory = await this.server.open();
    await this.responder.open(this.server.ports);
    return this;
  }

  entry(hosts: readonly string[], more: Partial<AcmeEntry> = {}): AcmeEntry {
    const { directory } = this;
    return { directory, hosts, keyType: 'ecdsa-p256', challenges: ['tls-alpn-01', 'http-01'], ...more };
  }

  /** The certificates of another gateway with the same folder. */
  gateway(options: Partial<AcmeOptions> = {}): AcmeCertificates {
    const { clock, after } = this.time;
    const world = { clock, after, log: this.log, random: () => 0.5, fetch: dutyFetch };
    const made = new AcmeCertificates({ world, supply: this.responder.take, isDevelopment: false, ...options });
    this.#opened.push(made);
    return made;
  }

  /** Loads a program with this entry, as a gateway does. */
  async use(gateway: AcmeCertificates, acme: AcmeEntry | undefined): Promise<void> {
    const program = { ...(acme === undefined ? {} : { acme }), state: { path: this.folder } };
    await gateway.prepare(program);
    gateway.use(program);
  }

  /** Lets time pass in steps, while sockets work, until the condition holds. */
  async until(condition: () => unknown, what: string, step = 250): Promise<void> {
    for (let turns = 0; !condition(); turns++) {
      if (turns > 4000) throw new Error(`in vain: ${what}\n${JSON.stringify(this.log.lines, null, 1)}`);
      await this.time.pass(step);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Resolves when every host has a certificate, and the next work is later. */
  async rest(gateway: AcmeCertificates): Promise<void> {
    const rests = (): boolean =>
      gateway.ends.every(({ notAfter }) => notAfter !== null) &&
      gateway.snapshots.every(({ active, nextRun }) => !active && (nextRun ?? 0) > this.time.now + 1000);
    await this.until(rests, 'the certificates, and nothing to do');
  }

  close(): void {
    for (const one of this.#opened) one.close();
    this.server.close();
    this.responder.close();
  }
}
