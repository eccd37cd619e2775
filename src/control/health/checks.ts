/**
 * Active health checks, once for all workers: each endpoint of a service with `health` is checked, and those that are unhealthy are
 * published by the board of targets. What is known of an endpoint survives reloads while its service has it.
 */
import type { ServiceEntry } from '../../bundle/types.js';
import type { Endpoint } from '../../proxy/types.js';
import type { CheckSnapshot } from '../../telemetry/check-snapshot.js';
import type { Log } from '../log.js';
import { endpointKey, type TargetBoard } from '../targets/board.js';
import { type CheckWorld, EndpointCheck } from './check.js';
import type { ProbedService, probe } from './probe.js';

/** Checks that run at the same time; further ones wait for their turn. */
const MOST_RUNNING = 256;
/** Milliseconds between two looks at what workers have ejected. */
const LOOK_EVERY = 500;

export interface ChecksOptions extends CheckWorld {
  readonly board: Pick<TargetBoard, 'of' | 'onChange' | 'setDown'>;
  readonly log: Log;
  /** Until when workers have ejected the target with this counter slot; monotonic milliseconds, 0: it is not. */
  readonly ejectedUntil: (slot: number) => number;
  readonly monotonic: () => number;
  readonly probe: typeof probe;
}

/** The checks of a service, by key of the endpoint. */
interface Checked {
  service: ProbedService & { readonly name: string };
  readonly checks: Map<string, EndpointCheck>;
  /** Ejections that were seen, by slot. */
  readonly ejections: Map<number, number>;
}

export class HealthChecks {
  readonly #options: ChecksOptions;
  readonly #services = new Map<string, Checked>();
  readonly #endListening: () => void;
  #cancelLook: (() => void) | undefined = undefined;
  #running = 0;
  readonly #turns: (() => void)[] = [];

  constructor(options: ChecksOptions) {
    this.#options = options;
    this.#endListening = options.board.onChange((service, endpoints) => {
      const checked = this.#services.get(service);
      if (checked !== undefined) this.#settle(checked, endpoints);
    });
  }

  /** The services of the live program, with resolved references. */
  use(services: readonly ServiceEntry[]): void {
    const wanted = new Set<string>();
    for (const { health, http2, name, proxyProtocol, tls } of services) {
      if (health === undefined) continue;
      wanted.add(name);
      const service = {
        name,
        health,
        ...(tls && { tls }),
        ...(http2 && { http2 }),
        ...(proxyProtocol && { proxyProtocol }),
      };
      const checked = this.#services.get(name) ?? { service, checks: new Map(), ejections: new Map() };
      checked.service = service;
      this.#services.set(name, checked);
      for (const check of checked.checks.values()) check.use(health);
      this.#settle(checked, this.#options.board.of(name));
    }
    for (const [name, checked] of this.#services) {
      if (wanted.has(name)) continue;
      this.#services.delete(name);
      for (const check of checked.checks.values()) check.close();
      this.#options.board.setDown(name, new Set());
    }
    if (this.#services.size > 0) this.#cancelLook ??= this.#options.after(LOOK_EVERY, () => this.#look());
  }

  /** What is known of an endpoint; undefined if it is not checked. */
  of(service: string, endpoint: Pick<Endpoint, 'url' | 'address'>): CheckSnapshot | undefined {
    return this.#services.get(service)?.checks.get(endpointKey(endpoint))?.snapshot;
  }

  /** Checks the endpoints that a service has now, and no others. */
  #settle(checked: Checked, endpoints: readonly Endpoint[]): void {
    const { checks } = checked;
    const keys = new Set(endpoints.map(endpointKey));
    for (const [key, check] of checks) {
      if (keys.has(key)) continue;
      check.close();
      checks.delete(key);
    }
    for (const endpoint of endpoints) {
      const key = endpointKey(endpoint);
      if (!checks.has(key)) checks.set(key, this.#open(checked, endpoint));
    }
    this.#publish(checked);
  }

  #open(checked: Checked, { url, address }: Endpoint): EndpointCheck {
    const { log, probe: check } = this.#options;
    return new EndpointCheck(checked.service.health, this.#options, {
      run: async (signal) => {
        await this.#turn();
        try {
          return signal.aborted ? 'ended' : await check(checked.service, { url, address }, signal);
        } finally {
          this.#running--;
          this.#turns.shift()?.();
        }
      },
      turned: (down, cause) => {
        const facts = { service: checked.service.name, target: url, ...(address === undefined ? {} : { address }) };
        // Workers have logged their own ejections.
        if (!down) log.info('target healthy', facts);
        else if (cause !== null) log.warn('target unhealthy', { ...facts, cause });
        this.#publish(checked);
      },
    });
  }

  #turn(): Promise<void> {
    this.#running++;
    if (this.#running <= MOST_RUNNING) return Promise.resolve();
    return new Promise((resolve) => this.#turns.push(resolve));
  }

  #publish({ checks, service }: Checked): void {
    const down = new Set<string>();
    for (const [key, check] of checks) if (check.down) down.add(key);
    this.#options.board.setDown(service.name, down);
  }

  /** A target that a worker has ejected returns only after a successful check. */
  #look(): void {
    const { after, board, ejectedUntil, monotonic } = this.#options;
    const now = monotonic();
    for (const { checks, ejections, service } of this.#services.values()) {
      for (const endpoint of board.of(service.name)) {
        const until = ejectedUntil(endpoint.slot);
        if (until <= now || ejections.get(endpoint.slot) === until) continue;
        ejections.set(endpoint.slot, until);
        checks.get(endpointKey(endpoint))?.suspect();
      }
      for (const slot of ejections.keys()) if (ejectedUntil(slot) <= now) ejections.delete(slot);
    }
    this.#cancelLook = this.#services.size === 0 ? undefined : after(LOOK_EVERY, () => this.#look());
  }

  close(): void {
    this.#endListening();
    this.#cancelLook?.();
    for (const { checks } of this.#services.values()) for (const check of checks.values()) check.close();
    this.#services.clear();
  }
}
