import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fill, FillStage } from '../../../src/policies/cache/fill.js';
import { Flight, type FlightParts, type SharedHead } from '../../../src/policies/cache/flight.js';
import type { StoredReply } from '../../../src/policies/cache/stored.js';
import type { HeaderFields } from '../../../src/policies/contract.js';
import { HeaderMap } from '../../../src/policies/run-kit.js';

const test = suite('flight');

const HEAD: SharedHead = {
  reply: {} as StoredReply,
  names: { url: '', route: '', tags: [] },
  length: -1,
  fits: () => true,
};

/** Flights that share 100 bytes, and a clock with their timers. */
function world(): { parts: FlightParts; pass(ms: number): void } {
  let now = 0;
  let timers: { at: number; work(): void }[] = [];
  const parts: FlightParts = {
    most: 1000,
    budget: { used: 0, limit: 100 },
    now: () => now,
    after: (ms, work) => {
      const timer = { at: now + ms, work };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  };
  return {
    parts,
    pass(ms) {
      now += ms;
      const due = timers.filter(({ at }) => at <= now);
      timers = timers.filter(({ at }) => at > now);
      for (const { work } of due) work();
    },
  };
}

/** A client that takes nothing until the test says so. */
class SlowOut {
  taken = 0;
  failed: string | undefined = undefined;
  room: (() => void) | undefined = undefined;

  write(bytes: Uint8Array): boolean {
    this.taken += bytes.length;
    return false;
  }

  ended = false;
  trailers: HeaderFields | undefined = undefined;

  end(trailers?: HeaderFields): void {
    this.ended = true;
    this.trailers = trailers;
  }

  fail(cause: string): void {
    this.failed = cause;
  }

  onWritable(listener: () => void): void {
    this.room = listener;
  }
}

function begun(parts: FlightParts): { flight: Flight; out: SlowOut; resumed(): number } {
  const flight = new Flight(parts, 0);
  let resumed = 0;
  flight.lead(
    () => {},
    () => {
      resumed++;
    },
  );
  flight.share(HEAD);
  const out = new SlowOut();
  flight.join()!.start(out);
  return { flight, out, resumed: () => resumed };
}

test('all flights together keep no more than their budget: the sources of slow readers pause', () => {
  const { parts } = world();
  const flights = Array.from({ length: 5 }, () => begun(parts));
  const piece = Buffer.alloc(40);
  for (const { flight } of flights) for (let at = 0; at < 20; at++) if (!flight.write(piece)) break;
  assert.ok(parts.budget.used <= 100 + 5 * 2 * piece.length, String(parts.budget.used));
});

test('a source that waits for a budget goes on when its reader catches up, and when others have left', () => {
  const { parts, pass } = world();
  const first = begun(parts);
  const other = begun(parts);
  const piece = Buffer.alloc(80);
  other.flight.write(piece);
  assert.ok(first.flight.write(piece));
  assert.not(first.flight.write(piece));
  const before = first.resumed();
  first.out.room?.();
  assert.is(first.resumed(), before + 1);
  assert.not(first.flight.write(piece));
  pass(4000);
  other.flight.write(piece);
  // What the other flight kept is gone.
  other.flight.fail('broken');
  other.out.room?.();
  pass(6000);
  assert.is(first.resumed(), before + 2);
});

test('nothing is kept of a flight that has ended and whose readers have left', () => {
  const { parts } = world();
  const { flight, out } = begun(parts);
  for (let at = 0; at < 3; at++) flight.write(Buffer.alloc(30));
  flight.end();
  for (let at = 0; at < 3; at++) out.room?.();
  assert.is(out.taken, 90);
  assert.is(parts.budget.used, 0);
});

/** The stage of a leader whose client takes nothing until the test says so. */
class LeaderOut extends SlowOut {
  resume(): void {}
  refuse(): void {}
}

test('trailers reach a first client that is slower than others, when it has the body; others get none', () => {
  const { parts } = world();
  const flight = new Flight(parts, 0);
  const out = new LeaderOut();
  const stage = new FillStage(new Fill({ writer: undefined, flight, ended: () => {} }), out, () => {});
  flight.share(HEAD);
  const quick = new SlowOut();
  flight.join()!.start(quick);
  quick.write = () => true;
  for (const part of ['one', 'two']) stage.write(Buffer.from(part));
  const trailers = new HeaderMap([['x-sum', '1']]);
  stage.end(trailers);
  assert.is(quick.ended, true);
  assert.is(quick.trailers, undefined);
  assert.is(out.ended, false);
  while (!out.ended) {
    const { room } = out;
    out.room = undefined;
    room!();
  }
  assert.is(out.taken, 6);
  assert.is(out.trailers, trailers);
});

test.run();
