/** basic: credentials of RFC 7617, files of users, hashes of every kind, and what attempts cost. */
import { randomBytes, scryptSync } from 'node:crypto';
import { hashSync as argon2Hash } from '@node-rs/argon2';
import { hashSync as bcryptHash, genSaltSync } from 'bcryptjs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type {
  Authentication,
  ConsumerEntry,
  Decision,
  Json,
  PolicyContext,
  PolicyInstance,
  PolicyProblem,
} from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { LiveConsumers } from '../../src/state/consumers/live.js';
import { ConsumerSet } from '../../src/state/consumers/set.js';
import { context, declaration, decode, exchange, host, lint, noBody, type World, world } from './support.js';

const bcrypt = (password: string, cost = 4): string => bcryptHash(password, genSaltSync(cost));
const argon2 = (password: string): string => argon2Hash(password, { memoryCost: 64, timeCost: 1 });
function scrypt(password: string): string {
  const salt = randomBytes(16);
  const hash = scryptSync(password, salt, 32, { N: 16, r: 8, p: 1 });
  const text = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=4,r=8,p=1$${text(salt)}$${text(hash)}`;
}

const fileOf = (text: string): Partial<PolicyContext> => ({ readFile: () => ({ text }) });

function create(lines: readonly string[], config = 'users = "users"', around: World = world()): PolicyInstance {
  const { config: decoded, errors } = decode('basic', config);
  assert.equal(errors, []);
  const settings = declaration('basic').compile(decoded, context(fileOf(lines.join('\n'))));
  return runHalves['basic']!(JSON.parse(JSON.stringify(settings)) as Json, host(around));
}

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

const ask = async (policy: PolicyInstance, field?: string, remoteAddress = '192.0.2.1'): Promise<Authentication> =>
  policy.authenticate!(
    exchange({ remoteAddress, headers: field === undefined ? [] : [['authorization', field]] }),
    noBody,
  );

const outcome = async (policy: PolicyInstance, field?: string, address?: string): Promise<string> => {
  const found = await ask(policy, field, address);
  if ('wait' in found) return '429';
  return 'problem' in found ? `${found.problem.status ?? 401} ${found.problem.code}` : found.outcome;
};

function use(live: LiveConsumers, entries: readonly ConsumerEntry[]): void {
  live.use({ ...ConsumerSet.of(entries).memory, version: live.version + 1 });
}

function liveConsumers(entries: readonly ConsumerEntry[]): LiveConsumers {
  const live = new LiveConsumers();
  use(live, entries);
  return live;
}

const hashesOf = (policy: PolicyInstance): Json => (policy.stats!() as { hashes: Json }).hashes;

test('bcrypt, scrypt and argon2 are checked', async () => {
  const policy = create([
    '\ufeff# people',
    `ada:${bcrypt('one')}`,
    '',
    `bob:${scrypt('two')}:Bob from sales\r`,
    `eve:${argon2('three')}`,
  ]);
  for (const [user, password] of [
    ['ada', 'one'],
    ['bob', 'two'],
    ['eve', 'three'],
  ] as const) {
    assert.is(await outcome(policy, basic(user, password)), 'identity', user);
    assert.is(await outcome(policy, basic(user, 'wrong')), '401 auth/invalid', user);
  }
  assert.equal(hashesOf(policy), { bcrypt: 2, scrypt: 2, argon2id: 2 });
});

test('$2a$, $2b$ and $2y$ are the same', async () => {
  const hash = bcrypt('secret').slice(4);
  const policy = create(['a', 'b', 'y'].map((version) => `${version}:$2${version}$${hash}`));
  for (const user of ['a', 'b', 'y']) assert.is(await outcome(policy, basic(user, 'secret')), 'identity');
});

test('scrypt of RFC 7914 and argon2id of another implementation are accepted', async () => {
  const rfc = Buffer.from(
    'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
    'hex',
  );
  const text = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
  // The second vector has the salt `NaCl`, which is shorter than gw accepts: here a hash of the same function.
  assert.equal(scryptSync('password', 'NaCl', 64, { N: 1024, r: 8, p: 16 }), rfc);
  const salt = Buffer.from('SodiumChloride');
  const hash = scryptSync('pleaseletmein', salt, 64, { N: 16384, r: 8, p: 1 });
  assert.match(hash.toString('hex'), /^7023bdcb3afd7348461c06cd81fd38eb/);
  const policy = create([
    `s:$scrypt$ln=14,r=8,p=1$${text(salt)}$${text(hash)}`,
    // Of the reference implementation: echo -n "password" | argon2 somesalt -t 2 -m 16 -p 4 -l 24 -i (version 13).
    'a:$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG',
  ]);
  assert.is(await outcome(policy, basic('s', 'pleaseletmein')), 'identity');
  assert.is(await outcome(policy, basic('a', 'password')), 'identity');
});

test('a user with the name of a consumer is that consumer; others have claims alone', async () => {
  const around = world();
  around.consumers.push({ name: 'acme', groups: [], credentials: [], tags: {} });
  const policy = create([`acme:${bcrypt('x')}`, `ada:${bcrypt('y')}`], undefined, around);
  const acme = await ask(policy, basic('acme', 'x'));
  assert.is(acme.outcome === 'identity' && acme.consumer?.name, 'acme');
  const ada = await ask(policy, basic('ada', 'y'));
  assert.ok(ada.outcome === 'identity');
  assert.equal([ada.consumer, ada.claims], [undefined, { sub: 'ada' }]);
});

/** A consumer with passwords: user name and hash of each. */
const consumer = (name: string, ...passwords: (readonly [string, string])[]): ConsumerEntry => ({
  name,
  groups: [],
  tags: {},
  credentials: passwords.map(([id, data], at) => ({ kind: 'password', name: `password-${at + 1}`, id, data })),
});

test('passwords of consumers are checked, before those of the files', async () => {
  const around = world();
  around.consumers.push(consumer('acme', ['ann', bcrypt('x')], ['ben', scrypt('y')]));
  const policy = create([`ann:${bcrypt('of the file')}`, `ada:${bcrypt('z')}`], undefined, around);
  const ann = await ask(policy, basic('ann', 'x'));
  assert.ok(ann.outcome === 'identity');
  assert.equal([ann.consumer?.name, ann.credential?.name, ann.claims], ['acme', 'password-1', { sub: 'ann' }]);
  assert.is(await outcome(policy, basic('ann', 'of the file')), '401 auth/invalid');
  assert.is(await outcome(policy, basic('ben', 'y')), 'identity');
  assert.is(await outcome(policy, basic('ada', 'z')), 'identity');
  assert.is(await outcome(create([], 'consumers = false', around), basic('ben', 'y')), '401 auth/invalid');
});

test('without files, an unknown user costs what consumers cost', async () => {
  const around = world();
  around.consumers.push(consumer('acme', ['ann', bcrypt('x')]));
  const policy = create([], '', around);
  await ask(policy, basic('nobody', 'x'));
  await ask(policy, basic('ann', 'wrong'));
  assert.equal(hashesOf(policy), { bcrypt: 2 });
});

test('another password of a consumer ends what is remembered; an unchanged one is not hashed again', async () => {
  const around = world();
  const hash = bcrypt('x');
  const live = liveConsumers([consumer('acme', ['ann', hash])]);
  const settings = declaration('basic').compile(decode('basic', '').config, context());
  const policy = runHalves['basic']!(settings!, { ...host(around), consumers: live });
  assert.is(await outcome(policy, basic('ann', 'x')), 'identity');
  use(live, [consumer('renamed', ['ann', hash])]);
  const again = await ask(policy, basic('ann', 'x'));
  assert.is(again.outcome === 'identity' && again.consumer?.name, 'renamed');
  assert.equal(hashesOf(policy), { bcrypt: 1 });
  use(live, [consumer('renamed', ['ann', bcrypt('y')])]);
  assert.is(await outcome(policy, basic('ann', 'x')), '401 auth/invalid');
  use(live, []);
  assert.is(await outcome(policy, basic('ann', 'y')), '401 auth/invalid');
});

test('names and passwords are compared in normalization form C, and a password may have colons', async () => {
  const policy = create([`J\u006f\u0308rg:${bcrypt('gr\u00fc\u00df:e')}`]);
  assert.is(await outcome(policy, basic('J\u00f6rg', 'gru\u0308\u00df:e')), 'identity');
});

test('no credentials, and those of other schemes: 401 with a challenge, or a pass', async () => {
  const found = await ask(create([], 'realm = "shop"'));
  assert.ok(found.outcome === 'absent');
  assert.is(found.problem.challenge, 'Basic realm="shop", charset="UTF-8"');
  assert.is((await ask(create([]), 'Bearer abc')).outcome, 'absent');
  assert.is((await ask(create([]), 'Bearer abc, x=y')).outcome, 'absent');
  const passed = await ask(create([], 'optional = true'));
  assert.is(passed.outcome === 'absent' && passed.pass, true);
});

test('malformed credentials get 401, without a hash', async () => {
  const policy = create([`ada:${bcrypt('x')}`]);
  const encoded = (bytes: string | Buffer): string => `Basic ${Buffer.from(bytes).toString('base64')}`;
  for (const field of [
    'Basic',
    'Basic ',
    'Basic !',
    'Basic YTpi YTpi',
    'Basic YTpi,YTpj',
    encoded('no colon'),
    encoded(Buffer.from([0x61, 0x3a, 0xff])),
    encoded('ada:x\0'),
    encoded('a\nda:x'),
    encoded(`ada:${'x'.repeat(2000)}`),
  ])
    assert.is(await outcome(policy, field), '401 auth/invalid', field);
  assert.equal(hashesOf(policy), {});
});

test('several fields are ambiguous', async () => {
  const field = basic('ada', 'x');
  const on = exchange({
    headers: [
      ['authorization', field],
      ['Authorization', field],
    ],
  });
  const found = await create([]).authenticate!(on, noBody);
  assert.is(found.outcome === 'refused' && found.problem.code, 'auth/ambiguous');
});

test('the credentials are removed, others stay', () => {
  const policy = create([]);
  for (const [field, left] of [
    [basic('a', 'b'), undefined],
    ['basic\tYTpi', undefined],
    ['Basic YTpi, Basic YTpi', undefined],
    ['Bearer abc', 'Bearer abc'],
  ] as const) {
    const on = exchange({ headers: [['authorization', field]] });
    policy.strip!(on);
    assert.is(on.headers.get('authorization'), left);
  }
});

test('an unknown user costs the same work as a wrong password, and gets the same answer', async () => {
  for (const hash of [bcrypt('x', 5), scrypt('x'), argon2('x')]) {
    const policy = create([`ada:${hash}`, `bob:${hash}`]);
    const wrong = await ask(policy, basic('ada', 'wrong'));
    const first = hashesOf(policy) as Record<string, number>;
    const unknown = await ask(policy, basic('nobody', 'wrong'));
    assert.equal(unknown, wrong);
    const [kind] = Object.keys(first);
    assert.equal(hashesOf(policy), { [kind!]: 2 });
  }
});

test('unknown users get the costs of real users, the same one each time', async () => {
  const policy = create(
    [...Array(30).keys()].map((at) => `u${at}:${at < 10 ? bcrypt('x') : scrypt('x')}`),
    'users = "u"\nattempts = false',
  );
  for (let at = 0; at < 90; at++) await ask(policy, basic(`nobody ${at}`, 'wrong'));
  const once = hashesOf(policy) as { bcrypt: number; scrypt: number };
  assert.is(once.bcrypt + once.scrypt, 90);
  assert.ok(once.bcrypt > 10 && once.bcrypt < 50, `${once.bcrypt} of 90`);
  for (let at = 0; at < 90; at++) await ask(policy, basic(`nobody ${at}`, 'wrong'));
  assert.equal(hashesOf(policy), { bcrypt: once.bcrypt * 2, scrypt: once.scrypt * 2 });
});

test('verified credentials are remembered for a while, wrong ones are not', async () => {
  const around = world();
  const policy = create([`ada:${bcrypt('x')}`], undefined, around);
  const count = (): number => (hashesOf(policy) as { bcrypt: number }).bcrypt;
  for (let at = 0; at < 3; at++) assert.is(await outcome(policy, basic('ada', 'x')), 'identity');
  assert.is(count(), 1);
  assert.not.instance(
    policy.authenticate!(exchange({ headers: [['authorization', basic('ada', 'x')]] }), noBody),
    Promise,
  );
  await ask(policy, basic('ada', 'y'));
  await ask(policy, basic('ada', 'y'));
  assert.is(count(), 3);
  around.now += 15 * 60_000;
  assert.is(await outcome(policy, basic('ada', 'x')), 'identity');
  assert.is(count(), 4);
  policy.close!();
  await ask(policy, basic('ada', 'x'));
  assert.is(count(), 5);
});

test('the same credentials at the same time are checked once', async () => {
  const policy = create([`ada:${bcrypt('x', 8)}`]);
  const found = await Promise.all([...Array(20)].map(() => outcome(policy, basic('ada', 'x'))));
  assert.equal(new Set(found), new Set(['identity']));
  assert.equal(hashesOf(policy), { bcrypt: 1 });
});

test('too much work is refused with 503, and one address cannot take all places', async () => {
  const policy = create([`ada:${bcrypt('x', 8)}`], 'users = "u"\nattempts = false');
  const from = (address: string, at: number): Promise<string> => outcome(policy, basic('ada', `wrong ${at}`), address);
  const one = [...Array(20)].map((_, at) => from('192.0.2.1', at));
  const other = from('192.0.2.2', 100);
  const found = await Promise.all(one);
  assert.equal([found.filter((word) => word === 'unavailable').length, await other], [12, '401 auth/invalid']);
  const many = await Promise.all([...Array(100)].map((_, at) => from(`198.51.100.${at}`, at)));
  assert.is(many.filter((word) => word === 'unavailable').length, 34);
  assert.is(await from('192.0.2.1', 0), '401 auth/invalid');
});

test('attempts for one user are slowed, but not for addresses of the user', async () => {
  const around = world();
  const policy = create([`ada:${bcrypt('x')}`], 'users = "u"\nattempts = "5/min"', around);
  const home = '2001:db8:1:2::7';
  assert.is(await outcome(policy, basic('ada', 'x'), home), 'identity');
  for (let at = 0; at < 5; at++)
    assert.is(await outcome(policy, basic('ada', `guess ${at}`), `198.51.100.${at}`), '401 auth/invalid');
  // From now on each stranger has three attempts in an hour.
  for (let at = 0; at < 3; at++)
    assert.is(await outcome(policy, basic('ada', 'more'), '203.0.113.9'), '401 auth/invalid');
  const refused = await ask(policy, basic('ada', 'more'), '203.0.113.9');
  assert.ok(refused.outcome === 'refused');
  assert.ok(refused.wait !== undefined && refused.wait > 60_000 && refused.wait < 3_600_000, String(refused.wait));
  const count = hashesOf(policy);
  assert.is(await outcome(policy, basic('ada', 'x'), '203.0.113.9'), 'identity', 'remembered credentials always pass');
  assert.equal(hashesOf(policy), count);
  // The user at home mistypes, from another address of the same network.
  for (let at = 0; at < 10; at++)
    assert.is(await outcome(policy, basic('ada', 'typo'), '2001:db8:1:2::8'), '401 auth/invalid');
  // The user on the way, with the right password.
  policy.close!();
  assert.is(await outcome(policy, basic('ada', 'x'), '203.0.113.77'), 'identity');
  around.now += 61_000;
  assert.is(await outcome(policy, basic('ada', 'more'), '198.51.100.1'), '401 auth/invalid');
});

test('unknown users are slowed like known ones', async () => {
  const policy = create([`ada:${bcrypt('x')}`], 'users = "u"\nattempts = "5/min"');
  const answers = async (user: string): Promise<string[]> => {
    const found: string[] = [];
    for (let at = 0; at < 12; at++) found.push(await outcome(policy, basic(user, `guess ${at}`), '198.51.100.1'));
    return found;
  };
  assert.equal(await answers('nobody'), await answers('ada'));
});

test('no user name, password or hash is in decisions, answers and stats', async () => {
  const policy = create([`ada:${bcrypt('open sesame')}`]);
  const output: unknown[] = [];
  for (const field of [basic('ada', 'hunter2'), basic('hunter2', 'x'), basic('ada', 'open sesame')]) {
    const found = await ask(policy, field);
    output.push(found.outcome === 'identity' ? found : { ...found });
  }
  const text = JSON.stringify([output, policy.stats!()]);
  for (const secret of ['hunter2', 'open sesame', '$2y$', Buffer.from('open sesame').toString('base64')])
    assert.not.match(text, secret);
});

test('files and hashes that cannot be used are errors at their line', () => {
  const problems: PolicyProblem[] = [];
  const valid = bcrypt('x');
  const text = [
    `ada:${valid}`,
    'no colon',
    `:${valid}`,
    `a\x01b:${valid}`,
    'apr1:$apr1$5L9k2jXz$Xb7yxD3p2qOq4vFZl1Yx0/',
    'sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=',
    'des:rl.3StKT.4T8M',
    'sha512:$6$saltsalt$x',
    'plain:secret',
    `cost:$2y$14$${valid.slice(7)}`,
    `old:$2x$04$${valid.slice(7)}`,
    'bad:$2y$04$short',
    'memory:$argon2id$v=19$m=1048576,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG',
    'passes:$argon2id$v=19$m=65536,t=100,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG',
    'scrypt:$scrypt$ln=20,r=8,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG',
    `ada:${valid}`,
  ].join('\n');
  const { config } = decode('basic', 'users = "users"');
  declaration('basic').lint!(config, context(fileOf(text)), (problem) => problems.push(problem));
  const lineOf = ({ part }: PolicyProblem): number =>
    typeof part === 'object' ? text.slice(0, part.start).split('\n').length : 0;
  assert.equal(
    problems.map((problem) => [lineOf(problem), problem.code]),
    [
      [2, 'basic/file'],
      [3, 'basic/file'],
      [4, 'basic/file'],
      ...[5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map((line) => [line, 'basic/hash']),
      [16, 'basic/duplicate-user'],
    ],
  );
  assert.ok(problems.every(({ sensitive }) => sensitive === true));
  assert.not.match(JSON.stringify(problems.map(({ message, help }) => [message, help])), /secret|saltsalt/);
});

test('a missing file is an error; no users at all are a warning', () => {
  assert.equal(lint('basic', 'users = ["a", "b"]'), ['basic/file users.0', 'basic/file users.1']);
  assert.equal(lint('basic', '', { consumers: [] }), ['basic/no-users']);
  assert.equal(lint('basic', 'consumers = false'), ['basic/no-users']);
  assert.equal(lint('basic', 'users = "u"', fileOf('# none\n')), ['basic/no-users users']);
  assert.equal(lint('basic', 'optional = true', { consumers: [] }), []);
});

test('ten thousand users are found, and take little room', async () => {
  const hash = bcrypt('x');
  const names = [...Array(10_000).keys()].map((at) => `user-${at}`);
  const policy = create(names.map((name) => `${name}:${hash}`));
  for (const name of ['user-0', 'user-5000', 'user-9999', 'user-1'])
    assert.is(await outcome(policy, basic(name, 'x')), 'identity', name);
  for (const name of ['user-', 'user-10000', 'a', 'z', ''])
    assert.is(await outcome(policy, basic(name, 'x')), '401 auth/invalid');
});

test('decisions say what was decided', async () => {
  const decisions: Decision[] = [];
  const policy = create([`ada:${bcrypt('x')}`]);
  const found = await policy.authenticate!(
    exchange({ headers: [['authorization', basic('ada', 'x')]], decisions }),
    noBody,
  );
  assert.is(found.why, 'password of user ada');
});

test.run();
