/**
 * What an exchange promises to every downstream: the same tests over HTTP/1.1 connections and over streams in memory that
 * have no HTTP/1.1 text.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Exchange, PolicyInstance, Reply } from '../../src/policies/contract.js';
import { BytesReply } from '../../src/policies/run-kit.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { Engine } from '../../src/proxy/engine.js';
import { RecordSink } from '../../src/proxy/exchange/access-record.js';
import { Generation, PolicyInstances } from '../../src/proxy/exchange/generation.js';
import type { GenerationInput } from '../../src/proxy/types.js';
import { TargetRegistry } from '../../src/proxy/upstream/registry.js';
import { systemClock } from '../../src/state/clock.js';
import { ConnectionTable } from '../../src/state/connection-table.js';
import { LimitTable } from '../../src/state/limits/table.js';
import type { RequestRecord } from '../../src/telemetry/snapshot.js';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import * as faults from '../support/fault-target.js';
import { MemoryStream } from '../support/memory-stream.js';
import type { Pair } from '../support/pair-fields.js';
import { stores } from '../support/stores.js';
import { FaultTarget, generationOf, Plane, type RawReply, specOf, until } from './engine-kit.js';

interface Ask {
  readonly method?: string;
  readonly target?: string;
  readonly fields?: readonly Pair[];
  /** Sent with its length, unless `chunked`. */
  readonly body?: string;
  readonly chunked?: boolean;
  /** The length that is declared in place of the body's. */
  readonly declared?: number;
}

interface Got {
  readonly status: number;
  readonly fields: readonly Pair[];
  readonly body: string;
  readonly trailers: readonly Pair[];
  readonly interims: readonly { readonly status: number; readonly fields: readonly Pair[] }[];
}

/** One exchange, as its client sees it. */
interface Asked {
  reply(): Promise<Got>;
  /** Resolves when the client sees that there is no complete reply. */
  cut(): Promise<void>;
  leave(): void;
  pause(): void;
  resume(): void;
}

interface Gateway {
  readonly records: readonly RequestRecord[];
  ask(request: Ask): Asked;
  close(): Promise<void>;
}

const logger = { debug() {}, info() {}, warn() {}, error() {} };

class Streams implements Gateway {
  readonly records: RequestRecord[] = [];
  readonly #engine: Engine;
  readonly #generation: Generation;
  readonly #sink: RecordSink;
  readonly #targets: TargetRegistry;
  readonly #sweep: NodeJS.Timeout;

  constructor(input: GenerationInput) {
    this.#sink = new RecordSink({ requests: (records) => this.records.push(...records) });
    this.#sink.level = 'records';
    const connections = new ConnectionTable(ConnectionTable.allocate({ workers: 1 }), 0);
    this.#engine = new Engine(systemClock, () => {}, this.#sink, connections);
    this.#engine.stats.adopt(input.stats.chunks);
    this.#targets = new TargetRegistry(this.#engine);
    const limits = new LimitTable(LimitTable.allocate({ slots: 64 }));
    const world = {
      clock: systemClock,
      random: Math.random,
      logger,
      limits,
      calls: this.#engine.calls,
      exchanges: this.#engine.inner,
      ...stores(systemClock),
    };
    this.#generation = new Generation(input, new PolicyInstances(world), logger);
    this.#generation.connect(this.#targets.adopt(this.#targets.prepare(input.program.services, input.stats)));
    this.#sweep = setInterval(() => {
      const now = this.#engine.monotonic();
      this.#targets.sweep(now);
      this.#engine.uploads.sweep(now);
      this.#sink.handOver();
    }, 20);
  }

  ask({ method = 'GET', target = '/', fields = [], body, chunked = false, declared }: Ask): Asked {
    const length = declared ?? (body === undefined || chunked ? undefined : body.length);
    const pairs: readonly Pair[] = [['host', 'a.example'], ...fields];
    const stream = new MemoryStream(this.#engine, this.#generation, { method, target, fields: pairs, length, body });
    return {
      reply: async () => {
        await until(() => stream.end !== 'open', 'the end of the stream');
        assert.is(stream.end, 'whole');
        const { status, interims, trailerFields } = stream;
        return { status, fields: stream.fields, body: stream.content.toString(), trailers: trailerFields, interims };
      },
      cut: async () => {
        await until(() => stream.end !== 'open', 'the end of the stream');
        assert.is(stream.end, 'cut');
      },
      leave: () => stream.reset(),
      pause: () => stream.pause(),
      resume: () => stream.resume(),
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#generation.finish();
    this.#targets.close();
  }
}

class Connections implements Gateway {
  readonly #plane: Plane;

  private constructor(plane: Plane) {
    this.#plane = plane;
  }

  static async start(input: GenerationInput, spec: string): Promise<Connections> {
    const plane = await Plane.start(spec);
    const { registry } = plane;
    const slots = registry.assign(input.program, Date.now());
    const [bound] = await plane.plane.load({ ...input, id: 2, stats: { ...slots, chunks: registry.chunks(0) } });
    plane.ports = [Number(bound!.address.split(':').at(-1))];
    return new Connections(plane);
  }

  get records(): readonly RequestRecord[] {
    return this.#plane.records;
  }

  ask({ method = 'GET', target = '/', fields = [], body, chunked = false, declared }: Ask): Asked {
    const client = this.#plane.client();
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const length = declared ?? body?.length;
    const framing = chunked
      ? 'transfer-encoding: chunked\r\n'
      : length === undefined
        ? ''
        : `content-length: ${length}\r\n`;
    const sent = body === undefined ? '' : chunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
    client.send(`${method} ${target} HTTP/1.1\r\nhost: a.example\r\n${lines}${framing}\r\n${sent}`);
    return {
      reply: async () => {
        const interims: RawReply[] = [];
        for (;;) {
          const reply = await client.reply({ head: method === 'HEAD' });
          if (reply.status < 200) {
            interims.push(reply);
            continue;
          }
          client.destroy();
          return { status: reply.status, fields: reply.fields, body: reply.body.toString(), trailers: [], interims };
        }
      },
      cut: () => client.end(),
      leave: () => void client.socket.resetAndDestroy(),
      pause: () => void client.socket.pause(),
      resume: () => void client.socket.resume(),
    };
  }

  close(): Promise<void> {
    return this.#plane.close();
  }
}

/** Policies of the route, by their place in the chain; what they do is set by each test. */
const instances: (PolicyInstance & { outermost?: boolean })[] = [];

const KINDS = ['HTTP/1.1 connections', 'streams in memory'] as const;

async function open(
  kind: (typeof KINDS)[number],
  url: string,
  options: Parameters<typeof specOf>[1],
): Promise<Gateway> {
  const spec = specOf(url, options);
  const registry = new StatsRegistry({ workers: 1 });
  const input = generationOf(spec, registry);
  const policies = instances.map((instance, at) => {
    const use = `test-downstream-${at}`;
    Object.assign(runHalves, { [use]: () => instance });
    const replyPhase = instance.outermost === true ? { replyPhase: 'fields' as const } : {};
    const name = `p${at}`;
    const more = { settings: null, config: {}, origins: {}, ...replyPhase };
    return { use, name, phase: 'transform' as const, identity: `${name} ${Math.random()}`, ...more };
  });
  const routes = input.program.routes.map((route) => ({ ...route, policies: policies.map((_, at) => at) }));
  const composed = { ...input, program: { ...input.program, policies, routes } };
  return kind === 'streams in memory' ? new Streams(composed) : await Connections.start(composed, spec);
}

interface Context {
  target: FaultTarget;
  gateway: Gateway | undefined;
}

const mark = (name: string, more: PolicyInstance & { outermost?: boolean } = {}): PolicyInstance => ({
  after: (_exchange: Exchange, reply: Reply) => void reply.headers.append('x-mark', name),
  ...more,
});

const fieldOf = ({ fields }: { readonly fields: readonly Pair[] }, name: string): string | undefined => {
  const values = fields.filter(([key]) => key === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
};

for (const kind of KINDS) {
  const test = suite<Context>(kind);

  test.before.each(async (context) => {
    instances.splice(0);
    context.gateway = undefined;
    context.target = await FaultTarget.start();
  });
  test.after.each(async ({ target, gateway }) => {
    await gateway?.close();
    await target.close();
  });

  const start = async (
    context: Context,
    steps: readonly PolicyInstance[] = [],
    options: Parameters<typeof specOf>[1] = {},
  ): Promise<Gateway> => {
    instances.push(...steps);
    context.gateway = await open(kind, context.target.url, { service: 'retries = 0\neject_after = 0', ...options });
    return context.gateway;
  };

  test('a target’s reply passes the policies in reverse order, the outermost last', async (context) => {
    const gateway = await start(context, [mark('a', { outermost: true }), mark('b'), mark('c')]);
    context.target.respond = faults.ok('hello', 'X-Theirs: 1\r\n');
    const got = await gateway.ask({ target: '/x?y=1', fields: [['x-sent', 'yes']] }).reply();
    assert.is(got.status, 200);
    assert.is(got.body, 'hello');
    assert.is(fieldOf(got, 'x-theirs'), '1');
    assert.is(fieldOf(got, 'x-mark'), 'c, b, a');
    const [arrived] = context.target.arrived;
    assert.is(arrived!.url, '/x?y=1');
    assert.is(arrived!.header('x-sent'), 'yes');
    assert.is(arrived!.header('host'), 'a.example');
  });

  test('a policy’s answer passes the policies outside it, and never its own after()', async (context) => {
    const answering = mark('b', { before: () => new BytesReply(403, { body: 'no' }) });
    const gateway = await start(context, [mark('a'), answering, mark('c'), mark('d', { outermost: true })]);
    const got = await gateway.ask({}).reply();
    assert.equal([got.status, got.body, fieldOf(got, 'x-mark')], [403, 'no', 'a, d']);
    assert.is(context.target.arrived.length, 0);
  });

  test('edits of the request reach the target', async (context) => {
    const editing: PolicyInstance = {
      before: (exchange) => {
        exchange.headers.set('x-set', 'new');
        exchange.headers.remove('x-gone');
        exchange.headers.remove('via');
        return undefined;
      },
    };
    const gateway = await start(context, [editing]);
    const fields: readonly Pair[] = [
      ['x-set', 'old'],
      ['x-gone', '1'],
      ['x-kept', '2'],
      ['x-forwarded-for', '6.6.6.6'],
    ];
    await gateway.ask({ fields }).reply();
    const [arrived] = context.target.arrived;
    const seen = ['x-set', 'x-gone', 'x-kept', 'via', 'x-forwarded-for'].map((name) => arrived!.header(name));
    assert.equal(seen, ['new', undefined, '2', undefined, '127.0.0.1']);
  });

  test('413 by the declared length passes the outermost policies only', async (context) => {
    const entered: string[] = [];
    const inner = mark('a', { before: () => void entered.push('a') as undefined });
    const gateway = await start(context, [inner, mark('b', { outermost: true })], { route: 'max_body = "10B"' });
    const got = await gateway.ask({ method: 'POST', declared: 11 }).reply();
    assert.equal([got.status, fieldOf(got, 'x-mark')], [413, 'b']);
    assert.equal(entered, []);
  });

  test('413 in the middle of the body passes all policies', async (context) => {
    const gateway = await start(context, [mark('a'), mark('b', { outermost: true })], { route: 'max_body = "10B"' });
    const got = await gateway.ask({ method: 'POST', body: 'x'.repeat(50_000), chunked: true }).reply();
    assert.equal([got.status, fieldOf(got, 'x-mark')], [413, 'a, b']);
  });

  test('a timeout while a policy waits passes the policies that were passed; the late result is dropped', async (context) => {
    let settle = (_reply?: Reply): void => {};
    const pending = mark('b', {
      before: () =>
        new Promise((resolve) => {
          settle = resolve;
        }),
    });
    const steps = [mark('a'), pending, mark('c'), mark('d', { outermost: true })];
    const gateway = await start(context, steps, { route: 'timeout = "100ms"' });
    for (const late of [undefined, new BytesReply(418)]) {
      const got = await gateway.ask({}).reply();
      assert.equal([got.status, fieldOf(got, 'x-mark')], [504, 'a, d']);
      settle(late);
    }
    await until(() => gateway.records.length === 2, 'the records');
    assert.ok(gateway.records.every(({ error }) => error === 'exchange/timeout'));
    assert.is(context.target.arrived.length, 0);
  });

  test('replies of the engine for a target pass all policies', async (context) => {
    const gateway = await start(context, [mark('a'), mark('b', { outermost: true })]);
    for (const [fault, status] of [
      [faults.sayAndClose(), 502],
      [faults.say('nonsense\r\n'), 502],
      [faults.say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n'), 502],
    ] as const) {
      context.target.respond = fault;
      const got = await gateway.ask({}).reply();
      assert.equal([got.status, fieldOf(got, 'x-mark')], [status, 'a, b']);
    }
  });

  test('a policy that fails behind a wait: 500, which passes the others', async (context) => {
    const failing = mark('b', { before: () => Promise.reject(new Error('boom')) });
    const gateway = await start(context, [mark('a'), failing, mark('c', { outermost: true })]);
    const got = await gateway.ask({}).reply();
    assert.equal([got.status, fieldOf(got, 'x-mark')], [500, 'a, c']);
  });

  test('informational replies arrive before the reply, without fields of the target’s connection', async (context) => {
    const gateway = await start(context);
    context.target.respond = faults.say(
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    );
    const got = await gateway.ask({}).reply();
    assert.is(got.body, 'ok');
    assert.equal(
      got.interims.map((interim) => [interim.status, fieldOf(interim, 'link'), fieldOf(interim, 'x-hop')]),
      [[103, '</a.css>', undefined]],
    );
  });

  test('trailers of the target reach a downstream that has them, without those that frame or route', async (context) => {
    const gateway = await start(context);
    context.target.respond = faults.say(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\nContent-Length: 9\r\nHost: evil\r\nx-sum:  abc \r\n\r\n',
    );
    const client = gateway.ask({});
    const got = await client.reply();
    assert.is(got.body, 'ok');
    const sent: readonly Pair[] = [
      ['grpc-status', '0'],
      ['x-sum', 'abc'],
    ];
    assert.equal(got.trailers, kind === 'streams in memory' ? sent : []);
    assert.is((await gateway.ask({}).reply()).body, 'ok');
  });

  test('bodies go both ways, of declared length and of unknown', async (context) => {
    const gateway = await start(context);
    const body = 'x'.repeat(200_000);
    context.target.respond = (request, socket) => {
      const whole = setInterval(() => {
        if (request.rest.length < body.length) return;
        clearInterval(whole);
        faults.ok(body)(request, socket);
      }, 5);
    };
    for (const chunked of [false, true]) {
      const got = await gateway.ask({ method: 'POST', body, chunked }).reply();
      assert.equal([got.status, got.body.length], [200, body.length]);
      assert.is(context.target.arrived.at(-1)!.header('transfer-encoding'), chunked ? 'chunked' : undefined);
    }
  });

  test('a client that leaves lets the target go', async (context) => {
    const gateway = await start(context, [mark('a')]);
    context.target.respond = () => {};
    const client = gateway.ask({});
    await until(() => context.target.arrived.length === 1, 'the request');
    client.leave();
    await until(() => context.target.open === 0, 'the target to be let go');
    await until(() => gateway.records.length === 1, 'the record');
    assert.equal([gateway.records[0]!.status, gateway.records[0]!.error], [0, 'downstream/aborted']);
  });

  test('a reply that breaks off is cut for the client, too', async (context) => {
    const gateway = await start(context, [mark('a')]);
    context.target.respond = faults.sayAndClose('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
    await gateway.ask({}).cut();
    await until(() => gateway.records.length === 1, 'the record');
    assert.equal([gateway.records[0]!.status, gateway.records[0]!.error], [200, 'upstream/aborted']);
  });

  test('a client that does not read makes the target wait until it reads on', async (context) => {
    const gateway = await start(context);
    const size = 64 * 2 ** 20;
    let sent = 0;
    context.target.respond = faults.flood(size, (written) => {
      sent = written;
    });
    const client = gateway.ask({});
    client.pause();
    let before = -1;
    await until(async () => {
      const stands = sent > 0 && sent === before;
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return stands;
    }, 'the target to stand still');
    assert.ok(sent < size, 'it was made to wait');
    client.resume();
    await until(() => sent > before + 2 ** 20, 'the target to go on');
    client.leave();
    await until(() => context.target.open === 0, 'the target to be let go');
  });

  test.run();
}
