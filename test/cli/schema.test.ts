import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw } from './kit.js';

const STALE = 'is not what the declarations say: run `npm run reference`';

test('gw schema prints a JSON Schema equal to docs/gateway.schema.json', async () => {
  const { code, out } = await gw(['schema']);
  assert.is(code, 0);
  assert.is((JSON.parse(out) as { $schema: string }).$schema, 'https://json-schema.org/draft/2020-12/schema');
  assert.is(readFileSync('docs/gateway.schema.json', 'utf8'), out, `docs/gateway.schema.json ${STALE}`);
});

test('gw schema --reference prints a reference equal to docs/reference.md', async () => {
  const { code, out } = await gw(['schema', '--reference']);
  assert.is(code, 0);
  assert.is(readFileSync('docs/reference.md', 'utf8'), out, `docs/reference.md ${STALE}`);
});

test('gw schema --fragment prints a schema without required keys', async () => {
  const { code, out } = await gw(['schema', '--fragment']);
  assert.is(code, 0);
  // The keyword has a list; a policy may have a key with that name.
  assert.not.match(out, /"required": \[/);
  assert.ok('remove' in (JSON.parse(out) as { properties: object }).properties);
});

test.run();
