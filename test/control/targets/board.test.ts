import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TargetBoard } from '../../../src/control/targets/board.js';
import { MOST_ENDPOINTS } from '../../../src/control/targets/names/expand.js';
import type { ServiceEndpoints } from '../../../src/proxy/types.js';
import { StatsRegistry } from '../../../src/telemetry/stats/registry.js';
import { programWith, servicePlan } from '../../support/programs.js';
import { KeptLog } from '../kit.js';

const test = suite('endpoints of services');

const programOf = (...services: readonly (readonly [name: string, ...urls: string[]])[]) =>
  programWith({
    services: services.map(([name, ...urls]) =>
      servicePlan(name, { targets: urls.map((url) => ({ url, weight: 1 })) }),
    ),
  });

function boardOf() {
  const registry = new StatsRegistry({ now: 0 });
  const sent: ServiceEndpoints[] = [];
  const board = new TargetBoard({
    slots: (service, endpoints) => registry.assignTargets(service, endpoints, 0),
    send: async (changes) => void sent.push(...changes),
    log: new KeptLog(),
  });
  const urls = (service: string): string[] => board.of(service).map(({ url }) => url);
  return { registry, board, sent, urls };
}

test('a load has the targets of its program, and an unchanged service keeps its version and slots', () => {
  const { board, sent, urls } = boardOf();
  const first = board.stage(programOf(['a', 'http://a'], ['b', 'http://b']));
  first.commit();
  const second = board.stage(programOf(['a', 'http://a'], ['b', 'http://b2']));
  second.commit();
  assert.is(second.endpoints.get('a'), first.endpoints.get('a'));
  const [b1, b2] = [first.endpoints.get('b')!, second.endpoints.get('b')!];
  assert.ok(b2.version > b1.version);
  assert.is.not(b1.endpoints[0]?.slot, b2.endpoints[0]?.slot);
  assert.equal(urls('b'), ['http://b2']);
  assert.equal(sent, [], 'the loads themselves carry them');
});

test('a supply replaces the targets of a service, in later loads too, until it ends', () => {
  const { board, sent, urls } = boardOf();
  board.stage(programOf(['a', 'http://a'])).commit();
  board.supply('a', { targets: [{ url: 'http://1', weight: 2, zone: 'z', priority: 1 }] });
  assert.equal(urls('a'), ['http://1']);
  assert.equal(
    sent.map(({ endpoints }) => endpoints.map(({ slot: _, ...rest }) => rest)),
    [[{ url: 'http://1', weight: 2, zone: 'z', priority: 1 }]],
  );
  const again = board.stage(programOf(['a', 'http://other']));
  assert.equal(
    again.endpoints.get('a')?.endpoints.map(({ url }) => url),
    ['http://1'],
  );
  again.commit();
  board.supply('a', { targets: [], cause: 'nothing runs' });
  assert.equal([urls('a'), board.causeOf('a'), sent.at(-1)?.cause], [[], 'nothing runs', 'nothing runs']);
  board.supply('a', undefined);
  assert.equal([urls('a'), board.causeOf('a')], [['http://other'], undefined]);
});

test('a change during a load is sent after it, for the program that is live then', () => {
  const { board, sent, urls } = boardOf();
  board.stage(programOf(['a', 'http://a'], ['b', 'http://b'])).commit();
  const refused = board.stage(programOf(['a', 'http://bad']));
  board.supply('b', { targets: [{ url: 'http://b1', weight: 1 }] });
  assert.equal(sent, []);
  refused.abandon();
  assert.equal([urls('a'), urls('b')], [['http://a'], ['http://b1']]);
  const staged = board.stage(programOf(['b', 'http://b']));
  board.supply('b', { targets: [{ url: 'http://b2', weight: 1 }] });
  staged.commit();
  assert.equal([urls('a'), urls('b')], [[], ['http://b2']]);
  const versions = sent.map(({ version }) => version);
  assert.equal(
    versions,
    [...versions].sort((one, other) => one - other),
  );
  assert.ok(versions.at(-1)! > staged.endpoints.get('b')!.version);
});

test('unhealthy endpoints are marked, and an equal result is not sent again', () => {
  const { board, sent } = boardOf();
  board.stage(programOf(['a', 'http://1', 'http://2'])).commit();
  board.setDown('a', new Set(['http://2']));
  board.setDown('a', new Set(['http://2', 'http://gone']));
  assert.is(sent.length, 1);
  assert.equal(
    board.of('a').map(({ down }) => down),
    [undefined, true],
  );
  board.setDown('a', new Set());
  assert.equal(
    board.of('a').map(({ down }) => down),
    [undefined, undefined],
  );
});

test('listeners hear of every change, and of services that are gone', () => {
  const { board } = boardOf();
  const heard: string[] = [];
  const end = board.onChange((service, endpoints) => heard.push(`${service} ${endpoints.length}`));
  board.stage(programOf(['a', 'http://a'])).commit();
  board.supply('a', { targets: [] });
  board.stage(programOf()).commit();
  end();
  board.stage(programOf(['a', 'http://a'])).commit();
  assert.equal(heard, ['a 1', 'a 0', 'a 0']);
});

test('a slot of an endpoint that is gone serves another one only after a while', () => {
  const { board, registry } = boardOf();
  board.stage(programOf(['a'])).commit();
  const slots = new Set<number>();
  for (let turn = 0; turn < 3000; turn++) {
    board.supply('a', { targets: [{ url: `http://${turn}`, weight: 1 }] });
    slots.add(board.of('a')[0]!.slot);
  }
  assert.is(slots.size, 3000, 'within a minute');
  const [first] = registry.assignTargets('a', [{ url: 'http://x' }], 60_001);
  assert.not(slots.has(first!));
  const [second] = registry.assignTargets('a', [{ url: 'http://y' }], 60_002);
  assert.ok(slots.has(second!));
});

test('a source that names too many targets is cut', () => {
  const { board } = boardOf();
  board.stage(programOf(['a'])).commit();
  board.supply('a', { targets: Array.from({ length: 5000 }, (_, at) => ({ url: `http://${at}`, weight: 1 })) });
  assert.is(board.of('a').length, MOST_ENDPOINTS);
});

test.run();
