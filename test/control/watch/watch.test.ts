import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { includeFolders, includePatterns } from '../../../src/control/watch/folders.js';
import { Reads } from '../../../src/control/watch/reads.js';
import { SpecWatcher } from '../../../src/control/watch/watcher.js';
import { KeptLog, removeFolders, temporaryFolder, until } from '../kit.js';

test.after(removeFolders);

/** The watcher of a gateway that only reads these files on each change. */
function watching(...files: readonly string[]): {
  watcher: SpecWatcher;
  count(): number;
  watch(...files: readonly string[]): void;
  next(what: string, act: () => void): Promise<void>;
} {
  let changes = 0;
  let watched = files;
  const read = (): void => {
    const reads = new Reads();
    for (const file of watched) reads.readSpec(file);
    watcher.update(reads, true);
  };
  const watcher = new SpecWatcher(() => {
    changes++;
    read();
  }, new KeptLog());
  read();
  return {
    watcher,
    count: () => changes,
    watch: (...others) => {
      watched = others;
      read();
    },
    next: async (what, act) => {
      const before = changes;
      act();
      await until(() => changes > before, what);
    },
  };
}

test('the watcher reports writes, repeated atomic renames, removal and re-creation', async () => {
  const folder = temporaryFolder();
  const spec = join(folder, 'gateway.toml');
  writeFileSync(spec, 'spec = 1\n');
  const { watcher, next } = watching(spec);
  await next('a write', () => writeFileSync(spec, 'spec = 1 # a\n'));
  for (let count = 0; count < 5; count++) {
    await next(`rename ${count}`, () => {
      writeFileSync(join(folder, '.gateway.toml.swp'), `spec = 1 # ${count}\n`);
      renameSync(join(folder, '.gateway.toml.swp'), spec);
    });
  }
  await next('a removal', () => unlinkSync(spec));
  await next('a return', () => writeFileSync(spec, 'spec = 1\n'));
  await watcher.close();
});

test('a burst of writes is one change', async () => {
  const folder = temporaryFolder();
  const spec = join(folder, 'gateway.toml');
  writeFileSync(spec, '');
  const { watcher, count, next } = watching(spec);
  await next('the burst', () => {
    for (let write = 0; write < 20; write++) writeFileSync(spec, `spec = 1 # ${write}\n`);
  });
  // Any further change would arrive within a few debounce times.
  await delay(400);
  assert.ok(count() <= 2, `${count()} changes`);
  await watcher.close();
});

test('the watcher reports new files that match an include, and no others', async () => {
  const folder = temporaryFolder();
  const spec = join(folder, 'gateway.toml');
  mkdirSync(join(folder, 'routes'));
  writeFileSync(spec, 'include = ["routes/*.toml"]\n');
  const { watcher, count, next } = watching(spec);
  await next('a new include', () => writeFileSync(join(folder, 'routes', 'a.toml'), ''));
  await delay(200);
  const before = count();
  writeFileSync(join(folder, 'routes', 'notes.md'), '');
  writeFileSync(join(folder, 'other.toml'), '');
  await delay(300);
  assert.is(count(), before);
  await next('its removal', () => rmSync(join(folder, 'routes', 'a.toml')));
  await watcher.close();
});

test('the watcher reports an included folder that is created later', async () => {
  const folder = temporaryFolder();
  const spec = join(folder, 'gateway.toml');
  writeFileSync(spec, 'include = ["routes/**/*.toml"]\n');
  const { watcher, next } = watching(spec);
  await next('a file deep in a new folder', () => {
    mkdirSync(join(folder, 'routes', 'v1'), { recursive: true });
    writeFileSync(join(folder, 'routes', 'v1', 'a.toml'), '');
  });
  await watcher.close();
});

test('a spec folder that becomes a file or a link to itself is reported as a change', async () => {
  const folder = temporaryFolder();
  const routes = join(folder, 'routes');
  mkdirSync(routes);
  const included = join(routes, 'a.toml');
  writeFileSync(included, '');
  const { watcher, next } = watching(join(folder, 'gateway.toml'), included);
  await next('the file', () => {
    rmSync(routes, { recursive: true });
    writeFileSync(routes, '');
  });
  await next('the link', () => {
    rmSync(routes);
    symlinkSync('routes', routes);
    writeFileSync(join(folder, 'gateway.toml'), '');
  });
  await watcher.close();
});

test('the watcher reports a symbolic link with a new target', async () => {
  const folder = temporaryFolder();
  for (const name of ['one', 'two']) writeFileSync(join(folder, name), name);
  const link = join(folder, 'token');
  symlinkSync(join(folder, 'one'), link);
  const { watcher, next } = watching(link);
  await next('the turn', () => {
    symlinkSync(join(folder, 'two'), `${link}.new`);
    renameSync(`${link}.new`, link);
  });
  await watcher.close();
});

test('a file that is replaced behind a symbolic link is complete at once', async () => {
  const [folder, other] = [temporaryFolder(), temporaryFolder()];
  const [file, link] = [join(other, 'real.toml'), join(folder, 'link.toml')];
  writeFileSync(file, 'a = 1\n');
  symlinkSync(file, link);
  const { watcher, next } = watching(link);
  await delay(300); // It watches the folders then.
  for (let count = 0; count < 3; count++) {
    await next(`replacement ${count}`, () => {
      writeFileSync(`${file}.new`, `a = ${count}\n`);
      // File times are coarse, so that they need not show the rename: here they never do.
      utimesSync(`${file}.new`, 4_000_000_000, 4_000_000_000);
      renameSync(`${file}.new`, file);
    });
    // What was written in place would have to be unchanged for 2 s.
    assert.is(watcher.insist(), true);
  }
  await next('a write', () => writeFileSync(file, 'a = 100\n'));
  assert.is(watcher.insist(), false);
  await watcher.close();
});

test('a new set of files replaces the old one', async () => {
  const folder = temporaryFolder();
  const other = temporaryFolder();
  const [a, b] = [join(folder, 'a.toml'), join(other, 'b.toml')];
  for (const file of [a, b]) writeFileSync(file, '');
  const { watcher, count, next, watch } = watching(a);
  watch(b);
  await next('the new file', () => writeFileSync(b, '# changed'));
  const before = count();
  writeFileSync(a, '# changed');
  await delay(300);
  assert.is(count(), before);
  await watcher.close();
});

test('include patterns are read even from a spec that does not parse', () => {
  const folder = temporaryFolder();
  const spec = join(folder, 'gateway.toml');
  const text = `include = ["routes/*.toml", 'deep/**/x.toml',\n "one.toml"]\n  include = "../shared/a?.toml"\n[[route\n`;
  const folders = includeFolders(includePatterns(spec, text)).sort((a, b) => (a.path < b.path ? -1 : 1));
  assert.equal(
    folders,
    [
      { path: join(folder, 'routes'), depth: 1 },
      { path: join(folder, 'deep'), depth: Number.POSITIVE_INFINITY },
      { path: folder, depth: 1 },
      { path: join(folder, '..', 'shared'), depth: 1 },
    ].sort((a, b) => (a.path < b.path ? -1 : 1)),
  );
});

test('include patterns after comments and brackets are read, those inside comments are not', () => {
  const patterns = (text: string): string[] => includePatterns('/x/gateway.toml', text).map(({ pattern }) => pattern);
  assert.equal(patterns('include = [\n "a.toml", # see [1] and "old/*.toml"\n "b/*.toml",\n]\n'), [
    'a.toml',
    'b/*.toml',
  ]);
  assert.equal(patterns('include = ["a].toml", \'c#.toml\']\n[x]\ny = "d"\n'), ['a].toml', 'c#.toml']);
  assert.equal(patterns('"include" = "a/*.toml"\n'), ['a/*.toml']);
  assert.equal(patterns('# include = ["a/*.toml"]\n'), []);
});

test.run();
