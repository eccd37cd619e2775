import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { leaksMemory } from '../../../../src/proxy/downstream/http2/node-releases.js';

test('releases before the correction of their line leak memory', () => {
  for (const version of ['20.19.0', '20.20.1', '22.22.1', '22.3.9', '24.14.0', '24.0.0', '21.7.3', '23.11.1', '25.0.0'])
    assert.is(leaksMemory(version), true, version);
  for (const version of ['20.20.2', '20.21.0', '22.22.2', '24.14.1', '24.21.0', '26.0.0', '26.8.0-nightly'])
    assert.is(leaksMemory(version), false, version);
});

test.run();
