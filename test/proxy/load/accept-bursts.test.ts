import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AcceptBursts } from '../../../src/proxy/load/accept-bursts.js';

/** AcceptBursts on its own clock, and its calls of the scheduler. */
class Watched {
  now = 0;
  readonly said: string[] = [];
  readonly acceptBursts = new AcceptBursts(this, () => this.now);
  held = false;

  hold(): void {
    this.held = true;
    this.said.push('hold');
  }

  release(): void {
    this.held = false;
    this.said.push('release');
  }

  /** So many turns of the loop, each of which brings a connection, or none, and takes `ms`. */
  async turns(count: number, { came = true, ms = 0 } = {}): Promise<void> {
    for (let at = 0; at < count; at++) {
      if (came) this.acceptBursts.accepted();
      this.now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

test('connections in three turns in a row are a burst, which ends with a turn that brings none', async () => {
  const watched = new Watched();
  await watched.turns(2);
  assert.not(watched.held);
  await watched.turns(1);
  assert.ok(watched.held);
  await watched.turns(50);
  assert.equal(watched.said, ['hold']);
  await watched.turns(1, { came: false });
  assert.not(watched.held);
  assert.equal(watched.said, ['hold', 'release']);
});

test('connections now and then are none', async () => {
  const watched = new Watched();
  for (let at = 0; at < 20; at++) {
    await watched.turns(2);
    await watched.turns(1, { came: false });
  }
  assert.equal(watched.said, []);
});

test('a burst without end leaves requests half of the time', async () => {
  const watched = new Watched();
  let [forConnections, row, longest] = [0, 0, 0];
  for (let at = 0; at < 1000; at++) {
    row = watched.held ? row + 1 : 0;
    await watched.turns(1, { ms: 1 });
    // The first turn is that of the requests that were under way.
    if (row > 1) forConnections++;
    longest = Math.max(longest, row);
  }
  assert.ok(forConnections >= 350 && forConnections <= 500, `${forConnections} ms of 1000`);
  assert.is(longest, 11, 'ms, with the first turn');
});

test('what was under way does not take from the time for connections', async () => {
  const watched = new Watched();
  await watched.turns(3);
  await watched.turns(1, { ms: 40 });
  await watched.turns(9, { ms: 1 });
  assert.ok(watched.held);
  await watched.turns(1, { ms: 1 });
  assert.not(watched.held);
});

test('the next one begins after a rest, and not before', async () => {
  const watched = new Watched();
  await watched.turns(3);
  await watched.turns(4, { ms: 1 });
  await watched.turns(1, { came: false });
  assert.equal(watched.said, ['hold', 'release']);
  await watched.turns(10);
  assert.equal(watched.said, ['hold', 'release'], 'as long as the burst was, four milliseconds');
  watched.now += 4;
  await watched.turns(1);
  assert.equal(watched.said, ['hold', 'release', 'hold']);
});

test.run();
