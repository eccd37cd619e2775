/** Every built-in policy passes the contract suite that custom policies are tested with, with the example of its README. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resolveReferences } from '../../src/bundle/references.js';
import type { Json, PolicyEntry, Program } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';
import type { PolicyInstance } from '../../src/policies/contract.js';
import { declarations } from '../../src/policies/registry.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { contractChecks } from '../../src/testing/checks.js';
import type { Subject } from '../../src/testing/subject.js';
import { TestWorld } from '../../src/testing/world.js';

/** The program of the example in a README. */
function exampleOf(use: string): Program {
  const readme = readFileSync(`src/policies/${use}/README.md`, 'utf8');
  const text = /```toml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const files = [...readme.matchAll(/`([^`\n]+)`:\n\n```(?:json|yaml|html|txt)\n([\s\S]*?)```/g)];
  const named = new Map(files.map(([, path, content]) => [resolve(path!), content!]));
  const readNamed = (path: string): string => named.get(path) ?? '';
  return compile(checkSpec({ path: 'gateway.toml', text, readNamed }).value!).bundle.program;
}

function subjectOf(program: Program, entry: PolicyEntry, codes: ReadonlySet<string>): Subject {
  const members = new Map<string, PolicyInstance>();
  for (const index of entry.members ?? []) {
    const member = program.policies[index]!;
    const { create, settings } = subjectOf(program, member, new Set());
    members.set(member.name, create(settings, new TestWorld().host(member.name, member.calls ?? [], new Map())));
  }
  return {
    name: entry.name,
    settings: resolveReferences<Json>(entry.settings, () => 'resolved, and long enough for every secret'),
    create: runHalves[entry.use]!,
    codes,
    calls: entry.calls ?? [],
    members,
    collects: { request: entry.body?.request !== undefined, reply: entry.body?.reply !== undefined },
  };
}

for (const { use, problems = [] } of declarations) {
  const program = exampleOf(use);
  const entry = program.policies.find((policy) => policy.use === use);
  test(`${use} has an example`, () => assert.ok(entry));
  if (entry === undefined) continue;
  const composed = (entry.members ?? []).map((index) => program.policies[index]!.use);
  const all = declarations.filter((declaration) => composed.includes(declaration.use));
  const codes = new Set([...problems, ...all.flatMap((member) => member.problems ?? [])].map(({ code }) => code));
  const services = Object.fromEntries((entry.calls ?? []).map((name) => [name, { status: 200 }]));
  const { consumers } = program;
  const subject = subjectOf(program, entry, codes);
  for (const { name, run } of contractChecks(subject, { services, consumers })) test(`${use}: ${name}`, run);
}

test.run();
