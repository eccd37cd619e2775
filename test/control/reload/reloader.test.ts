import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  KEPT_RELOADS,
  Rejected,
  Reloader,
  type ReloadSteps,
  type ReloadTrigger,
  type SwapResult,
} from '../../../src/control/reload/reloader.js';
import type { ReloadSnapshot } from '../../../src/telemetry/snapshot.js';

interface Gate {
  open(): void;
  readonly opened: Promise<void>;
}

function gate(): Gate {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

const rejection = { summary: 'bad', diagnostics: 'error: bad\n', errors: 1, warnings: 0 };

class Steps implements ReloadSteps<number, number> {
  builds: ReloadTrigger[] = [];
  busy = 0;
  mostBusy = 0;
  generation = 0;
  building: Gate | undefined;
  draining: Gate | undefined;
  fail: 'build' | 'warm' | 'swap' | 'bug' | 'nothing' | undefined;

  async build(trigger: ReloadTrigger): Promise<number | undefined> {
    this.builds.push(trigger);
    this.mostBusy = Math.max(this.mostBusy, ++this.busy);
    await this.building?.opened;
    this.busy--;
    if (this.fail === 'build') throw new Rejected(rejection);
    if (this.fail === 'bug') throw new RangeError('oops');
    return this.fail === 'nothing' ? undefined : 1;
  }
  async refresh(trigger: ReloadTrigger): Promise<Omit<SwapResult, 'drain'> | undefined> {
    this.builds.push(trigger);
    this.mostBusy = Math.max(this.mostBusy, ++this.busy);
    await this.building?.opened;
    this.busy--;
    if (this.fail === 'build') throw new Rejected(rejection);
    if (this.fail === 'nothing') return undefined;
    return { changes: [], generation: this.generation, summary: '+1 consumer', diagnostics: '', warnings: 0 };
  }
  async warm(built: number): Promise<number> {
    if (this.fail === 'warm') throw new Rejected(rejection);
    return built;
  }
  async swap(): Promise<SwapResult> {
    if (this.fail === 'swap') throw new Rejected(rejection);
    const draining = this.draining;
    return {
      changes: [],
      generation: ++this.generation,
      summary: '+1 route',
      diagnostics: '',
      warnings: 0,
      drain: async () => draining?.opened,
    };
  }
  unexpected(error: unknown) {
    return { ...rejection, summary: `bug: ${String(error)}` };
  }
}

function reloader(): { steps: Steps; machine: Reloader<number, number>; settled: ReloadSnapshot[] } {
  const steps = new Steps();
  const settled: ReloadSnapshot[] = [];
  let now = 0;
  const machine = new Reloader(
    steps,
    () => (now += 5),
    (reload) => settled.push(reload),
  );
  return { steps, machine, settled };
}

test('a change of consumers keeps the generation, waits for reloads, and is merged with others of its kind', async () => {
  const { steps, machine, settled } = reloader();
  await machine.request('start');
  steps.building = gate();
  const running = machine.request('watch');
  const changes = [machine.request('consumers-watch'), machine.request('consumers'), machine.request('admin')];
  steps.building.open();
  await Promise.all([running, ...changes]);
  assert.equal(steps.builds, ['start', 'watch', 'consumers', 'admin']);
  assert.is(steps.mostBusy, 1);
  const change = settled.find(({ refreshed }) => refreshed);
  assert.equal([change?.outcome, change?.generation, change?.summary], ['live', 2, '+1 consumer']);
  steps.fail = 'nothing';
  assert.is(await machine.request('consumers-watch'), undefined);
  steps.fail = 'build';
  assert.is((await machine.request('consumers-watch'))?.outcome, 'rejected');
});

test('a reload goes live and is recorded', async () => {
  const { machine, settled } = reloader();
  assert.is(machine.phase, 'idle');
  const reload = await machine.request('start');
  assert.equal(reload, {
    at: 10,
    tookMs: 5,
    outcome: 'live',
    generation: 1,
    summary: '+1 route',
    changes: [],
    diagnostics: '',
    errors: 0,
    warnings: 0,
  });
  await machine.settle();
  assert.is(machine.phase, 'idle');
  assert.equal(settled, [reload]);
  assert.equal(machine.history, [reload]);
});

for (const fail of ['build', 'warm', 'swap'] as const) {
  test(`a rejection while ${fail} is kept with its diagnostics`, async () => {
    const { steps, machine } = reloader();
    steps.fail = fail;
    const reload = await machine.request('watch');
    assert.is(reload?.outcome, 'rejected');
    assert.is(reload?.generation, null);
    assert.is(reload?.diagnostics, 'error: bad\n');
    assert.is(machine.phase, 'idle');
    steps.fail = undefined;
    assert.is((await machine.request('watch'))?.outcome, 'live');
    assert.equal(
      machine.history.map((one) => one.outcome),
      ['live', 'rejected'],
    );
  });
}

test('a bug is reported as a rejection, and later reloads work', async () => {
  const { steps, machine } = reloader();
  steps.fail = 'bug';
  assert.is((await machine.request('api'))?.summary, 'bug: RangeError: oops');
  steps.fail = undefined;
  assert.is((await machine.request('api'))?.outcome, 'live');
});

test('a reload without changes is not recorded', async () => {
  const { steps, machine, settled } = reloader();
  steps.fail = 'nothing';
  assert.is(await machine.request('watch'), undefined);
  assert.equal(settled, []);
  assert.is(machine.phase, 'idle');
});

test('requests during a build become one further build; builds never overlap', async () => {
  const { steps, machine } = reloader();
  steps.building = gate();
  const first = machine.request('watch');
  const second = machine.request('watch');
  const third = machine.request('admin');
  const fourth = machine.request('watch');
  assert.is(second, third);
  assert.is(third, fourth);
  assert.is(machine.phase, 'building');
  steps.building.open();
  assert.is((await first)?.generation, 1);
  assert.is((await third)?.generation, 2);
  assert.equal(steps.builds, ['watch', 'admin']);
  assert.is(steps.mostBusy, 1);
});

test('a secrets target is not lost when a reload of the spec is pending too', async () => {
  const { steps, machine } = reloader();
  steps.building = gate();
  const first = machine.request('watch');
  const secrets = machine.request('secrets');
  const spec = machine.request('watch');
  assert.is(machine.request('secrets'), secrets);
  assert.is.not(secrets, spec);
  steps.building.open();
  await Promise.all([first, secrets, spec]);
  await machine.settle();
  assert.equal(steps.builds, ['watch', 'secrets', 'watch']);
  assert.is(steps.mostBusy, 1);
});

test('draining runs in the background during later reloads', async () => {
  const { steps, machine } = reloader();
  const drain = gate();
  steps.draining = drain;
  await machine.request('watch');
  assert.is(machine.phase, 'draining');
  steps.draining = undefined;
  steps.building = gate();
  const next = machine.request('watch');
  assert.is(machine.phase, 'building');
  steps.building.open();
  assert.is((await next)?.generation, 2);
  assert.is(machine.phase, 'draining');
  drain.open();
  await machine.settle();
  assert.is(machine.phase, 'idle');
});

test('the history keeps the newest 50 reloads', async () => {
  const { machine } = reloader();
  for (let count = 0; count < KEPT_RELOADS + 5; count++) await machine.request('api');
  assert.is(machine.history.length, 50);
  assert.is(machine.history[0]?.generation, 55);
});

test.run();
