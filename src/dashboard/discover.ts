/** Finds the gateways that run on this machine for this person, by what they wrote to the runtime folder. */
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type GatewayEntry, runtimePath } from '../telemetry/admin-protocol.js';
import { runningGateways } from '../telemetry/running-gateways.js';

/** What a folder and the running gateways lead to. */
export type Found =
  | { readonly kind: 'one'; readonly entry: GatewayEntry; readonly why: 'here' | 'only' }
  | { readonly kind: 'several'; readonly entries: readonly GatewayEntry[] }
  | { readonly kind: 'none'; readonly directory: string };

export interface DiscoverOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Milliseconds that a socket may take to accept. Default 1,000. */
  readonly probeMs?: number;
}

/**
 * Which gateway is meant: the one of this folder's gateway.toml, else the one whose spec is in this folder, else the only
 * one running.
 */
export async function discover(options: DiscoverOptions): Promise<Found> {
  const all = await runningGateways(runtimePath(options.env), options.probeMs);
  const [first] = all;
  if (!first) return { kind: 'none', directory: runtimePath(options.env) };
  const here = realPath(options.cwd);
  const exact = all.filter((entry) => realPath(entry.spec) === realPath(join(here, 'gateway.toml')));
  const near = exact.length > 0 ? exact : all.filter((entry) => dirname(realPath(entry.spec)) === here);
  if (near.length > 1) return { kind: 'several', entries: near };
  const [own] = near;
  if (own) return { kind: 'one', entry: own, why: 'here' };
  return all.length === 1 ? { kind: 'one', entry: first, why: 'only' } : { kind: 'several', entries: all };
}

/** Where a gateway is now: itself while it runs, else the one that runs its spec since, with another process and socket. */
export async function rediscover(before: GatewayEntry, options: DiscoverOptions): Promise<GatewayEntry | undefined> {
  const all = await runningGateways(runtimePath(options.env), options.probeMs);
  const wanted = realPath(before.spec);
  return all.find(({ socket }) => socket === before.socket) ?? all.find((entry) => realPath(entry.spec) === wanted);
}

/** Through links, where there is something; else the path as it stands (a spec may be gone while its gateway runs). */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
