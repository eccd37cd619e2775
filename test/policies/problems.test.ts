/** The problems that policies and actions declare are those that their run parts answer with. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { declarations as actions } from '../../src/actions/registry.js';
import type { DeclaredProblem } from '../../src/policies/contract.js';
import { declarations as policies } from '../../src/policies/registry.js';
import { ERRORS } from '../../src/proxy/errors/errors.js';
import { importsOf } from '../support/imports.js';

const kinds = [
  ...policies.map(({ problems = [], use }) => ({ problems, folder: `src/policies/${use}` })),
  ...actions.map(({ problems = [], use }) => ({ problems, folder: `src/actions/${use}` })),
];

/** Problems of several policies. */
const SHARED = 'src/policies/kits/bearer';

/** Files that run.ts loads from its folder, and from the kit with shared problems. */
function runFiles(folder: string): ReadonlySet<string> {
  const reached = new Set([`${folder}/run.ts`]);
  for (const file of reached)
    for (const { to, typeOnly } of importsOf(process.cwd(), file))
      if (!typeOnly && (to.startsWith(`${folder}/`) || to.startsWith(`${SHARED}/`))) reached.add(to);
  return reached;
}

/** The source of these files, without problems.ts. */
const sourceOf = (files: ReadonlySet<string>): string =>
  [...files]
    .filter((file) => !file.endsWith('/problems.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');

const problemsOf = async (files: ReadonlySet<string>): Promise<{ readonly [key: string]: DeclaredProblem }> => {
  const all: { [key: string]: DeclaredProblem } = {};
  for (const file of files) {
    if (!file.endsWith('/problems.ts')) continue;
    const { PROBLEMS } = (await import(`../../${file.replace(/ts$/, 'js')}`)) as { PROBLEMS: typeof all };
    Object.assign(all, PROBLEMS);
  }
  return all;
};

for (const { folder, problems } of kinds) {
  test(`${folder}: the declared problems are those of problems.ts, and each is used`, async () => {
    const files = runFiles(folder);
    const own = await problemsOf(files);
    assert.equal(problems, Object.values(own));
    const code = sourceOf(files);
    for (const key of Object.keys(own)) assert.ok(code.includes(`PROBLEMS.${key}`), `${key} is not used`);
    const written = [...code.matchAll(/\bcode: '([a-z-]+\/[a-z-]+)'/g)].map(([, slug]) => slug!);
    assert.equal(written, [], 'a code that is not in problems.ts');
  });
}

test('a problem has a slug, an error status, a title and a description; its status is the same wherever it is declared', () => {
  const known = new Map<string, DeclaredProblem>();
  for (const problem of kinds.flatMap(({ problems }) => problems)) {
    const { code, description, status, title } = problem;
    assert.match(code, /^[a-z-]+\/[a-z-]+$/);
    assert.ok(status >= 400 && status <= 599, code);
    assert.match(title, /^[A-Z].*[^.]$/, code);
    assert.match(description, /^[A-Z`].*\.$/, code);
    assert.not.ok(Object.hasOwn(ERRORS, code), `${code} is an error of gw`);
    const first = known.get(code);
    if (first !== undefined) assert.is(status, first.status, code);
    known.set(code, problem);
  }
});

test.run();
