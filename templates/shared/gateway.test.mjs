// What requests should meet, asked of the spec itself: no network, no services. Run with: node --test
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const gw = process.env.GW ?? 'gw';
const spec = fileURLToPath(new URL('gateway.toml', import.meta.url));

// `route: null` is a request that no route takes. Without a `status` only the route is checked.
const cases = [
  // CASES
];

for (const { request, headers = {}, route, status } of cases) {
  test(request, () => {
    const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const args = ['explain', ...request.split(' '), ...fields, spec, '--json'];
    const told = JSON.parse(execFileSync(gw, args, { encoding: 'utf8' }));
    assert.equal(told.route?.name ?? null, route);
    if (status !== undefined) assert.equal(told.reply?.status, status);
  });
}
