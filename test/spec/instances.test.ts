import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeBundle, encodeBundle } from '../../src/bundle/encode.js';
import type { ServiceEntry } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import { loadSpec } from '../../src/spec/index.js';

const test = suite('instances of a managed target');

const load = (service: string) =>
  loadSpec({
    path: 'gateway.toml',
    text: `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n[service.orders]\n${service}\n[[route]]\nname = "a"\nmatch = "/"\nto = "orders"\n`,
  });

/** Also checks that the entry survives the encoding. */
function entryOf(service: string): ServiceEntry {
  const { value: model, diagnostics } = load(service);
  if (model === undefined || diagnostics.length > 0) throw new Error(JSON.stringify(diagnostics));
  return decodeBundle(encodeBundle(compile(model).bundle)).program.services[0]!;
}

const running = (keys: string): ServiceEntry => entryOf(`run = { command = "node a.js"${keys} }`);
const problemOf = (value: string): string =>
  load(`run = { command = "node a.js", instances = ${value} }`)
    .diagnostics.map(({ message }) => message)
    .join('\n');

const DEFAULTS = { downAfter: 60_000, idle: 300_000, perInstance: 20 };

test('a number, or bounds', () => {
  assert.is(running('').run?.instances, undefined);
  assert.is(running(', instances = 1').run?.instances, undefined);
  assert.equal(running(', instances = 3').run?.instances, { ...DEFAULTS, max: 3, min: 3 });
  assert.equal(running(', instances = "2"').run?.instances, { ...DEFAULTS, max: 2, min: 2 });
  const keys =
    'run = { command = "a", instances = "0..4", scale_down_after = "5s", idle = "1m" }\nrequests_per_target = 8';
  assert.equal(entryOf(keys).run?.instances, { downAfter: 5000, idle: 60_000, max: 4, min: 0, perInstance: 8 });
});

test('what one target is meant to have may be said for every service', () => {
  assert.is(entryOf('targets = ["http://127.0.0.1:1"]\nrequests_per_target = 8').requestsPerTarget, 8);
  assert.is(running('').requestsPerTarget, undefined);
});

test('bounds that cannot be', () => {
  assert.match(problemOf('"4..2"'), 'At least 4 and at most 2 instances cannot be');
  assert.match(problemOf('"0..0"'), 'never runs');
  assert.match(problemOf('0'), /1/);
  assert.match(problemOf('"1..101"'), 'at most 100 instances');
  for (const text of ['"a"', '"1.."', '"..4"', '"1...4"', '"-1..4"', '""']) assert.match(problemOf(text), '0..4');
});

test('requests wait for processes as long as these may take to start, and for others if the spec says so', () => {
  assert.is(running('').waitForTargets, 15_000);
  assert.is(running(', ready_timeout = "3s"').waitForTargets, 3000);
  assert.is(entryOf('run = { command = "node a.js" }\nwait_for_targets = "0s"').waitForTargets, undefined);
  assert.is(entryOf('targets = ["http://127.0.0.1:1"]').waitForTargets, undefined);
  assert.is(entryOf('discover = "consul:orders"\nwait_for_targets = "20s"').waitForTargets, 20_000);
});

test.run();
