import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import toml from 'toml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { declarations } from '../../src/policies/registry.js';
import { specJsonSchema } from '../../src/spec/json-schema.js';
import { referencePage } from '../../src/spec/reference.js';
import { rootShape, routeShape } from '../../src/spec/shapes.js';
import { codesOf, HEAD, load } from './helper.js';

const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false });
const validate = ajv.compile(specJsonSchema());
/** Validates the parsed TOML as plain JSON, because parsed tables have no prototype. */
const valid = (text: string): boolean => validate(JSON.parse(JSON.stringify(toml.parse(text))));

test('good specs validate', () => {
  for (const body of [
    '',
    '[[route]]\nmatch = "/x"\nto = "orders"\npolicies = ["keys", { use = "headers", reply.set = { a = "b" } }]\n',
    '[[route]]\nmatch = { path = "/x", headers = { a = true, b = "c", d = { one_of = ["e"] } } }\nreply = { status = 204 }\n',
    '[[group]]\nprefix = "/g"\n[[group.group]]\nhost = "a.b"\n[[group.group.route]]\nmatch = "/x"\nto = "orders"\n',
    '[service.p]\nrun = { command = "node p.js", env = { A = "b" } }\n[plan.g]\nlimits = { polite = "5/s" }\n',
    '[admin]\naddress = "127.0.0.1:1"\ntoken = "${env:T}"\n[lint]\nallow = [{ code = "a/b", reason = "c" }]\n',
    '[policy.c]\nuse = "cors"\norigins = ["https://a.example"]\n',
  ]) {
    assert.equal(codesOf(load(HEAD + body)), [], body);
    assert.ok(valid(HEAD + body), `${body}\n${JSON.stringify(validate.errors)}`);
  }
});

test('bad specs do not validate, and the reader agrees', () => {
  for (const text of [
    HEAD.replace('spec = 1', 'spec = 2'),
    HEAD.replace('spec = 1', ''),
    HEAD.replace('[service.orders]', '[services.orders]'),
    HEAD.replace('targets', 'tragets'),
    HEAD.replace('"http://127.0.0.1:4003"', '5'),
    HEAD.replace('"api-key"', '"api-kye"'),
    HEAD.replace('use = "api-key"', 'header = "x"'),
    HEAD.replace('100/min', '100 per minute'),
    HEAD.replace('address =', 'adress ='),
    `${HEAD}[service.two]\ntargets = ["http://x"]\nrun = { command = "x" }\n`,
    `${HEAD}[[route]]\nmatch = "/x"\n`,
    `${HEAD}[[route]]\nmatch = "/x"\nto = "orders"\nreply = {}\n`,
    `${HEAD}[[route]]\nto = "orders"\n`,
    `${HEAD}[[route]]\nmatch = "/x"\nto = "orders"\npolicies = [{ use = "rate-limit", limt = "5/s" }]\n`,
    `${HEAD}[[route]]\nmatch = "/x"\nto = "orders"\ntimeout = 5\n`,
    `${HEAD}[normalize]\ntrailing_slash = "maybe"\n`,
  ]) {
    assert.not(valid(text), text);
    assert.ok(
      load(text).diagnostics.some(({ severity }) => severity === 'error'),
      text,
    );
  }
});

test('a fragment may leave out required keys, nothing else', () => {
  const part = new Ajv2020({ allErrors: true, strict: false }).compile(specJsonSchema({ fragment: true }));
  const fits = (text: string): boolean => part(JSON.parse(JSON.stringify(toml.parse(text)))) === true;
  for (const text of [
    '',
    '[[route]]\nmatch = "/x"\nto = "orders"\n',
    'remove = ["route.debug"]\n[[route]]\nname = "a"\ntimeout = "5s"\n',
    '[service.orders]\nretries = 3\n[listener.main]\nmax_body = "1MiB"\n',
    '[policy.polite]\nlimit = "5/s"\n[[group]]\nname = "g"\npolicies = [{ use = "headers", request.set = { a = "b" } }]\n',
  ]) {
    assert.ok(fits(text), `${text}\n${JSON.stringify(part.errors)}`);
    assert.is(valid(text), false, text);
  }
  for (const text of [
    '[service.orders]\nretires = 3\n',
    '[[route]]\ntimeout = 5\n',
    '[policy.polite]\nuse = "rate-limit"\nlimt = "5/s"\n',
    'remove = "x"\n',
  ])
    assert.not(fits(text), text);
});

test('every fixture without errors validates', () => {
  const folder = join(process.cwd(), 'fixtures', 'diagnostics');
  let count = 0;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name, 'gateway.toml');
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch {
      continue; // Some fixtures deliberately lack this file.
    }
    if (load(text).diagnostics.some(({ severity }) => severity === 'error')) continue;
    count++;
    assert.ok(valid(text), `${name}: ${JSON.stringify(validate.errors)}`);
  }
  assert.ok(count > 0);
});

test('the schema has descriptions and every kind of policy', () => {
  const schema = JSON.parse(JSON.stringify(specJsonSchema())) as {
    properties: object;
    $defs: { [name: string]: { properties: { [key: string]: { const?: string; description?: string } } } };
  };
  assert.equal(Object.keys(schema.properties), Object.keys(rootShape.fields));
  assert.equal(Object.keys(schema.$defs['route']!.properties), Object.keys(routeShape.fields));
  for (const { use } of declarations) assert.is(schema.$defs[`policy:${use}`]?.properties['use']?.const, use);
  for (const [key, field] of Object.entries(schema.$defs['service']!.properties)) assert.ok(field.description, key);
  for (const [key, field] of Object.entries(schema.properties))
    assert.ok((field as { description?: string }).description, key);
});

test('the reference names every key of every table, once', () => {
  const page = referencePage();
  assert.is(page, referencePage());
  for (const key of Object.keys(routeShape.fields)) assert.match(page, new RegExp(`^\\| \`${key}\` \\|`, 'm'), key);
  for (const { use, summary } of declarations) {
    assert.ok(page.includes(`### \`${use}\``), use);
    assert.ok(page.includes(summary), use);
  }
  assert.ok(page.includes('| `targets[].weight` | an integer from 0 to 1000 | `1` |'));
  assert.ok(page.includes('| `address` | an address such as `"127.0.0.1:8080"` | **required** | `host:port` to bind.'));
  assert.not.match(page, /undefined|\[object/);
  const rows = page.split('\n').filter((line) => line.startsWith('|'));
  for (const row of rows) assert.ok(row.replaceAll('\\|', '').split('|').length >= 4, row);
});

test.run();
