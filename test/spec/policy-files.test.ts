import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { Reads } from '../../src/control/watch/reads.js';
import { loadSpec } from '../../src/spec/index.js';
import { PolicyFiles } from '../../src/spec/policy-files.js';
import { HEAD, inFolder } from './helper.js';

test('a file that a config names is found relative to the root spec, and read once', () => {
  inFolder({ 'schemas/order.json': '{}' }, (folder) => {
    const tried: string[] = [];
    const files = new PolicyFiles(folder, (absolute) => {
      tried.push(absolute);
      return '{}';
    });
    assert.equal(files.read('schemas/order.json'), { text: '{}' });
    assert.equal(files.read('./schemas/../schemas/order.json'), { text: '{}' });
    assert.equal(files.read(join(folder, 'schemas/order.json')), { text: '{}' });
    assert.equal(tried, [join(folder, 'schemas/order.json')]);
  });
});

test('a file that cannot be read has a cause', () => {
  inFolder({ 'latin.json': Uint8Array.of(0x22, 0xe9, 0x22), 'folder/a': '' }, (folder) => {
    const files = new PolicyFiles(folder);
    assert.match(files.read('missing.json').cause ?? '', /no such file/);
    assert.match(files.read('latin.json').cause ?? '', /not UTF-8/);
    assert.ok(files.read('folder').cause);
    assert.ok(files.read('/dev/zero').cause);
    assert.equal(files.files, []);
  });
});

test('the watcher learns of named files, also of missing ones', () => {
  inFolder({ 'gateway.toml': HEAD, 'a.json': '[]' }, (folder) => {
    const reads = new Reads();
    const { value } = loadSpec({
      path: join(folder, 'gateway.toml'),
      read: reads.readSpec,
      readNamed: reads.readNamed,
    });
    value?.policyFiles.read('a.json');
    value?.policyFiles.read('b.json');
    assert.equal(
      [...reads.files.keys()].sort(),
      ['a.json', 'b.json', 'gateway.toml'].map((name) => join(folder, name)),
    );
  });
});

test('a bundle lists the files that configs name after those of the spec', () => {
  inFolder({ 'gateway.toml': HEAD, 'b.json': '[]', 'a.json': '{}' }, (folder) => {
    const { value } = loadSpec({ path: join(folder, 'gateway.toml') });
    assert.ok(value);
    value.policyFiles.read('b.json');
    value.policyFiles.read('a.json');
    const { files } = compile(value).bundle.program.provenance;
    assert.equal(
      files.map(({ path }) => path),
      ['gateway.toml', 'a.json', 'b.json'],
    );
    assert.match(files[1]!.sha256, /^44136fa355b3678a/);
  });
});

test.run();
