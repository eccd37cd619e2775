/** An authority, a gateway's certificates, and what answers its challenges; time that the tests move. */
import type { AcmeEntry } from '../../../src/bundle/acme-entry.js';
import { AcmeCertificates, type AcmeOptions } from '../../../src/control/acme/index.js';
import { type DutyFetch, dutyFetch } from '../../../src/control/duties/fetch.js';
import { Responder } from '../../support/acme/responder.js';
import { AcmeServer, type AcmeServerOptions } from '../../support/acme/server.js';
import { ManualTime, settle } from '../../support/manual-time.js';
import { KeptLog, temporaryFolder } from '../kit.js';

export const DAY = 86_400_000;
/** Milliseconds that pass at once. */
const STEP = 500;

export class AcmeBed {
  readonly time = new ManualTime(Date.UTC(2026, 0, 1));
  readonly server: AcmeServer;
  readonly responder = new Responder();
  readonly log = new KeptLog();
  readonly folder = temporaryFolder();
  directory = '';
  readonly #opened: AcmeCertificates[] = [];
  /** Requests of gateways that have no reply yet. */
  #requests = 0;

  constructor(options: AcmeServerOptions = {}) {
    this.server = new AcmeServer({ now: () => this.time.now, ...options });
  }

  async open(): Promise<this> {
    // Its first load takes real time.
    await import('acme-client');
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
    const world = { clock, after, log: this.log, random: () => 0.5, fetch: this.#fetch };
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

  /**
   * Lets time pass in steps until the condition holds; none passes while a request or a validation is on its way, and little while a
   * gateway works: keys are made in threads, which takes real time.
   */
  async until(condition: () => unknown, what: string, step = STEP): Promise<void> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      while (this.#requests > 0 || this.server.book.validating > 0)
        await new Promise((resolve) => setTimeout(resolve, 1));
      await settle();
      if (condition()) return;
      if (Date.now() > deadline) throw new Error(`in vain: ${what}\n${JSON.stringify(this.log.lines, null, 1)}`);
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#requests > 0) continue;
      const works = this.#opened.some(({ snapshots }) => snapshots.some(({ active }) => active));
      await this.time.pass(works ? Math.min(step, STEP) : step);
    }
  }

  readonly #fetch: DutyFetch = async (...request) => {
    this.#requests++;
    try {
      return await dutyFetch(...request);
    } finally {
      this.#requests--;
    }
  };

  /** Resolves when every host has a certificate, and the next work is later. */
  async rest(gateway: AcmeCertificates): Promise<void> {
    const rests = (): boolean =>
      gateway.snapshots.every(
        ({ active, expires, nextRun }) => expires && !active && (nextRun ?? 0) > this.time.now + 1000,
      );
    await this.until(rests, 'the certificates, and nothing to do');
  }

  close(): void {
    for (const one of this.#opened) one.close();
    this.server.close();
    this.responder.close();
  }
}
