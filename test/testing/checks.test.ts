/** The contract suite finds what it is for: each bad policy fails the check that is named after its fault. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { definePolicy } from '../../src/custom/define.js';
import type { PolicyInstance } from '../../src/policies/contract.js';
import { BytesReply } from '../../src/policies/run-kit.js';
import { contractChecks, policyOf } from '../../src/testing/index.js';

const define = (create: () => PolicyInstance) => definePolicy({ summary: 'A test', phase: 'transform', create });

/** The checks that fail. */
async function failing(instance: () => PolicyInstance): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of contractChecks(define(instance))) {
    try {
      await run();
    } catch {
      failed.push(name);
    }
  }
  return failed;
}

const upper = (bytes: Uint8Array): Buffer => Buffer.from(Buffer.from(bytes).toString('latin1').toUpperCase(), 'latin1');

test('a good policy with every kind of hook passes', async () => {
  const good = (): PolicyInstance => ({
    before: (exchange) => void exchange.headers.set('x-seen', 'yes'),
    after: (_exchange, reply) => void reply.headers.set('x-seen', 'yes'),
    replyStage: (_exchange, _reply, out) => ({
      write: (bytes) => out.write(upper(bytes)),
      end: (trailers) => out.end(trailers),
      abort: () => {},
    }),
    finished: () => {},
    stats: () => ({ count: 1 }),
    close: () => {},
  });
  assert.equal(await failing(good), []);
});

for (const [what, check, instance] of [
  ['an exception for a hostile request', /hostile/, () => ({ before: (x) => void decodeURIComponent(x.query) })],
  ['an undeclared problem', /problems/, () => ({ before: () => new BytesReply(403, { code: 'a/b' }) })],
  ['the system clock', /host alone/, () => ({ before: () => void Date.now() })],
  ['a timer', /host alone/, () => ({ before: () => void clearTimeout(setTimeout(() => {}, 1)) })],
  [
    'a credential in a decision',
    /secrets/,
    () => ({
      before: (x) =>
        void x.decisions?.push({ step: 'a', use: 'a', outcome: 'pass', why: x.header('authorization') ?? '' }),
    }),
  ],
  [
    'a stage that keeps the bytes of its caller',
    /one byte/,
    () => ({
      replyStage: (_x, _r, out) => {
        const kept: Uint8Array[] = [];
        return {
          write: (bytes) => kept.push(bytes) > 0,
          end: () => {
            for (const part of kept) out.write(part);
            out.end();
          },
          abort: () => {},
        };
      },
    }),
  ],
  [
    'a stage that writes after abort',
    /end before any hook/,
    () => ({
      replyStage: (_x, _r, out) => ({
        write: (bytes) => out.write(bytes),
        end: () => out.end(),
        abort: () => void out.write(Buffer.from('late')),
      }),
    }),
  ],
  ['stats that are no JSON', /stats/, () => ({ stats: () => new Map([[1, 2]]) as unknown as null })],
] as const satisfies readonly (readonly [string, RegExp, () => PolicyInstance])[]) {
  test(`${what} fails the suite`, async () => {
    const failed = await failing(instance);
    assert.ok(
      failed.some((name) => check.test(name)),
      failed.join('; '),
    );
  });
}

test('a policy under test has virtual time, and its calls are mocked', async () => {
  const policy = definePolicy({
    summary: 'A test',
    phase: 'authorize',
    calls: () => [{ at: [], service: 'auth' }],
    create: (_settings: unknown, host) => {
      let late = false;
      host.after(60_000, () => {
        late = true;
      });
      return {
        before: async () =>
          late ? new BytesReply((await host.call('auth', { method: 'GET', path: '/' })).status) : undefined,
      };
    },
  });
  const tested = policyOf(policy, {}, { services: { auth: { status: 418 } } });
  assert.not.ok((await tested.request()).answered);
  tested.advance(60_000);
  assert.is((await tested.request()).status, 418);
});

test('a config that is not valid is refused with the messages of gw', () => {
  assert.throws(
    () =>
      policyOf(
        define(() => ({})),
        { key: 1 },
      ),
    /Unknown key `key`/,
  );
});

test('policyOf() answers for the paths of a policy', async () => {
  const policy = definePolicy({
    summary: 'Counts',
    phase: 'transform',
    paths: () => [{ name: 'count', match: 'GET /count', at: [] }],
    create: () => ({ answer: (_exchange, path, body) => new BytesReply(200, { body: `${path} ${body.length}` }) }),
  });
  const { answered, body, status } = await policyOf(policy).answer('count', { body: 'four' });
  assert.equal([answered, body, status], [true, 'count 4', 200]);
});

test('paths and answer() belong together', () => {
  const paths = () => [{ name: 'count', match: 'GET /count', at: [] }];
  const alone = definePolicy({
    summary: 'Counts',
    phase: 'transform',
    paths,
    create: () => ({ before: () => undefined }),
  });
  assert.throws(() => policyOf(alone), /belong together/);
  const unnamed = define(() => ({ answer: () => new BytesReply(200, {}) }));
  assert.throws(() => policyOf(unnamed), /belong together/);
});

test('stages get trailers, and what they end with is behind the body', async () => {
  const policy = define(() => ({
    requestStage: (_exchange, out) => ({
      write: (bytes) => out.write(bytes),
      end: (trailers) => {
        trailers?.remove('x-private');
        out.end(trailers);
      },
      abort: () => {},
    }),
    replyStage: (_exchange, _reply, out) => ({
      write: (bytes) => out.write(bytes),
      end: (trailers) => {
        out.write(Buffer.from(` ${trailers?.get('x-sum')}`));
        out.end();
      },
      abort: () => {},
    }),
  }));
  const request = { method: 'POST', body: 'abc', trailers: { 'x-private': '1', 'x-kept': '2' } };
  const result = await policyOf(policy).request(request, { body: 'reply', trailers: { 'x-sum': '5' } });
  assert.equal(result.forwarded?.trailers, { 'x-kept': '2' });
  assert.is(result.body, 'reply 5');
  assert.equal(result.trailers, {});
});

test.run();
