/** Builds that keep trees of the build before, compared with fresh ones. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';
import { hasErrors } from '../../src/schema/diagnostic.js';
import { TreeCache } from '../../src/spec/index.js';
import { Random } from './random.js';
import { randomSpec } from './random-spec.js';

/** Every file is cut, however short. */
export const cacheOf = (): TreeCache => new TreeCache({ cutFrom: 0 });

/** All that a build says. */
export function outcomeOf(path: string, overlays: readonly string[], trees?: TreeCache): string {
  const { value, diagnostics } = checkSpec({ path, overlays, code: 'none', ...(trees === undefined ? {} : { trees }) });
  const built = value && !hasErrors(diagnostics) ? compile(value).bundle : undefined;
  return JSON.stringify({ diagnostics, sha256: built?.sha256, program: built?.program });
}

export function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'gw-cached-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

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

/** Compares builds after random edits of random specs with an include and an overlay. @returns how many specs were valid */
export function compareEdits(rounds: number): number {
  const random = new Random(21);
  let valid = 0;
  for (let round = 0; round < rounds; round++) {
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
  return valid;
}
