/** The example in the README of aggregate: the services that it names get its calls, and reply and plan are those of the README. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw, inFolder } from '../cli/kit.js';
import { atPorts } from '../support/at-ports.js';
import { json, status, TestService } from './aggregate-kit.js';
import { Plane } from './engine-kit.js';

const README = readFileSync('src/actions/aggregate/README.md', 'utf8');

/** The first block of code with this language after a text. */
function blockAfter(text: string, language: string): string {
  const rest = README.slice(README.indexOf(text));
  return new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(rest)?.[1] ?? '';
}

const SPEC = blockAfter('# aggregate', 'toml');
const REPLY: unknown = JSON.parse(blockAfter('The reply is an object', 'json'));
const PLAN = blockAfter('`gw explain` prints the plan:', '');

const NAMES: Readonly<Record<string, string>> = { '7': 'Walnut desk', '3': 'Lamp' };

interface Shop {
  readonly products: TestService;
  readonly reviews: TestService;
  readonly orders: TestService;
  readonly plane: Plane;
}

async function withShop(work: (shop: Shop) => Promise<void>): Promise<void> {
  const products = await TestService.start((got, reply) => {
    const id = got.url.split('/').at(-1)!;
    json({ id: Number(id), name: NAMES[id] })(got, reply);
  });
  const reviews = await TestService.start(json([]));
  const orders = await TestService.start(json({ items: [{ id: 1001, product: 3 }] }));
  const spec = atPorts(SPEC, { 8080: 0, 4001: products.port, 4002: reviews.port, 4003: orders.port });
  const plane = await Plane.start(spec);
  try {
    await work({ products, reviews, orders, plane });
  } finally {
    await plane.close();
    for (const service of [products, reviews, orders]) await service.close();
  }
}

const ask = (plane: Plane): Promise<Response> => fetch(`http://127.0.0.1:${plane.port}/mobile/products/7`);

test('the reply of the README, of the calls in its spec', () =>
  withShop(async ({ products, reviews, orders, plane }) => {
    const reply = await ask(plane);
    assert.is(reply.status, 200);
    assert.equal(await reply.json(), REPLY);
    assert.equal(products.urls, ['/products/7', '/products/3']);
    assert.equal(reviews.urls, ['/reviews?product=7&limit=10']);
    assert.equal(orders.urls, ['/orders']);
  }));

test('the page is useful without reviews, and without orders', () =>
  withShop(async ({ reviews, orders, plane }) => {
    reviews.handler = status(500);
    const without = await ask(plane);
    assert.equal([without.status, without.headers.get('gw-incomplete')], [200, 'reviews']);
    assert.equal(await without.json(), REPLY);
    reviews.handler = json([]);
    orders.handler = status(503);
    const { product, reviews: none, ...rest } = (await (await ask(plane)).json()) as Record<string, unknown>;
    assert.equal(product, { id: 7, name: 'Walnut desk' });
    assert.equal(none, []);
    assert.not.ok('orders' in rest || 'bought' in rest);
    assert.ok('errors' in rest);
  }));

test('gw explain prints the plan of the README', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    const { code, out } = await gw(['explain', 'GET', '/mobile/products/7'], { cwd });
    assert.is(code, 0);
    const lines = PLAN.trimEnd().split('\n');
    assert.ok(lines.length > 5, PLAN);
    // Below the route, and so indented.
    assert.ok(out.includes(lines.map((line) => `  ${line}\n`).join('')), out);
  }));

test.run();
