/** See differential/cached-builds.ts. */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { TreeCache } from '../../src/spec/index.js';
import { cacheOf, compareEdits, inFolder, outcomeOf } from '../differential/cached-builds.js';

const test = suite('cached-build');

const FIXTURES = resolve('fixtures/diagnostics');

function assertSame(path: string, overlays: readonly string[], trees: TreeCache, about: string): void {
  // Differences are long: the text of the spec says more.
  assert.ok(outcomeOf(path, overlays, trees) === outcomeOf(path, overlays), about);
}

test('the specs of all diagnostics, read twice, and with a line in front', () => {
  // Some are too large for the repository.
  const names = readdirSync(FIXTURES).filter((name) => existsSync(join(FIXTURES, name, 'gateway.toml')));
  for (const name of names) {
    inFolder((folder) => {
      cpSync(join(FIXTURES, name), folder, { recursive: true });
      const path = join(folder, 'gateway.toml');
      const trees = cacheOf();
      for (let round = 0; round < 3; round++) {
        assertSame(path, [], trees, `${name}, round ${round}`);
        if (round === 1) writeFileSync(path, `# moved\n${readFileSync(path, 'latin1')}`, 'latin1');
      }
    });
  }
});

test('random edits of random specs with an include and an overlay', () => {
  const valid = compareEdits(30);
  assert.ok(valid > 75, `${valid} valid specs`);
});

test.run();
