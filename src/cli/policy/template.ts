/** What `gw policy new` writes. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface WrittenPolicy {
  /** Relative to the project. */
  readonly files: readonly string[];
  /** What to add to the spec. */
  readonly spec: string;
}

/** Writes a policy and its test into policies/. Returns why it does not, if a file exists already. */
export function writePolicy(root: string, name: string): WrittenPolicy | string {
  const files = { [`policies/${name}.ts`]: policyText(name), [`policies/${name}.test.ts`]: testText(name) };
  for (const file of Object.keys(files))
    if (existsSync(join(root, file))) return `${file} exists already. Choose another name, or remove it.`;
  mkdirSync(join(root, 'policies'), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(root, file), text, { flag: 'wx' });
  return { files: Object.keys(files), spec: specText(name) };
}

const quoted = (text: string): string => `'${text}'`;

const specText = (name: string): string => `[policy.${name}]\nuse = "./policies/${name}.ts"\nallowed = ["acme"]\n`;

const policyText = (name: string): string => `import { definePolicy, problem, s } from 'gw/policy';

export default definePolicy({
  summary: 'Accepts requests of known tenants',
  phase: 'authorize',
  schema: s.object({
    header: s.string().describe('Field with the tenant.').default('x-tenant'),
    allowed: s.array(s.string()).describe('Tenants that may pass.'),
  }),
  problems: [
    { code: '${name}/refused', status: 403, title: 'Unknown tenant', description: 'The field names no known tenant.' },
  ],
  create({ header, allowed }) {
    const known = new Set(allowed);
    return {
      before(exchange) {
        const tenant = exchange.header(header);
        if (tenant !== undefined && known.has(tenant)) return undefined;
        return problem(exchange, { status: 403, code: '${name}/refused', title: 'Unknown tenant' });
      },
    };
  },
});
`;

const testText = (name: string): string => `import { assert, contractSuite, policyOf, test } from 'gw/policy/testing';
import policy from ${quoted(`./${name}.js`)};

const config = { allowed: ['acme'] };

// What every policy has to keep to: see docs/custom-policies.md of gw.
contractSuite(policy, config, { requests: [{ headers: { 'x-tenant': 'acme' } }] });

test('a known tenant passes', async () => {
  const { answered, status } = await policyOf(policy, config).request({ headers: { 'x-tenant': 'acme' } });
  assert.equal(answered, false);
  assert.equal(status, 200);
});

test('other requests get 403', async () => {
  const others: { [name: string]: string }[] = [{}, { 'x-tenant': 'other' }];
  for (const headers of others) {
    const { status, code } = await policyOf(policy, config).request({ headers });
    assert.equal(status, 403);
    assert.equal(code, '${name}/refused');
  }
});
`;
