/** Random graphs of calls over sockets, against a model: the order of requests, who is skipped, and the reply. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { seeded } from '../support/random.js';
import { Bed, type Handler } from './aggregate-kit.js';

interface ModelCall {
  readonly name: string;
  /** Whose results it uses: it is not sent without them. */
  readonly uses: readonly string[];
  /** Who ends first. */
  readonly after: readonly string[];
  readonly fails: boolean;
  readonly onFailure: 'default' | 'omit';
  readonly if: string | undefined;
}

type Body = { readonly [name: string]: unknown };

/** In an order in which each comes after those that it waits for. */
function graphOf(random: () => number): readonly ModelCall[] {
  const chance = (part: number): boolean => random() < part;
  const count = 2 + Math.floor(random() * 9);
  const names = Array.from({ length: count }, (_, index) => `c${index}`);
  return names.map((name, index) => {
    const before = names.slice(0, index);
    const onFailure = chance(0.5) ? 'default' : 'omit';
    return {
      name,
      uses: before.filter(() => chance(0.3)),
      after: before.filter(() => chance(0.15)),
      fails: chance(0.2),
      onFailure,
      if: chance(0.2) ? before[Math.floor(random() * before.length)] : undefined,
    };
  });
}

function specOf({ name, uses, after, if: only, onFailure }: ModelCall): string {
  const query = uses.map((other) => `${other} = "{calls.${other}.body.v}"`).join(', ');
  const failure = onFailure === 'default' ? 'default = { v = "d" }' : 'on_failure = "omit"';
  const condition = only === undefined ? '' : `if = "${only}.v"\n`;
  return `[route.aggregate.call.${name}]\nservice = "a"\npath = "/${name}"\nquery = { ${query} }\nafter = ${JSON.stringify(after)}\n${condition}${failure}\n`;
}

function modelOf(graph: readonly ModelCall[]): {
  readonly values: Body;
  readonly errors: readonly string[];
  sent: Set<string>;
} {
  const values: Record<string, { v: string }> = {};
  const errors: string[] = [];
  const sent = new Set<string>();
  for (const { name, fails, if: only, onFailure, uses } of graph) {
    if ([...uses, ...(only === undefined ? [] : [only])].some((other) => values[other] === undefined)) {
      if (onFailure === 'default') values[name] = { v: 'd' };
      continue;
    }
    sent.add(name);
    if (!fails) values[name] = { v: `${name}(${uses.map((other) => values[other]!.v).join()})`.slice(0, 500) };
    else if (onFailure === 'default') values[name] = { v: 'd' };
    else errors.push(name);
  }
  return { values, errors, sent };
}

const shuffled = <T>(items: readonly T[], random: () => number): readonly T[] =>
  items
    .map((item) => [random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);

/** Runs after some turns of the event loop. */
const later = (turns: number, then: () => void): void =>
  void setImmediate(() => (turns <= 0 ? then() : later(turns - 1, then)));

async function check(seed: number): Promise<void> {
  const random = seeded(seed);
  const graph = graphOf(random);
  const byName = new Map(graph.map((call) => [call.name, call]));
  const { values, errors, sent } = modelOf(graph);
  const ended = new Set(graph.filter(({ name }) => !sent.has(name)).map(({ name }) => name));
  const early: string[] = [];
  const handler: Handler = ({ url }, reply) => {
    const { pathname, searchParams } = new URL(url, 'http://a.example');
    const { name, after, fails, if: only, uses } = byName.get(pathname.slice(1))!;
    for (const other of [...uses, ...after, ...(only === undefined ? [] : [only])])
      if (!ended.has(other)) early.push(`${name} before the end of ${other}`);
    later(Math.floor(random() * 20), () => {
      ended.add(name);
      const v = `${name}(${uses.map((other) => searchParams.get(other)).join()})`.slice(0, 500);
      reply.writeHead(fails ? 500 : 200).end(JSON.stringify({ v }));
    });
  };
  const bed = await Bed.start({ a: handler }, shuffled(graph, random).map(specOf).join(''));
  try {
    const reply = await bed.get();
    const { errors: failed = [], ...parts } = reply.body as Body & { errors?: { call: string }[] };
    assert.equal(early, [], `seed ${seed}`);
    assert.equal(parts, values, `seed ${seed}`);
    assert.equal(failed.map(({ call }) => call).sort(), [...errors].sort(), `seed ${seed}`);
    assert.equal(
      bed.services['a']!.urls.map((url) => url.slice(1).split('?')[0]).sort(),
      [...sent].sort(),
      `seed ${seed}`,
    );
    const incomplete = graph.some(({ fails, name }) => fails && sent.has(name));
    assert.is(reply.headers.has('gw-incomplete'), incomplete, `seed ${seed}`);
  } finally {
    await bed.close();
  }
}

test('random graphs of calls run in their order, with the results that a model has', async () => {
  for (let seed = 1; seed <= 25; seed++) await check(seed);
});

test.run();
