import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commandNames } from '../../src/cli/main.js';
import { gw, inFolder } from './kit.js';

/** What bash offers for the last of `words`. */
async function offered(words: readonly string[], cwd?: string): Promise<string[]> {
  const { out: script } = await gw(['completion', 'bash']);
  const list = words.map((word) => `'${word}'`).join(' ');
  const ask = `${script}\nCOMP_WORDS=(gw ${list}); COMP_CWORD=${words.length}; _gw; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', ask], {
    encoding: 'utf8',
    ...(cwd ? { cwd } : {}),
  });
  assert.is(status, 0, stderr);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

test('bash: commands', async () => {
  assert.equal(await offered(['']), [...commandNames(), 'help'].sort());
  assert.equal(await offered(['comp']), ['compile', 'completion']);
  assert.equal(await offered(['help', 'rou']), ['routes']);
});

test('bash: options of a command, and of gw', async () => {
  assert.ok((await offered(['routes', '--'])).includes('--filter'));
  assert.ok(!(await offered(['routes', '--'])).includes('--template'));
  assert.ok((await offered(['--'])).includes('--version'));
});

test('bash: values of options and arguments', async () => {
  assert.equal(await offered(['init', '--template', 'm']), ['minimal', 'mock']);
  assert.equal(await offered(['init', '-t', 'serv']), ['services']);
  assert.equal(await offered(['completion', '']), ['bash', 'fish', 'zsh']);
  assert.equal(await offered(['explain', 'P']), ['PATCH', 'POST', 'PUT']);
});

test('bash: spec files and folders for a spec, folders for a folder', async () => {
  await inFolder({ 'gateway.toml': '', 'notes.txt': '', 'sub/other.toml': '', 'a.bundle': '' }, async (folder) => {
    assert.equal(await offered(['routes', ''], folder), ['a.bundle', 'gateway.toml', 'sub']);
    assert.equal(await offered(['routes', 'sub/'], folder), ['sub/other.toml']);
    assert.equal(await offered(['init', ''], folder), ['sub']);
  });
});

test('bash: a value after an equals sign, and what stands behind a value', async () => {
  assert.equal(await offered(['init', '--template', '=', 'm']), ['minimal', 'mock']);
  assert.equal(await offered(['init', '--template', '=']), ['minimal', 'mock', 'openapi', 'services']);
  assert.equal(await offered(['explain', '-H', 'a: b', 'P']), ['PATCH', 'POST', 'PUT']);
  await inFolder({ 'gateway.toml': '' }, async (folder) => {
    assert.equal(await offered(['serve', '--log', '=', 'json', ''], folder), ['gateway.toml']);
    assert.equal(await offered(['serve', '--log', 'json', ''], folder), ['gateway.toml']);
  });
});

test('bash: a name with spaces is one name', async () => {
  await inFolder({ 'my spec.toml': '', 'my key.pem': '' }, async (folder) => {
    assert.equal(await offered(['routes', 'my'], folder), ['my spec.toml']);
    assert.equal(await offered(['serve', '--verify', 'my'], folder), ['my key.pem', 'my spec.toml']);
  });
});

test('bash, zsh and fish scripts parse where the shell is there', async () => {
  for (const [shell, flag] of [
    ['bash', '-n'],
    ['zsh', '-n'],
    ['fish', '--no-execute'],
  ] as const) {
    const { code, out } = await gw(['completion', shell]);
    assert.is(code, 0);
    await inFolder({ script: out }, async (folder) => {
      const { status, error, stderr } = spawnSync(shell, [flag, 'script'], { cwd: folder, encoding: 'utf8' });
      if (error === undefined) assert.is(status, 0, stderr);
    });
  }
});

test('zsh and fish scripts know every command and what its options are for', async () => {
  const zsh = (await gw(['completion', 'zsh'])).out;
  const fish = (await gw(['completion', 'fish'])).out;
  assert.match(zsh, /^#compdef gw\n/);
  for (const name of commandNames()) {
    assert.match(zsh, new RegExp(`^ {8}${name}\\) _arguments `, 'm'));
    assert.match(fish, `complete -c gw -n __fish_use_subcommand -a ${name} -d `);
  }
  assert.match(
    zsh,
    /'\(-t --template\)'\{-t,--template\}'\[what to start from [^']*\]:name:\(minimal services mock openapi\)'/,
  );
  assert.match(
    fish,
    "-n '__fish_seen_subcommand_from init' -s t -l template -r -a 'minimal services mock openapi' -d ",
  );
});

test('the subcommands do not offer --version, which is gw itself', async () => {
  assert.ok(!(await offered(['routes', '--'])).includes('--version'));
  assert.ok((await offered(['routes', '--'])).includes('--no-color'));
});

test.run();
