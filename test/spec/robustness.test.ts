import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rules } from '../../src/lint/rules/index.js';
import { SPEC_CODES } from '../../src/spec/codes.js';
import type { LoadOutcome } from '../../src/spec/index.js';
import { Random } from '../schema/random.js';
import { HEAD, load } from './helper.js';

const BASE = `${HEAD}
[plan.gold]
limits = { polite = "5/s" }
[consumer.acme]
plan = "gold"
api_keys = ["sha256:${'0'.repeat(64)}"]
[[route]]
name = "get-order"
match = "GET /orders/{id:int}"
to = "orders"
policies = ["keys", { use = "headers", request.set = { x = "{consumer.name}" } }]
[[route]]
match = { path = "/a\\u002fb/{x:[a-z]{2,3}}/{rest...}", methods = ["GET"], host = "a.b", headers = { v = { matches = "a+" } } }
reply = { status = 204, headers = { x = "1" } }
[[group]]
prefix = "/api/{tenant}"
policies = ["keys"]
[[group.route]]
match = "POST /"
to = "orders"
[normalize]
trailing_slash = "ignore"
[lint]
allow = [{ code = "a/b", reason = "c" }]
`;

const CODES: ReadonlyMap<string, string> = new Map(SPEC_CODES.map(({ code, severity }) => [code, severity]));

/** Checks the invariants of every outcome. */
function inspect(outcome: LoadOutcome, text: string): void {
  const files = new Map(outcome.files.map((file) => [file.path, file.text.length]));
  for (const { code, severity, span, message, help, related, fix } of outcome.diagnostics) {
    assert.is(CODES.get(code), severity, `${code} is not in the catalogue as ${severity}`);
    for (const place of [
      span,
      ...(related ?? []).map((each) => each.span),
      ...(fix?.edits ?? []).map((edit) => edit.span),
    ]) {
      const length = files.get(place.file);
      assert.ok(length !== undefined, `${code}: no file ${place.file}`);
      assert.ok(
        place.start.offset <= place.end.offset && place.end.offset <= length!,
        `${code}: ${JSON.stringify(place)}`,
      );
    }
    assert.not.match(message + (help ?? ''), /undefined|\[object|NaN/, text);
    assert.match(message, /[.?]$/, message);
    assert.ok(help, `${code} has no help: ${message}`);
  }
}

const PIECES = [
  '[',
  '{',
  '"',
  "'",
  '=',
  '\n',
  '#',
  '\\',
  '{{',
  '}',
  'x',
  '1',
  'true',
  '"x"',
  '[]',
  '{}',
  '\u0000',
  'é',
  '😀',
  '"""',
].concat([
  '\\u',
  '$',
  '${env:X}',
  '-',
  '..',
  '//',
  '1979-05-27',
  '[[route]]\n',
  '[service]\n',
  '99999999999999999999',
  '\ud800',
]);
const VALUES = [
  '1',
  'true',
  '"x"',
  '[]',
  '{}',
  '[1]',
  '["a"]',
  '[{}]',
  '{ a = 1 }',
  '1979-05-27',
  '""',
  '1.5',
  '"${env:A}"',
  '[[[]]]',
];

test('a randomly damaged spec gives diagnostics, never a throw', () => {
  const random = new Random(21);
  const tokens = BASE.split(/(\s+|[="[\]{},.])/);
  for (let round = 0; round < 250; round++) {
    const damaged = [...tokens];
    for (let count = 1 + random.below(4); count > 0; count--) {
      const at = random.below(damaged.length);
      const kind = random.below(3);
      if (kind === 0) damaged.splice(at, 1);
      else damaged.splice(at, kind - 1, kind === 1 ? random.pick(PIECES) : tokens[random.below(tokens.length)]!);
    }
    const text = damaged.join('');
    inspect(load(text), text);
  }
});

test('a spec with values of wrong types gives diagnostics, never a throw', () => {
  const random = new Random(22);
  let wrong = 0;
  for (let round = 0; round < 400; round++) {
    const lines = BASE.split('\n');
    for (let count = 1 + random.below(3); count > 0; count--) {
      const at = random.below(lines.length);
      lines[at] = lines[at]!.replace(/= *(?:"[^"]*"|\[.*\]|\{.*\})$/, () => `= ${random.pick(VALUES)}`);
    }
    const text = lines.join('\n');
    const outcome = load(text);
    inspect(outcome, text);
    if (outcome.diagnostics.length > 0) wrong++;
  }
  assert.ok(wrong > 200, 'most of these are wrong');
});

test('random text gives diagnostics, never a throw', () => {
  const random = new Random(23);
  for (let round = 0; round < 400; round++) {
    const text = Array.from({ length: random.below(40) }, () => random.pick(PIECES)).join('');
    inspect(load(text), text);
  }
});

test('the catalogue contains exactly the codes that the sources report', () => {
  const listed = new Set(SPEC_CODES.map(({ code }) => code));
  assert.equal([...listed], [...listed].sort());
  const used = new Set<string>();
  for (const room of ['schema', 'expression', 'spec']) {
    const folder = join(process.cwd(), 'src', room);
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name === 'codes.ts' || name === 'diagnostic.ts') continue;
      const source = readFileSync(join(folder, name), 'utf8');
      for (const [, code] of source.matchAll(/'([a-z]+\/[a-z-]+)'/g)) used.add(code!);
    }
  }
  // Reading consumers of files reports what a rule reports about those of the spec.
  for (const { code } of rules) used.delete(code);
  assert.equal([...used].sort(), [...listed]);
});

test('ten thousand routes load in linear time', () => {
  const spec = (count: number): string =>
    HEAD +
    Array.from(
      { length: count },
      (_, index) => `[[route]]\nname = "r${index}"\nmatch = "GET /o/${index}/{id:int}/{s:[a-z0-9-]+}"\nto = "orders"\n`,
    ).join('');
  const time = (count: number): number => {
    const text = spec(count);
    const started = performance.now();
    const outcome = load(text);
    assert.is(outcome.value?.routes.length, count);
    assert.equal(outcome.diagnostics, []);
    return performance.now() - started;
  };
  time(500);
  const [small, large] = [time(1000), time(10_000)];
  assert.ok(large < small * 40 + 500, `${small} ms for 1,000 and ${large} ms for 10,000`);
});

test.run();
