import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import { loadSpec } from '../../src/spec/index.js';

const test = suite('discover');

const load = (lines: string) =>
  loadSpec({
    path: 'gateway.toml',
    text: `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n[service.orders]\n${lines}\n[[route]]\nname = "a"\nmatch = "/"\nto = "orders"\n`,
  });

function entryOf(value: string): Json {
  const { value: model, diagnostics } = load(`discover = ${value}`);
  if (model === undefined || diagnostics.length > 0) throw new Error(JSON.stringify(diagnostics));
  return compile(model).bundle.program.services[0]?.discover as unknown as Json;
}

test('a source by its name, or with settings', () => {
  assert.equal(entryOf('"docker:gw.orders"'), { kind: 'docker', name: 'gw.orders' });
  assert.equal(entryOf('"file:./targets.json"'), { kind: 'file', name: './targets.json' });
  assert.equal(entryOf('"srv:_https._tcp.orders.internal"'), {
    kind: 'srv',
    name: '_https._tcp.orders.internal',
    scheme: 'https',
  });
  assert.equal(
    entryOf(
      '{ from = "consul:orders", address = "https://consul:8501", token = "${env:TOKEN}", tags = ["a"], scheme = "https" }',
    ),
    {
      address: 'https://consul:8501',
      kind: 'consul',
      name: 'orders',
      scheme: 'https',
      tags: ['a'],
      token: { $ref: '${env:TOKEN}' },
    },
  );
});

test('what is wrong with a source is found before it is asked', () => {
  const messageOf = (lines: string): string => load(lines).diagnostics[0]?.message ?? '';
  for (const name of [
    'orders',
    'etcd:orders',
    'kubernetes:orders',
    'kubernetes:Shop/orders',
    'srv:orders',
    'docker:',
    'file:',
  ])
    assert.match(messageOf(`discover = "${name}"`), /^Expected a source of targets such as/, name);
  assert.match(
    messageOf('discover = { from = "file:a.json", tags = ["a"] }'),
    /^`tags` has no meaning for the source `file`\.$/,
  );
  assert.match(
    messageOf('discover = { from = "consul:a", address = "consul:8500" }'),
    /^Expected the address of an API/,
  );
  assert.match(
    messageOf('discover = "consul:a"\ntargets = ["http://a"]'),
    /^A service has either `targets` or `discover`, not both\.$/,
  );
  assert.match(messageOf('retries = 1'), /has neither `targets` nor `run` nor `discover`\.$/);
});

test.run();
