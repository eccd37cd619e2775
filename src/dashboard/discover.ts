/** Finds the gateways that run on this machine for this person, by what they wrote to the runtime folder. */
import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { readInputText } from '../input-file.js';
import { type GatewayEntry, isAlive, isEntry, MAX_ENTRY_BYTES, runtimePath } from '../telemetry/admin-protocol.js';

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

/** Every entry of a process that lives and whose socket accepts, newest first. Stale and broken files are passed over. */
export async function runningGateways(options: DiscoverOptions): Promise<GatewayEntry[]> {
  const directory = runtimePath(options.env);
  const entries: GatewayEntry[] = [];
  for (const file of filesOf(directory)) {
    if (!/^\d+(-\d+)?\.json$/.test(file)) continue;
    const entry = readEntry(join(directory, file));
    if (entry && isAlive(entry.pid)) entries.push(entry);
  }
  const probed = await Promise.all(entries.map((entry) => accepts(entry.socket, options.probeMs ?? 1_000)));
  return entries.filter((_, index) => probed[index]).sort((a, b) => b.startedAt - a.startedAt || b.pid - a.pid);
}

/**
 * Which gateway is meant: the one of this folder's gateway.toml, else the one whose spec is in this folder, else the only
 * one running.
 */
export async function discover(options: DiscoverOptions): Promise<Found> {
  const all = await runningGateways(options);
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
  const all = await runningGateways(options);
  const wanted = realPath(before.spec);
  return all.find(({ socket }) => socket === before.socket) ?? all.find((entry) => realPath(entry.spec) === wanted);
}

/** Under a shared temporary folder somebody else could have made this one first, with entries of their own. */
function filesOf(directory: string): string[] {
  const me = process.getuid?.();
  try {
    const { uid } = lstatSync(directory);
    return me === undefined || uid === me ? readdirSync(directory) : [];
  } catch {
    // Not there, no folder, not readable: no gateway of this person wrote anything to it.
    return [];
  }
}

function readEntry(path: string): GatewayEntry | undefined {
  try {
    const value: unknown = JSON.parse(readInputText(path, { maxBytes: MAX_ENTRY_BYTES }));
    return isEntry(value) ? value : undefined;
  } catch {
    // Removed under our eyes, unreadable or half written: no gateway can be reached by it.
    return undefined;
  }
}

/** A process number is used again some day: only a socket that accepts proves a gateway. */
function accepts(path: string, probeMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(probeMs, () => done(false));
    socket.on('connect', () => done(true));
    socket.on('error', () => done(false));
  });
}

/** Through links, where there is something; else the path as it stands (a spec may be gone while its gateway runs). */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
