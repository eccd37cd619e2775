/** A target of a service: its address, weight, health and connection pool. Lives across generations. */
import type { ConnectionOptions } from 'node:tls';
import type { ServiceEntry } from '../../bundle/types.js';
import { TargetHealth } from './health/target.js';
import { ConnectionPool } from './pool.js';
import type { TargetHost } from './target-host.js';
import { targetTls, tlsKey } from './tls.js';
import type { UpstreamUser } from './user.js';

export class Target {
  readonly service: string;
  readonly url: string;
  readonly secure: boolean;
  /** For its connections, if it is secure. */
  readonly tls: ConnectionOptions;
  /** Of the settings behind `tls`: a target with others is another one, with connections of its own. */
  readonly tlsKey: string;
  readonly host: string;
  readonly port: number;
  /** For a Host field that names the target. */
  readonly authority: string;
  /** The same as a line. */
  readonly hostLine: string;
  /** Base path without a trailing slash. */
  readonly basePath: string;
  weight = 1;
  /** Running value of the smooth weighted round robin. */
  current = 0;
  /** Where it counts. */
  slot: number;
  settings: ServiceEntry;
  readonly health: TargetHealth;
  readonly pool: ConnectionPool;
  /** Called when an exchange of an older generation uses the target after it retired: sweep it again. */
  onUsedAgain: () => void = () => {};
  #retired = false;

  /** Throws TypeError for a URL that is not http or https. */
  constructor(url: string, settings: ServiceEntry, slot: number, host: TargetHost) {
    const parsed = new URL(url);
    if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') throw new TypeError(`Not a target URL: ${url}`);
    this.service = settings.name;
    this.url = url;
    this.secure = parsed.protocol === 'https:';
    this.host = parsed.hostname.startsWith('[') ? parsed.hostname.slice(1, -1) : parsed.hostname;
    this.port = parsed.port === '' ? (this.secure ? 443 : 80) : Number(parsed.port);
    this.tls = this.secure ? targetTls(this.host, settings.tls) : {};
    this.tlsKey = tlsKey(settings.tls);
    this.authority = parsed.host;
    this.hostLine = `host: ${parsed.host}\r\n`;
    this.basePath = parsed.pathname.replace(/\/+$/, '');
    this.settings = settings;
    this.slot = slot;
    this.health = new TargetHealth(this, host);
    this.pool = new ConnectionPool(this, host);
    this.pool.configure(1);
  }

  /** Takes over the settings of a generation. Bounds of the whole gateway are divided among `sharers`. */
  configure(settings: ServiceEntry, sharers: number): void {
    this.settings = settings;
    this.pool.configure(sharers);
  }

  /** Gives `user` a connection, or a place on one, now or later; or calls onUnavailable(). */
  acquire(user: UpstreamUser): void {
    if (this.#retired) this.onUsedAgain();
    this.pool.acquire(user);
  }

  /** The live generation does not name it any more: connections close as they become free. */
  retire(): void {
    this.#retired = true;
    this.pool.retire();
  }

  /** A generation names it again. */
  revive(): void {
    this.#retired = false;
    this.pool.revive();
  }

  /** Retired, and no exchange uses it or waits for it. */
  get finished(): boolean {
    return this.#retired && this.pool.unused;
  }

  /** Closes all connections at once. */
  close(): void {
    this.#retired = true;
    this.pool.close();
  }
}
