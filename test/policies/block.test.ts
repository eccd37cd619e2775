/** block: what is tested, lists as text, the duty that fetches them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createDuty } from '../../src/policies/block/duty.js';
import { type ListKind, readList } from '../../src/policies/block/entries.js';
import type { DutyHost, DutyInstance, DutyReply, Json, PolicyInstance, Reply } from '../../src/policies/contract.js';
import { bodyOf, compile, create, exchange, type Given, lint } from './support.js';

const of = (keys: string): PolicyInstance => create('block', keys, undefined, 'strangers');

async function outcome(policy: PolicyInstance, given: Given = {}): Promise<string> {
  const on = exchange(given);
  const reply: Reply | undefined = await policy.before!(on);
  return `${reply?.status ?? 'pass'} ${on.rule}`;
}
const agent = (value: string): Given => ({ headers: [['user-agent', value]] });
const referer = (value: string): Given => ({ headers: [['referer', value]] });

test('addresses, agents and referers of the spec', async () => {
  const policy = of('addresses = ["203.0.113.0/24"]\nagents = ["SqlMap", "bad bot"]\nreferers = ["Spam.example"]');
  assert.is(await outcome(policy), 'pass undefined');
  assert.is(await outcome(policy, { remoteAddress: '203.0.113.9' }), '403 strangers/addresses');
  for (const value of ['sqlmap/1.7', 'x SQLMAP y', 'My Bad Bot']) {
    assert.is(await outcome(policy, agent(value)), '403 strangers/agents', value);
    assert.is(await outcome(policy, agent(value)), '403 strangers/agents', 'remembered');
  }
  assert.is(await outcome(policy, agent('badbot')), 'pass undefined');
  for (const value of ['http://spam.example/', 'https://a.b.SPAM.example:8080/x', 'https://spam.example./'])
    assert.is(await outcome(policy, referer(value)), '403 strangers/referers', value);
  for (const value of ['https://notspam.example/', 'https://x.example/?spam.example', 'spam.example', ''])
    assert.is(await outcome(policy, referer(value)), 'pass undefined', value);
});

test('without User-Agent', async () => {
  const policy = of('without_agent = true');
  assert.is(await outcome(policy), '403 strangers/without-agent');
  assert.is(await outcome(policy, agent('')), '403 strangers/without-agent');
  assert.is(await outcome(policy, agent('curl')), 'pass undefined');
});

test('many agents do not fill the memory, and long ones are not remembered', async () => {
  const policy = of('agents = ["evil"]');
  for (let index = 0; index < 3000; index++) assert.is(await outcome(policy, agent(`a${index}`)), 'pass undefined');
  assert.is(await outcome(policy, agent('evil'.padStart(5000, 'x'))), '403 strangers/agents');
});

test('the answer says nothing about the list; the log does', async () => {
  const reply = (await of('addresses = ["192.0.2.1"]').before!(exchange()))!;
  assert.equal(bodyOf(reply), {
    type: 'urn:gw:problem:block/blocked',
    title: 'Request blocked',
    status: 403,
    instance: 'urn:gw:request:req-1',
    request_id: 'req-1',
  });
  assert.is(reply.cause, 'in the list addresses');
});

test('observe: requests pass and are recorded', async () => {
  const policy = of('addresses = ["192.0.2.1"]\nobserve = true');
  const on = exchange({ decisions: [] });
  assert.is(await policy.before!(on), undefined);
  assert.is(on.decisions![0]!.why, 'would be blocked: in the list addresses');
  assert.is(on.rule, 'strangers/addresses');
  assert.equal(policy.stats!(), { blocked: 0, observed: 1 });
});

// ---------------------------------------------------------------- lists

const counted = (text: string, kind: ListKind = 'addresses'): string => {
  const found = readList(text, kind);
  if ('message' in found) return found.message;
  return 'texts' in found ? found.texts.join('|') : String(Buffer.from(found.v4, 'base64').length / 5);
};

test('lists: lines with comments, or JSON', () => {
  assert.is(counted('# a\n\n192.0.2.1\r\n 198.51.100.0/24 ; SBL1\n203.0.113.0/24 # x\n'), '3');
  assert.is(counted('["192.0.2.1", "198.51.100.0/24"]'), '2');
  assert.is(counted('[]'), '0');
  assert.is(counted('# agents\nBad Bot; v2\n  curl \n', 'agents'), 'bad bot; v2|curl');
  assert.is(counted('a.example\nA.example\n', 'referers'), 'a.example');
});

test('lists: what is none', () => {
  assert.is(counted(''), 'The list is empty. Write `[]` if that is meant.');
  assert.is(counted('# only a comment'), 'The list is empty. Write `[]` if that is meant.');
  assert.match(counted('<html>\n'), 'found `<html>`');
  assert.is(counted('[1]'), 'The list must be a JSON array of texts.');
  assert.is(counted('["a"'), 'The list is not valid JSON.');
  assert.match(counted('192.0.2.1\n'.repeat(100_001)), 'at most 100000');
  assert.match(counted('x\n'.repeat(1001), 'agents'), 'at most 1000');
  const fault = readList('192.0.2.1\n  nonsense # x\n', 'addresses');
  assert.equal('message' in fault && [fault.start, fault.end], [12, 20]);
});

test('lists from files are part of the settings', async () => {
  const readFile = (path: string) => (path === 'a.txt' ? { text: '203.0.113.7\n' } : { cause: 'no such file' });
  const keys = '[[lists]]\nname = "a"\nfile = "a.txt"';
  const { lists } = compile('block', keys, { readFile }) as { lists: Json[] };
  assert.equal(lists, [{ name: 'a', of: 'addresses', entry: { v4: 'ywBxByA=', v6: '' } }]);
  assert.equal(lint('block', keys, { readFile }), []);
  assert.equal(lint('block', keys.replace('a.txt', 'b.txt'), { readFile }), ['block/file lists.0.file']);
});

test('lint', () => {
  assert.equal(lint('block', ''), ['block/nothing']);
  assert.equal(lint('block', '[[lists]]\nname = "agents"\nurl = "https://x.example/"'), ['block/list lists.0.name']);
  assert.equal(lint('block', '[[lists]]\nname = "a"'), ['block/list lists.0']);
  assert.equal(lint('block', '[[lists]]\nname = "a"\nurl = "http://x.example/"'), ['block/plain-http lists.0.url']);
  assert.equal(lint('block', '[[lists]]\nname = "a"\nurl = "http://127.0.0.1:9/"'), []);
});

// ---------------------------------------------------------------- fetched lists

const TWO = `
  [[lists]]
  name = "one"
  url = "https://lists.example/one"
  refresh = "1h"
  [[lists]]
  name = "two"
  of = "agents"
  url = "https://lists.example/two"
  refresh = "10min"
`;

interface TestDuty {
  readonly duty: DutyInstance;
  readonly published: Json[];
  readonly requests: string[];
  answers: { [path: string]: Partial<DutyReply> | string | Error };
  now: number;
}

function dutyOf(answers: TestDuty['answers'], last?: Json): TestDuty {
  const published: Json[] = [];
  const facts = { published, requests: [] as string[], now: 1_000_000, answers };
  const host: DutyHost = {
    name: 'p',
    clock: { now: () => facts.now, monotonic: () => facts.now },
    random: () => 0.5,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    fetch: async (url, options) => {
      const { pathname } = new URL(url);
      const etag = options?.headers?.['if-none-match'];
      facts.requests.push(etag === undefined ? pathname : `${pathname} ${etag}`);
      const found = facts.answers[pathname];
      if (found instanceof Error) throw found;
      const reply = typeof found === 'string' ? { body: Buffer.from(found) } : found;
      return { status: 200, headers: {}, body: Buffer.from(''), ...reply };
    },
    publish: (value) => void published.push(value),
    last,
  };
  return Object.assign(facts, { duty: createDuty(JSON.parse(JSON.stringify(compile('block', TWO))) as Json, host) });
}

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no failure',
    (error: Error) => error.message,
  );

/** A policy with what the duty has published last. */
function policyWith(published: readonly Json[]): PolicyInstance {
  const policy = of(TWO);
  policy.published!(JSON.parse(JSON.stringify(published.at(-1))) as Json);
  return policy;
}

test('each list is fetched when it is due, and published when it has changed', async () => {
  const d = dutyOf({ '/one': '203.0.113.0/24\n', '/two': 'evil\n' });
  assert.is(await d.duty.run(), 600_000);
  assert.is(d.published.length, 1);
  const policy = policyWith(d.published);
  assert.is(await outcome(policy, { remoteAddress: '203.0.113.1' }), '403 strangers/one');
  assert.is(await outcome(policy, agent('Evil')), '403 strangers/two');
  d.now += 600_000;
  assert.is(await d.duty.run(), 600_000);
  assert.equal(d.requests, ['/one', '/two', '/two']);
  assert.is(d.published.length, 1);
  d.now += 600_000;
  d.answers['/two'] = 'wicked';
  await d.duty.run();
  assert.is(d.published.length, 2);
  assert.is(await outcome(policyWith(d.published), agent('Evil')), 'pass undefined');
});

test('the last good list stays when a fetch fails or its list is wrong', async () => {
  const d = dutyOf({ '/one': '203.0.113.0/24\n', '/two': new Error('connection refused') });
  assert.is(await failure(d.duty.run()), 'list two: connection refused');
  assert.is(d.published.length, 1);
  d.now += 1000;
  d.answers['/two'] = 'evil';
  await d.duty.run();
  assert.equal(d.requests, ['/one', '/two', '/two']);
  d.now += 3_600_000;
  d.answers['/one'] = '<html>maintenance</html>';
  assert.match(await failure(d.duty.run()), 'list one: Expected an IP address');
  d.answers['/one'] = { status: 503 };
  assert.is(await failure(d.duty.run()), 'list one: the reply has status 503');
  assert.is(await outcome(policyWith(d.published), { remoteAddress: '203.0.113.1' }), '403 strangers/one');
});

test('a list with an ETag is fetched again only if it has changed', async () => {
  const d = dutyOf({ '/one': { body: Buffer.from('203.0.113.0/24'), headers: { etag: '"1"' } }, '/two': 'evil' });
  await d.duty.run();
  d.now += 3_600_000;
  d.answers['/one'] = { status: 304 };
  await d.duty.run();
  assert.equal(d.requests.slice(2), ['/one "1"', '/two']);
  assert.is(d.published.length, 1);
});

test('a new duty begins with the lists of the last one, but not with those of another URL', async () => {
  const first = dutyOf({ '/one': '203.0.113.0/24', '/two': 'evil' });
  await first.duty.run();
  const broken = { '/one': new Error('down'), '/two': 'wicked' };
  const second = dutyOf(broken, first.published[0]);
  await failure(second.duty.run());
  assert.is(await outcome(policyWith(second.published), { remoteAddress: '203.0.113.1' }), '403 strangers/one');
  const renamed = JSON.parse(JSON.stringify(first.published[0]).replaceAll('"id":"', '"id":"x')) as Json;
  const third = dutyOf(broken, renamed);
  await failure(third.duty.run());
  assert.is(await outcome(policyWith(third.published), { remoteAddress: '203.0.113.1' }), 'pass undefined');
});

test('100,000 entries of one list', async () => {
  const lines = Array.from({ length: 100_000 }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
  const d = dutyOf({ '/one': lines.join('\n'), '/two': '[]' });
  await d.duty.run();
  assert.ok(JSON.stringify(d.published[0]).length < 4 * 1024 ** 2);
  const policy = policyWith(d.published);
  assert.is(await outcome(policy, { remoteAddress: '10.1.134.159' }), '403 strangers/one');
  assert.is(await outcome(policy, { remoteAddress: '10.1.134.160' }), 'pass undefined');
});

test('a value by hand has lists of entries', async () => {
  const policy = of(TWO);
  policy.published!({ lists: { one: ['203.0.113.0/24'], two: ['Evil'] } });
  assert.is(await outcome(policy, { remoteAddress: '203.0.113.1' }), '403 strangers/one');
  assert.is(await outcome(policy, agent('evil')), '403 strangers/two');
  assert.throws(() => policy.published!(['203.0.113.0/24']), /no `lists`/);
});

test('before the first fetch, requests wait for it and then pass without the lists', async () => {
  const policy = of(TWO);
  const first = policy.before!(exchange());
  assert.ok(first instanceof Promise);
  assert.is(await first, undefined);
  assert.not.ok(policy.before!(exchange()) instanceof Promise);
});

test.run();
