/** The trie gives each request to the route that wins by the definition of precedence, which is also what lint reasons by. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Matcher } from '../../src/bundle/match/match.js';
import { Trie } from '../../src/bundle/trie/trie.js';
import type { RequestView } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import { generator, randomModel, WORLD, winners } from '../lint/oracle.js';

test('50 random specs: the matcher takes the one winner of every request, and none where there is none', () => {
  const random = generator(7_031);
  let compared = 0;
  for (let round = 0; round < 50; round++) {
    const model = randomModel(random);
    const { bundle } = compile(model);
    const matcher = new Matcher(Trie.open(bundle.trie));
    for (const request of WORLD) {
      const best = winners(model, request);
      // A tie is an error of the spec; what the trie does with it is its own affair.
      if (best.length > 1) continue;
      const asked: RequestView = {
        method: request.method,
        host: request.host,
        path: `/${request.segments.join('/')}`,
        query: request.values['query q'] === undefined ? '' : `q=${request.values['query q']}`,
        listener: request.listener,
        header: (name) => request.values[`header ${name}`],
      };
      const index = matcher.match(asked);
      const value = request.values['query q'];
      if (value !== undefined) {
        // Of a repeated parameter the first value counts, so further ones change nothing.
        const query = `q=${value}&q=1&q=12&q=zz`;
        assert.is(matcher.match({ ...asked, query }), index, `round ${round}: ${JSON.stringify(request)} repeated`);
      }
      const found = index < 0 ? undefined : bundle.program.routes[index]?.name;
      assert.is(found, best[0]?.name, `round ${round}: ${JSON.stringify(request)}`);
      compared++;
    }
  }
  assert.ok(compared > 50_000);
});

test.run();
