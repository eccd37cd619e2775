/** AWS Signature Version 4: the published vectors, sources of credentials, payloads. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DutyFetchOptions, DutyHost, DutyReply, Json } from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';
import {
  type AwsRequest,
  amzDate,
  authorization,
  canonicalRequest,
  sha256,
  UNSIGNED_PAYLOAD,
} from '../../src/policies/upstream-auth/aws/sigv4.js';
import { findCredentials } from '../../src/policies/upstream-auth/aws/source.js';
import { CredentialsDuty } from '../../src/policies/upstream-auth/duty.js';
import { compile, declaration, decode, exchange, host as hostOf, lint, world } from './support.js';
import { attemptOf, bed, NOW, type Ran, ROUTE, run } from './upstream-auth-kit.js';

// The test suite of AWS, "aws-sig-v4-test-suite".
const EXAMPLE = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const DATE = '20150830T123600Z';
const SCOPE = { region: 'us-east-1', service: 'service' };
const HOST = ['host', 'example.amazonaws.com'] as const;
const AT = ['x-amz-date', DATE] as const;
const FORM = ['content-type', 'application/x-www-form-urlencoded'] as const;

interface Vector extends Partial<AwsRequest> {
  readonly body?: string;
  readonly signature: string;
}

const UNRESERVED = '-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const VECTORS: { readonly [name: string]: Vector } = {
  'get-vanilla': { signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31' },
  'get-vanilla-query': { signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31' },
  'get-vanilla-query-order-key-case': {
    target: '/?Param2=value2&Param1=value1',
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  'get-vanilla-empty-query-key': {
    target: '/?Param1=value1',
    signature: 'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
  },
  'get-unreserved': {
    target: `/${UNRESERVED}`,
    signature: '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
  },
  'get-utf8': { target: '/ሴ', signature: '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85' },
  'get-vanilla-utf8-query': {
    target: '/?ሴ=bar',
    signature: '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
  },
  'get-vanilla-query-order-encoded': {
    target: '/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1',
    signature: '371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac',
  },
  'get-vanilla-query-unreserved': {
    target: `/?${UNRESERVED}=${UNRESERVED}`,
    signature: '9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197',
  },
  'get-vanilla-with-session-token': {
    headers: [HOST, AT, ['x-amz-security-token', '6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267']],
    signature: '07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8',
  },
  'get-header-key-duplicate': {
    headers: [HOST, ['my-header1', 'value2'], ['my-header1', 'value2'], ['my-header1', 'value1'], AT],
    signature: 'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
  },
  'get-header-value-order': {
    headers: [HOST, ...['value4', 'value1', 'value3', 'value2'].map((value) => ['my-header1', value] as const), AT],
    signature: '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
  },
  'get-header-value-trim': {
    headers: [HOST, ['my-header1', ' value1'], ['my-header2', ' "a   b   c"'], AT],
    signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  },
  'get-space': {
    target: '/example space/',
    signature: '652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741',
  },
  'get-relative-relative': {
    target: '/example1/example2/../..',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  'get-relative': {
    target: '/example/..',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  'get-slash': { target: '//', signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31' },
  'get-slash-dot-slash': {
    target: '/./',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  'get-slash-pointless-dot': {
    target: '/./example',
    signature: 'ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5',
  },
  'get-slashes': {
    target: '//example//',
    signature: '9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84',
  },
  'post-vanilla': { method: 'POST', signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b' },
  'post-header-key-sort': {
    method: 'POST',
    headers: [HOST, ['my-header1', 'value1'], AT],
    signature: 'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  },
  'post-header-value-case': {
    method: 'POST',
    headers: [HOST, ['my-header1', 'VALUE1'], AT],
    signature: 'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
  },
  // The token is added after the signature.
  'post-sts-header-after': {
    method: 'POST',
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  'post-vanilla-query': {
    method: 'POST',
    target: '/?Param1=value1',
    signature: '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
  },
  'post-x-www-form-urlencoded': {
    method: 'POST',
    headers: [FORM, HOST, AT],
    body: 'Param1=value1',
    signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  },
  'post-x-www-form-urlencoded-parameters': {
    method: 'POST',
    headers: [
      ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
      HOST,
      ['content-length', '13'],
      ['x-amz-content-sha256', sha256('Param1=value1')],
      AT,
    ],
    body: 'Param1=value1',
    signature: '328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422',
  },
  'post-sts-header-before': {
    method: 'POST',
    headers: [
      HOST,
      AT,
      [
        'x-amz-security-token',
        'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==',
      ],
    ],
    signature: '85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead',
  },
};

for (const [name, { body = '', signature, ...given }] of Object.entries(VECTORS)) {
  test(`AWS test suite: ${name}`, () => {
    const request = { method: 'GET', target: '/', headers: [HOST, AT], payload: sha256(body), ...given };
    const value = authorization(request, EXAMPLE, SCOPE, DATE);
    assert.match(
      value,
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20150830\/us-east-1\/service\/aws4_request, SignedHeaders=/,
    );
    assert.is(value.split('Signature=')[1], signature);
  });
}

test('the example of the general reference: IAM ListUsers', () => {
  const request = {
    method: 'GET',
    target: '/?Action=ListUsers&Version=2010-05-08',
    headers: [['content-type', 'application/x-www-form-urlencoded; charset=utf-8'], ['host', 'iam.amazonaws.com'], AT],
    payload: sha256(''),
  } as const;
  const scope = { region: 'us-east-1', service: 'iam' };
  const { text } = canonicalRequest(request, 'iam');
  assert.is(sha256(text), 'f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59');
  const value = authorization(request, EXAMPLE, scope, DATE);
  assert.is(value.split('Signature=')[1], '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7');
});

// The examples of the S3 documentation, "Signature Calculations for the Authorization Header".
const S3_KEYS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const BUCKET = ['host', 'examplebucket.s3.amazonaws.com'] as const;
const S3_DATE = '20130524T000000Z';

function s3(method: string, target: string, body: string, more: AwsRequest['headers'] = []): string {
  const payload = sha256(body);
  const headers = [BUCKET, ['x-amz-content-sha256', payload], ['x-amz-date', S3_DATE], ...more] as const;
  const request = { method, target, headers, payload };
  return authorization(request, S3_KEYS, { region: 'us-east-1', service: 's3' }, S3_DATE).split('Signature=')[1]!;
}

test('the examples of the S3 documentation', () => {
  assert.is(
    s3('GET', '/test.txt', '', [['range', 'bytes=0-9']]),
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  );
  const put = [
    ['date', 'Fri, 24 May 2013 00:00:00 GMT'],
    ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
  ] as const;
  assert.is(
    s3('PUT', '/test$file.text', 'Welcome to Amazon S3.', put),
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  );
  assert.is(s3('GET', '/?lifecycle', ''), 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543');
  assert.is(s3('GET', '/?max-keys=2&prefix=J', ''), '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7');
});

test('S3 signs the names of objects as they are, other services the path as it is sent', () => {
  const of = (target: string, service: string): string =>
    canonicalRequest({ method: 'GET', target, headers: [HOST], payload: '' }, service).text.split('\n')[1]!;
  assert.is(of('/a%20b//c/./d', 's3'), '/a%20b//c/./d');
  for (const service of ['s3-outposts', 's3-object-lambda', 's3express'])
    assert.is(of('/a%20b//c', service), '/a%20b//c', service);
  assert.is(of('/a%20b//c/./d/', 'execute-api'), '/a%2520b/c/d/');
  assert.is(of('', 's3'), '');
});

test('the values of fields are signed as the bytes that are sent', () => {
  const of = (value: string): string => {
    const headers = [HOST, ['x-amz-meta-name', value]] as const;
    return authorization({ method: 'GET', target: '/', headers, payload: '' }, EXAMPLE, SCOPE, DATE);
  };
  // Computed apart from gw, over the bytes 63 61 66 c3 a9.
  assert.match(of('caf\u00c3\u00a9'), 'Signature=84ef18518def9932dffe84d634aafa782aae3facc6e8fedda0470ce9e1669117');
  // The last byte is that of a no-break space in Latin-1, which is no white space of fields.
  assert.match(of(' voil\u00c3\u00a0 '), 'Signature=1daef0ebfb5e1ac2a39c1959cd7530253ad18f9a1f54ee80604e6d61251835fc');
});

test('escapes need not be UTF-8', () => {
  const headers = [HOST];
  const { text } = canonicalRequest({ method: 'GET', target: '/a%ff%2f%41?k=%fe+1', headers, payload: '' }, 's3');
  assert.equal(text.split('\n').slice(1, 3), ['/a%FF%2FA', 'k=%FE%201']);
});

const KEYS = 'access_key_id = "${env:ID}", secret_access_key = "${env:SECRET}"';
const SECRETS = { '${env:ID}': 'AKIDEXAMPLE', '${env:SECRET}': EXAMPLE.secretAccessKey, '${env:T}': 'session' };
const aws = (more = KEYS, service = 'execute-api'): string =>
  `aws = { service = "${service}", region = "eu-central-1", ${more} }`;

test('a request is signed as the target gets it', async () => {
  const b = bed(aws(`${KEYS}, session_token = "\${env:T}"`), SECRETS);
  const body = Buffer.from('{}');
  const headers = [
    ['content-type', 'application/json'],
    ['x-amz-security-token', 'forged'],
    ['x-other', 'o'],
  ] as const;
  const { attempt } = await run(b, { method: 'POST', query: 'b=2&a=1', headers }, { body });
  const date = amzDate(NOW * 1000);
  assert.is(attempt.fields.get('x-amz-date'), date);
  assert.is(attempt.fields.get('x-amz-content-sha256'), sha256(body));
  assert.is(attempt.fields.get('x-amz-security-token'), 'session');
  const expected = authorization(
    {
      method: 'POST',
      target: '/orders/1?b=2&a=1',
      headers: [
        ['content-type', 'application/json'],
        ['host', 'orders.internal'],
        ['x-amz-content-sha256', sha256(body)],
        ['x-amz-date', date],
        ['x-amz-security-token', 'session'],
      ],
      payload: sha256(body),
    },
    EXAMPLE,
    { region: 'eu-central-1', service: 'execute-api' },
    date,
  );
  assert.is(attempt.fields.get('authorization'), expected);
  assert.match(expected, 'SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token,');
});

test('bodies: collected and signed, or unsigned over TLS', async () => {
  const signed = bed(aws(), SECRETS);
  const bodyOf = (keys: string) => declaration('upstream-auth').body?.(decode('upstream-auth', keys).config);
  assert.equal(bodyOf(aws()), { request: { max: 1024 ** 2, mandatory: false, encoded: true } });
  assert.is((await run(signed, { method: 'PUT', hasBody: true })).reply?.cause, 'the body was not collected');
  const unsigned = aws(`${KEYS}, payload = "unsigned"`, 's3');
  const streaming = bed(unsigned, SECRETS);
  assert.is(bodyOf(unsigned), undefined);
  const { attempt } = await run(streaming, { method: 'PUT', hasBody: true });
  assert.is(attempt.fields.get('x-amz-content-sha256'), UNSIGNED_PAYLOAD);
  const plain = await run(streaming, { method: 'PUT', hasBody: true }, { target: 'http://orders.internal' });
  assert.is(plain.reply?.cause, 'an unsigned body needs TLS');
});

test('a call without a body is signed, whatever body the request of its exchange has', async () => {
  const b = bed(aws(), SECRETS);
  const { attempt, reply } = await run(b, { method: 'POST', hasBody: true }, { method: 'GET', hasBody: false });
  assert.is(reply, undefined);
  assert.is(attempt.fields.get('x-amz-content-sha256'), sha256(''));
});

test('fetched credentials: none yet, and none after their end', async () => {
  const b = bed(aws('source = "instance"'));
  assert.is((await run(b)).reply?.cause, 'no AWS credentials yet: duties do not run here');
  b.policy.published!({ ...EXAMPLE, sessionToken: 's', expires: NOW * 1000 + 1000 });
  assert.is((await run(b)).reply, undefined);
  b.around.wall! += 2000;
  const { reply } = await run(b);
  assert.is(reply?.status, 503);
  assert.match(reply?.cause ?? '', /^the AWS credentials have expired/);
  assert.is(await b.policy.onAttempt!(exchange(), attemptOf(exchange(), { service: 'other' })), undefined);
});

test('without credentials the duty is asked, and not again at once if it has none', async () => {
  const asked: Json[] = [];
  const host = { ...hostOf(Object.assign(world(), { wall: NOW * 1000 })) };
  const settings = compile('upstream-auth', aws('source = "instance"'), { routes: [ROUTE] })!;
  let answer: () => Promise<Json> = () => Promise.reject(new Error('instance metadata: status 500'));
  const policy = runHalves['upstream-auth']!(settings, {
    ...host,
    ask: (question) => {
      asked.push(question);
      return answer();
    },
  });
  const once = (): Promise<Ran> => run({ policy, around: world() });
  assert.is((await once()).reply?.cause, 'no AWS credentials yet: instance metadata: status 500');
  await once();
  assert.is(asked.length, 1);
  const other = runHalves['upstream-auth']!(settings, { ...host, ask: async () => answer() });
  answer = async () => {
    other.published!(EXAMPLE);
    return true;
  };
  assert.is((await run({ policy: other, around: world() })).reply, undefined);
});

// ---------------------------------------------------------------- sources

interface Asked {
  readonly url: string;
  readonly options: DutyFetchOptions;
}

type Answer = { readonly status?: number; readonly body: string };

function fetching(answers: (url: string, options: DutyFetchOptions) => Answer): {
  asked: Asked[];
  fetch: DutyHost['fetch'];
} {
  const asked: Asked[] = [];
  return {
    asked,
    fetch: async (url, options = {}): Promise<DutyReply> => {
      asked.push({ url, options });
      const { status = 200, body } = answers(url, options);
      return { status, headers: {}, body: Buffer.from(body) };
    },
  };
}

const ANSWER = {
  AccessKeyId: 'ASIA1',
  SecretAccessKey: 'secret',
  Token: 'token',
  Expiration: new Date((NOW + 3600) * 1000).toISOString(),
};
const FOUND = { accessKeyId: 'ASIA1', secretAccessKey: 'secret', sessionToken: 'token', expires: (NOW + 3600) * 1000 };
const common = { region: 'eu-central-1', now: NOW * 1000 };

const rejection = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: Error) => error.message,
  );

test('the environment', async () => {
  const { fetch } = fetching(() => ({ body: '' }));
  const environment = { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'S', AWS_SESSION_TOKEN: 'T' };
  const found = await findCredentials('auto', { ...common, fetch, environment });
  assert.equal(found, { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T' });
  assert.match(
    await rejection(findCredentials('environment', { ...common, fetch, environment: {} })),
    'AWS_ACCESS_KEY_ID is not set',
  );
  // Empty variables are none.
  const empty = { AWS_ACCESS_KEY_ID: '', AWS_WEB_IDENTITY_TOKEN_FILE: '', AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '' };
  const { asked, fetch: refuse } = fetching(() => ({ status: 404, body: '' }));
  await rejection(findCredentials('auto', { ...common, fetch: refuse, environment: empty }));
  assert.is(asked[0]!.url, 'http://169.254.169.254/latest/api/token');
});

test('containers: ECS by a relative URI, EKS by a full one and a token file, no other machine over http', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-aws-'));
  try {
    const { asked, fetch } = fetching(() => ({ body: JSON.stringify(ANSWER) }));
    const ecs = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/x' };
    assert.equal(await findCredentials('auto', { ...common, fetch, environment: ecs }), FOUND);
    assert.is(asked[0]!.url, 'http://169.254.170.2/v2/x');
    const file = join(folder, 'token');
    writeFileSync(file, 'container-token\n');
    const eks = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
    };
    assert.equal(await findCredentials('container', { ...common, fetch, environment: eks }), FOUND);
    assert.is(asked[1]!.options.headers?.['authorization'], 'container-token');
    const elsewhere = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://example.com/' };
    assert.match(
      await rejection(findCredentials('container', { ...common, fetch, environment: elsewhere })),
      'another machine',
    );
    assert.is(asked.length, 2);
    const noFile = { ...ecs, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '', AWS_CONTAINER_AUTHORIZATION_TOKEN: '' };
    assert.equal(await findCredentials('auto', { ...common, fetch, environment: noFile }), FOUND);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('instance metadata, version 2: a session token, the role, its credentials', async () => {
  const { asked, fetch } = fetching((url, { headers }) => {
    if (url.endsWith('/latest/api/token')) return { body: 'imds-token' };
    if (headers?.['x-aws-ec2-metadata-token'] !== 'imds-token') return { status: 401, body: '' };
    return { body: url.endsWith('/security-credentials/') ? 'my-role\n' : JSON.stringify(ANSWER) };
  });
  assert.equal(await findCredentials('auto', { ...common, fetch, environment: {} }), FOUND);
  assert.is(asked[0]!.options.method, 'PUT');
  assert.equal(
    asked.map(({ url }) => url.replace('http://169.254.169.254/latest', '')),
    ['/api/token', '/meta-data/iam/security-credentials/', '/meta-data/iam/security-credentials/my-role'],
  );
  const none = fetching((url) => ({ body: url.endsWith('token') ? 't' : '' }));
  assert.is(
    await rejection(findCredentials('instance', { ...common, fetch: none.fetch, environment: {} })),
    'the instance has no role',
  );
  const off = fetching(() => ({ status: 403, body: '' }));
  assert.is(
    await rejection(findCredentials('instance', { ...common, fetch: off.fetch, environment: {} })),
    'instance metadata: status 403',
  );
});

test('the instance metadata is not asked where AWS_EC2_METADATA_DISABLED forbids it', async () => {
  const environment = { AWS_EC2_METADATA_DISABLED: 'TRUE' };
  const fetch = () => Promise.reject(new Error('asked'));
  for (const source of ['auto', 'instance'] as const)
    assert.match(await rejection(findCredentials(source, { ...common, fetch, environment })), 'forbids');
});

test('web identity: STS, in JSON and in XML', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-aws-'));
  try {
    const file = join(folder, 'token');
    writeFileSync(file, 'web-token');
    const environment = {
      AWS_WEB_IDENTITY_TOKEN_FILE: file,
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/r',
      AWS_ROLE_SESSION_NAME: 's',
    };
    const { Token, ...rest } = ANSWER;
    const Credentials = { ...rest, SessionToken: Token, Expiration: NOW + 3600 };
    const reply = { AssumeRoleWithWebIdentityResponse: { AssumeRoleWithWebIdentityResult: { Credentials } } };
    const { asked, fetch } = fetching(() => ({ body: JSON.stringify(reply) }));
    assert.equal(await findCredentials('auto', { ...common, fetch, environment }), FOUND);
    assert.is(asked[0]!.url, 'https://sts.eu-central-1.amazonaws.com/');
    const form = Object.fromEntries(new URLSearchParams(asked[0]!.options.body));
    assert.equal(form, {
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: 'arn:aws:iam::1:role/r',
      RoleSessionName: 's',
      WebIdentityToken: 'web-token',
    });
    const xml = `<A><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>${ANSWER.Expiration}</Expiration></A>`;
    const old = fetching(() => ({ body: xml }));
    assert.equal(await findCredentials('web-identity', { ...common, fetch: old.fetch, environment }), FOUND);
    const china = fetching(() => ({ body: xml }));
    await findCredentials('auto', { ...common, region: 'cn-north-1', fetch: china.fetch, environment });
    assert.is(china.asked[0]!.url, 'https://sts.cn-north-1.amazonaws.com.cn/');
    const denied = fetching(() => ({ status: 403, body: 'web-token' }));
    assert.is(
      await rejection(findCredentials('web-identity', { ...common, fetch: denied.fetch, environment })),
      'STS: status 403',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the duty publishes, and is due before the credentials end', async () => {
  const published: Json[] = [];
  const { fetch } = fetching((url) => ({
    body: url.endsWith('token') ? 't' : url.endsWith('/') ? 'r' : JSON.stringify(ANSWER),
  }));
  const clock = { now: () => NOW * 1000, monotonic: () => 0 };
  const host = { clock, fetch, publish: (value: Json) => void published.push(value) } as unknown as DutyHost;
  assert.is(await new CredentialsDuty('instance', 'r', host, {}).run(), 3_300_000);
  assert.equal(published, [FOUND]);
  const fixed = { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'S' };
  assert.is(await new CredentialsDuty('environment', 'r', host, fixed).run(), 300_000);
});

test('lint: keys and sources', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [aws(), []],
    [aws('payload = "signed"'), []],
    [aws('access_key_id = "${env:ID}"'), ['upstream-auth/aws aws']],
    [aws('session_token = "${env:T}"'), ['upstream-auth/aws aws']],
    [aws(`${KEYS}, source = "instance"`), ['upstream-auth/aws aws.source']],
  ];
  for (const [text, found] of cases) assert.equal(lint('upstream-auth', text), found, text);
});

test.run();
