/** The kit for HTTP message signatures: the examples of RFC 9421, and what it refuses. */
import * as crypto from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  componentNamed,
  componentValue,
  contentDigest,
  type FoundSignature,
  hasDigests,
  keyFault,
  makeInput,
  normalAuthority,
  openKey,
  type ReadKey,
  readComponent,
  readDigests,
  readPublicKey,
  readSignatures,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
  type SignedMessage,
  type SignedRequest,
  sign,
  signatureBase,
  signatureFields,
  usualAlgorithm,
  verify,
} from '../../../src/policies/kits/http-signature/index.js';
import { type Item, readItem } from '../../../src/policies/kits/structured-fields.js';
import {
  BODY,
  CHANGED_DEMO,
  DEMO,
  FORWARDED,
  fieldsOf,
  KEYS,
  PROXIED,
  PUBLIC_KEYS,
  REQUEST,
  RESPONSE,
  RESPONSE_BODY,
  SAME_DEMO,
  SIGNATURES,
  SIGNING_KEYS,
} from './rfc9421.js';

const MESSAGES: { readonly [name in keyof typeof SIGNATURES]: SignedMessage } = {
  b21: REQUEST,
  b22: REQUEST,
  b23: REQUEST,
  b24: RESPONSE,
  b25: REQUEST,
  b26: REQUEST,
  ttrp: PROXIED,
  proxy_sig: FORWARDED,
  transform: DEMO,
};

function found(name: keyof typeof SIGNATURES): FoundSignature {
  const { input, signature } = SIGNATURES[name];
  const all = readSignatures(input, signature);
  if (typeof all === 'string') throw new Error(all);
  const [one] = all;
  if (one === undefined || !('input' in one)) throw new Error(one?.fault);
  return one;
}

for (const name of Object.keys(SIGNATURES) as (keyof typeof SIGNATURES)[]) {
  test(`RFC 9421 ${name === 'proxy_sig' ? 'section 4.3' : 'appendix B'}: ${name} has the base of the RFC and is valid`, () => {
    const { input, signature } = found(name);
    const base = signatureBase(MESSAGES[name], input);
    assert.is(base, SIGNATURES[name].base.join('\n'));
    const key = KEYS[input.keyid as keyof typeof KEYS];
    assert.ok(verify(key, base as string, signature));
    assert.not.ok(verify(key, `${base as string} `, signature));
    const wrong = Uint8Array.from(signature);
    wrong[3]! ^= 1;
    assert.not.ok(verify(key, base as string, wrong));
    assert.not.ok(verify(key, base as string, signature.subarray(1)));
  });
}

test('RFC 9421 appendix B.1: every public key is read, and fits its algorithm', () => {
  for (const [id, [algorithm, text]] of Object.entries(PUBLIC_KEYS)) {
    const read = readPublicKey(text, algorithm);
    if (typeof read === 'string') throw new Error(`${id}: ${read}`);
    assert.is(read.algorithm, algorithm, id);
    assert.ok(openKey(algorithm, read.jwk).key.equals(KEYS[id as keyof typeof PUBLIC_KEYS].key), id);
    const other = algorithm === 'ed25519' ? 'ecdsa-p256-sha256' : 'ed25519';
    assert.type(readPublicKey(text, other), 'string', id);
  }
});

for (const name of ['b25', 'b26', 'transform'] as const) {
  test(`RFC 9421 appendix B: ${name} is made anew`, () => {
    const { label, input } = found(name);
    const made = makeInput(input.components, { created: input.created, keyid: input.keyid });
    const base = signatureBase(MESSAGES[name], made) as string;
    const key = SIGNING_KEYS[input.keyid as keyof typeof SIGNING_KEYS];
    assert.equal(signatureFields(label, made, sign(key, base)), [SIGNATURES[name].input, SIGNATURES[name].signature]);
  });
}

test('RFC 9421 appendix B.4: changes that keep the signature valid, and others', () => {
  const { input, signature } = found('transform');
  const isValid = (request: SignedRequest): boolean =>
    verify(KEYS['test-key-ed25519'], signatureBase(request, input) as string, signature);
  assert.equal(SAME_DEMO.map(isValid), [true, true, true]);
  assert.equal(CHANGED_DEMO.map(isValid), [false, false]);
});

const component = (text: string): Item => readItem(text)!;

/** The value of a component in a request, or what is wrong. */
function value(text: string, message: SignedMessage): string | undefined {
  const read = readComponent(component(text));
  return typeof read === 'string' ? read : componentValue(read, message);
}

test('RFC 9421 section 2.1: fields, structured fields, members, bytes and trailers', () => {
  const message: SignedRequest = {
    ...REQUEST,
    ...fieldsOf([
      ['x-ows-header', '  Leading and trailing whitespace.   '],
      ['x-obs-fold-header', 'Obsolete\r\n    line folding.'],
      ['cache-control', 'max-age=60'],
      ['cache-control', '   must-revalidate'],
      ['example-dict', ' a=1,    b=2;x=1;y=2,   c=(a   b   c),  d'],
      ['x-empty-header', ''],
      ['example-header', 'value, with, lots'],
      ['example-header', 'of, commas'],
    ]),
    trailers: fieldsOf([['expires', 'Wed, 9 Nov 2022 07:28:00 GMT']]),
  };
  const values: readonly (readonly [string, string | undefined])[] = [
    ['"x-ows-header"', 'Leading and trailing whitespace.'],
    ['"x-obs-fold-header"', 'Obsolete line folding.'],
    ['"cache-control"', 'max-age=60, must-revalidate'],
    ['"example-dict"', 'a=1,    b=2;x=1;y=2,   c=(a   b   c),  d'],
    ['"example-dict";sf', 'a=1, b=2;x=1;y=2, c=(a b c), d'],
    ['"example-dict";key="a"', '1'],
    ['"example-dict";key="d"', '?1'],
    ['"example-dict";key="b"', '2;x=1;y=2'],
    ['"example-dict";key="c"', '(a b c)'],
    ['"example-dict";key="e"', undefined],
    ['"x-empty-header"', ''],
    ['"example-header";bs', ':dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:'],
    ['"expires";tr', 'Wed, 9 Nov 2022 07:28:00 GMT'],
    ['"expires"', undefined],
    ['"@method";req', undefined],
  ];
  for (const [text, expected] of values) assert.is(value(text, message), expected, text);
});

test('RFC 9421 section 2.2: derived components', () => {
  const message: SignedRequest = {
    ...REQUEST,
    authority: 'www.example.com',
    requestTarget:
      '/path?param=value&foo=bar&baz=batman&qux=&bar=with%20plus+whitespace&fa%C3%A7ade%22%3A%20=something&two=1&two=2',
    path: '/path',
    query: 'param=value&foo=bar&baz=batman&qux=&bar=with%20plus+whitespace&fa%C3%A7ade%22%3A%20=something&two=1&two=2',
  };
  const values: readonly (readonly [string, string | undefined])[] = [
    ['"@method"', 'POST'],
    ['"@scheme"', 'https'],
    ['"@authority"', 'www.example.com'],
    ['"@path"', '/path'],
    ['"@query"', `?${message.query}`],
    ['"@target-uri"', `https://www.example.com/path?${message.query}`],
    ['"@request-target"', message.requestTarget],
    ['"@query-param";name="baz"', 'batman'],
    ['"@query-param";name="qux"', ''],
    ['"@query-param";name="bar"', 'with%20plus%20whitespace'],
    ['"@query-param";name="fa%C3%A7ade%22%3A%20"', 'something'],
    ['"@query-param";name="two"', undefined],
    ['"@query-param";name="none"', undefined],
    ['"@status"', undefined],
  ];
  for (const [text, expected] of values) assert.is(value(text, message), expected, text);
  assert.is(value('"@query"', { ...message, query: undefined }), '?');
  const answered = { ...RESPONSE, status: 503 };
  assert.is(value('"@status"', answered), '503');
  assert.is(value('"@authority";req', answered), 'example.com');
  assert.is(value('"content-digest";req', answered), value('"content-digest"', REQUEST));
  assert.is(value('"@method"', answered), undefined);
});

test('components that are none, and parameters that do not fit, are refused', () => {
  const wrong = [
    'a',
    '"@unknown"',
    '"@signature-params"',
    '"Date"',
    '"date";x',
    '"date";sf=2',
    '"date";bs;sf',
    '"date";bs;key="a"',
    '"@path";sf',
    '"@query-param"',
    '"@query-param";name=a',
    '"@method";key="a"',
    '"@status";req',
    '1',
  ];
  for (const text of wrong) assert.type(readComponent(component(text)), 'string', text);
});

test('inputs that cannot be used are named; a component twice, or a label twice, is refused', () => {
  const fault = (input: string, signature = 'a=:AA==:'): string | undefined => {
    const read = readSignatures(input, signature);
    if (typeof read === 'string') return read;
    return 'fault' in read[0]! ? read[0].fault : undefined;
  };
  assert.is(fault('a=("@method");created=1'), undefined);
  assert.match(fault('a=("@method" "@method")')!, /covers "@method" twice/);
  assert.match(fault('a=("x";sf;key="k" "x";key="k";sf)')!, /covers "x";key="k";sf twice/, 'section 2: in any order');
  assert.is(fault('a=("x";sf;key="k" "x";sf;key="l" "x";key="k" "x";sf "x")'), undefined);
  assert.match(fault('a=("@method");created="1"')!, /created is not a time/);
  assert.match(fault('a=("@method");created=-1')!, /created is not a time/);
  assert.match(fault('a=("@method");nonce=1')!, /nonce is not a string/);
  assert.match(fault(`a=("@method");keyid="${'k'.repeat(2000)}"`)!, /keyid is too long/);
  assert.match(fault('a="@method"')!, /not an inner list/);
  assert.match(fault('a=("@method")', 'a="x"')!, /not a byte sequence/);
  assert.match(fault('a=("@method"), a=("@path")')!, /label twice/);
  assert.match(fault('a=("@method")', 'b=:AA==:')!, /different labels/);
  assert.match(fault('a=(')!, /malformed/);
  assert.match(fault(`a=(${Array.from({ length: 65 }, (_, at) => `"x${at}"`).join(' ')})`)!, /more than 64/);
  const nine = Array.from({ length: 9 }, (_, at) => `s${at}`);
  const all = (of: string): string => nine.map((label) => `${label}=${of}`).join(', ');
  assert.match(fault(all('()'), all(':AA==:'))!, /more than 8 signatures/);
});

test('a missing component and a line break give no base', () => {
  const input = makeInput([componentNamed('@method'), componentNamed('x-none')], { created: 1 });
  assert.equal(signatureBase(REQUEST, input), { missing: componentNamed('x-none') });
  const broken = { ...REQUEST, ...fieldsOf([['x-none', 'a\n"@path": /other']]) };
  assert.equal(signatureBase(broken, input), { missing: componentNamed('x-none') });
});

/** A key pair or secret for each algorithm. */
function pairOf(algorithm: SignatureAlgorithm): { readonly secret: crypto.KeyObject; readonly open: crypto.KeyObject } {
  if (algorithm === 'hmac-sha256') {
    const secret = crypto.createSecretKey(crypto.randomBytes(32));
    return { secret, open: secret };
  }
  const { privateKey, publicKey } =
    algorithm === 'ed25519'
      ? crypto.generateKeyPairSync('ed25519')
      : algorithm.startsWith('rsa')
        ? crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
        : crypto.generateKeyPairSync('ec', { namedCurve: algorithm.includes('p256') ? 'P-256' : 'P-384' });
  return { secret: privateKey, open: publicKey };
}

test('every algorithm signs and verifies, and a key fits its algorithm alone', () => {
  for (const algorithm of SIGNATURE_ALGORITHMS) {
    const { secret, open } = pairOf(algorithm);
    const signature = sign({ algorithm, key: secret }, 'base');
    assert.ok(verify({ algorithm, key: open }, 'base', signature), algorithm);
    assert.not.ok(verify({ algorithm, key: open }, 'bass', signature), algorithm);
    const fitting = SIGNATURE_ALGORITHMS.filter((one) => keyFault(open, one) === undefined);
    assert.equal(fitting, algorithm.startsWith('rsa') ? ['rsa-pss-sha512', 'rsa-v1_5-sha256'] : [algorithm]);
    assert.is(usualAlgorithm(open), algorithm.startsWith('rsa') ? 'rsa-pss-sha512' : algorithm);
  }
  assert.match(keyFault(crypto.createSecretKey(Buffer.alloc(16)), 'hmac-sha256')!, /16 bytes/);
  const { publicKey: short } = crypto.generateKeyPairSync('rsa', { modulusLength: 1024 });
  assert.match(keyFault(short, 'rsa-pss-sha512')!, /1024 bits/);
});

test('RFC 9530: digests of the examples, all of them must be right', () => {
  const [request] = REQUEST.values('content-digest');
  assert.is(contentDigest(Buffer.from(BODY), 'sha-512'), request);
  assert.is(contentDigest(Buffer.from(BODY)), 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:');
  assert.ok(hasDigests(Buffer.from(RESPONSE_BODY), readDigests(RESPONSE.values('content-digest')[0]!)!));
  const both = readDigests(`${request}, ${contentDigest(Buffer.from(BODY))}, md5=:AA==:`)!;
  assert.equal([...both.keys()], ['sha-512', 'sha-256']);
  assert.ok(hasDigests(Buffer.from(BODY), both));
  const mixed = readDigests(`${request}, ${contentDigest(Buffer.from('other'))}`)!;
  assert.not.ok(hasDigests(Buffer.from(BODY), mixed));
  for (const field of ['', 'md5=:AA==:', 'sha-256=abc', 'sha-256=:', 'sha-256=(:AA==:)'])
    assert.is(readDigests(field), undefined, field);
});

test('authorities are compared in lower case and without the default port', () => {
  assert.is(normalAuthority('API.Example.com:443', 'https'), 'api.example.com');
  assert.is(normalAuthority('api.example.com:443', 'http'), 'api.example.com:443');
  assert.is(normalAuthority('api.example.com:8080', 'http'), 'api.example.com:8080');
  assert.is(normalAuthority('[::1]:80', 'http'), '[::1]');
});

test('RSA keys that are bound to other hashes than SHA-512 are refused, not used', () => {
  for (const hash of ['sha256', 'sha512']) {
    const { publicKey } = crypto.generateKeyPairSync('rsa-pss', {
      modulusLength: 2048,
      hashAlgorithm: hash,
      mgf1HashAlgorithm: hash,
    });
    const read = readPublicKey(publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'rsa-pss-sha512');
    if (hash === 'sha256') assert.match(String(read), 'bound to other parameters');
    else assert.is((read as ReadKey).algorithm, 'rsa-pss-sha512');
  }
});

test('a question mark at the start of a query belongs to the first name', () => {
  const paramOf = (name: string): string | undefined => {
    const component = readComponent(['@query-param', new Map([['name', name]])]);
    const parts = { method: 'GET', scheme: 'http', authority: 'a', requestTarget: '/??a=1', path: '/', query: '?a=1' };
    return typeof component === 'string' ? component : componentValue(component, { ...parts, values: () => [] });
  };
  assert.equal([paramOf('a'), paramOf('%3Fa')], [undefined, '1']);
});

test('the value of a field takes time in proportion to its length, and keeps bytes that are no white space', () => {
  const of = (text: string): string | undefined => value('"x"', { ...REQUEST, ...fieldsOf([['x', text]]) });
  const long = `a${' '.repeat(1_000_000)}b`;
  const begin = performance.now();
  assert.is(of(`${long}\t `), long);
  assert.ok(performance.now() - begin < 2000, 'a run of spaces');
  // UTF-8 whose last byte is a no-break space in Latin-1.
  assert.is(of('\tvoil\u00c3\u00a0 '), 'voil\u00c3\u00a0');
  assert.is(of('a \t\r\n \tb\r\n c'), 'a b c');
});

test.run();
