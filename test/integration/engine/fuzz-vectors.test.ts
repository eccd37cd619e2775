/**
 * Known smuggling vectors: sent at once, byte by byte, and after a valid request. The hidden request must not reach the
 * target, and the number of forwarded requests must be exact.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Bed } from '../../support/fuzz/bed.js';
import { runRequestCase } from '../../support/fuzz/laws.js';
import { newTally } from '../../support/fuzz/meaning.js';
import type { Behaviour, RequestCase } from '../../support/fuzz/requests.js';
import { VECTORS } from '../../support/fuzz/vectors.js';

interface Context {
  bed: Bed;
}
const test = suite<Context>('smuggling vectors');

test.before(async (context) => {
  context.bed = await Bed.start('plain');
});
test.after(({ bed }) => bed.close());

const PLAIN: Behaviour = { interim: 0, framing: 'length', size: 5, cuts: [], early: false, after: 'keep' };
const GOOD = 'GET /good HTTP/1.1\r\nHost: a.example\r\n\r\n';

/** Request lines of the complete requests that the target received. */
async function arrived(bed: Bed, text: string, cuts: readonly number[], before: string): Promise<string[]> {
  const messages = [...(before === '' ? [] : [{ text: before, valid: true }]), { text, valid: false }];
  const given: RequestCase = { clients: [{ messages, cuts, ending: 'fin' }], behaviours: [PLAIN] };
  await runRequestCase(bed, given, newTally());
  return bed.target.arrivals.filter(({ message }) => message.complete).map(({ message }) => message.first);
}

for (const { name, text, forwarded } of VECTORS) {
  test(`${name}: ${forwarded === 0 ? 'refused' : `${forwarded} forwarded`}`, async ({ bed }) => {
    const bytes = text.length > 300 ? [] : Array.from(text, (_, index) => index + 1);
    const ways: readonly (readonly [cuts: number[], before: string])[] = [
      [[], ''],
      [bytes, ''],
      [[], GOOD],
    ];
    for (const [cuts, before] of ways) {
      const lines = await arrived(bed, text, cuts, before);
      assert.not.ok(
        lines.some((line) => line.includes('smuggled')),
        lines.join(', '),
      );
      assert.is(lines.length, forwarded + (before === '' ? 0 : 1), lines.join(', '));
    }
  });
}

test.run();
