/** A target of a service, one for each endpoint: its address, weight, health and connection pool. Lives across generations. */
import type { ConnectionOptions } from 'node:tls';
import type { ServiceEntry } from '../../bundle/types.js';
import { TargetLoad } from './balance/load.js';
import type { Endpoint } from './endpoints.js';
import { TargetHealth } from './health/target.js';
import { ConnectionPool } from './pool.js';
import type { TargetHost } from './target-host.js';
import type { TargetPool } from './target-pool.js';
import { targetTls } from './tls.js';
import type { UpstreamUser } from './user.js';

const UNIX = 'unix:';

export class Target {
  readonly service: string;
  readonly url: string;
  readonly secure: boolean;
  /** Of its last TLS connection: the next one resumes it, without a full handshake. */
  session: Buffer | undefined = undefined;
  /** For its connections, if it is secure. */
  readonly tls: ConnectionOptions;
  readonly host: string;
  /** Of a unix socket; undefined: it is reached by TCP. */
  readonly path: string | undefined;
  /** The IP address to connect to; undefined: the host is looked up. */
  readonly address: string | undefined;
  readonly port: number;
  /** Host and port of its URL. */
  readonly authority: string;
  /** For a Host field that names the target. */
  ownHost = '';
  /** The same as a line. */
  hostLine = '';
  /** Base path without a trailing slash. */
  readonly basePath: string;
  weight = 1;
  /** Undefined: none. */
  zone: string | undefined;
  /** The lowest is used first. */
  priority = 0;
  readonly load = new TargetLoad();
  /** Tunnels whose handshake is in progress, and their bound: as many requests may have, or wait for, a connection. */
  handshakes = 0;
  mostHandshakes = 1;
  /** Where it counts. */
  slot: number;
  settings: ServiceEntry;
  readonly health: TargetHealth;
  readonly pool: TargetPool;
  /** Called when an exchange of an older generation uses the target after it retired: sweep it again. */
  onUsedAgain: () => void = () => {};
  #retired = false;

  /** Throws TypeError for a URL that is neither http or https nor a unix socket. */
  constructor(endpoint: Endpoint, settings: ServiceEntry, host: TargetHost) {
    const { url, address, slot } = endpoint;
    const parsed = new URL(url);
    const { protocol, hostname } = parsed;
    const local = protocol === 'unix:';
    if (protocol !== 'http:' && protocol !== 'https:' && !local) throw new TypeError(`Not a target URL: ${url}`);
    this.service = settings.name;
    this.url = url;
    this.secure = protocol === 'https:';
    this.path = local ? url.slice(UNIX.length) : undefined;
    // RFC 9110 section 7.2: a URL without an authority has none for Host either, but targets want a name.
    this.host = local ? 'localhost' : hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
    this.address = address;
    this.port = parsed.port === '' ? (this.secure ? 443 : 80) : Number(parsed.port);
    this.tls = this.secure ? targetTls(this.host, settings.tls) : {};
    this.authority = local ? this.host : parsed.host;
    this.basePath = local ? '' : parsed.pathname.replace(/\/+$/, '');
    this.settings = settings;
    this.#setHost(settings);
    this.slot = slot;
    this.health = new TargetHealth(this, host);
    this.pool = settings.http2 === undefined ? new ConnectionPool(this, host) : host.http2Pool(this, host);
    this.pool.configure(1);
    this.adopt(endpoint);
  }

  /** Takes over what may change of an endpoint. */
  adopt({ weight, zone, priority = 0, slot, down }: Endpoint): void {
    this.weight = weight;
    this.zone = zone;
    this.priority = priority;
    this.slot = slot;
    this.health.setDown(down === true);
  }

  /** The same in all workers and gateways. */
  get identity(): string {
    return this.address === undefined ? this.url : `${this.url}|${this.address}`;
  }

  /** Takes over the settings of a generation. Bounds of the whole gateway are divided among `sharers`. */
  configure(settings: ServiceEntry, sharers: number): void {
    this.settings = settings;
    this.#setHost(settings);
    this.load.slowStart = settings.slowStart ?? 0;
    this.mostHandshakes = Math.ceil((settings.maxConnections + settings.maxQueue) / sharers);
    this.pool.configure(sharers);
  }

  #setHost({ host }: ServiceEntry): void {
    this.ownHost = host === 'preserve' || host === 'target' ? this.authority : host;
    this.hostLine = `host: ${this.ownHost}\r\n`;
  }

  /** An attempt begins. */
  begin(): void {
    this.load.inFlight++;
    if (this.health.trial) this.health.begun();
  }

  /** An attempt has ended. */
  end(): void {
    this.load.inFlight--;
    if (this.health.trying) this.health.ended();
  }

  /** Gives `user` a connection, or a place on one, now or later; or calls onUnavailable(). */
  acquire(user: UpstreamUser): void {
    if (this.#retired) this.onUsedAgain();
    this.pool.acquire(user);
  }

  /** The live generation does not have it any more: connections close as they become free. */
  retire(): void {
    this.#retired = true;
    this.pool.retire();
  }

  /** The live generation has it, again or still. */
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
