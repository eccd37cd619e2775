/** Projects with custom code, in folders of their own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type CheckedSpec, checkSpec } from '../../src/lint/index.js';

const folders: string[] = [];

/** A folder with these files. */
export function project(files: { readonly [path: string]: string }): string {
  const folder = mkdtempSync(join(tmpdir(), 'gw-custom-'));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) write(folder, path, text);
  return folder;
}

export function write(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

export function removeProjects(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A spec with one route, whose policy is `use`. */
export const specWith = (use: string, keys = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"

[policy.own]
use = "${use}"
${keys}
[[route]]
name = "hello"
match = "GET /hello"
reply = { body = "hello" }
policies = ["own"]
`;

/** A policy that refuses requests without a field. */
export const TENANT = `
import { definePolicy, problem, s } from 'gw/policy';
import { lower } from './lower.js';
export default definePolicy({
  summary: 'Accepts requests of known tenants',
  phase: 'authorize',
  schema: s.object({ header: s.string().default('x-tenant'), allowed: s.array(s.string()) }),
  create({ header, allowed }) {
    const known = new Set(allowed.map(lower));
    return {
      before(exchange) {
        const tenant = exchange.header(header);
        if (tenant !== undefined && known.has(lower(tenant))) return undefined;
        return problem(exchange, { status: 403, code: 'tenant/unknown', title: 'Unknown tenant' });
      },
    };
  },
});
`;
export const LOWER = 'export const lower = (text: string): string => text.toLowerCase();\n';

export const check = (folder: string, code?: Parameters<typeof checkSpec>[0]['code']): CheckedSpec =>
  checkSpec({ path: join(folder, 'gateway.toml'), code });

/** A policy whose parts are given as text. */
export const policyWith = (parts: string, head = ''): string =>
  `import { createHash } from 'node:crypto';\nimport { definePolicy, problem, s } from 'gw/policy';\n${head}\nvoid [createHash, problem, s];\nexport default definePolicy({ summary: 'A test', phase: 'authorize', ${parts} });\n`;
