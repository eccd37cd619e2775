import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bugReport } from '../../src/cli/failure.js';
import { Io } from '../../src/cli/io.js';
import { commandNames } from '../../src/cli/main.js';
import { gw, Sink } from './kit.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

test('--version prints the version of package.json', async () => {
  assert.equal(await gw(['--version']), { code: 0, out: `${version}\n`, err: '' });
  for (const flag of ['-V', '-v']) assert.equal(await gw([flag]), { code: 0, out: `${version}\n`, err: '' });
});

test('--help lists every command, grouped by task', async () => {
  const { code, out } = await gw(['--help']);
  assert.is(code, 0);
  const hidden = ['complete'];
  for (const name of commandNames()) {
    assert.is(new RegExp(`^  ${name} `, 'm').test(out), !hidden.includes(name), name);
  }
  const groups = [...out.matchAll(/^(Write a spec|Check|Run|Watch|Tools):\n {2}/gm)].map(([, group]) => group);
  assert.equal(groups, ['Write a spec', 'Check', 'Run', 'Watch', 'Tools']);
  assert.not.match(out, 'Commands:');
});

test('no arguments: help on standard error, exit code of wrong usage', async () => {
  const { code, out, err } = await gw([]);
  assert.is(code, 2);
  assert.is(out, '');
  assert.match(err, 'Usage: gw');
});

for (const name of commandNames()) {
  test(`gw ${name} --help has an example that starts with gw, in 80 columns`, async () => {
    const { code, out } = await gw([name, '--help']);
    assert.is(code, 0);
    assert.match(out, /\nExamples?:\n( {2}# .*\n)? {2}\$ (source <\()?gw /);
    assert.match(out, `Usage: gw ${name}`);
    assert.equal(
      out.split('\n').filter((line) => line.length > 80),
      [],
    );
  });
}

test('an unknown command is wrong usage and gets a suggestion', async () => {
  const { code, err } = await gw(['validte']);
  assert.is(code, 2);
  assert.is(err, "gw: Unknown command 'validte'. Did you mean validate?\n`gw --help` shows the usage.\n");
  const help = await gw(['help', 'validte']);
  assert.is(help.code, 2);
  assert.match(help.err, 'There is no command `validte`.');
});

test('an unknown option is wrong usage and gets a suggestion', async () => {
  const { code, err } = await gw(['routes', '--jsn']);
  assert.is(code, 2);
  assert.match(err, 'Did you mean --json?');
});

test('an invalid choice is wrong usage', async () => {
  const { code, err } = await gw(['completion', 'tcsh']);
  assert.is(code, 2);
  assert.match(err, 'Allowed choices are bash, zsh, fish');
});

test('colour is on for a terminal, unless NO_COLOR, a dumb terminal or --no-color disables it', () => {
  const color = (tty: boolean, env: NodeJS.ProcessEnv, asked?: boolean): boolean =>
    new Io({ stdout: new Sink(tty), stderr: new Sink(tty), env, cwd: '/', color: asked }).color;
  assert.is(color(true, {}), true);
  assert.is(color(false, {}), false);
  assert.is(color(true, { NO_COLOR: '1' }), false);
  assert.is(color(true, { NO_COLOR: '' }), true);
  assert.is(color(true, { TERM: 'dumb' }), false);
  assert.is(color(false, { FORCE_COLOR: '1' }), true);
  assert.is(color(true, { FORCE_COLOR: '0' }), false);
  assert.is(color(false, { FORCE_COLOR: '1', NO_COLOR: '1' }), false);
  assert.is(color(true, {}, false), false);
  assert.is(color(false, {}, true), true);
});

test('the width is the terminal width, undefined without a terminal', () => {
  const io = (tty: boolean): Io => new Io({ stdout: new Sink(tty), stderr: new Sink(tty), env: {}, cwd: '/' });
  assert.is(io(true).columns, 80);
  assert.is(io(false).columns, undefined);
});

test('a spinner appears on a terminal only after a delay', async () => {
  const stderr = new Sink(true);
  const io = new Io({ stdout: new Sink(true), stderr, env: {}, cwd: '/' });
  assert.is(await io.spin('Quick', async () => 1), 1);
  assert.is(stderr.text, '');
  const deadline = Date.now() + 10_000;
  await io.spin('Slow', async () => {
    while (!stderr.text.includes('Slow') && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
  });
  assert.match(stderr.text, 'Slow');
});

test('a spinner does not appear without a terminal or in CI', async () => {
  for (const [tty, env] of [
    [false, {}],
    [true, { CI: 'true' }],
  ] as const) {
    const stderr = new Sink(tty);
    const io = new Io({ stdout: new Sink(tty), stderr, env, cwd: '/' });
    await io.spin('Slow', () => new Promise((resolve) => setTimeout(resolve, 450)));
    assert.is(stderr.text, '');
  }
});

test('a bug report contains versions and the command without header values', () => {
  const argv = ['explain', 'GET', '/a b', '-H', 'x-api-key: secret', '--header=cookie: secret', '-Hx: secret'];
  const report = bugReport(new TypeError('boom'), argv, '1.2.3');
  assert.match(report, 'This is a bug in gw');
  assert.match(report, `gw 1.2.3, Node ${process.versions.node}`);
  assert.match(report, "command: gw explain GET '/a b' -H 'x-api-key: ...' '--header=cookie: ...' '-Hx: ...'");
  assert.match(report, 'TypeError: boom');
  assert.match(report, /at .*test\/cli\/main\.test\.[jt]s/);
  assert.not.match(report, 'secret');
  assert.not.match(report, process.cwd());
});

test('a thrown value that is not an Error gives a bug report', () => {
  assert.match(bugReport('why', [], '1'), 'thrown: why');
});

test('running out of file descriptors is an error, not a bug report', () => {
  for (const code of ['EMFILE', 'ENFILE']) {
    const text = bugReport(
      Object.assign(new Error(`${code}: too many open files, open 'x'`), { code }),
      ['serve'],
      '1.0.0',
    );
    assert.match(text, `(${code})`);
    assert.match(text, 'ulimit -n');
    assert.not.match(text, 'bug');
  }
});

test.run();
