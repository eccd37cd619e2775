/** `--fix` never adds an error to a spec. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSpec } from '../../../src/lint/index.js';
import { type ValidateOptions, validate } from '../../../src/lint/validate.js';
import { seededBelow } from '../../support/random.js';
import { HEAD, ORDERS, route } from '../kit.js';

type Files = Readonly<Record<string, string>>;
const GOOD = HEAD + ORDERS + route('GET /orders');

function inFolder<T>(files: Files, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'gw-fix-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Fixes the files, and returns them with the notes and the output. */
function fixed(
  files: Files,
  more: Partial<ValidateOptions> = {},
): { texts: Files; notes: readonly string[]; output: string } {
  return inFolder(files, (folder) => {
    const specs = [join(folder, 'gateway.toml')];
    const { notes, output } = validate({ specs, format: 'pretty', color: false, cwd: folder, fix: true, ...more });
    const texts = Object.fromEntries(
      Object.keys(files).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
    );
    assert.equal(
      readdirSync(folder).filter((name) => name.endsWith('.tmp')),
      [],
    );
    return { texts, notes, output };
  });
}

/** The number of occurrences of each error, regardless of its place. */
function errorsOf(files: Files): Map<string, number> {
  return inFolder(files, (folder) => {
    const counts = new Map<string, number>();
    for (const { severity, code, span, message } of checkSpec({ path: join(folder, 'gateway.toml') }).diagnostics) {
      if (severity !== 'error') continue;
      const key = `${code} ${span.file} ${message}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  });
}

const newErrors = (before: Files, after: Files): string[] => {
  const had = errorsOf(before);
  return [...errorsOf(after)].flatMap(([key, count]) => (count > (had.get(key) ?? 0) ? [key] : []));
};

test('of two keys with one suggestion, only the first is renamed', () => {
  const bad = GOOD.replace('[service.orders]', '[service.orders]\nretires = 1\nretrise = 2');
  const { texts, notes } = fixed({ 'gateway.toml': bad });
  assert.is(texts['gateway.toml'], bad.replace('retires', 'retries'));
  assert.equal(notes, ['Fixed 1 problem in gateway.toml.']);
});

test('a fix that creates a route conflict is not applied', () => {
  const bad = `${GOOD}[[route]]\nmatch = "GET /orders"\not = "orders"\n`;
  const { texts, notes } = fixed({ 'gateway.toml': bad });
  assert.is(texts['gateway.toml'], bad);
  assert.equal(notes, [
    'Did not apply the fix of `schema/unknown-key` at gateway.toml:12: it would cause `route/duplicate`.',
  ]);
});

test('a fix that uncovers another fixable error is applied', () => {
  const bad = GOOD.replace('to = "orders"', 'ot = "ordres"');
  const { texts, output } = fixed({ 'gateway.toml': bad });
  assert.is(texts['gateway.toml'], GOOD, output);
});

test('a file included only by a fixed file is fixed too', () => {
  const files = {
    'gateway.toml': HEAD.replace('spec = 1\n', 'spec = 1\nincldue = "more.toml"\n') + ORDERS + route('GET /orders'),
    'more.toml': '[[route]]\nmatch = "GET /more"\not = "orders"\n',
  };
  const { texts, notes } = fixed(files);
  assert.match(texts['more.toml'] ?? '', 'to = "orders"');
  assert.equal(notes, ['Fixed 2 problems in gateway.toml, more.toml.']);
});

test('one harmful fix does not prevent the others', () => {
  const bad = GOOD.replace('[service.orders]', '[service.orders]\nretires = 1\nretrise = 2\nhots = "target"').replace(
    'to =',
    'ot =',
  );
  const { texts } = fixed({ 'gateway.toml': bad });
  assert.match(texts['gateway.toml'] ?? '', 'retries = 1\nretrise = 2\nhost = "target"');
  assert.match(texts['gateway.toml'] ?? '', 'to = "orders"');
});

test('the version is inserted after a byte order mark and editor directives, with the line endings of the file', () => {
  const body = GOOD.replace('spec = 1\n', '');
  const directive = '#:schema ./gateway.schema.json\n';
  for (const [before, after] of [
    [body, `spec = 1\n${body}`],
    [`\ufeff${body}`, `\ufeffspec = 1\n${body}`],
    [directive + body, `${directive}spec = 1\n${body}`],
    [`\ufeff${directive}${body}`, `\ufeff${directive}spec = 1\n${body}`],
  ] as const) {
    assert.is(fixed({ 'gateway.toml': before }).texts['gateway.toml'], after);
    const crlf = (text: string): string => text.replaceAll('\n', '\r\n');
    assert.is(fixed({ 'gateway.toml': crlf(before) }).texts['gateway.toml'], crlf(after));
  }
});

test('an item is removed without the comment before it', () => {
  const policies = '[policy.keys]\nuse = "api-key"\n[consumer.a]\napi_keys = ["${env:KEY}"]\n';
  const list = (inner: string): string => `${GOOD}policies = [${inner}]\n${policies}`;
  for (const [before, after] of [
    ['"keys", # first, and last,\n  "keys"', '"keys", # first, and last,\n  '],
    ['"keys",\n  "keys",\n', '"keys",\n'],
    ['"keys", "keys", "keys"', '"keys"'],
    ['"keys",\r\n\t"keys"\r\n', '"keys"\r\n'],
  ] as const) {
    assert.is(fixed({ 'gateway.toml': list(before) }).texts['gateway.toml'], list(after), before);
  }
});

test('specs that share a file: a fix that harms the other spec is not applied', () => {
  const spec = (service: string): string => `include = "../shared.toml"\n${HEAD}${ORDERS.replace('orders', service)}`;
  const files = {
    'a/gateway.toml': spec('orders'),
    'b/gateway.toml': spec('ordrs'),
    'shared.toml': route('GET /x', 'to = "ordrs"'),
  };
  inFolder(files, (folder) => {
    const specs = ['a', 'b'].map((name) => join(folder, name, 'gateway.toml'));
    validate({ specs, format: 'pretty', color: false, cwd: folder, fix: true });
    assert.is(readFileSync(join(folder, 'shared.toml'), 'utf8'), files['shared.toml']);
  });
});

test('a fix needed only with an overlay is not applied if it harms the spec', () => {
  const files = {
    'gateway.toml': GOOD,
    'over.toml': 'remove = ["service.orders"]\n[service.order]\ntargets = ["http://127.0.0.1:1"]\n',
  };
  inFolder(files, (folder) => {
    const over = [join(folder, 'over.toml')];
    const specs = [join(folder, 'gateway.toml')];
    validate({ specs, overlays: over, format: 'pretty', color: false, cwd: folder, fix: true });
    assert.is(readFileSync(join(folder, 'gateway.toml'), 'utf8'), GOOD);
  });
});

// ---- The invariant with random mistakes ----

const SPEC = `#:schema ./gateway.schema.json
spec = 1
include = ["more.toml"]

[listener.main]
address = "127.0.0.1:8080"
header_timeout = "10s"

[service.orders]
targets = ["http://127.0.0.1:4003", "http://127.0.0.1:4004"]
retries = 2
host = "target"

[service.users]
targets = [{ url = "http://127.0.0.1:4001", weight = 2 }]

[policy.keys]
use = "api-key"
[policy.polite]
use = "rate-limit"
limit = "10/s"

[consumer.acme]
plan = "gold"
api_keys = ["sha256:a7ed8f602e0b9cb27f2b1e8d8e9999c1a1f71126bada1e752997f78126efb9ae"]
[plan.gold.limits]
polite = "20/s"

[[route]]
name = "list"
match = "GET /orders"
to = "orders"
policies = ["keys", "polite"]

[[route]]
name = "one"
match = { path = "/orders/{id:int}", methods = ["GET", "HEAD"] }
to = "orders"
timeout = "5s"
`;
const MORE = `[[group]]
prefix = "/users"
policies = ["keys"]
[[group.route]]
match = "GET /{id:uuid}"
to = "users"
[[group.route]]
match = "POST /"
to = "users"
[[route]]
name = "health"
match = "GET /health"
reply = { status = 200, body = "ok" }
`;

/** Adds a few typical mistakes: letters swapped, lost or doubled; lines repeated, moved or removed. */
function broken(text: string, below: (limit: number) => number): string {
  const lines = text.split('\n');
  for (let count = 1 + below(4); count > 0; count--) {
    const at = below(lines.length);
    const line = lines[at] ?? '';
    const words = [...line.matchAll(/[A-Za-z_]{3,}/g)];
    const word = words[below(Math.max(1, words.length))];
    const kind = below(8);
    if (kind < 5 && word) {
      const start = word.index + below(word[0].length - 1);
      const [a = '', b = ''] = [line[start], line[start + 1]];
      const instead = [b + a, b, a + a + b, `${a}x`, `${a}_${b}`][below(5)] ?? '';
      lines[at] = line.slice(0, start) + instead + line.slice(start + 2);
    } else if (kind === 5) lines.splice(below(lines.length), 0, line);
    else if (kind === 6) lines.splice(at, 1);
    else lines.splice(below(lines.length), 0, ...lines.splice(at, 1));
  }
  return lines.join('\n');
}

test('random mistakes: --fix adds no error, keeps line endings, and is idempotent', () => {
  let changedFiles = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const below = seededBelow(seed);
    const style = (text: string): string => {
      const crlf = seed % 3 === 0 ? text.replaceAll('\n', '\r\n') : text;
      return (seed % 5 === 0 ? '\ufeff' : '') + (seed % 7 === 0 ? crlf.trimEnd() : crlf);
    };
    const files = { 'gateway.toml': style(broken(SPEC, below)), 'more.toml': style(broken(MORE, below)) };
    const { texts } = fixed(files);
    assert.equal(newErrors(files, texts), [], `seed ${seed}\n${files['gateway.toml']}\n----\n${texts['gateway.toml']}`);
    for (const [name, text] of Object.entries(texts)) {
      const before = files[name as keyof typeof files];
      if (text !== before) changedFiles++;
      if (seed % 3 === 0) assert.not.match(text, /[^\r]\n/, `seed ${seed}`);
      else assert.not.match(text, '\r');
      assert.is(text.startsWith('\ufeff'), before.startsWith('\ufeff'));
      assert.is(text.endsWith('\n'), before.endsWith('\n'));
    }
    assert.equal(fixed(texts).texts, texts, `seed ${seed} again`);
  }
  assert.ok(changedFiles > 12, `${changedFiles} files fixed`);
});

test.run();
