/** Duties of a fake policy, on time that the test moves. */
import type { Json, PolicyEntry, Program } from '../../../src/bundle/types.js';
import { DutySet } from '../../../src/control/duties/set.js';
import type { CreateDuty, DutyHost, DutyInstance } from '../../../src/policies/contract.js';
import { ManualTime } from '../../support/manual-time.js';
import { programWith } from '../../support/programs.js';
import { KeptLog } from '../kit.js';

/** A policy with a duty. */
export const dutyPolicy = (name: string, more: Partial<PolicyEntry> = {}): PolicyEntry => ({
  use: 'fake',
  name,
  phase: 'authenticate',
  identity: `id-${name}`,
  duty: { wait: 5000, required: false },
  settings: null,
  config: {},
  origins: {},
  ...more,
});

export const programOf = (...policies: PolicyEntry[]): Program => programWith({ policies });

export interface FakeDuties {
  readonly set: DutySet;
  readonly time: ManualTime;
  readonly log: KeptLog;
  /** `name: value` of each publication. */
  readonly sent: string[];
  /** Names of created and closed instances. */
  readonly created: string[];
  readonly closed: string[];
}

/** `duty` builds the instance of each policy. */
export function fakeDuties(duty: (host: DutyHost, settings: Json) => Partial<DutyInstance>): FakeDuties {
  const time = new ManualTime();
  const log = new KeptLog();
  const [sent, created, closed]: [string[], string[], string[]] = [[], [], []];
  const create: CreateDuty = (settings, host) => {
    created.push(host.name);
    return { run: async () => undefined, close: () => void closed.push(host.name), ...duty(host, settings) };
  };
  const set = new DutySet({
    clock: time.clock,
    log,
    random: () => 0.5,
    after: time.after,
    fetch: () => Promise.reject(new Error('no network')),
    create: ({ use }) => (use === 'fake' ? create : undefined),
    publish: (identity, value) => void sent.push(`${identity}: ${JSON.stringify(value)}`),
  });
  return { set, time, log, sent, created, closed };
}
