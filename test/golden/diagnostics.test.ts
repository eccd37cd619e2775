/** Every diagnostic: a spec that causes it, and the exact output. UPDATE_GOLDEN=1 rewrites the outputs. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allCodes } from '../../src/lint/index.js';
import { validate } from '../../src/lint/validate.js';

const FIXTURES = resolve('fixtures/diagnostics');
const UPDATE = process.env['UPDATE_GOLDEN'] === '1';

/** Specs that are too large for the repository: written into an empty folder before the run. */
const RECIPES: Readonly<Record<string, (folder: string) => void>> = {
  'file--too-large': (folder) => writeFileSync(join(folder, 'gateway.toml'), Buffer.alloc(50 * 1024 * 1024, '# x\n')),
  'include--too-many': (folder) => {
    writeFileSync(join(folder, 'gateway.toml'), 'spec = 1\ninclude = "parts/*.toml"\n');
    mkdirSync(join(folder, 'parts'));
    for (let part = 0; part < 5000; part++) writeFileSync(join(folder, 'parts', `${part}.toml`), '');
  },
};

const names = readdirSync(FIXTURES).sort();
const codeOf = (name: string): string => name.replace('--', '/').replace(/\+.*$/, '');

function inCopy<T>(name: string, work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'gw-golden-'));
  try {
    cpSync(join(FIXTURES, name), folder, { recursive: true });
    RECIPES[name]?.(folder);
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const check = (folder: string, fix = false) =>
  validate({ specs: [join(folder, 'gateway.toml')], format: 'pretty', color: false, cwd: folder, fix });

function compare(path: string, actual: string): void {
  if (UPDATE) writeFileSync(path, actual);
  assert.fixture(actual, readFileSync(path, 'utf8'));
}

for (const name of names) {
  test(`${name} gives exactly the expected output`, () => {
    inCopy(name, (folder) => {
      const { output } = check(folder);
      assert.match(output, `[${codeOf(name)}]`);
      assert.not.match(output, /\n {4}at |node:internal|undefined|\[object/);
      for (const block of output.split(/^(?=error\[|warning\[)/m)) assert.match(block, ' = help: ', 'what to do next');
      compare(join(FIXTURES, name, 'expected.txt'), output);
    });
  });

  test(`${name}: safe fixes give the expected file and remove their diagnostics`, () => {
    inCopy(name, (folder) => {
      const before = readFileSync(join(folder, 'gateway.toml'));
      const offered = check(folder).output.includes('fix available (--fix)');
      check(folder, true);
      const after = readFileSync(join(folder, 'gateway.toml'));
      assert.is(!before.equals(after), offered);
      const expected = join(FIXTURES, name, 'expected.fixed.toml');
      assert.is(existsSync(expected) || UPDATE, offered || UPDATE);
      if (!offered) return;
      compare(expected, after.toString());
      assert.not.match(check(folder).output, 'fix available (--fix)');
    });
  });
}

test('every code has a fixture, and every fixture has a code', () => {
  const codes = allCodes().map(({ code }) => code);
  const shown = new Set(names.map(codeOf));
  assert.equal(
    codes.filter((code) => !shown.has(code)),
    [],
  );
  assert.equal(
    [...shown].filter((code) => !codes.includes(code)),
    [],
  );
});

test.run();
