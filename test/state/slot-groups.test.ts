/** What tables that forget nothing early have in common. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GROUP_WORDS, mayHaveMore, SlotGroups, WAYS } from '../../src/state/slot-groups.js';

const KIND = { name: 'a table', magic: 7, slotWords: 6 };

test('memory of another kind or size is refused, and names the kind', () => {
  const memory = SlotGroups.allocate(KIND, 1);
  assert.is(new SlotGroups(memory, KIND).count, 1);
  assert.throws(() => new SlotGroups(memory, { ...KIND, magic: 8 }), /Not the memory of a table/);
  assert.throws(() => new SlotGroups(memory, { ...KIND, slotWords: 8 }), TypeError);
  assert.throws(() => new SlotGroups(new SharedArrayBuffer(8), KIND), TypeError);
});

test('groups follow each other, and any bits lead to one of them', () => {
  const groups = new SlotGroups(SlotGroups.allocate(KIND, WAYS * 3), KIND);
  assert.is(groups.count, 4);
  assert.is(groups.at(1) - groups.at(0), GROUP_WORDS + WAYS * KIND.slotWords);
  for (const bits of [0, 3, 4, 0xffff_ffff]) {
    const at = groups.groupOf(bits);
    assert.is(groups.at(groups.indexOf(at + GROUP_WORDS + 5)), at);
  }
  assert.is(groups.at(4) * 4, SlotGroups.allocate(KIND, WAYS * 4).byteLength);
});

test('threads agree on hashes, and identities and tables do not share them', () => {
  const memory = SlotGroups.allocate(KIND, 1);
  const [one, other] = [new SlotGroups(memory, KIND), new SlotGroups(memory, KIND)];
  const hashes = (groups: SlotGroups, name: string): unknown[] => {
    const { digestOf, ownerOf } = groups.identity(name);
    return [digestOf('k').toString('hex'), ownerOf('c')];
  };
  assert.equal(hashes(one, 'a'), hashes(other, 'a'));
  assert.not.equal(hashes(one, 'a'), hashes(one, 'b'));
  assert.not.equal(hashes(one, 'a'), hashes(new SlotGroups(SlotGroups.allocate(KIND, 1), KIND), 'a'));
});

test('one caller alone gets two thirds of a group', () => {
  let own = 0;
  while (mayHaveMore(own, own)) own++;
  assert.is(own, Math.ceil((WAYS * 2) / 3));
  assert.is(mayHaveMore(0, WAYS), false);
  assert.is(mayHaveMore(0, WAYS - 1), true);
});

test.run();
