import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AcceptBursts } from '../../../src/proxy/load/accept-bursts.js';

/** AcceptBursts with a test clock and a recording scheduler. */
class Watched {
  now = 0;
  readonly calls: string[] = [];
  readonly acceptBursts = new AcceptBursts(this, () => this.now);
  held = false;

  hold(): void {
    this.held = true;
    this.calls.push('hold');
  }

  release(): void {
    this.held = false;
    this.calls.push('release');
  }

  /** Runs turns of the event loop, each with or without a connection and `ms` long. */
  async turns(count: number, { came = true, ms = 0 } = {}): Promise<void> {
    for (let at = 0; at < count; at++) {
      if (came) this.acceptBursts.accepted();
      this.now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

test('connections in three consecutive turns begin a burst, and a turn without one ends it', async () => {
  const watched = new Watched();
  await watched.turns(2);
  assert.not(watched.held);
  await watched.turns(1);
  assert.ok(watched.held);
  await watched.turns(50);
  assert.equal(watched.calls, ['hold']);
  await watched.turns(1, { came: false });
  assert.not(watched.held);
  assert.equal(watched.calls, ['hold', 'release']);
});

test('occasional connections are no burst', async () => {
  const watched = new Watched();
  for (let at = 0; at < 20; at++) {
    await watched.turns(2);
    await watched.turns(1, { came: false });
  }
  assert.equal(watched.calls, []);
});

test('an endless burst leaves half of the time to requests', async () => {
  const watched = new Watched();
  let [forConnections, row, longest] = [0, 0, 0];
  for (let at = 0; at < 1000; at++) {
    row = watched.held ? row + 1 : 0;
    await watched.turns(1, { ms: 1 });
    // The first turn finishes the requests in progress.
    if (row > 1) forConnections++;
    longest = Math.max(longest, row);
  }
  assert.ok(forConnections >= 350 && forConnections <= 500, `${forConnections} ms of 1000`);
  assert.is(longest, 11, 'ms, with the first turn');
});

test('work in progress does not count towards the time of a burst', async () => {
  const watched = new Watched();
  await watched.turns(3);
  await watched.turns(1, { ms: 40 });
  await watched.turns(9, { ms: 1 });
  assert.ok(watched.held);
  await watched.turns(1, { ms: 1 });
  assert.not(watched.held);
});

test('the next burst begins only after a pause', async () => {
  const watched = new Watched();
  await watched.turns(3);
  await watched.turns(4, { ms: 1 });
  await watched.turns(1, { came: false });
  assert.equal(watched.calls, ['hold', 'release']);
  await watched.turns(10);
  assert.equal(watched.calls, ['hold', 'release'], 'as long as the burst was, four milliseconds');
  watched.now += 4;
  await watched.turns(1);
  assert.equal(watched.calls, ['hold', 'release', 'hold']);
});

test.run();
