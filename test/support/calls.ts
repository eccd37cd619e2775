/** The calls of a worker, with real targets and a clock that can be advanced. */
import type { CallFailure, Decision } from '../../src/policies/contract.js';
import { HeaderMap } from '../../src/policies/run-kit.js';
import { Engine } from '../../src/proxy/engine.js';
import { RecordSink } from '../../src/proxy/exchange/access-record.js';
import type { InnerExchangeWorld } from '../../src/proxy/exchange/policy-host.js';
import type { ShowAttempt } from '../../src/proxy/upstream/call/attempt.js';
import type { Attached, CallParent, Calls } from '../../src/proxy/upstream/call/calls.js';
import { TargetRegistry } from '../../src/proxy/upstream/registry.js';
import type { Service } from '../../src/proxy/upstream/service.js';
import { systemClock } from '../../src/state/clock.js';
import { ConnectionTable } from '../../src/state/connection-table.js';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import { generationOf } from '../integration/engine-kit.js';

export class CallBed {
  readonly registry = new StatsRegistry({ workers: 1 });
  readonly engine: Engine;
  readonly calls: Calls;
  readonly services: ReadonlyMap<string, Service>;
  /** Counter slot of each service's first target. */
  readonly slots: ReadonlyMap<string, number>;
  readonly #targets: TargetRegistry;
  /** Signs every call; undefined: none is signed. */
  show: ShowAttempt | undefined;
  readonly #signersOf = (): ShowAttempt | undefined => this.show;
  /** Milliseconds that the clock is ahead. */
  #ahead = 0;

  /** `services`: TOML of the tables `[service.NAME]`. */
  constructor(services: string, bodyMemory?: number) {
    const input = generationOf(`spec = 1\n${services}\n[listener.main]\naddress = "127.0.0.1:0"\n`, this.registry);
    const connections = new ConnectionTable(ConnectionTable.allocate({ workers: 1 }), 0);
    const clock = { now: systemClock.now, monotonic: () => systemClock.monotonic() + this.#ahead };
    this.engine = new Engine(clock, () => {}, new RecordSink({ requests: () => {} }), connections, bodyMemory);
    this.engine.stats.adopt(input.stats.chunks);
    this.#targets = new TargetRegistry(this.engine);
    const live = this.#targets.adopt(this.#targets.prepare(input.program.services, input.stats));
    this.services = new Map(live.map((service) => [service.entry.name, service]));
    this.slots = new Map(live.map(({ entry }, at) => [entry.name, input.stats.targets[at]![0]!]));
    this.calls = this.engine.calls;
    this.calls.adopt({ serviceNamed: (name) => this.services.get(name), signersOf: this.#signersOf });
  }

  /** Lets time pass, and checks all timeouts. */
  pass(ms: number): void {
    this.#ahead += ms;
    const now = this.engine.monotonic();
    this.calls.sweep(now);
    this.#targets.sweep(now);
  }

  /** An exchange that can have calls. */
  parent(): CallParent & { over: boolean; decisions: Decision[]; end(): void } {
    const attached = new Set<Attached>();
    return {
      id: 'exchange-1',
      remoteAddress: '192.0.2.7',
      headers: new HeaderMap(),
      consumer: undefined,
      rawParam: () => undefined,
      over: false,
      decisions: [],
      startMs: 0,
      calls: undefined,
      attached,
      signersOf: this.#signersOf,
      serviceNamed: (name) => this.services.get(name),
      end() {
        this.over = true;
        for (const one of attached) one.exchangeEnded();
      },
    };
  }

  sums(service: string) {
    return this.registry.sums(this.slots.get(service)!);
  }

  close(): void {
    this.calls.close();
    this.#targets.close();
  }
}

/** For tests of policies that run no further exchanges. */
export const noExchanges: InnerExchangeWorld = {
  subrequest: () => Promise.reject(new Error('this test has no exchanges')),
  background: () => Promise.reject(new Error('this test has no exchanges')),
};

/** The failure that a call ends with. */
export async function failureOf(call: Promise<unknown>): Promise<CallFailure> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error && 'error' in error) return error as CallFailure;
    throw error;
  }
  throw new Error('the call succeeded');
}
