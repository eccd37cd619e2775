import { Argument } from 'commander';
import { defineCommand, JSON_HELP } from '../command.js';
import { EXIT, failed, usage } from '../exit-codes.js';
import type { Io } from '../io.js';

interface Options {
  readonly json?: boolean;
}

export default defineCommand<Options, [action: 'new' | 'test', name: string | undefined]>({
  name: 'policy',
  group: 'Write a spec',
  summary: 'Write a policy of your own, and run its tests',
  details:
    '`gw policy new NAME` writes policies/NAME.ts with a test beside the nearest gateway.toml. `gw policy test` runs the tests in policies/, or those of one policy. They need no gateway and no network: time is virtual, and services are mocked.\n\nExit code 0: all tests pass; 1: a test fails.',
  examples: [
    ['gw policy new tenant-check', 'write policies/tenant-check.ts and its test'],
    ['gw policy test', 'run all tests in policies/'],
    ['gw policy test tenant-check', 'run policies/tenant-check.test.ts'],
  ],
  configure(command) {
    command.addArgument(new Argument('<action>', 'what to do').choices(['new', 'test']));
    command.argument('[name]', 'the policy: a name of letters, digits and -');
    command.option('--json', JSON_HELP);
  },
  async run({ args: [action, name], options, io }) {
    if (name !== undefined && !/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(name))
      throw usage(`\`${name}\` is not the name of a policy: use letters, digits and -.`);
    const { projectFolder } = await import('../policy/project.js');
    const root = projectFolder(io);
    if (action === 'test') return runTests(io, root, name, options.json === true);
    if (name === undefined) throw usage('Name the policy: gw policy new NAME.');
    const { writePolicy } = await import('../policy/template.js');
    const written = writePolicy(root, name);
    if (typeof written === 'string') throw failed(written);
    if (options.json) io.json({ version: 1, files: written.files });
    else {
      for (const file of written.files) io.info(`Wrote ${file}`);
      io.line(`\nAdd it to gateway.toml, and to the policies of a route:\n\n${written.spec}`);
      io.line(`Then: gw policy test ${name}`);
    }
    return EXIT.ok;
  },
});

async function runTests(io: Io, root: string, name: string | undefined, json: boolean): Promise<number> {
  const { testFiles } = await import('../policy/project.js');
  const { runTestFile } = await import('../../testing/runner.js');
  const files = testFiles(root, name);
  if (files.length === 0) {
    const where =
      name === undefined ? 'policies/ has no file that ends with .test.ts' : `There is no policies/${name}.test.ts`;
    throw failed(`${where}. \`gw policy new NAME\` writes a policy with a test.`);
  }
  const results = [];
  for (const { path, shown } of files) {
    const tests = await runTestFile(path, root);
    results.push({ file: shown, tests: tests.map(({ name, failure = null }) => ({ name, failure })) });
    if (json) continue;
    io.info(shown);
    for (const test of tests) {
      if (test.failure === undefined) io.info(`  ${io.paint('green', 'ok')}    ${test.name}`);
      else
        io.line(`  ${io.paint('red', 'FAIL')}  ${test.name}\n        ${test.failure.replaceAll('\n', '\n        ')}`);
    }
  }
  const all = results.flatMap(({ tests }) => tests);
  const failures = all.filter(({ failure }) => failure !== null).length;
  if (json) io.json({ version: 1, passed: failures === 0, files: results });
  else io.line(`${all.length - failures} passed, ${failures} failed`);
  return failures === 0 ? EXIT.ok : EXIT.failed;
}
