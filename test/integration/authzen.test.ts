/** authzen against a server of the API over sockets: decisions, wrong answers, an outage, and the same in explain. */

import { writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Explanation } from '../../src/control/explain.js';
import { gw } from '../cli/kit.js';
import { call, closeAll, removeFolders, SpecFile, serveHttp, startGateway, startOrigin } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

interface Check {
  readonly subject: { readonly id: string };
  readonly action: { readonly name: string };
  readonly resource: { readonly id: string };
}

/** A policy decision point with a table of who may do what. */
class DecisionPoint {
  readonly asked: { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];
  /** Instead of a decision; undefined: the decision. */
  reply: { readonly status: number; readonly body: string } | undefined;
  /** Milliseconds before each reply. */
  delay = 0;
  url = '';
  readonly #allowed = new Set(['acme can_read 1', 'acme can_read 2', 'acme enter t1']);

  async listen(): Promise<this> {
    const { url } = await serveHttp((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (part: string) => (body += part));
      request.on('end', () => {
        const path = request.url ?? '';
        this.asked.push({ path, headers: request.headers, body });
        const { status, body: text } = this.reply ?? { status: 200, body: JSON.stringify(this.#answer(path, body)) };
        const id = request.headers['x-request-id'] ?? '';
        const headers = { 'content-type': 'application/json', 'x-request-id': id };
        setTimeout(() => response.writeHead(status, headers).end(text), this.delay);
      });
    });
    this.url = url;
    return this;
  }

  #answer(path: string, body: string): unknown {
    if (path === '/.well-known/authzen-configuration')
      return {
        policy_decision_point: this.url,
        access_evaluation_endpoint: `${this.url}/decide`,
        access_evaluations_endpoint: `${this.url}/decide-all`,
      };
    const asked = JSON.parse(body) as Check & { readonly evaluations?: readonly Partial<Check>[] };
    if (asked.evaluations === undefined) return this.#decide(asked);
    const evaluations: unknown[] = [];
    for (const each of asked.evaluations) {
      const answer = this.#decide({ ...asked, ...each });
      evaluations.push(answer);
      if (!answer.decision) break;
    }
    return { evaluations };
  }

  #decide({ subject, action, resource }: Check): { readonly decision: boolean } {
    return { decision: this.#allowed.has(`${subject.id} ${action.name} ${resource.id}`) };
  }
}

const specOf = (target: string, keys: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${target}"]
[consumer.acme]
api_keys = ["sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"]
[policy.keys]
use = "api-key"
optional = true
[policy.decisions]
use = "authzen"
action = { name = "can_read" }
resource = { type = "order", id = "{id}" }
timeout = "500ms"
${keys}
[[route]]
name = "order"
match = "GET /orders/{id}"
to = "orders"
policies = ["keys", "decisions"]
`;

const KEY = { 'x-api-key': 'key' };

async function bed(keys: (pdp: DecisionPoint) => string) {
  const [pdp, origin] = [await new DecisionPoint().listen(), await startOrigin()];
  const spec = new SpecFile(specOf(origin.url, keys(pdp))).path;
  const { url } = await startGateway({ spec, env: { PDP_TOKEN: 's3cret' } });
  const ask = async (id: number, headers: Record<string, string> = KEY): Promise<number> =>
    (await call(`${url}/orders/${id}`, { headers })).status;
  return { pdp, spec, ask };
}

const plain = ({ url }: DecisionPoint): string =>
  `url = "${url}"\nheaders = { authorization = "Bearer \${env:PDP_TOKEN}" }`;

test('decisions of the service, with credentials and a request id', async () => {
  const { pdp, ask } = await bed(plain);
  assert.equal([await ask(1), await ask(2), await ask(3)], [200, 200, 403]);
  assert.is(await ask(1, {}), 401);
  assert.is(pdp.asked.length, 3);
  const [first] = pdp.asked;
  assert.is(first!.path, '/access/v1/evaluation');
  assert.is(first!.headers.authorization, 'Bearer s3cret');
  assert.ok((first!.headers['x-request-id'] ?? '').length > 0);
});

test('wrong answers never open the route', async () => {
  const { pdp, ask } = await bed(plain);
  const answers: readonly (readonly [number, string, number])[] = [
    [200, '{"decision":"true"}', 403],
    [200, '{"decision":true,"context":{"obligations":[{"id":"mfa"}]}}', 403],
    [200, '{}', 403],
    [200, '{"decision":true', 503],
    [200, '', 503],
    [200, `{"decision":true,"pad":"${'x'.repeat(300_000)}"}`, 503],
    [302, '{"decision":true}', 503],
    [401, '{"decision":true}', 503],
    [500, '{"decision":true}', 503],
  ];
  for (const [status, body, expected] of answers) {
    pdp.reply = { status, body };
    assert.is(await ask(1), expected, `${status} ${body.slice(0, 40)}`);
  }
  pdp.reply = undefined;
  pdp.delay = 2000;
  assert.is(await ask(1), 503, 'too slow');
  pdp.delay = 0;
  assert.is(await ask(1), 200);
});

test('metadata and several checks', async () => {
  const { pdp, ask } = await bed(
    ({ url }) => `url = "${url}"\nmetadata = true\nchecks = [
      { name = "tenant", action = { name = "enter" }, resource = { type = "tenant", id = "t1" } },
      { name = "order" },
    ]`,
  );
  assert.equal([await ask(1), await ask(9)], [200, 403]);
  assert.equal(
    pdp.asked.map(({ path }) => path),
    ['/.well-known/authzen-configuration', '/decide-all', '/decide-all'],
  );
});

test('a kept decision is used while the service is down', async () => {
  const { pdp, ask } = await bed((pdp) => `${plain(pdp)}\ncache = { ttl = "1min" }`);
  assert.equal([await ask(1), await ask(3)], [200, 403]);
  pdp.reply = { status: 503, body: '' };
  assert.equal([await ask(1), await ask(3), await ask(2)], [200, 403, 503]);
});

test('explain decides with a mock as the proxy does, and not without', async () => {
  const { pdp, spec, ask } = await bed(plain);
  const explained = async (...more: string[]): Promise<Explanation> => {
    const args = [
      'explain',
      'GET',
      '/orders/1',
      spec,
      '-H',
      'x-api-key: key',
      '--json',
      '--mock',
      'orders=200',
      ...more,
    ];
    return JSON.parse((await gw(args, { cwd: dirname(spec), env: { PDP_TOKEN: 's3cret' } })).out) as Explanation;
  };
  for (const body of ['{"decision":true}', '{"decision":false}', '{"decision":1}', 'x']) {
    pdp.reply = { status: 200, body };
    writeFileSync(join(dirname(spec), 'answer.json'), body);
    const found = await explained('--mock', `${pdp.url}=200:answer.json`);
    assert.is(found.reply?.status, await ask(1), body);
  }
  const unknown = await explained();
  assert.equal([unknown.outcome, unknown.missing], ['unknown', { kind: 'mock', name: pdp.url }]);
});

test.run();
