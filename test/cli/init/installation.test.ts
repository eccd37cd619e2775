import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Installation, installationFor } from '../../../src/cli/init/installation.js';

const TEST = 'node --test gateway.test.mjs';

/** An installed gw at `root` in a temporary folder, next to these files. */
function inMachine(
  root: string,
  files: Readonly<Record<string, string>>,
  use: (base: string, gw: string) => void,
): void {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'gw-installed-')));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    writeFileSync(join(base, path), text);
  };
  try {
    write(`${root}/bin/gw.js`, '');
    for (const [path, text] of Object.entries(files)) write(path, text);
    use(base, join(base, root));
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

const manifest = (spec: string): string => JSON.stringify({ devDependencies: { gw: spec } });

const inProject = (spec: string, use: (installed: Installation) => void): void =>
  inMachine('app/node_modules/gw', { 'app/package.json': manifest(spec) }, (base, gw) =>
    use(installationFor(join(base, 'app', 'edge'), { PATH: join(base, 'app/node_modules/.bin') }, '1.2.3', gw)),
  );

test('gw on the PATH: the command is gw, and CI gets a copy', () =>
  inMachine('lib/node_modules/gw', { 'bin/other': '' }, (base, gw) => {
    symlinkSync(join(gw, 'bin', 'gw.js'), join(base, 'bin', 'gw'));
    const installed = installationFor(join(base, 'shop'), { PATH: `/none:${join(base, 'bin')}` }, '1.2.3', gw);
    assert.equal(installed, { command: 'gw', test: TEST, ci: 'copy' });
  }));

test('another gw earlier on the PATH is not this installation', () =>
  inMachine('gw', { 'bin/gw': '' }, (base, gw) => {
    const { command } = installationFor(base, { PATH: join(base, 'bin') }, '1.2.3', gw);
    assert.is(command, `node ${join(gw, 'bin', 'gw.js')}`);
  }));

test('a dependency of the project: the command is npx gw, and CI installs the project', () => {
  for (const spec of ['^1.2.0', 'https://example.com/gw.tgz', 'file:vendor/gw.tgz', 'github:example/gw']) {
    inProject(spec, (installed) => assert.equal(installed, { command: 'npx gw', test: TEST, ci: 'project' }, spec));
  }
});

test('a dependency outside of the project: CI gets a copy', () => {
  for (const spec of ['file:../gw.tgz', 'file:/srv/gw.tgz', 'link:../gw', '../gw.tgz']) {
    inProject(spec, (installed) => assert.equal(installed, { command: 'npx gw', test: TEST, ci: 'copy' }, spec));
  }
});

test('npx of a package file: the command has its absolute path, and CI gets a copy', () =>
  inMachine(
    'npm/_npx/a1/node_modules/gw',
    { 'npm/_npx/a1/package.json': manifest('file:../../../my gw.tgz') },
    (base, gw) => {
      const npx = `npx --yes --package='${join(base, 'my gw.tgz')}'`;
      assert.equal(installationFor(join(base, 'shop'), { PATH: join(dirname(gw), '.bin') }, '1.2.3', gw), {
        command: `${npx} gw`,
        test: `${npx} -- ${TEST}`,
        ci: 'copy',
      });
    },
  ));

test('npx from a registry: the command and CI use the exact version', () =>
  inMachine('npm/_npx/a1/node_modules/gw', { 'npm/_npx/a1/package.json': manifest('^1.2.0') }, (base, gw) => {
    const npx = "npx --yes --package='gw@1.2.3'".replaceAll("'", '');
    assert.equal(installationFor(join(base, 'shop'), {}, '1.2.3', gw), {
      command: `${npx} gw`,
      test: `${npx} -- ${TEST}`,
      ci: { package: 'gw@1.2.3' },
    });
  }));

test('a checkout: the command is node with the path, and the test command sets GW', () =>
  inMachine('my gw', { 'app/package.json': 'not JSON' }, (base, gw) => {
    const program = `'${join(gw, 'bin', 'gw.js')}'`;
    assert.equal(installationFor(join(base, 'app'), {}, '1.2.3', gw), {
      command: `node ${program}`,
      test: `GW=${program} ${TEST}`,
      ci: 'copy',
    });
  }));

test.run();
