/** A build that keeps the trees of the build before gives the same diagnostics and the same bundle as a fresh one. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';
import { hasErrors } from '../../src/schema/diagnostic.js';
import { TreeCache } from '../../src/spec/index.js';
import { Random } from './random.js';
import { randomSpec } from './random-spec.js';

const FIXTURES = resolve('fixtures/diagnostics');
/** Every file is cut, however short. */
const cacheOf = (): TreeCache => new TreeCache({ cutFrom: 0 });

/** All that a build says. */
function outcomeOf(path: string, overlays: readonly string[], trees?: TreeCache): string {
  const { value, diagnostics } = checkSpec({ path, overlays, code: 'none', ...(trees === undefined ? {} : { trees }) });
  const built = value && !hasErrors(diagnostics) ? compile(value).bundle : undefined;
  return JSON.stringify({ diagnostics, sha256: built?.sha256, program: built?.program });
}

function assertSame(path: string, overlays: readonly string[], trees: TreeCache, about: string): void {
  // Differences are long: the text of the spec says more.
  assert.ok(outcomeOf(path, overlays, trees) === outcomeOf(path, overlays), about);
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'gw-cached-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
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

/** One edit, as people and programs make them; the result may be broken. */
function edited(random: Random, text: string): string {
  const lines = text.split('\n');
  const at = random.index(lines.length);
  const kind = random.index(5);
  if (kind === 0) lines.splice(at, 1);
  else if (kind === 1) lines.splice(at, 0, lines[random.index(lines.length)]!);
  else if (kind === 2) lines[at] = lines[at]!.replace(/\d/, '7');
  else if (kind === 3)
    lines.splice(at, 0, random.pick(['', '# note', 'tags = {}', '"""', '[plan.silver]', '[consumer.acme]']));
  else lines.push(...lines.splice(at, 1 + random.index(4)));
  return lines.join('\n');
}

const PARTS = `[plan.silver]
[consumer.c1]
plan = "silver"
api_keys = ["sha256:${'1'.repeat(64)}"]
[consumer.c2]
tags = { team = "a" }
api_keys = ["sha256:${'2'.repeat(64)}"]
[consumer.c3]
api_keys = ["sha256:${'3'.repeat(64)}"]
`;
const OVERLAY = '[consumer.c1]\ntags = { env = "test" }\n[listener.main]\naddress = "127.0.0.1:1"\n';

test('random edits of random specs with an include and an overlay', () => {
  const random = new Random(21);
  let valid = 0;
  for (let round = 0; round < 12; round++) {
    inFolder((folder) => {
      const paths = ['gateway.toml', 'parts.toml', 'overlay.toml'].map((name) => join(folder, name));
      const [path, parts, overlay] = paths as [string, string, string];
      const { text } = randomSpec(random, ['http://127.0.0.1:9'], path);
      writeFileSync(path, text.replace('spec = 1\n', 'spec = 1\ninclude = ["parts.toml"]\n'));
      writeFileSync(parts, PARTS);
      writeFileSync(overlay, OVERLAY);
      const trees = cacheOf();
      let saved = paths.map((file) => readFileSync(file, 'utf8'));
      for (let edit = 0; edit < 12; edit++) {
        const outcome = outcomeOf(path, [overlay], trees);
        assert.ok(outcome === outcomeOf(path, [overlay]), saved.join('\n----\n'));
        const isValid = outcome.includes('"sha256"');
        if (isValid) valid++;
        // A broken spec is repaired after a while, by going back.
        if (!isValid && random.chance(0.5))
          for (const [index, file] of paths.entries()) writeFileSync(file, saved[index]!);
        else if (isValid) saved = paths.map((file) => readFileSync(file, 'utf8'));
        const file = random.pick(paths);
        writeFileSync(file, edited(random, readFileSync(file, 'utf8')));
      }
    });
  }
  assert.ok(valid > 30, `${valid} valid specs`);
});

test.run();
