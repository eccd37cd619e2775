import { Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ListenerEntry } from '../../../src/bundle/types.js';
import {
  Admission,
  type AdmittingListener,
  DEFAULT_PER_ADDRESS,
  REJECTED,
} from '../../../src/proxy/downstream/admission.js';
import { TrustedProxies } from '../../../src/proxy/exchange/peer.js';
import { Descriptors } from '../../../src/proxy/load/descriptors.js';
import { ConnectionTable } from '../../../src/state/connection-table.js';

/** A socket with a given remote address. */
class Caller extends Socket {
  said = '';

  constructor(from: string) {
    super();
    Object.defineProperty(this, 'remoteAddress', { value: from });
  }

  override end(text?: unknown): this {
    this.said += String(text ?? '');
    return this;
  }
}

const PLAN = { name: 'main', maxConnections: 100_000, trustedProxies: [] as readonly string[] };

class Bench {
  readonly refused: string[] = [];
  readonly own: string[] = [];
  looks = 0;
  now = 100_000;
  readonly admission: Admission;

  constructor(descriptors = new Descriptors(1, () => {})) {
    const table = new ConnectionTable(ConnectionTable.allocate({ workers: 1 }), 0);
    const host = {
      descriptors,
      dateLine: 'date: now\r\n',
      monotonic: () => this.now,
      newId: () => 'id-1',
      refused: (error: string, _cause: string, remote: string) => {
        this.refused.push(`${error} ${remote}`);
      },
    };
    this.admission = new Admission(host, table, () => {
      this.looks++;
      return this.own;
    });
  }

  door(plan: Partial<ListenerEntry>, secure = false): AdmittingListener {
    const { trustedProxies, ...rest } = { ...PLAN, ...plan };
    return {
      countedAs: '0.0.0.0:80',
      entry: rest as ListenerEntry,
      proxies: new TrustedProxies(trustedProxies),
      secure,
    };
  }

  /** Number of `count` connections from an address that are admitted. */
  enter(door: AdmittingListener, from: string, count: number): number {
    let inside = 0;
    for (let at = 0; at < count; at++) if (this.admission.enter(door, new Caller(from)) !== REJECTED) inside++;
    return inside;
  }
}

test('the default limit is 1024 connections per address, and none for the addresses of this machine', () => {
  const bench = new Bench();
  bench.own.push('198.51.100.1');
  const door = bench.door({});
  assert.is(bench.enter(door, '203.0.113.7', 1100), DEFAULT_PER_ADDRESS);
  assert.is(bench.enter(door, '203.0.113.8', 10), 10);
  assert.is(bench.enter(door, '127.0.0.1', 1100), 1100);
  assert.is(bench.enter(door, '::1', 1100), 1100);
  assert.is(bench.enter(door, '::ffff:127.0.0.1', 1100), 1100);
  assert.is(bench.enter(door, '198.51.100.1', 1100), 1100);
  assert.is(bench.refused.length, 76);
  assert.is(bench.refused[0], 'listener/address-full 203.0.113.7');
});

test('the list of own addresses is read on demand and cached', () => {
  const bench = new Bench();
  const door = bench.door({});
  bench.enter(door, '203.0.113.7', DEFAULT_PER_ADDRESS);
  assert.is(bench.looks, 0);
  bench.enter(door, '203.0.113.7', 50);
  assert.is(bench.looks, 1);
  bench.now += 10_000;
  bench.own.push('203.0.113.7');
  assert.is(bench.enter(door, '203.0.113.7', 50), 50);
  assert.is(bench.looks, 2);
});

test('an explicit limit applies to loopback and own addresses, but not to trusted proxies', () => {
  const bench = new Bench();
  bench.own.push('198.51.100.1');
  const door = bench.door({ maxConnectionsPerAddress: 3, trustedProxies: ['10.0.0.0/8'] });
  assert.is(bench.enter(door, '127.0.0.1', 5), 3);
  assert.is(bench.enter(door, '198.51.100.1', 5), 3);
  assert.is(bench.enter(door, '10.1.2.3', 5), 5);
  assert.is(bench.enter(door, '::ffff:10.1.2.3', 5), 5);
});

test('IPv6 clients share the limit of their /64; IPv4 clients have one each, in both spellings', () => {
  const bench = new Bench();
  const door = bench.door({ maxConnectionsPerAddress: 2 });
  assert.is(bench.enter(door, '2001:db8:0:1::1', 1), 1);
  assert.is(bench.enter(door, '2001:db8:0:1:2:3:4:5', 2), 1);
  assert.is(bench.enter(door, '2001:db8:0:2::1', 1), 1);
  assert.is(bench.enter(door, '203.0.113.7', 1), 1);
  assert.is(bench.enter(door, '::ffff:203.0.113.7', 2), 1);
});

test('a rejected connection holds no place, and a closed one frees its place', () => {
  const bench = new Bench();
  const door = bench.door({ maxConnections: 2, maxConnectionsPerAddress: 1 });
  const place = bench.admission.enter(door, new Caller('203.0.113.1'));
  assert.is(bench.enter(door, '203.0.113.1', 5), 0);
  assert.is(bench.enter(door, '203.0.113.2', 1), 1);
  assert.is(bench.enter(door, '203.0.113.3', 1), 0);
  assert.is(bench.refused.at(-1), 'listener/full 203.0.113.3');
  bench.admission.leave(door, place);
  assert.is(bench.enter(door, '203.0.113.3', 1), 1);
});

test('no connection is admitted while memory is low', () => {
  const bench = new Bench();
  bench.admission.shedding = true;
  const caller = new Caller('203.0.113.1');
  assert.is(bench.admission.enter(bench.door({}), caller), REJECTED);
  assert.match(caller.said, /^HTTP\/1\.1 503 /);
  assert.match(caller.said, /\r\nretry-after: 5\r\n/);
  assert.match(caller.said, /\r\nconnection: close\r\n/);
  assert.match(caller.said, /urn:gw:problem:gateway\/overloaded/);
  bench.admission.shedding = false;
  assert.is(bench.enter(bench.door({}), '203.0.113.1', 1), 1);
});

test('a rejected TLS connection is closed without a reply', () => {
  const bench = new Bench();
  const caller = new Caller('203.0.113.1');
  assert.is(bench.admission.enter(bench.door({ maxConnections: 0 }, true), caller), REJECTED);
  assert.is(caller.said, '');
  assert.ok(caller.destroyed);
});

test('under a flood few rejected sockets linger, and none for long', () => {
  const bench = new Bench();
  const door = bench.door({ maxConnections: 0 });
  const callers = Array.from({ length: 1000 }, () => new Caller('203.0.113.1'));
  for (const caller of callers) bench.admission.enter(door, caller);
  const lingering = (): number => callers.filter((caller) => !caller.destroyed).length;
  assert.is(lingering(), 256);
  assert.ok(callers[0]?.destroyed, 'the oldest make room');
  bench.admission.sweep(1000);
  assert.is(lingering(), 256);
  bench.admission.sweep(1500);
  assert.is(lingering(), 256);
  bench.admission.sweep(2000);
  assert.is(lingering(), 0);
  const last = new Caller('203.0.113.1');
  bench.admission.enter(door, last);
  bench.admission.close();
  assert.ok(last.destroyed);
});

test('a connection rejected for lack of descriptors gets a reply', () => {
  const none = new Descriptors(1, () => {}, { limit: () => 100, inUse: () => 100, now: () => 0 });
  const bench = new Bench(none);
  assert.is(bench.enter(bench.door({}), '203.0.113.1', 1), 0);
  assert.equal(bench.refused, ['gateway/exhausted 203.0.113.1']);
});

test.run();
