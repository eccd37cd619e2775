/** gw as a contestant: its spec and command line. */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { routePaths } from './requests.js';
import type { Setting } from './setting.js';

export interface GwOptions {
  /** Size of the route table, including the routes of the scenarios. */
  readonly routes: number;
  readonly pipelining: number;
  readonly workers: number;
  /** With key, limit and access log. */
  readonly full: boolean;
  /** Further lines of the spec, and the policies of its items, bytes and uploads. */
  readonly extra: string;
  readonly policies: readonly string[];
  /** Further lines of the listener, and of the service. */
  readonly listener: string;
  readonly service: string;
  /** Port of the origin. */
  readonly origin: number;
  /** Path of the Node binary that runs it. */
  readonly node: string;
}

/** Keeps the admin sockets in the folder of the run, separate from those of real gateways. */
export const gwEnv = (setting: Setting): { readonly [name: string]: string } => ({
  GW_RUNTIME_DIR: join(setting.folder, 'run'),
});

/** No connection is closed because of its age, as with the peers; all else is the default. */
const spec = (setting: Setting, port: number, options: GwOptions): string => `spec = 1
${options.workers > 1 ? `workers = ${options.workers}` : ''}

[listener.main]
address = "127.0.0.1:${port}"
max_requests_per_connection = 1000000000
${options.listener}

[service.origin]
targets = ["http://127.0.0.1:${options.origin}"]
${options.pipelining > 1 ? `pipelining = ${options.pipelining}` : ''}
${options.service}

[[route]]
name = "item"
match = "GET /items/{id:int}"
to = "origin"
${listOf(options.full ? ['keys', 'polite'] : options.policies)}

[[route]]
name = "bytes"
match = "GET /bytes/{size}"
to = "origin"
${listOf(options.policies)}

[[route]]
name = "stream"
match = "GET /stream/{bytes:int}"
to = "origin"
timeout = "0s"

[[route]]
name = "upload"
match = "POST /upload"
to = "origin"
timeout = "0s"
${listOf(options.policies)}
${options.extra}
${options.full ? policies(setting) : ''}
${routePaths(options.routes)
  .map((path, i) => `[[route]]\nname = "thing-${i}"\nmatch = "GET ${path}/{id:int}"\nto = "origin"\n`)
  .join('\n')}`;

const listOf = (policies: readonly string[]): string =>
  policies.length === 0 ? '' : `policies = ${JSON.stringify(policies)}`;

function policies({ key }: Setting): string {
  return `
[consumer.bench]
api_keys = ["sha256:${createHash('sha256').update(key).digest('hex')}"]

[policy.keys]
use = "api-key"

[policy.polite]
use = "rate-limit"
limit = "900000/s"
by = "consumer"
`;
}

/** The command that serves a spec with these options on this port. */
export function gwCommand(setting: Setting, name: string, port: number, options: GwOptions): readonly string[] {
  const file = name.replace(/[^a-z0-9]+/gi, '-');
  const path = setting.write(`${file}.toml`, spec(setting, port, options));
  const log = options.full ? ['--access-log', join(setting.folder, 'access.log')] : ['--no-access-log'];
  return [options.node, resolve('bin/gw.js'), 'serve', path, '--no-watch', '--log', 'json', ...log];
}
