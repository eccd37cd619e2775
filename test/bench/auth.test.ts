/** Proof in the benchmark of authentication: lines that ask another server, and credentials that are forgotten. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COLD } from '../../bench/auth/credentials.js';
import { checkCalls } from '../../bench/auth/table.js';
import { type Line, note } from '../../bench/proxy/section.js';
import type { Authentication } from '../../src/policies/contract.js';
import { VerifiedTokens } from '../../src/policies/kits/bearer/verified.js';
import { Sealer } from '../../src/policies/oidc/sealed.js';
import { type Session, SessionBox } from '../../src/policies/oidc/session.js';

function line(calls: readonly number[]): Line {
  const made: Line = { name: 'gw', version: undefined, figures: {}, void: '' };
  for (const value of calls) note(made, 'calls', value);
  return made;
}

const voided = (calls: readonly number[], expected: number): string => {
  const made = line(calls);
  checkCalls(made, expected);
  return made.void;
};

test('a line is void if it asks another server more or less often than its name says', () => {
  assert.is(voided([1.01, 1, 1.04], 1), '');
  assert.is(voided([0, 0.001, 0], 0), '');
  assert.is(voided([0.62, 0.6, 1], 1), '0.62 calls per request instead of 1');
  assert.is(voided([1, 1, 1], 0), '1.00 calls per request instead of 0');
  assert.is(voided([], 1), '');
});

test('a token of a cold run is forgotten before it comes again', () => {
  const tokens = new VerifiedTokens();
  const result: Authentication = { outcome: 'unavailable', why: '' };
  for (let at = 0; at < COLD; at++) {
    const source = { usable: true };
    tokens.set(`${at}`, { claims: {}, result, binding: undefined, source, consumers: 0, until: 0, size: 200 });
  }
  assert.is(tokens.get('0'), undefined);
  assert.ok(tokens.get(`${COLD - 1}`));
});

test('a session of a cold run is forgotten before it comes again', () => {
  const box = new SessionBox(new Sealer(['a session secret of more than 32 bytes'], 'bench'), 'cookie', 4000);
  const session: Session = { id: 'one', claims: {}, created: 0, used: 0, tokens: {} };
  const [first, last] = [box.seal(session)!, box.seal(session)!];
  const opened = box.open(first);
  assert.is(box.open(first), opened);
  for (let at = 2; at < COLD; at++) box.open(box.seal(session));
  assert.ok(box.open(last));
  assert.is.not(box.open(first), opened);
});

test.run();
