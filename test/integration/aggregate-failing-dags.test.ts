/** Random graphs of calls, some with effects, of which one or more fail: the status, the call that is named, and what ran. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { seeded } from '../support/random.js';
import { until } from '../support/until.js';
import { Bed, type Handler } from './aggregate-kit.js';

interface FailingCall {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly after: readonly string[];
  /** Of its reply. */
  readonly status: number;
  readonly required: boolean;
}

const STATUSES = [404, 409, 429, 500, 503];

function graphOf(random: () => number): readonly FailingCall[] {
  const names = Array.from({ length: 3 + Math.floor(random() * 9) }, (_, index) => `c${index}`);
  return names.map((name, index) => ({
    name,
    method: random() < 0.5 ? 'POST' : 'GET',
    after: names.slice(0, index).filter(() => random() < 0.25),
    status: random() < 0.25 ? STATUSES[Math.floor(random() * STATUSES.length)]! : 200,
    required: random() < 0.7,
  }));
}

const specOf = ({ after, method, name, required }: FailingCall): string =>
  `[route.aggregate.call.${name}]\nservice = "a"\nmethod = "${method}"\npath = "/${name}"\nafter = ${JSON.stringify(after)}\n${required ? '' : 'on_failure = "omit"\n'}`;

/** Runs after some turns of the event loop. */
const later = (turns: number, then: () => void): void =>
  void setImmediate(() => (turns <= 0 ? then() : later(turns - 1, then)));

interface Problem {
  readonly call: string;
  readonly ran?: readonly { call: string; method: string; status: number | null }[];
}

async function check(seed: number): Promise<boolean> {
  const random = seeded(seed);
  const graph = graphOf(random);
  const byName = new Map(graph.map((call) => [call.name, call]));
  const handler: Handler = ({ url }, reply) => {
    const { status } = byName.get(url.slice(1))!;
    later(Math.floor(random() * 30), () => void reply.writeHead(status).end('{}'));
  };
  const bed = await Bed.start({ a: handler }, graph.map(specOf).join(''), { match: 'POST /page/{id}' });
  const service = bed.services['a']!;
  try {
    const reply = await bed.get('/page/7', { method: 'POST' });
    const sent = service.urls.map((url) => byName.get(url.slice(1))!);
    const failing = sent.filter(({ required, status }) => required && status !== 200);
    if (failing.length === 0) {
      assert.equal([reply.status, sent.length], [200, graph.length], `seed ${seed}`);
      return false;
    }
    const { call, ran = [] } = reply.body as Problem;
    const named = failing.find(({ name }) => name === call);
    assert.ok(named !== undefined, `seed ${seed}: ${call}`);
    assert.is(reply.status, named.status < 500 ? named.status : 502, `seed ${seed}`);
    const effects = sent.filter(({ method }) => method === 'POST');
    assert.equal(
      ran.map((one) => `${one.method} ${one.call} ${one.status}`).sort(),
      effects.map(({ method, name, status }) => `${method} ${name} ${status}`).sort(),
      `seed ${seed}`,
    );
    await until(() => service.open === 0, 'the calls in progress have ended');
    assert.is(service.got.length, sent.length, `seed ${seed}: nothing was sent after the reply`);
    return true;
  } finally {
    await bed.close();
  }
}

test('whatever fails, the problem names a call that failed, and lists each call with effects that ran', async () => {
  let failed = 0;
  for (let seed = 1; seed <= 40; seed++) if (await check(seed)) failed++;
  assert.ok(failed > 15, `${failed} of 40 failed`);
});

test.run();
