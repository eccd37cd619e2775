/** What a policy under test lives in: a virtual clock, stores in memory, services that are mocked. */
import type { ConsumerEntry } from '../bundle/types.js';
import type { Logger, PolicyHost, PolicyInstance } from '../contract/index.js';
import { policyHost } from '../proxy/exchange/policy-host.js';
import { OfflineCalls } from '../proxy/offline/calls.js';
import type { OfflineMocks } from '../proxy/offline/mocks.js';
import { LiveConsumers } from '../state/consumers/live.js';
import { ConsumerSet } from '../state/consumers/set.js';
import { LimitTable } from '../state/limits/table.js';
import { offlineState } from '../state/memory.js';
import { VirtualTime } from '../state/timers.js';

/** Milliseconds since 1970: 2026-01-01. */
const START = 1_767_225_600_000;

export interface WorldOptions {
  readonly consumers?: readonly ConsumerEntry[];
  /** What services answer to calls, by name. */
  readonly services?: OfflineMocks;
}

/** A log line of a policy. */
export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: { readonly [key: string]: unknown };
}

export class TestWorld {
  #passed = 0;
  readonly time = new VirtualTime({ now: () => START + this.#passed, monotonic: () => this.#passed });
  readonly log: LogLine[] = [];
  readonly #host: (name: string, calls: readonly string[], members: ReadonlyMap<string, PolicyInstance>) => PolicyHost;

  constructor({ consumers = [], services = {} }: WorldOptions = {}) {
    const { time } = this;
    const after = time.after;
    const state = offlineState({ clock: time, after });
    const refuse = (): never => {
      throw new Error('a test has no routes for further requests');
    };
    const world = {
      ...state,
      clock: time,
      random: () => 0.5,
      logger: this.#logger(),
      limits: new LimitTable(LimitTable.allocate({ slots: 256 })),
      after,
      calls: new OfflineCalls({ mocksOf: () => services, services: () => undefined, unknown: () => {} }),
      exchanges: { subrequest: refuse, background: refuse },
    };
    const around = { consumers: new LiveConsumers(ConsumerSet.of(consumers).memory), plans: [] };
    this.#host = (name, calls, members) =>
      policyHost({ name, identity: `test ${name}`, calls }, { ...around, members }, world);
  }

  host(name: string, calls: readonly string[], members: ReadonlyMap<string, PolicyInstance>): PolicyHost {
    const host = this.#host(name, calls, members);
    return {
      ...host,
      // Exchanges of tests are none of gw, so calls do not end with them.
      call: (service, { exchange: _, ...request }) => host.call(service, request),
      callStream: (service, { exchange: _, ...request }) => host.callStream(service, request),
    };
  }

  /** Lets time pass; timers that come due run in order. */
  advance(ms: number): void {
    this.#passed += ms;
    this.time.step();
  }

  #logger(): Logger {
    const line =
      (level: keyof Logger): Logger['info'] =>
      (message, fields = {}) =>
        void this.log.push({ level, message, fields });
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }
}
