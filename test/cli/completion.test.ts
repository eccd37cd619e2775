import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GW } from '../support/gw-process.js';
import { gw, inFolder, listedCommands } from './kit.js';

/** Bash completions of the last of `words`. */
async function offered(words: readonly string[], cwd?: string): Promise<string[]> {
  const { out: script } = await gw(['completion', 'bash']);
  const list = words.map((word) => `'${word}'`).join(' ');
  const program = `gw() { '${process.execPath}' '${GW}' "$@"; }`;
  const ask = `${program}\n${script}\nCOMP_WORDS=(gw ${list}); COMP_CWORD=${words.length}; _gw; printf '%s\\n' "\${COMPREPLY[@]}"`;
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

test('bash completes commands', async () => {
  assert.equal(await offered(['']), [...(await listedCommands()), 'help'].sort());
  assert.equal(await offered(['comp']), ['compile', 'completion'], 'complete is hidden');
  assert.equal(await offered(['help', 'rou']), ['routes']);
});

test('bash completes options of a command and of gw', async () => {
  assert.ok((await offered(['routes', '--'])).includes('--filter'));
  assert.ok(!(await offered(['routes', '--'])).includes('--template'));
  assert.ok((await offered(['--'])).includes('--version'));
});

test('bash completes values of options and arguments', async () => {
  assert.equal(await offered(['init', '--template', 'm']), ['minimal', 'mock']);
  assert.equal(await offered(['init', '-t', 'serv']), ['services']);
  assert.equal(await offered(['completion', '']), ['bash', 'fish', 'zsh']);
  assert.equal(await offered(['explain', 'P']), ['PATCH', 'POST', 'PUT']);
});

test('bash completes spec files and folders for a spec, only folders for a folder', async () => {
  await inFolder({ 'gateway.toml': '', 'notes.txt': '', 'sub/other.toml': '', 'a.bundle': '' }, async (folder) => {
    assert.equal(await offered(['routes', ''], folder), ['a.bundle', 'gateway.toml', 'sub']);
    assert.equal(await offered(['routes', 'sub/'], folder), ['sub/other.toml']);
    assert.equal(await offered(['init', ''], folder), ['sub']);
  });
});

test('bash completes a value after an equals sign and the word after a value', async () => {
  assert.equal(await offered(['init', '--template', '=', 'm']), ['minimal', 'mock']);
  assert.equal(await offered(['init', '--template', '=']), ['minimal', 'mock', 'openapi', 'services']);
  assert.equal(await offered(['explain', '-H', 'a: b', 'P']), ['PATCH', 'POST', 'PUT']);
  await inFolder({ 'gateway.toml': '' }, async (folder) => {
    assert.equal(await offered(['serve', '--log', '=', 'json', ''], folder), ['gateway.toml']);
    assert.equal(await offered(['serve', '--log', 'json', ''], folder), ['gateway.toml']);
  });
});

test('bash completes a name with spaces as one word', async () => {
  await inFolder({ 'my spec.toml': '', 'my key.pem': '' }, async (folder) => {
    assert.equal(await offered(['routes', 'my'], folder), ['my spec.toml']);
    assert.equal(await offered(['serve', '--verify', 'my'], folder), ['my key.pem', 'my spec.toml']);
  });
});

test('bash, zsh and fish scripts parse where the shell is installed', async () => {
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

test('zsh and fish scripts contain every command and its option descriptions', async () => {
  const zsh = (await gw(['completion', 'zsh'])).out;
  const fish = (await gw(['completion', 'fish'])).out;
  assert.match(zsh, /^#compdef gw\n/);
  for (const name of await listedCommands()) {
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

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:0"
[[route]]
name = "get-order"
match = "GET /orders/{id:int}"
reply = { body = "order" }
[[route]]
name = "$(touch$IFS\`pwd\`/run)"
match = "GET /healthz"
reply = { body = "ok" }
`;

test('bash completes route names, listener names, paths and codes', async () => {
  await inFolder({ 'gateway.toml': SPEC, 'sub/x': '' }, async (folder) => {
    assert.equal(await offered(['routes', '--filter', 'get'], folder), ['get-order']);
    assert.equal(await offered(['explain', 'GET', '/', '--listener', 'm'], folder), ['main']);
    assert.equal(await offered(['explain', 'GET', '/'], `${folder}/sub`), ['/healthz', '/orders/']);
    assert.equal(await offered(['validate', '--explain', 'route/sh'], folder), ['route/shadowed']);
  });
});

test('bash completes NAME=FILE and NAME=', async () => {
  const spec = `${SPEC}[service.orders]\ntargets = ["http://127.0.0.1:1"]\n[policy.tokens]\nuse = "jwt"\njwks = "https://id.example/keys"\n`;
  await inFolder({ 'gateway.toml': spec, 'keys.json': '{}' }, async (folder) => {
    assert.equal(await offered(['explain', '--published', 't'], folder), ['tokens=']);
    assert.equal(await offered(['explain', '--published', 'tokens', '=', 'k'], folder), ['keys.json']);
    assert.equal(await offered(['explain', '--published', 'tokens', '='], folder), ['gateway.toml', 'keys.json']);
    assert.equal(await offered(['explain', '--published', 'tokens', '=', 'keys.json', 'P'], folder), [
      'PATCH',
      'POST',
      'PUT',
    ]);
    assert.equal(await offered(['explain', '--mock', 'o'], folder), ['orders=']);
  });
});

test('bash does not execute a name from the spec', async () => {
  await inFolder({ 'gateway.toml': SPEC }, async (folder) => {
    assert.match((await offered(['routes', '-f', ''], folder)).join('\n'), 'touch');
    assert.not.ok(existsSync(`${folder}/run`));
  });
});

test('gw complete reads the given bundle or spec, even a spec with errors', async () => {
  const files = { 'other.toml': `${SPEC}[[route]]\nmatch = "GET /x"\nto = "nothing"\n`, 'gateway.toml': SPEC };
  await inFolder(files, async (cwd) => {
    await gw(['compile'], { cwd });
    for (const word of ['gateway.bundle', 'other.toml']) {
      const { out } = await gw(['complete', 'routes', '--', 'gw', 'routes', word, '-f'], { cwd });
      assert.match(out, /^get-order$/m, word);
    }
  });
});

test('gw complete prints nothing without a spec', async () => {
  await inFolder({ 'bad.bundle': 'GWB1 is not all', 'bad.toml': '= =' }, async (cwd) => {
    for (const words of [[], ['bad.bundle'], ['bad.toml']]) {
      assert.equal(await gw(['complete', 'urls', '--', ...words], { cwd }), { code: 0, out: '', err: '' });
    }
  });
});

test('subcommands do not offer --version', async () => {
  assert.ok(!(await offered(['routes', '--'])).includes('--version'));
  assert.ok((await offered(['routes', '--'])).includes('--no-color'));
});

test.run();
