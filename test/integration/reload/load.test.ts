/** Two hundred reloads under constant load: no failed request, no dropped connection, no lost count. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import type { AdminEvent, ReloadSnapshot, Snapshot } from '../../../src/telemetry/snapshot.js';
import { call, closeAll, Load, removeFolders, SpecFile, startGateway, startOrigin, until } from '../control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const RELOADS = 200;
const BROKEN_EVERY = 10;

const specOf = (target: string, edit: number): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"

[service.shop]
targets = ["${target}"]
retries = ${edit % 3}

[policy.generous]
use = "rate-limit"
limit = "1000000/hour"
by = "route"

[[route]]
name = "steady"
match = "GET /steady/{id:int}"
to = "shop"
policies = ["generous"]

[[route]]
name = "socket"
match = "GET /socket"
to = "shop"

[[route]]
name = "edited-${edit % 2}"
match = "GET /edited/${edit}"
reply = { body = "edit ${edit}" }
`;

const broken = (target: string, edit: number): string => specOf(target, edit).replace('to = "shop"', 'to = "shopp"');

/** A WebSocket with constant traffic that must never close. */
class Chatter {
  readonly problems: string[] = [];
  answers = 0;
  readonly #socket: WebSocket;
  #stopping = false;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.on('open', () => this.#ask());
    this.#socket.on('message', (data) => {
      if (String(data) !== `origin ${this.answers}`) this.problems.push(`wrong answer ${String(data)}`);
      this.answers++;
      if (!this.#stopping) setImmediate(() => this.#ask());
    });
    this.#socket.on('error', (error) => this.problems.push(error.message));
    this.#socket.on('close', (code) => {
      if (!this.#stopping) this.problems.push(`closed ${code}`);
    });
  }

  #ask(): void {
    this.#socket.send(String(this.answers));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.close();
    await closed;
  }
}

test('200 reloads under load: no failed request, no dropped socket, counters and limits kept', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url, 0));
  const { gateway, log, url } = await startGateway({ spec: spec.path, watch: true });
  const admin = gateway.adminSocket ?? '';
  const load = new Load();
  load.start(6, `${url}/steady/42`, ({ status, body }) =>
    status === 200 && body === 'origin GET /steady/42' ? undefined : `${status} ${body}`,
  );
  const chatter = new Chatter(`${url.replace('http', 'ws')}/socket`);
  await until(() => load.sent > 50 && chatter.answers > 10, 'traffic');

  let rejected = 0;
  for (let edit = 1; edit <= RELOADS; edit++) {
    if (edit % BROKEN_EVERY === 0) {
      spec.write(broken(origin.url, edit));
      const refused = await call('/reload', { method: 'POST', socketPath: admin });
      assert.is(refused.status, 422);
      const snapshot = JSON.parse(refused.body) as ReloadSnapshot;
      assert.is(snapshot.outcome, 'rejected');
      assert.match(snapshot.diagnostics, 'shopp');
      assert.is((await call(`${url}/edited/${edit - 1}`)).body, `edit ${edit - 1}`);
      rejected++;
    }
    spec.write(specOf(origin.url, edit));
    const reload = await gateway.reload();
    assert.is(reload?.outcome, 'live', reload?.diagnostics);
    assert.is((await call(`${url}/edited/${edit}`)).body, `edit ${edit}`);
  }
  const before = load.sent;
  await until(() => load.sent > before + 50, 'traffic after the last reload');
  await load.stop();

  assert.equal(load.failures, []);
  assert.equal(chatter.problems, []);
  const answered = chatter.answers;
  await until(() => chatter.answers > answered, 'more traffic on the socket');
  await chatter.stop();
  assert.ok(gateway.snapshot().generation.id > RELOADS);

  // Counters and limit include every exchange of every generation.
  const steady = await until(() => {
    const route = gateway.snapshot().routes.find(({ name }) => name === 'steady');
    return route && route.requests >= load.sent ? route : undefined;
  }, 'the counters');
  assert.is(steady.requests, load.sent);
  assert.is(steady.status['2xx'], load.sent);
  assert.is(steady.inFlight, 0);
  const [limit] = gateway.snapshot().limits;
  assert.is(limit?.policy, 'generous');
  assert.is(limit?.limit, '1000000/hour');
  assert.is(limit?.allowed, load.sent);
  assert.is(limit?.refused, 0);
  assert.equal(limit?.routes, ['steady']);

  // The rejected reload is visible in every report.
  const snapshot = JSON.parse((await call('/snapshot', { socketPath: admin })).body) as Snapshot;
  assert.is(snapshot.reloads.length, 50);
  const seen = snapshot.reloads.filter(({ outcome }) => outcome === 'rejected');
  assert.ok(seen.length >= 4 && seen.every(({ errors, generation }) => errors > 0 && generation === null));
  assert.match(seen[0]?.diagnostics ?? '', /gateway\.toml:\d+:\d+/);
  assert.ok(log.count(/^reload rejected, generation \d+ keeps serving$/) >= rejected);
  assert.match(String(log.find(/^reload rejected/)?.fields['diagnostics']), 'shopp');
  assert.equal(
    log.lines.filter(({ level, message }) => level === 'error' && !message.startsWith('reload rejected')),
    [],
  );
});

test('a change on disk goes live, a broken one does not, and the event stream reports both', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url, 0));
  const { gateway, url } = await startGateway({ spec: spec.path, watch: true, inline: true });
  const reloads: ReloadSnapshot[] = [];
  gateway.on('reload', (reload) => reloads.push(reload));
  const response = await fetchEvents(gateway.adminSocket ?? '');
  for (let edit = 1; edit <= 4; edit++) {
    spec.write(specOf(origin.url, edit));
    await until(async () => (await call(`${url}/edited/${edit}`)).body === `edit ${edit}`, `edit ${edit}`);
  }
  spec.write(broken(origin.url, 5));
  const rejected = await until(() => reloads.find(({ outcome }) => outcome === 'rejected'), 'the rejection');
  assert.match(rejected.summary, 'shopp');
  assert.is((await call(`${url}/edited/4`)).status, 200);
  // Back to the live content: the recovery is reported.
  const count = reloads.length;
  spec.write(specOf(origin.url, 4));
  const fixed = await until(() => reloads[count], 'the recovery');
  assert.is(fixed.outcome, 'live');
  assert.is(fixed.summary, '+0 routes, ~0 routes, -0 routes');
  await until(() => response.events.filter(({ type }) => type === 'reload').length === reloads.length, 'the stream');
  // Touched without a change: no reload and no report.
  const reported = reloads.length;
  const generation = gateway.snapshot().generation.id;
  spec.write(specOf(origin.url, 4));
  spec.write(`${specOf(origin.url, 4).replace('retries = 1', 'retries = 2')}`);
  await until(() => reloads.length > reported, 'the next real change');
  assert.is(gateway.snapshot().generation.id, generation + 1);
  assert.is(reloads.at(-1)?.summary, '+0 routes, ~0 routes, -0 routes; ~1 service');
  response.close();
});

async function fetchEvents(socketPath: string): Promise<{ events: AdminEvent[]; close(): void }> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    request({ socketPath, path: '/events', agent: false }, (response) => {
      const events: AdminEvent[] = [];
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) events.push(JSON.parse(line));
      });
      resolve({ events, close: () => response.destroy() });
    })
      .on('error', reject)
      .end();
  });
}

test('the counts of a limit survive an unrelated edit, and an edit of the limit itself', async () => {
  const limited = (edit: number, limit: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[policy.tight]
use = "rate-limit"
limit = "${limit}"
by = "route"
[[route]]
name = "limited"
match = "GET /"
policies = ["tight"]
reply = { body = "ok" }
[[route]]
name = "other"
match = "GET /other/${edit}"
reply = { body = "ok" }
`;
  const spec = new SpecFile(limited(1, '2/hour'));
  const { gateway, url } = await startGateway({ spec: spec.path, inline: true });
  assert.is((await call(url)).status, 200);
  assert.is((await call(url)).status, 200);
  assert.is((await call(url)).status, 429);
  spec.write(limited(2, '2/hour'));
  assert.is((await gateway.reload())?.summary, '+0 routes, ~1 route, -0 routes');
  assert.is((await call(url)).status, 429);
  spec.write(limited(2, '3/hour'));
  assert.is((await gateway.reload())?.summary, '+0 routes, ~0 routes, -0 routes; ~1 policy');
  assert.is((await call(url)).status, 200);
  assert.is((await call(url)).status, 429, 'the first two still count');
});

test('a listener is added and removed with the spec; one that cannot be bound rejects the reload', async () => {
  const listening = (extra: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
${extra}
[[route]]
name = "home"
match = "GET /"
reply = { body = "home" }
`;
  const spec = new SpecFile(listening(''));
  const { gateway, url } = await startGateway({ spec: spec.path });
  const main = gateway.addresses[0]?.address;
  spec.write(listening('[listener.second]\naddress = "127.0.0.1:0"'));
  assert.is((await gateway.reload())?.summary, '+0 routes, ~0 routes, -0 routes; +1 listener');
  assert.is(gateway.addresses.length, 2);
  assert.is(gateway.addresses.find(({ name }) => name === 'main')?.address, main);
  const second = gateway.addresses.find(({ name }) => name === 'second')?.address ?? '';
  assert.is((await call(`http://${second}/`)).body, 'home');
  const origin = await startOrigin();
  spec.write(listening(`[listener.taken]\naddress = "${origin.url.replace('http://', '')}"`));
  const rejected = await gateway.reload();
  assert.is(rejected?.outcome, 'rejected');
  assert.match(rejected?.diagnostics ?? '', 'listener/bind');
  assert.match(rejected?.diagnostics ?? '', 'gateway.toml:5');
  assert.is((await call(`http://${second}/`)).body, 'home');
  spec.write(listening(''));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.equal(
    gateway.addresses.map(({ name }) => name),
    ['main'],
  );
  await until(
    () =>
      call(`http://${second}/`).then(
        () => false,
        () => true,
      ),
    'the listener to be closed',
  );
  assert.is((await call(url)).body, 'home');
});

test('an unusable admin address or certificate rejects the reload without side effects', async () => {
  const origin = await startOrigin();
  const text = (extra: string, listener = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
${listener}
${extra}
[[route]]
name = "home"
match = "GET /"
reply = { body = "home" }
`;
  const admin = (address: string): string => `[admin]\naddress = "${address}"\ntoken = "\${env:TOKEN}"`;
  const spec = new SpecFile(text(admin('127.0.0.1:0')));
  const env = { TOKEN: 'open-sesame' };
  const { gateway, url } = await startGateway({ spec: spec.path, inline: true, env });
  const { adminAddress } = gateway;
  spec.write(text(admin(origin.url.replace('http://', ''))));
  const taken = await gateway.reload();
  assert.match(taken?.diagnostics ?? '', /admin\/bind[\s\S]*gateway\.toml:6/);
  spec.write(text(admin('127.0.0.1:0'), 'tls = { cert = "cert.pem", key = "key.pem" }'));
  for (const name of ['cert.pem', 'key.pem']) {
    writeFileSync(join(spec.folder, name), '-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n');
  }
  const junk = await gateway.reload();
  assert.is(junk?.outcome, 'rejected');
  assert.match(junk?.diagnostics ?? '', /error\[listener\/certificate\].*`main` is damaged[\s\S]*gateway\.toml:\d+/);
  assert.is((await call(url)).body, 'home');
  assert.is(gateway.adminAddress, adminAddress);
  spec.write(text(''));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is(gateway.adminAddress, undefined);
});

test('system errors are described in words, without error codes', async () => {
  const origin = await startOrigin();
  const taken = origin.url.replace('http://', '');
  const text = (address: string, extra = ''): string =>
    `spec = 1\n${extra}\n[listener.main]\naddress = "${address}"\n[[route]]\nmatch = "GET /"\nreply = { body = "home" }\n`;
  const spec = new SpecFile(text('127.0.0.1:0'));
  const { gateway } = await startGateway({ spec: spec.path, inline: true, env: { TOKEN: 'open-sesame' } });
  for (const [written, message] of [
    [text(taken), `The gateway cannot listen at ${taken}: address already in use.`],
    [
      text('127.0.0.1:0', `[admin]\naddress = "${taken}"\ntoken = "\${env:TOKEN}"`),
      `The admin API cannot listen at ${taken}: address already in use.`,
    ],
  ] as const) {
    spec.write(written);
    const reload = await gateway.reload();
    assert.match(reload?.diagnostics ?? '', message);
    assert.not.match(reload?.diagnostics ?? '', /\bE[A-Z]{4,}\b|listen E|open '/);
  }
});

test.run();
