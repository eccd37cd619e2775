/** The store of consumers: what a read finds, what differs from the one before, and what is refused. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadSpec } from '../../../src/spec/index.js';
import type { Model } from '../../../src/spec/model.js';
import { changedLines } from '../../../src/spec/stored/lines.js';
import { ConsumerStore } from '../../../src/spec/stored/store.js';

const folders: string[] = [];
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const HASH = (text: string): string => `sha256:${Buffer.from(text).toString('hex').padStart(64, '0')}`;
const line = (name: string, key = name, more: object = {}): string =>
  `${JSON.stringify({ name, api_keys: [HASH(key)], ...more })}\n`;

/** A folder with a spec, and a store that reads it. */
function place(spec: string, files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'gw-stored-'));
  folders.push(folder);
  mkdirSync(join(folder, 'consumers'));
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write('gateway.toml', `spec = 1\n${spec}`);
  for (const [name, text] of Object.entries(files)) write(`consumers/${name}`, text);
  const store = new ConsumerStore();
  return {
    folder,
    store,
    write,
    load(commit = true) {
      const { value, diagnostics } = loadSpec({ path: join(folder, 'gateway.toml'), store: { store }, code: 'none' });
      const { stored } = value as Model;
      const errors = diagnostics.filter(({ severity }) => severity === 'error');
      const { change } = stored;
      if (commit && errors.length === 0) stored.commit();
      const set = change.set.map(({ name }) => name);
      return { errors, stored, set, removed: change.removed, codes: errors.map(({ code }) => code) };
    },
  };
}

const FILES = 'consumers = ["consumers/*.jsonl", "consumers/*.toml"]\n';

test('consumers of all files, in both forms, with the same entries', () => {
  const attributes = {
    groups: ['a'],
    plan: 'pro',
    tags: { org: 'x' },
    credentials: [{ name: 'ci', key: HASH('ci'), expires: '2027-01-31T00:00:00Z', addresses: ['10.0.0.0/8'] }],
    api_keys: null,
  };
  const { load } = place(`${FILES}[plan.pro]\n`, {
    'a.jsonl': `\uFEFF${JSON.stringify({ name: 'acme', ...attributes })}\n\n`,
    'b.toml': `[consumer.bolt]\ngroups = ["a"]\nplan = "pro"\ntags = { org = "x" }\n[[consumer.bolt.credentials]]\nname = "ci"\nkey = "${HASH('other')}"\nexpires = 2027-01-31T00:00:00Z\naddresses = ["10.0.0.0/8"]\n`,
  });
  const { stored, errors } = load();
  assert.equal(errors, []);
  assert.is(stored.size, 2);
  const [acme, bolt] = ['acme', 'bolt'].map((name) => JSON.parse(JSON.stringify(stored.get(name))));
  assert.equal({ ...acme, name: '', credentials: [] }, { ...bolt, name: '', credentials: [] });
  assert.equal({ ...acme.credentials[0], id: '' }, { ...bolt.credentials[0], id: '' });
  assert.is(acme.credentials[0].expires, Date.parse('2027-01-31T00:00:00Z'));
});

test('a read gives only the difference to the one before', () => {
  const { load, folder, write } = place(FILES, { 'a.jsonl': line('acme') + line('bolt'), 'b.toml': '' });
  assert.equal(load().set, ['acme', 'bolt']);
  assert.equal(load().set, []);
  appendFileSync(join(folder, 'consumers/a.jsonl'), line('cargo'));
  assert.equal(load().set, ['cargo']);
  write('consumers/a.jsonl', line('acme') + line('cargo', 'other'));
  const third = load();
  assert.equal([third.set, third.removed], [['cargo'], ['bolt']]);
  // Moved to another file.
  write('consumers/a.jsonl', line('cargo', 'other'));
  write('consumers/b.toml', `[consumer.acme]\napi_keys = ["${HASH('acme')}"]\n`);
  const moved = load();
  assert.equal([moved.set, moved.removed, moved.stored.size], [[], [], 2]);
  assert.is(moved.stored.pathOf('acme'), join(folder, 'consumers/b.toml'));
  rmSync(join(folder, 'consumers/b.toml'));
  assert.equal(load().removed, ['acme']);
});

test('without commit, the next read compares with what took effect', () => {
  const { load, write } = place(FILES, { 'a.jsonl': line('acme') });
  load();
  write('consumers/a.jsonl', line('acme') + line('bolt'));
  assert.equal(load(false).set, ['bolt']);
  assert.equal(load(false).set, ['bolt']);
  write('consumers/a.jsonl', `${line('acme') + line('bolt')}{`);
  assert.equal(load().codes, ['consumer/file']);
  write('consumers/a.jsonl', line('acme'));
  assert.equal(load().set, []);
});

test('names and credentials are unique over all files and the spec', () => {
  const spec = `${FILES}[consumer.own]\napi_keys = ["${HASH('own')}"]\n`;
  const { load, write } = place(spec, { 'a.jsonl': line('acme') });
  assert.equal(load().codes, []);
  write('consumers/b.toml', `[consumer.bolt]\napi_keys = ["${HASH('acme')}"]\n`);
  assert.equal(load().codes, ['consumer/shared-key']);
  write('consumers/b.toml', `[consumer.acme]\napi_keys = ["${HASH('b')}"]\n`);
  assert.equal(load().codes, ['name/duplicate']);
  write('consumers/b.toml', `[consumer.own]\napi_keys = ["${HASH('own')}"]\n`);
  assert.equal(load().codes.sort(), ['consumer/shared-key', 'name/duplicate']);
  // A key may move to another consumer in one change.
  write('consumers/a.jsonl', line('acme', 'x'));
  write('consumers/b.toml', `[consumer.bolt]\napi_keys = ["${HASH('acme')}"]\n`);
  assert.equal(load().codes, []);
  // Only the spec changes.
  write('gateway.toml', `spec = 1\n${FILES}[consumer.own]\napi_keys = ["${HASH('x')}"]\n`);
  assert.equal(load().codes, ['consumer/shared-key']);
});

test('plans exist, also when only the spec changes', () => {
  const { load, write } = place(`${FILES}[plan.pro]\n`, { 'a.jsonl': line('acme', 'acme', { plan: 'pro' }) });
  assert.equal(load().codes, []);
  write('gateway.toml', `spec = 1\n${FILES}[plan.free]\n`);
  const { errors } = load();
  assert.equal(
    errors.map(({ code, span }) => [code, span.file, span.start.line]),
    [['name/unresolved', 'consumers/a.jsonl', 1]],
  );
});

test('a file of another kind reports a bounded number of errors', () => {
  const { load } = place(FILES, { 'a.jsonl': 'not a consumer\n'.repeat(500) });
  const { errors } = load();
  assert.is(errors.length, 20);
  assert.match(errors.at(-1)!.message, '480 more errors');
});

test('files that are no text, too deep or missing are located', () => {
  const { load, write, folder } = place('consumers = ["consumers/a.jsonl", "consumers/b.toml"]\n', { 'b.toml': '' });
  assert.equal(load().codes, ['file/unreadable']);
  writeFileSync(join(folder, 'consumers/a.jsonl'), Buffer.from([0x7b, 0xff]));
  assert.equal(load().codes, ['file/not-text']);
  write('consumers/a.jsonl', `{"name":"a","tags":${'['.repeat(100_000)}${']'.repeat(100_000)}}\n`);
  assert.equal(load().codes, ['consumer/file']);
  write('consumers/a.jsonl', line('acme'));
  write('consumers/b.toml', '[consumer.bolt]\nplan = \n');
  assert.equal(load().codes, ['toml/syntax']);
});

test('a line with a key twice is refused, as in TOML', () => {
  const { load, write } = place(FILES, {
    'a.jsonl': line('acme', 'acme', { tags: { note: 'a":b " :', other: '\\":' } }),
  });
  assert.equal(load().set, ['acme']);
  for (const text of [
    '{"name":"acme","name":"bolt"}',
    '{"name":"acme","disabled":true,"disabled":false}',
    '{"name":"acme","disabled" :true,"disabled":false}',
    '{"name":"acme","disabled":true,"dis\\u0061bled":false}',
    '{"name":"acme","tags":{"a":"1","a":"2"}}',
    '{"name":"acme","credentials":[{"key":"x","key":null}]}',
  ]) {
    write('consumers/a.jsonl', `${text}\n`);
    const { errors } = load();
    assert.match(errors.map(({ message }) => message).join(), /^This line has a key twice\./, text);
  }
  write('consumers/a.jsonl', '{ "name" : "acme", "tags" : { "a" : "1", "b":"2" } }\n');
  assert.equal(load().errors, []);
});

test('names such as __proto__ are names', () => {
  const { load } = place(FILES, { 'a.jsonl': '{"name":"constructor","tags":{"__proto__":"x"}}\n' });
  const { stored, errors } = load();
  assert.equal(errors, []);
  assert.is(JSON.stringify(stored.get('constructor')?.tags), '{"__proto__":"x"}');
});

test('the regions of a change are whole lines, whatever differs', () => {
  const texts = [
    '',
    'a\n',
    'b',
    'a\nb\n',
    'a\nb',
    'ab\nb\n',
    'a\nab\nb\n',
    'a\na\n',
    '\n',
    '\na\n',
    'xa\nb\n',
    'a\nbx\n',
  ];
  for (const one of texts) {
    for (const other of texts) {
      const [before, after] = [Buffer.from(one), Buffer.from(other)];
      const regions = changedLines(before, after);
      const parts = (text: Buffer, { start, end }: { start: number; end: number }): string[] =>
        [text.subarray(0, start), text.subarray(start, end), text.subarray(end)].map(String);
      const [head, , tail] = parts(before, regions.before);
      const [sameHead, , sameTail] = parts(after, regions.after);
      assert.equal([head, tail], [sameHead, sameTail], JSON.stringify([one, other]));
      assert.ok(head === '' || head!.endsWith('\n'), JSON.stringify([one, other]));
      const middles = [parts(before, regions.before)[1]!, parts(after, regions.after)[1]!];
      assert.ok(
        tail === '' || middles.every((text) => text === '' || text.endsWith('\n')),
        JSON.stringify([one, other]),
      );
    }
  }
});

test('random edits: a store that reads changes equals one that reads everything', () => {
  const { load, write, folder } = place(FILES, {});
  let seed = 7;
  const random = (most: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % most;
  };
  const consumers = new Map<string, number>();
  for (let step = 0; step < 60; step++) {
    for (let edit = 0; edit <= random(3); edit++) {
      const name = `c${random(20)}`;
      if (random(3) === 0) consumers.delete(name);
      else consumers.set(name, random(1000));
    }
    const rows = [...consumers].filter(([, key], at, all) => all.findIndex(([, other]) => other === key) === at);
    write('consumers/a.jsonl', rows.map(([name, key]) => line(name, String(key))).join(''));
    const { stored, errors } = load();
    assert.equal(errors, []);
    const fresh = loadSpec({ path: join(folder, 'gateway.toml'), code: 'none' }).value!.stored;
    const all = (entries: Iterable<{ name: string }>): string[] =>
      [...entries].map((one) => JSON.stringify(one)).sort();
    assert.equal(all(stored.entries()), all(fresh.entries()));
  }
});

test.run();
