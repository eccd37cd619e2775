/** The signed cookie by which a client keeps its target. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StickyEntry } from '../../../../src/bundle/service/sticky.js';
import { Sticky } from '../../../../src/proxy/upstream/balance/sticky.js';
import { type TestTarget, targetsOf } from '../../../support/candidates.js';
import { seededBelow } from '../../../support/random.js';

const KEY = 'a key of more than 16 bytes';
const DAY = 86_400_000;
const ENTRY: StickyEntry = { cookie: 'gw-it', key: KEY, path: '/', sameSite: 'lax' };

class Bed {
  now = 1_800_000_000_000;
  readonly sticky: Sticky<TestTarget>;

  constructor(
    readonly targets: readonly TestTarget[],
    entry: Partial<StickyEntry> = {},
    service = 'it',
  ) {
    this.sticky = new Sticky(service, { ...ENTRY, ...entry }, () => this.now);
    this.sticky.use(targets);
  }

  /** The value of a new cookie. */
  value(target: TestTarget): string {
    return valueIn(this.sticky.cookieFor(target, undefined, false)!);
  }
}

const valueIn = (cookie: string): string => /^gw-it=([^;]*)/.exec(cookie)![1]!;

test('a cookie names its target, in every gateway with the same key', () => {
  const targets = targetsOf(1, 1, 1);
  const [bed, other] = [new Bed(targets), new Bed([...targets].reverse())];
  for (const target of targets) {
    assert.is(bed.sticky.target(bed.value(target)), target);
    assert.is(other.sticky.target(bed.value(target)), target);
    assert.not.ok(bed.value(target).includes(target.identity));
  }
});

test('a cookie of another key or service means nothing, nor does a changed one', () => {
  const targets = targetsOf(1, 1);
  const bed = new Bed(targets);
  const value = bed.value(targets[0]!);
  assert.is(new Bed(targets, { key: `${KEY}!` }).sticky.target(value), undefined);
  assert.is(new Bed(targets, {}, 'other').sticky.target(value), undefined);
  const [tag, period] = value.split('.');
  const other = bed.value(targets[1]!).split('.');
  for (const forged of [
    '',
    '.',
    '..',
    '...',
    tag!,
    `${tag}.${period}`,
    `${tag}.${period}.`,
    `${tag}.${period}.${other[2]}`,
    `${other[0]}.${value.slice(value.indexOf('.') + 1)}`,
    `${value}.`,
    `${value}x`,
    value.slice(0, -1),
    'x'.repeat(100_000),
    `${tag}.-1.x`,
    `${tag}.1e5.x`,
  ])
    assert.is(bed.sticky.target(forged), undefined, forged.slice(0, 80));
});

test('property: no value with one other character is accepted', () => {
  const targets = targetsOf(1, 1, 1);
  const bed = new Bed(targets, { maxAge: DAY });
  const below = seededBelow(4);
  const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.';
  for (let i = 0; i < 2000; i++) {
    const value = bed.value(targets[below(3)]!);
    const at = below(value.length);
    const forged = value.slice(0, at) + alphabet[below(alphabet.length)] + value.slice(at + 1);
    if (forged !== value) assert.is(bed.sticky.target(forged), undefined, forged);
  }
});

test('a target that has left is not named any more, and is again when it is back', () => {
  const targets = targetsOf(1, 1);
  const bed = new Bed(targets);
  const value = bed.value(targets[0]!);
  bed.sticky.use([targets[1]!]);
  assert.is(bed.sticky.target(value), undefined);
  assert.is(bed.sticky.cookieFor(targets[0]!, undefined, false), undefined);
  bed.sticky.use(targets);
  assert.is(bed.sticky.target(value), targets[0]);
});

test('the cookie is set once, and again for another target', () => {
  const targets = targetsOf(1, 1);
  const { sticky } = new Bed(targets);
  const value = valueIn(sticky.cookieFor(targets[0]!, undefined, false)!);
  sticky.target(value);
  assert.is(sticky.cookieFor(targets[0]!, value, false), undefined);
  assert.is.not(sticky.cookieFor(targets[1]!, value, false), undefined);
  assert.is.not(sticky.cookieFor(targets[0]!, 'forged', false), undefined);
});

test('max_age: it expires between that and an eighth later, and is renewed meanwhile', () => {
  const targets = targetsOf(1);
  const bed = new Bed(targets, { maxAge: DAY });
  const began = bed.now;
  const value = bed.value(targets[0]!);
  assert.is(bed.sticky.target(value), targets[0]);
  assert.is(bed.sticky.cookieFor(targets[0]!, value, false), undefined, 'a new cookie is good enough');
  bed.now = began + DAY / 4;
  assert.is(bed.sticky.target(value), targets[0]);
  const renewed = valueIn(bed.sticky.cookieFor(targets[0]!, value, false)!);
  assert.is.not(renewed, value);
  bed.now = began + DAY;
  assert.is(bed.sticky.target(value), targets[0]);
  bed.now = began + (DAY * 9) / 8;
  assert.is(bed.sticky.target(value), undefined, 'also one that was verified before');
  assert.is(bed.sticky.target(renewed), targets[0]);
});

test('attributes', () => {
  const targets = targetsOf(1);
  const cookieOf = (entry: Partial<StickyEntry>, secure = false): string =>
    new Bed(targets, entry).sticky.cookieFor(targets[0]!, undefined, secure)!.replace(/=[^;]*/, '=V');
  assert.is(cookieOf({}), 'gw-it=V; Path=/; HttpOnly; SameSite=Lax');
  assert.is(cookieOf({}, true), 'gw-it=V; Path=/; HttpOnly; SameSite=Lax; Secure');
  assert.is(cookieOf({ secure: false }, true), 'gw-it=V; Path=/; HttpOnly; SameSite=Lax');
  assert.is(
    cookieOf({ domain: 'example.com', path: '/shop', maxAge: DAY, sameSite: 'none' }),
    'gw-it=V; Path=/shop; Domain=example.com; Max-Age=86400; HttpOnly; SameSite=None; Secure',
  );
});

test('a short key is refused', () => {
  assert.throws(() => new Bed(targetsOf(1), { key: 'short' }), /less than 16 bytes/);
});

test('many values are remembered only up to a bound, and all are still judged', () => {
  const targets = targetsOf(...Array.from({ length: 50 }, () => 1));
  const bed = new Bed(targets, { maxAge: DAY });
  const values: string[] = [];
  for (let period = 0; period < 200; period++) {
    bed.now += DAY / 8;
    for (const target of targets) values.push(bed.value(target));
    for (const value of values.slice(-100)) assert.ok(bed.sticky.target(value) !== undefined);
  }
  assert.is(bed.sticky.target(values[0]!), undefined);
});

test.run();
