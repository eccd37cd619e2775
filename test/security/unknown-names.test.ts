/** The work for a name that does not exist: nothing that a client does, and no mix of credentials, tells it from a name that does. */
import { generateKeyPairSync, randomBytes, scryptSync } from 'node:crypto';
import { hashSync as argon2Hash } from '@node-rs/argon2';
import { hashSync as bcryptHash, genSaltSync } from 'bcryptjs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConsumerEntry, CredentialEntry, Json, PolicyInstance } from '../../src/policies/contract.js';
import { Keys } from '../../src/policies/http-signature/keys.js';
import type { HttpSignatureSettings } from '../../src/policies/http-signature/schema.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { LiveConsumers } from '../../src/state/consumers/live.js';
import { ConsumerSet } from '../../src/state/consumers/set.js';
import {
  compile,
  context,
  declaration,
  decode,
  exchange,
  host,
  noBody,
  type World,
  world,
} from '../policies/support.js';

const bcrypt = (password: string, cost = 4): string => bcryptHash(password, genSaltSync(cost));
const argon2 = (password: string): string => argon2Hash(password, { memoryCost: 64, timeCost: 1 });
function scrypt(password: string): string {
  const salt = randomBytes(16);
  const text = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=4,r=8,p=1$${text(salt)}$${text(scryptSync(password, salt, 32, { N: 16, r: 8, p: 1 }))}`;
}

const withPassword = (user: string, data: string, more: Partial<CredentialEntry> = {}): ConsumerEntry => ({
  name: `consumer-${user}`,
  groups: [],
  tags: {},
  credentials: [{ kind: 'password', name: 'password-1', id: user, data, ...more }],
});

interface Bed {
  readonly policy: PolicyInstance;
  readonly live: LiveConsumers;
  set: ConsumerSet;
}

function bed(entries: readonly ConsumerEntry[], file = '', around: World = world()): Bed {
  const set = ConsumerSet.of(entries);
  const live = new LiveConsumers(set.memory);
  const { config } = decode('basic', `attempts = false${file === '' ? '' : '\nusers = "users"'}`);
  const settings = declaration('basic').compile(config, context({ readFile: () => ({ text: file }) }));
  const policy = runHalves['basic']!(JSON.parse(JSON.stringify(settings)) as Json, {
    ...host(around),
    consumers: live,
  });
  return { policy, live, set };
}

type Counts = { readonly [kind: string]: number };

/** The hashes that one attempt computes. */
async function hashes({ policy }: Bed, user: string, password = 'wrong', remoteAddress = '192.0.2.1'): Promise<string> {
  const before = (policy.stats!() as { hashes: Counts }).hashes;
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  await policy.authenticate!(exchange({ remoteAddress, headers: [['authorization', authorization]] }), noBody);
  const { hashes: after } = policy.stats!() as { hashes: Counts };
  return Object.keys(after)
    .filter((kind) => after[kind] !== before[kind])
    .join();
}

test('basic: what an unknown user costs does not depend on whom clients asked for before', async () => {
  const entries = [
    withPassword('ann', bcrypt('x')),
    withPassword('ben', scrypt('y')),
    withPassword('eve', argon2('z')),
  ];
  const b = bed(entries);
  const found = new Set<string>();
  for (let at = 0; at < 40; at++) {
    const name = `nobody-${at}`;
    const costs = new Set([await hashes(b, name)]);
    for (const known of ['ann', 'ben', 'eve']) {
      await hashes(b, known);
      costs.add(await hashes(b, name));
    }
    assert.is(costs.size, 1, [...costs].join(' '));
    found.add([...costs][0]!);
  }
  assert.equal([...found].sort(), ['argon2id', 'bcrypt', 'scrypt']);
});

test('basic: unknown users cost what users of files and consumers cost', async () => {
  const b = bed([withPassword('ann', scrypt('x'))], `ada:${bcrypt('x')}\n`);
  const found = new Set<string>();
  for (let at = 0; at < 40; at++) found.add(await hashes(b, `nobody-${at}`));
  assert.equal([...found].sort(), ['bcrypt', 'scrypt']);
});

test('basic: a consumer that is added or removed later counts, and changes the cost of few names', async () => {
  const b = bed([...Array(30).keys()].map((at) => withPassword(`u${at}`, at < 15 ? bcrypt('x') : scrypt('x'))));
  const names = [...Array(60).keys()].map((at) => `nobody-${at}`);
  const costs = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const name of names) found.push(await hashes(b, name));
    return found;
  };
  const change = (changes: Parameters<ConsumerSet['with']>[0]): void => {
    b.set = b.set.with(changes);
    b.live.use(b.set.memory);
  };
  const before = await costs();
  change({ set: [withPassword('new', scrypt('x'))], removed: [] });
  const after = await costs();
  assert.ok(after.filter((cost, at) => cost !== before[at]).length <= 6);
  change({ set: [], removed: [...Array(15).keys()].map((at) => `consumer-u${at}`) });
  assert.equal(new Set(await costs()), new Set(['scrypt']));
});

test('basic: a hash that cannot be used is that of no user, so unknown users do not have it either', async () => {
  const b = bed([withPassword('old', '$6$salt$hash'), withPassword('dear', `$2b$31$${'.'.repeat(53)}`)]);
  assert.is(await hashes(b, 'nobody'), 'argon2id');
  assert.is(await hashes(b, 'dear'), 'argon2id');
});

test('basic: the right password of a credential that is not accepted is not faster the second time', async () => {
  const around = world();
  const b = bed(
    [
      withPassword('off', bcrypt('x'), { disabled: true }),
      withPassword('old', bcrypt('x'), { expires: around.now - 1 }),
      withPassword('far', bcrypt('x'), { addresses: ['198.51.100.0/24'] }),
    ],
    '',
    around,
  );
  for (const user of ['off', 'old', 'far'])
    for (let at = 0; at < 3; at++) assert.is(await hashes(b, user, 'x'), 'bcrypt', user);
  assert.is(await hashes(b, 'far', 'x', '198.51.100.1'), 'bcrypt');
  assert.is(await hashes(b, 'far', 'x', '198.51.100.1'), '', 'remembered');
  assert.is(await hashes(b, 'far', 'x'), 'bcrypt', 'not from elsewhere');
});

test('basic: the right password of a credential that is not accepted is a failed attempt', async () => {
  const around = world();
  around.consumers.push(withPassword('far', bcrypt('x'), { addresses: ['198.51.100.0/24'] }));
  const settings = declaration('basic').compile(decode('basic', 'attempts = "2/min"').config, context());
  const policy = runHalves['basic']!(settings!, host(around));
  const outcomes: string[] = [];
  for (let at = 0; at < 8; at++) {
    const headers = [['authorization', `Basic ${Buffer.from('far:x').toString('base64')}`]] as const;
    const found = await policy.authenticate!(exchange({ remoteAddress: '192.0.2.1', headers }), noBody);
    outcomes.push('wait' in found ? '429' : found.outcome);
  }
  // As for a wrong password: two, and three as a stranger.
  assert.equal(outcomes, [...Array<string>(5).fill('identity'), '429', '429', '429']);
});

const signatureKey = (id: string, algorithm: string, modulusLength = 2048): ConsumerEntry => {
  const { publicKey } = algorithm.startsWith('rsa')
    ? generateKeyPairSync('rsa', { modulusLength })
    : generateKeyPairSync('ed25519');
  const { kty, crv, x, n, e } = publicKey.export({ format: 'jwk' });
  const key = JSON.parse(JSON.stringify({ kty, crv, x, n, e })) as Json;
  const credentials: CredentialEntry[] = [{ kind: 'signature', name: 'signature-1', id, data: { algorithm, key } }];
  return { name: `consumer-${id}`, groups: [], tags: {}, credentials };
};

test('http-signature: an unknown key id costs what the keys of consumers cost now, also the longer ones', () => {
  const settings = compile('http-signature', '') as unknown as HttpSignatureSettings;
  const live = new LiveConsumers();
  const keys = new Keys(settings, { ...host(world()), consumers: live });
  const works = (alg?: string): string[] => {
    const found = new Set<string>();
    for (let id = 0; id < 64; id++) {
      const { algorithm, key } = keys.dummy(`id ${id}`, alg);
      found.add(`${algorithm} ${key.asymmetricKeyDetails?.modulusLength ?? ''}`.trim());
    }
    return [...found].sort();
  };
  assert.equal(works(), ['ed25519']);
  let set = ConsumerSet.of([signatureKey('a', 'rsa-pss-sha512', 3072)]);
  live.use({ ...set.memory, version: live.version + 1 });
  assert.equal(works(), ['rsa-pss-sha512 3072']);
  assert.equal(works('rsa-pss-sha512'), ['rsa-pss-sha512 3072']);
  assert.equal(works('rsa-v1_5-sha256'), ['rsa-v1_5-sha256 2048']);
  set = set.with({ set: [signatureKey('b', 'ed25519'), signatureKey('c', 'rsa-pss-sha512')], removed: [] });
  live.use({ ...set.memory, version: live.version + 1 });
  for (const id of ['a', 'b', 'c', 'a']) {
    keys.find(id);
    assert.equal(works(), ['ed25519', 'rsa-pss-sha512 2048', 'rsa-pss-sha512 3072']);
  }
  assert.equal(works('rsa-pss-sha512'), ['rsa-pss-sha512 2048', 'rsa-pss-sha512 3072']);
});

test.run();
