/** docs/limits.md agrees with the reference of the spec and the errors of gw, its policies and its actions. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERRORS } from '../../src/proxy/errors/errors.js';
import { actionDeclarations, policyDeclarations } from '../../src/spec/index.js';

const page = readFileSync('docs/limits.md', 'utf8');
const reference = readFileSync('docs/reference.md', 'utf8');

/** Defaults by key, from one section of a page; in the third column if `described`. */
function defaults(text: string, heading: RegExp, column: number): Map<string, string> {
  const section = text.split(/^## /m).find((part) => heading.test(part)) ?? '';
  const rows = [...section.matchAll(/^\| `([a-z_.]+)` \|(.+)\|$/gm)];
  return new Map(
    rows.map(([, key = '', rest = '']) => [key, (rest.split('|')[column] ?? '').replaceAll(/[`" ]/g, '')]),
  );
}

const SECTIONS: readonly (readonly [string, RegExp, RegExp])[] = [
  ['listener', /^Listeners/, /^`\[listener\.NAME\]`/],
  ['service', /^Services/, /^`\[service\.NAME\]`/],
];

for (const [name, ours, theirs] of SECTIONS) {
  test(`defaults of a ${name} equal those of the reference`, () => {
    const listed = defaults(page, ours, 0);
    const real = defaults(reference, theirs, 1);
    assert.ok(listed.size > 5 && real.size > 5, `${listed.size} ${real.size}`);
    for (const [key, value] of listed) {
      assert.ok(real.has(key), `${name}.${key} is not a key`);
      if (real.get(key) !== '') assert.is(value, real.get(key), `${name}.${key}`);
    }
  });

  test(`the page lists every limit of a ${name}`, () => {
    const listed = defaults(page, ours, 0);
    for (const key of defaults(reference, theirs, 1).keys())
      if (/^(max|min)_|^[a-z_]+_timeout$/.test(key)) assert.ok(listed.has(key), `${name}.${key}`);
  });
}

/** Kinds of policies may share an error: its statuses, by code. */
function statuses(): Map<string, Set<number>> {
  const all = [
    ...Object.entries(ERRORS).map(([code, { status }]) => ({ code, status })),
    ...[...policyDeclarations, ...actionDeclarations].flatMap(({ problems = [] }) => problems),
  ];
  const known = new Map<string, Set<number>>();
  for (const { code, status } of all) known.set(code, (known.get(code) ?? new Set()).add(status));
  return known;
}

test('every error on the page exists with that status', () => {
  const known = statuses();
  const named = [...page.matchAll(/(?:(\d{3}) )?`([a-z]+\/[a-z-]+)`/g)];
  assert.ok(named.length > 20);
  for (const [, status, slug = ''] of named) {
    assert.ok(known.has(slug), slug);
    if (status !== undefined) assert.ok(known.get(slug)?.has(Number(status)), `${status} ${slug}`);
  }
});

test.run();
