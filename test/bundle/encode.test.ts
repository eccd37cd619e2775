import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canonicalJson } from '../../src/bundle/canonical.js';
import { BundleError, decodeBundle, encodeBundle, isBundle, sealBundle } from '../../src/bundle/encode.js';
import { Matcher } from '../../src/bundle/match/match.js';
import { buildTrie, Trie } from '../../src/bundle/trie/trie.js';
import type { Program } from '../../src/bundle/types.js';
import { listenerPlan, programWith, routePlan, servicePlan } from '../support/programs.js';
import { seededBelow } from '../support/random.js';
import { matchIR, trieIR, view } from './kit.js';

const SOURCE = { from: 'spec', file: 'gateway.toml', line: 3 } as const;
const PROGRAM = programWith({
  admin: { token: { $ref: '${env:TOKEN}' } },
  accessLog: { path: '-', format: 'json' },
  listeners: [
    listenerPlan('main', { tls: { cert: 'a.pem', key: { $ref: '${file:b.pem}' } }, trustedProxies: ['10.0.0.0/8'] }),
  ],
  services: [
    servicePlan('orders', { run: { command: 'x', portEnv: 'PORT', env: { A: 'b' }, readyTimeout: 1 }, host: 'target' }),
  ],
  consumers: [{ name: 'acme', plan: 'gold', groups: [], credentials: [], tags: { tier: '1' } }],
  plans: [{ name: 'gold', limits: { polite: { capacity: 1, periodMs: 1 } } }],
  policies: [
    {
      use: 'headers',
      name: 'h',
      phase: 'transform',
      identity: 'i',
      settings: { request: [] },
      config: {},
      origins: { request: SOURCE },
    },
  ],
  routes: [
    routePlan('get', {
      match: 'GET /orders/{id}',
      policies: [0],
      params: ['id'],
      rewrite: ['/v2/', { var: 'param.id' }],
      timeout: 1,
    }),
    routePlan('health', {
      match: '/health',
      service: -1,
      action: { use: 'reply', summary: 'reply 200', settings: { status: 200, headers: [], body: 'caf\u00e9' } },
    }),
  ],
  provenance: { files: [{ path: 'gateway.toml', sha256: 'x' }], origins: {} },
});
const BUNDLE = { program: PROGRAM, trie: buildTrie(trieIR(['GET /orders/{id}', '/health'])) };
const KEYS = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

function refused(bytes: Uint8Array, message: RegExp, options = {}): void {
  assert.throws(
    () => decodeBundle(bytes, options),
    (error: unknown) => error instanceof BundleError && message.test(error.message),
    String(message),
  );
}

/** A complete bundle with a valid hash and an invalid program. */
const forged = (program: unknown): Uint8Array => encodeBundle({ program: program as Program, trie: BUNDLE.trie });

test('a bundle is the same after encoding and decoding', () => {
  const bytes = encodeBundle(BUNDLE);
  assert.ok(isBundle(bytes));
  const decoded = decodeBundle(bytes);
  assert.equal(decoded.program, PROGRAM);
  assert.equal(new Uint8Array(decoded.trie), new Uint8Array(BUNDLE.trie));
  assert.is(decoded.sha256, sealBundle(BUNDLE).sha256);
  assert.equal(encodeBundle(decoded), bytes);
});

test('a bundle is read from the middle of a larger buffer, and into shared memory', () => {
  const bytes = encodeBundle(BUNDLE);
  const larger = new Uint8Array(bytes.length + 7);
  larger.set(bytes, 3);
  const decoded = decodeBundle(larger.subarray(3, 3 + bytes.length), { shared: true });
  assert.ok(decoded.trie instanceof SharedArrayBuffer);
  assert.is(new Matcher(Trie.open(decoded.trie)).match(view('GET /orders/7')), 0);
});

test('the order of keys has no effect', () => {
  const { routes, ...rest } = PROGRAM;
  const turned = Object.fromEntries(Object.entries({ routes, ...rest }).reverse());
  assert.equal(encodeBundle({ ...BUNDLE, program: turned as unknown as Program }), encodeBundle(BUNDLE));
  assert.is(canonicalJson({ b: [{ z: 1, a: undefined, c: 2 }], a: null }), '{"a":null,"b":[{"c":2,"z":1}]}');
  assert.is(canonicalJson(JSON.parse('{"b":1,"__proto__":{"d":1,"c":2}}')), '{"__proto__":{"c":2,"d":1},"b":1}');
  assert.is(canonicalJson(undefined), 'null');
});

test('a signed bundle is verified with its key, refused with others, and has the same hash', () => {
  const signed = encodeBundle(BUNDLE, KEYS.privateKey);
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  assert.is(decodeBundle(signed, { publicKey: KEYS.publicKey }).sha256, decodeBundle(encodeBundle(BUNDLE)).sha256);
  assert.is(decodeBundle(signed).program.routes.length, 2);
  refused(signed, /does not match this public key/, { publicKey: other });
  refused(encodeBundle(BUNDLE), /not signed/, { publicKey: KEYS.publicKey });
  const broken = Uint8Array.from(signed);
  broken[broken.length - 1]! ^= 1;
  refused(broken, /does not match this public key/, { publicKey: KEYS.publicKey });
  // A signature of the bare hash, created for another purpose, is not accepted.
  const hash = Buffer.from(decodeBundle(signed).sha256, 'hex');
  broken.set(sign(null, hash, KEYS.privateKey), broken.length - 64);
  refused(broken, /does not match this public key/, { publicKey: KEYS.publicKey });
});

test('keys that cannot sign are reported', () => {
  const rsa = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  for (const [key, message] of [
    ['no key', /cannot be read/],
    [pem, /ed25519/],
  ] as const) {
    assert.throws(
      () => encodeBundle(BUNDLE, key),
      (error: unknown) => error instanceof BundleError && message.test(error.message),
    );
  }
  refused(encodeBundle(BUNDLE, KEYS.privateKey), /public key cannot be read/, { publicKey: 'no key' });
});

test('bytes that are not a bundle, of another format, truncated or too long are refused', () => {
  const bytes = encodeBundle(BUNDLE);
  refused(new Uint8Array(0), /not a gw bundle/);
  refused(new TextEncoder().encode('spec = 1\n'.repeat(20)), /not a gw bundle/);
  assert.not(isBundle(new TextEncoder().encode('spec')));
  const later = Uint8Array.from(bytes);
  later[4] = 99;
  refused(later, /format 99.*Compile the spec again/);
  for (let length = 0; length < bytes.length; length += 7) refused(bytes.subarray(0, length), /./);
  refused(new Uint8Array([...bytes, 0]), /truncated or too long/);
  const odd = Uint8Array.from(bytes);
  odd[20] = 5;
  refused(odd, /signature has the wrong length/);
});

test('any flipped bit is detected', () => {
  const bytes = encodeBundle(BUNDLE, KEYS.privateKey);
  const next = seededBelow(3);
  for (let round = 0; round < 2000; round++) {
    const bad = Uint8Array.from(bytes);
    for (let flips = next(3); flips >= 0; flips--) bad[next(bad.length)]! ^= 1 << next(8);
    if (Buffer.compare(bad, bytes) === 0) continue;
    refused(bad, /./, { publicKey: KEYS.publicKey });
  }
});

test('a damaged trie is refused even if the hash of the bundle matches', () => {
  const trie = new Uint8Array(BUNDLE.trie);
  for (let at = 0; at < trie.length; at++) {
    for (const flip of [1, 0x80, 0xff]) {
      const bad = Uint8Array.from(trie);
      bad[at]! ^= flip;
      refused(encodeBundle({ program: PROGRAM, trie: bad.buffer }), /trie|format/);
    }
  }
});

test('a program with an invalid shape is refused even if the hash matches', () => {
  const lies: [unknown, RegExp][] = [
    [null, /not a table/],
    [[], /not a table/],
    [{}, /`normalize` is not a table/],
    [{ ...PROGRAM, routes: {} }, /`routes` is not a list/],
    [{ ...PROGRAM, drainTimeout: -1 }, /`drainTimeout` is not a number/],
    [{ ...PROGRAM, accessLog: { format: 'xml' } }, /`accessLog.format` is not one of/],
    [{ ...PROGRAM, admin: { token: 5 } }, /`admin.token` is not text or a reference/],
    [{ ...PROGRAM, consumers: [{ name: 1 }] }, /`consumers.0.name` is not text/],
    [{ ...PROGRAM, plans: [{ name: 'a', limits: [] }] }, /`plans.0.limits` is not a table/],
    [{ ...PROGRAM, services: [] }, /service that does not exist/],
    [{ ...PROGRAM, policies: [] }, /policy that does not exist/],
    [
      { ...PROGRAM, routes: [{ ...PROGRAM.routes[0], action: { use: 'proxy' } }] },
      /`routes.0.action.summary` is not text/,
    ],
    [{ ...PROGRAM, routes: [{ ...PROGRAM.routes[0], policies: [0.5] }] }, /is not an index/],
    [{ ...PROGRAM, routes: [{ ...PROGRAM.routes[0], rewrite: [{}] }] }, /part of a template/],
    [{ ...PROGRAM, routes: PROGRAM.routes.slice(0, 1) }, /routes that the program does not have/],
  ];
  for (const [program, message] of lies) refused(forged(program), message);
});

test('a trie with an unknown listener is refused', () => {
  const bound = (name: string) =>
    encodeBundle({
      program: PROGRAM,
      trie: buildTrie({ matches: [{ ...matchIR('/a', 0), listeners: [name] }], dfas: [] }),
    });
  assert.ok(PROGRAM.listeners[0]);
  assert.ok(decodeBundle(bound(PROGRAM.listeners[0].name)));
  refused(bound('ghost'), /listener that the program does not have/);
});

test('an invalid program and an invalid trie are refused', () => {
  refused(encodeBundle({ program: PROGRAM, trie: new ArrayBuffer(256) }), /not a trie/);
  refused(encodeBundle({ program: PROGRAM, trie: new ArrayBuffer(0) }), /truncated/);
});

test('the bundle carries code, covered by its hash and its signature', () => {
  const text = 'module.exports = "caf\u00e9";';
  const sha256 = createHash('sha256').update(text).digest('hex');
  const entry = { use: './a.ts', sha256, bytes: Buffer.byteLength(text) };
  const policies = PROGRAM.policies.map((policy) => ({ ...policy, code: sha256 }));
  const content = { ...BUNDLE, program: { ...PROGRAM, policies, code: [entry] }, code: new Map([[sha256, text]]) };
  const bytes = encodeBundle(content, KEYS.privateKey);
  const decoded = decodeBundle(bytes, { publicKey: KEYS.publicKey });
  assert.equal([...decoded.code!], [[sha256, text]]);
  assert.equal(encodeBundle(decoded, KEYS.privateKey), bytes);
  const damaged = Buffer.from(bytes);
  damaged[damaged.length - 64 - 2]! ^= 1;
  refused(damaged, /does not match its sha256/);
  refused(encodeBundle({ ...content, code: new Map([[sha256, text.replace('module', 'Module')]]) }), /code of .\/a.ts/);
  refused(encodeBundle({ ...content, code: new Map() }), /code of .\/a.ts/);
  refused(encodeBundle({ ...content, program: { ...PROGRAM, policies } }), /does not carry/);
  assert.is(decodeBundle(encodeBundle(BUNDLE)).code, undefined);
});

test.run();
