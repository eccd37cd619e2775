/** The problems that policies and actions declare are those that their run parts answer with. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** The source of run.ts and of what it imports from its folder, without problems.ts. */
function runPart(folder: string): string {
  const reached = new Set([`${folder}/run.ts`]);
  for (const file of reached)
    for (const { to, typeOnly } of importsOf(process.cwd(), file))
      if (!typeOnly && to.startsWith(`${folder}/`)) reached.add(to);
  reached.delete(`${folder}/problems.ts`);
  return [...reached].map((file) => readFileSync(file, 'utf8')).join('\n');
}

const problemsOf = async (folder: string): Promise<{ readonly [key: string]: DeclaredProblem }> => {
  if (!existsSync(join(folder, 'problems.ts'))) return {};
  const { PROBLEMS } = (await import(`../../${folder}/problems.js`)) as {
    PROBLEMS: { readonly [key: string]: DeclaredProblem };
  };
  return PROBLEMS;
};

for (const { folder, problems } of kinds) {
  test(`${folder}: the declared problems are those of problems.ts, and each is used`, async () => {
    const own = await problemsOf(folder);
    assert.equal(problems, Object.values(own));
    const code = runPart(folder);
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
