/** The trie selects the route that wins by the definition of precedence, which lint uses as well. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Matcher } from '../../src/bundle/match/match.js';
import { Trie } from '../../src/bundle/trie/trie.js';
import type { RequestView } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import { generator, randomModel, WORLD, winners } from '../lint/oracle.js';

test('50 random specs: the matcher finds the winning route of every request, or none if there is none', () => {
  const random = generator(7_031);
  let compared = 0;
  for (let round = 0; round < 50; round++) {
    const model = randomModel(random);
    const { bundle } = compile(model);
    const matcher = new Matcher(Trie.open(bundle.trie));
    for (const request of WORLD) {
      const best = winners(model, request);
      // A tie is an error in the spec; the result of the trie is unspecified.
      if (best.length > 1) continue;
      const view: RequestView = {
        method: request.method,
        host: request.host,
        path: `/${request.segments.join('/')}`,
        query: request.values['query q'] === undefined ? '' : `q=${request.values['query q']}`,
        listener: request.listener,
        scheme: request.values['scheme '] === 'https' ? 'https' : 'http',
        header: (name) => request.values[`header ${name}`],
      };
      const index = matcher.match(view);
      const value = request.values['query q'];
      if (value !== undefined) {
        // The first value of a repeated parameter counts, so further ones have no effect.
        const query = `q=${value}&q=1&q=12&q=zz`;
        assert.is(matcher.match({ ...view, query }), index, `round ${round}: ${JSON.stringify(request)} repeated`);
      }
      const found = index < 0 ? undefined : bundle.program.routes[index]?.name;
      assert.is(found, best[0]?.name, `round ${round}: ${JSON.stringify(request)}`);
      compared++;
    }
  }
  assert.ok(compared > 50_000);
});

test.run();
