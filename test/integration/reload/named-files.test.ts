/** A gateway reloads when a file that a policy names changes. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { closeAll, removeFolders, SpecFile, startGateway, until } from '../control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:0"
[policy.v]
use = "validate"
body = "order.json"
[[route]]
name = "a"
match = "POST /a"
policies = ["v"]
[route.reply]
body = "fine"
`;

test('a saved schema goes live, a broken one does not, and a schema that it refers to is watched too', async () => {
  const file = new SpecFile(SPEC);
  const save = (name: string, text: string): void => {
    const path = join(file.folder, name);
    writeFileSync(`${path}~`, text);
    renameSync(`${path}~`, path);
  };
  save('order.json', '{ "required": ["a"] }');
  const { url, gateway } = await startGateway({ spec: file.path, watch: true, inline: true });
  const status = async (body: string): Promise<number> => {
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`${url}/a`, { method: 'POST', body, headers })).status;
  };
  assert.is(await status('{"a":1}'), 200);
  assert.is(await status('{"b":1}'), 400);
  save('order.json', '{ "$ref": "part.json" }');
  save('part.json', '{ "required": ["b"] }');
  await until(async () => (await status('{"b":1}')) === 200, 'the new schema');
  assert.is(await status('{"a":1}'), 400);
  save('part.json', '{ "required": ["c"] }');
  await until(async () => (await status('{"c":1}')) === 200, 'the part');
  save('part.json', '{ "type": "objet" }');
  await until(async () => JSON.stringify(gateway.snapshot()).includes('validate/schema'), 'the rejection');
  assert.is(await status('{"c":1}'), 200);
  rmSync(join(file.folder, 'part.json'));
  assert.is(await status('{"c":1}'), 200);
});

const DOCUMENTS = `spec = 1
[listener.main]
address = "127.0.0.1:0"
[[route]]
match = "POST /a"
policies = ["v"]
mock = "api/openapi.yaml"
[policy.v]
use = "validate"
openapi = "api/openapi.yaml"
`;

test('the files that an OpenAPI document refers to are watched, also one that is missing', async () => {
  const file = new SpecFile(DOCUMENTS);
  mkdirSync(join(file.folder, 'api/schemas'), { recursive: true });
  const save = (name: string, text: string): void => {
    const path = join(file.folder, 'api', name);
    writeFileSync(`${path}~`, text);
    renameSync(`${path}~`, path);
  };
  save('openapi.yaml', 'openapi: "3.1.0"\npaths: { /a: { $ref: a.yaml } }');
  save(
    'a.yaml',
    `post:
  requestBody: { content: { application/json: { schema: { $ref: schemas/in.json } } } }
  responses: { "200": { content: { application/json: { schema: { $ref: schemas/out.json#/$defs/out } } } } }
`,
  );
  save('schemas/in.json', '{ "required": ["a"] }');
  save('schemas/out.json', '{ "$defs": { "out": { "const": 1 } } }');
  const { url, gateway } = await startGateway({ spec: file.path, watch: true, inline: true });
  const ask = async (body: string): Promise<string> => {
    const headers = { 'content-type': 'application/json' };
    const reply = await fetch(`${url}/a`, { method: 'POST', body, headers });
    return `${reply.status} ${reply.status === 200 ? (await reply.text()).trim() : ''}`;
  };
  assert.is(await ask('{"a":1}'), '200 1');
  save('schemas/out.json', '{ "$defs": { "out": { "const": 2 } } }');
  await until(async () => (await ask('{"a":1}')) === '200 2', 'the new reply');
  save('schemas/in.json', '{ "$ref": "part.json" }');
  await until(async () => JSON.stringify(gateway.snapshot()).includes('part.json` cannot be read'), 'the rejection');
  assert.is(await ask('{"a":1}'), '200 2');
  save('schemas/part.json', '{ "required": ["b"] }');
  await until(async () => (await ask('{"b":1}')) === '200 2', 'the part');
  assert.is(await ask('{"a":1}'), '400 ');
});

test.run();
