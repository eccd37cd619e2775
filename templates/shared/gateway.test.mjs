// What gw decides for example requests. Needs no network and no running service. Run it with: node --test
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const spec = fileURLToPath(new URL('gateway.toml', import.meta.url));
const gw = gwCommand();

// `route: null` means that no route takes the request. Without `status`, only the route is checked.
const cases = [
  // CASES
];

for (const { request, headers = {}, route, status } of cases) {
  test(request, () => {
    const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const args = ['explain', ...request.split(' '), ...fields, spec, '--json'];
    const result = JSON.parse(execFileSync(gw, args, { encoding: 'utf8' }));
    assert.equal(result.route?.name ?? null, route);
    if (status !== undefined) assert.equal(result.reply?.status, status);
  });
}

/** The gw that the variable GW names, else the one that this project depends on, else the one on the PATH. */
function gwCommand() {
  if (process.env.GW) return process.env.GW;
  try {
    return join(dirname(createRequire(import.meta.url).resolve('gw/package.json')), 'bin', 'gw.js');
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return 'gw';
    throw error;
  }
}
